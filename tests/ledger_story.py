"""A small ledger in plain Python, for tests of the verifier: leaves as the ledger writes them, statements as payout does.

Goal: stories of a few leaves, made without a database, in which anything can be changed and told again.
Method: everything is a dictionary until `leaves()` writes it. Statements are composed from the story by rules written down here
a second time; tests/integration compares the verifier with statements that payout really made.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid5

from schemas.note_signing import NoteKey
from tests.log_files import checkpoint, inclusion_proof

BEGIN = datetime(2025, 3, 1, 8, 0, tzinfo=UTC)
USD = "USD"
EUR = "EUR"
RATE = {"value": "0.92", "source": "BCRP", "side": "bid", "on": "2025-04-10"}
PAYER = "PAY-01"
SCHEME = "sbg"
NAMESPACE = UUID("8d3f5c1e-6a42-5b9e-9a57-0c7d2f4b8e16")
Json = dict[str, Any]


def canonical(value: object) -> bytes:
    """Canonical JSON of what the stories hold."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def cents(amount: int) -> str:
    """1498.08 for 149808."""
    return f"{'-' if amount < 0 else ''}{abs(amount) // 100}.{abs(amount) % 100:02}"


def grams(milligrams: int) -> str:
    """2140.109 for 2140109."""
    return f"{milligrams // 1000}.{milligrams % 1000:03}"


def account(owner: str, purpose: str) -> Json:
    """`org:ORG-1` and a purpose."""
    kind, _, id_ = owner.partition(":")
    return {"owner_kind": kind, "owner_id": id_, "purpose": purpose}


@dataclass
class Story:
    """Leaves in order, and what each party has."""

    told: list[Json] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)
    lines: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)  # (subject, lot): cents, milligrams

    def add(self, subject: str, kind: str, on: str, **members: Any) -> int:
        """Append a leaf; what every leaf has is filled in. Returns its index."""
        index = len(self.told)
        self.numbers[subject] = self.numbers.get(subject, 0) + 1
        owner_kind, _, owner_id = subject.partition(":")
        leaf = {
            "transaction_id": str(uuid5(NAMESPACE, f"story\n{index}")),
            "leaf_index": index,
            "subject": {"kind": owner_kind, "id": owner_id},
            "subject_number": self.numbers[subject],
            "kind": kind,
            "part": 1,
            "parts": 1,
            "effective_on": on,
            "recorded_at": (BEGIN + timedelta(minutes=index)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "nonce": sha256(str(index).encode()).hexdigest()[:32],
        }
        self.told.append(leaf | members)
        return index

    def premium(self, subject: str, lot: str, on: str, *, amount: int, milligrams: int, stage: str = "final") -> int:
        """A revision of a lot of one party: its new totals."""
        before, gold_before = self.lines.get((subject, lot), (0, 0))
        revision = 1 + sum(leaf["cause"].get("lot_id") == lot for leaf in self.told)
        self.lines[subject, lot] = (amount, milligrams)
        scope = {"refiner_id": "REF-1", "lot_id": lot, "revision": revision, "stage": stage}
        transfers = []
        if amount != before:
            sides = [account(f"payer:{PAYER}", "receivable"), account(subject, "payable")]
            own = {"scheme_id": SCHEME, "payer_id": PAYER, "role": "producer"}
            transfers.append(_transfer(sides, amount - before, USD, scope | own))
        if milligrams != gold_before:
            sides = [account("refiner:REF-1", "gold"), account(subject, "gold")]
            transfers.append(_transfer(sides, milligrams - gold_before, "AU-MG", scope))
        line = {
            "scheme_id": SCHEME,
            "scheme_version": "2019-07",
            "payer_id": PAYER,
            "role": "producer",
            "currency": USD,
            "fine_weight_g": grams(milligrams),
            "amount": cents(amount),
            "previous_amount": cents(before),
            "eligible": True,
            "reason": None,
        }
        explanation = [
            {"step": "documents", "rule": "stated", "values": {"count": "1", "kind.0": "guía", "number.0": "0001-004512"}},
            {"step": "premium", "rule": "per_mass", "values": {"scheme_id": SCHEME, "currency": USD, "total": cents(amount)}},
        ]
        cause = {
            "kind": "entitlement",
            "entitlement_id": str(uuid5(NAMESPACE, f"{lot}\n{revision}")),
            "refiner_id": "REF-1",
            "lot_id": lot,
            "revision": revision,
            "calculation": 0,
            "stage": stage,
            "status": "settleable",
            "sold_on": on,
            "sale": {"source": "/refiners/REF-1", "id": f"{lot}-{revision}", "hash": f"sha256:{'0' * 64}"},
            "registry_version": f"sha256:{'1' * 64}",
            "fineness_permille": "873.3",
            "fine_weight_g": grams(milligrams),
            "explanation": explanation,
        }
        gold = {"fine_weight_g": grams(milligrams), "previous_fine_weight_g": grams(gold_before)}
        return self.add(subject, "premium", on, cause=cause, lines=[line], gold=gold, transfers=transfers)

    def payment(self, subject: str, order: str, on: str, amount: int, steps: Sequence[str] = ("reserved", "settled")) -> int:
        """Steps of an order's first attempt. Returns the index of the last."""
        index = -1
        sides = {
            "reserved": [account(subject, "payable"), account(subject, "in_transit")],
            "settled": [account(subject, "in_transit"), account("programme:programme", "bank")],
            "voided": [account(subject, "in_transit"), account(subject, "payable")],
            "returned": [account("programme:programme", "bank"), account(subject, "payable")],
        }
        for step in steps:
            cause = command(step) | {"reservation_id": reservation_id(order)}
            transfer = _transfer(sides[step], amount, USD, {"scheme_id": SCHEME, "payer_id": PAYER})
            index = self.add(subject, step, on, cause=cause, transfers=[transfer])
        return index

    def decide(self, subject: str, kind: str, on: str, *moves: tuple[int, str, str]) -> int:
        """An opening balance or correction: amounts, currencies and payers of what is added to payable, or taken from it."""
        transfers = [
            _transfer(
                [account("programme:programme", "suspense"), account(subject, "payable")],
                amount,
                unit,
                {"scheme_id": SCHEME, "payer_id": payer},
            )
            for amount, unit, payer in moves
        ]
        cause = command("correct") | {"reason": "WRONG_PAYEE", "proposed_by": "a", "approved_by": "b"}
        return self.add(subject, kind, on, cause=cause, transfers=transfers)

    def exchange(self, subject: str, on: str, sold: tuple[int, str], bought: tuple[int, str]) -> int:
        """What is owed in one currency becomes owed in another."""
        scope = {"scheme_id": SCHEME, "payer_id": PAYER}
        sides = [account("programme:programme", "fx"), account(subject, "payable")]
        transfers = [_transfer(sides, -sold[0], sold[1], scope), _transfer(sides, bought[0], bought[1], scope)]
        return self.add(subject, "exchanged", on, cause=command("exchange") | {"rate": RATE}, transfers=transfers)

    def attest(self, subject: str, on: str, content: bytes) -> int:
        """Put a statement's hash on record."""
        attestation = {"attestation": "premium.statement.v1", "sha256": sha256(content).hexdigest()}
        return self.add(subject, "attested", on, cause=command("attest"), attestation=attestation)

    def leaves(self) -> list[bytes]:
        """The bytes of all leaves."""
        return [canonical(leaf) for leaf in self.told]

    def bundle(self, about: Json, keys: Sequence[NoteKey], of: Callable[[Json], bool], **documents: Any) -> Json:
        """A bundle of the leaves that are meant, as a dictionary. `keys`: the log's, then witnesses'."""
        leaves = self.leaves()
        meant = [index for index, leaf in enumerate(self.told) if of(leaf)]
        proven = [
            {"leaf": self.told[index], "proof": [b64encode(one).decode() for one in inclusion_proof(index, leaves)]}
            for index in meant
        ]
        frame = {"bundle": "premia.proof.v1", "about": about, "checkpoint": checkpoint(leaves, *keys), "leaves": proven}
        return frame | documents

    def statement(self, subject: str, number: int, first: date, last: date, *, before: Json | None = None) -> Json:
        """The statement of a month, from what is told so far."""

        def covered(leaf: Json, by: Json) -> bool:
            return leaf["leaf_index"] < by["tree_size"] and leaf["effective_on"] <= by["period_to"]

        kind, _, id_ = subject.partition(":")
        tree_size = len(self.told)
        frame = {"tree_size": tree_size, "period_to": last.isoformat()}
        own = [leaf for leaf in self.told if leaf["subject"] == {"kind": kind, "id": id_} and covered(leaf, frame)]
        earlier = [leaf for leaf in own if before is not None and covered(leaf, before)]
        new = [leaf for leaf in own if leaf not in earlier]
        settled = {
            leaf["cause"]["lot_id"] for leaf in earlier if leaf["kind"] == "premium" and leaf["cause"]["stage"] == "final"
        }
        postings = [_posting(leaf, settled) for leaf in new if leaf["kind"] == "premium"]
        year = [leaf for leaf in own if leaf["effective_on"].startswith(str(last.year))]
        units = sorted({t["unit"] for leaf in own for t in leaf.get("transfers", [])} - {"AU-MG"})
        return {
            "statement_number": f"{number:04}-{last:%Y-%m}",
            "number": number,
            "payee": {
                "kind": kind,
                "id": id_,
                "name": "Asociación Minera Ejemplo",
                "country": "PE",
                "town": None,
                "tax_id": None,
            },
            "locale": "es_PE",
            "period_from": first.isoformat(),
            "period_to": last.isoformat(),
            "issued_on": last.isoformat(),
            "tree_size": tree_size,
            "year": last.year,
            "fine_weight_year_to_date_g": grams(sum(_gold(leaf) for leaf in year)),
            "schemes": [],
            "postings": postings,
            "balances": [_balance(subject, unit, postings, (own, earlier, new, year)) for unit in units],
        }


def _balance(subject: str, unit: str, postings: list[Json], leaves: tuple[list[Json], ...]) -> Json:
    own, earlier, new, year = leaves

    def moved(told: list[Json], *purposes: str, kinds: str = "") -> int:
        return sum(_moved(leaf, subject, unit, purposes) for leaf in told if not kinds or leaf["kind"] in kinds.split())

    lines = [line for posting in postings for line in posting["lines"] if line["currency"] == unit]
    premiums, adjustments = (
        sum(_cents(line["posted"]) for line in lines if line["counts_as"] == counts_as)
        for counts_as in ("premium", "adjustment")
    )
    transfers, returns = ([_movement(leaf) for leaf in new if leaf["kind"] == kind] for kind in ("settled", "returned"))
    corrections = [entry for leaf in new if leaf["kind"] in {"opened", "corrected"} for entry in _corrections(leaf, unit)]
    exchanges = [_exchange(leaf, subject, unit) for leaf in new if leaf["kind"] == "exchanged" and moved([leaf], "payable")]
    payable, in_transit = moved(own, "payable"), moved(own, "in_transit")
    return {
        "currency": unit,
        "opening": cents(moved(earlier, "payable", "in_transit")),
        "premiums": cents(premiums),
        "adjustments": cents(adjustments + sum(_cents(entry["amount"]) for entry in corrections)),
        "deducted": cents(0),
        "transferred": cents(sum(_cents(entry["amount"]) for entry in transfers if unit == USD)),
        "returned": cents(sum(_cents(entry["amount"]) for entry in returns if unit == USD)),
        "exchanged": cents(sum(_cents(entry["amount"]) for entry in exchanges)) if exchanges else None,
        "closing": cents(payable + in_transit),
        "breakdown": {
            "available": cents(payable),
            "on_hold": cents(0),
            "carried_over": cents(0),
            "scheduled": cents(in_transit),
            "in_transit": cents(0),
        },
        "ledger_payable": cents(payable),
        "ledger_in_transit": cents(in_transit),
        "premiums_year_to_date": cents(moved(year, "payable", kinds="premium")),
        "transferred_year_to_date": cents(-moved(year, "payable", "in_transit", kinds="settled returned")),
        "minimum_payout": None,
        "deductions": [],
        "transfers": transfers if unit == USD else [],
        "returns": returns if unit == USD else [],
        "corrections": corrections,
        "exchanges": exchanges,
        "holds": [],
    }


def command(name: str) -> Json:
    """The cause of what a command did."""
    return {"kind": "command", "command": name, "command_id": str(UUID(int=0)), "command_hash": f"sha256:{'2' * 64}"}


def end_to_end_id(order: str) -> str:
    """The bank's reference of an order's first attempt."""
    return sha256(f"premia/end-to-end-id/v1\n{order}\n1".encode()).hexdigest()[:32]


def reservation_id(order: str) -> str:
    """What the leaves of an order's first attempt carry."""
    return str(uuid5(NAMESPACE, f"payout-attempt\n{order}\n1"))


def order_id(number: int) -> str:
    """An order's id."""
    return str(uuid5(NAMESPACE, f"order\n{number}"))


def _posting(leaf: Json, settled_lots: set[str]) -> Json:
    counts_as = "adjustment" if leaf["cause"]["lot_id"] in settled_lots else "premium"
    cause, gold = leaf["cause"], leaf["gold"]
    return {
        "leaf_index": leaf["leaf_index"],
        "transaction_id": leaf["transaction_id"],
        "effective_on": leaf["effective_on"],
        **{name: cause[name] for name in ("refiner_id", "lot_id", "revision", "calculation", "stage", "status", "sold_on")},
        "fineness_permille": cause["fineness_permille"],
        "lot_fine_weight_g": cause["fine_weight_g"],
        "own_fine_weight_g": gold["fine_weight_g"],
        "previous_own_fine_weight_g": gold["previous_fine_weight_g"],
        "documents": [{"kind": "guía", "number": "0001-004512", "issuer": None}],
        "explanation": cause["explanation"],
        "lines": [
            {
                **line,
                "posted": cents(_cents(line["amount"]) - _cents(line["previous_amount"])),
                "counts_as": counts_as,
                "state": "calculated",
            }
            for line in leaf["lines"]
        ],
    }


def _movement(leaf: Json) -> Json:
    order = next(order for order in map(order_id, range(100)) if leaf["cause"]["reservation_id"] == reservation_id(order))
    entry = {
        "on": leaf["effective_on"],
        "amount": cents(sum(transfer["amount_minor"] for transfer in leaf["transfers"])),
        "leaf_index": leaf["leaf_index"],
        "order_id": order,
        "end_to_end_id": end_to_end_id(order),
        "account_last_four": "8890",
    }
    return entry if leaf["kind"] == "settled" else entry | {"charges": cents(0), "transferred_on": leaf["effective_on"]}


def _corrections(leaf: Json, unit: str) -> list[Json]:
    return [
        {
            "on": leaf["effective_on"],
            "amount": cents(transfer["amount_minor"] * (1 if transfer["credit"]["purpose"] == "payable" else -1)),
            "leaf_index": leaf["leaf_index"],
            "kind": leaf["kind"],
            "reason_code": leaf["cause"]["reason"],
            "scheme_id": transfer["scope"]["scheme_id"],
            "payer_id": transfer["scope"]["payer_id"],
        }
        for transfer in leaf["transfers"]
        if transfer["unit"] == unit
    ]


def _exchange(leaf: Json, subject: str, unit: str) -> Json:
    (other,) = {transfer["unit"] for transfer in leaf["transfers"]} - {unit}
    return {
        "on": leaf["effective_on"],
        "amount": cents(_moved(leaf, subject, unit, ("payable",))),
        "leaf_index": leaf["leaf_index"],
        "other_currency": other,
        "other_amount": cents(abs(_moved(leaf, subject, other, ("payable",)))),
        "rate": leaf["cause"]["rate"],
    }


def _moved(leaf: Json, subject: str, unit: str, purposes: Sequence[str]) -> int:
    total = 0
    for transfer in leaf.get("transfers", []):
        for side, sign in (("debit", -1), ("credit", 1)):
            if transfer["unit"] == unit and any(transfer[side] == account(subject, purpose) for purpose in purposes):
                total += sign * transfer["amount_minor"]
    return total


def _gold(leaf: Json) -> int:
    gold = leaf.get("gold")
    return 0 if gold is None else _cents(gold["fine_weight_g"]) - _cents(gold["previous_fine_weight_g"])


def _transfer(sides: list[Json], amount: int, unit: str, scope: Json) -> Json:
    debit, credit = sides if amount > 0 else sides[::-1]
    return {"debit": debit, "credit": credit, "amount_minor": abs(amount), "unit": unit, "scope": scope}


def _cents(text: str) -> int:
    return int(text.replace(".", ""))
