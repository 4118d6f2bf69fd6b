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
        lines = [line for posting in postings for line in posting["lines"]]
        counted = {"premium": 0, "adjustment": 0}
        for line in lines:
            counted[line["counts_as"]] += _cents(line["posted"])
        transfers, returns = ([_movement(leaf) for leaf in new if leaf["kind"] == step] for step in ("settled", "returned"))
        opening = sum(_moved(leaf, subject, {"payable", "in_transit"}) for leaf in earlier)
        payable, in_transit = (sum(_moved(leaf, subject, {purpose}) for leaf in own) for purpose in ("payable", "in_transit"))
        year = [leaf for leaf in own if leaf["effective_on"].startswith(str(last.year))]
        balance = {
            "currency": USD,
            "opening": cents(opening),
            "premiums": cents(counted["premium"]),
            "adjustments": cents(counted["adjustment"]),
            "deducted": cents(0),
            "transferred": cents(sum(_cents(entry["amount"]) for entry in transfers)),
            "returned": cents(sum(_cents(entry["amount"]) for entry in returns)),
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
            "premiums_year_to_date": cents(
                sum(_moved(leaf, subject, {"payable"}) for leaf in year if leaf["kind"] == "premium")
            ),
            "transferred_year_to_date": cents(
                -sum(
                    _moved(leaf, subject, {"payable", "in_transit"}) for leaf in year if leaf["kind"] in {"settled", "returned"}
                )
            ),
            "minimum_payout": None,
            "deductions": [],
            "transfers": transfers,
            "returns": returns,
            "holds": [],
        }
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
            "balances": [balance],
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


def _moved(leaf: Json, subject: str, purposes: set[str]) -> int:
    total = 0
    for transfer in leaf.get("transfers", []):
        for side, sign in (("debit", -1), ("credit", 1)):
            if any(transfer[side] == account(subject, purpose) for purpose in purposes) and transfer["unit"] == USD:
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
