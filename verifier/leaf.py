"""One leaf of the ledger's log: one transaction of one subject.

Goal: know what a leaf says, and that it can say nothing else.
Method: canonical JSON. Everything that the checks rely on is read by name and form; members that later versions of Premia may
add are left alone, because the leaf's hash covers them anyway.
Refuses: LEAF_MALFORMED for what is missing or of another form, TRANSFER_WRONG for a transfer that moves nothing.
Source: design, section 6; schemas/published describes the same as JSON Schema (ledger.transaction.v1).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final, NamedTuple

from verifier.deviation import Deviation, DeviationCode
from verifier.strict import Members, NotStrictError, from_canonical_json
from verifier.units import FINE_GOLD, amount_from_text

LEAF_BYTES_MAX: Final = 65_535  # an entry's length is written in 16 bits (tlog-tiles).
LISTED_MAX: Final = 1_000  # lines or transfers: LEAF_BYTES_MAX has room for some 300.

PAYEES: Final = frozenset({"org", "fund"})
# Accounts of payees: what is owed, what is on its way, what gold they brought.
OWN_PURPOSES: Final = frozenset({"payable", "in_transit", "gold"})

_NONCE: Final = re.compile(r"[0-9a-f]{32}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z")
_UNIT: Final = re.compile(r"[A-Z]{3}|AU-MG")


class Subject(NamedTuple):
    """Whose transaction it is."""

    kind: str
    id: str

    def __str__(self) -> str:
        """As messages name it."""
        return f"{self.kind} {self.id}"


class Account(NamedTuple):
    """An account, without its unit."""

    owner: Subject
    purpose: str

    def __str__(self) -> str:
        """As messages name it."""
        return f"{self.owner.kind}:{self.owner.id}:{self.purpose}"


class Part(NamedTuple):
    """What premiums and payments are kept apart by. Empty texts where that does not apply."""

    unit: str
    scheme_id: str
    payer_id: str
    role: str


class Transfer(NamedTuple):
    """One debit, one credit, one amount above zero in minor units or milligrams."""

    debit: Account
    credit: Account
    amount: int
    part: Part


class Line(NamedTuple):
    """What the subject earned in a lot under one scheme, before and after, in minor units. `members`: the line as it stands."""

    part: Part
    amount: int
    previous: int
    members: dict[str, object]


class Gold(NamedTuple):
    """The subject's fine gold in the lot, before and after, in milligrams. `members`: as it stands."""

    amount: int
    previous: int
    members: dict[str, object]


@dataclass(frozen=True, slots=True)
class Leaf:
    """One leaf. `number` counts the subject's leaves from 1, `part` of `parts` belong to one cause."""

    index: int
    transaction_id: str
    subject: Subject
    number: int
    kind: str
    part: int
    parts: int
    effective_on: date
    recorded_at: datetime
    nonce: bytes
    cause: Members
    lines: tuple[Line, ...]
    gold: Gold | None
    transfers: tuple[Transfer, ...]
    attestation: str | None
    attested_sha256: str | None

    @property
    def place(self) -> str:
        """As messages name it."""
        return f"leaf {self.index}"

    def moved(self) -> Iterator[tuple[Account, Part, int]]:
        """What the leaf did to accounts: credits are above zero."""
        for transfer in self.transfers:
            yield transfer.debit, transfer.part, -transfer.amount
            yield transfer.credit, transfer.part, transfer.amount

    def lot(self) -> tuple[str, str] | None:
        """Refiner and lot, if a lot caused it."""
        if self.cause.value["kind"] != "entitlement":
            return None
        return self.cause.text("refiner_id"), self.cause.text("lot_id")


def read_leaf(content: bytes, place: str) -> Leaf:
    """What a leaf says. Raises Deviation: LEAF_MALFORMED or TRANSFER_WRONG."""
    if len(content) > LEAF_BYTES_MAX:
        raise Deviation(DeviationCode.LEAF_MALFORMED, place, f"has {len(content)} bytes, at most {LEAF_BYTES_MAX} fit a log")
    try:
        value = from_canonical_json(content)
    except NotStrictError as error:
        raise Deviation(DeviationCode.LEAF_MALFORMED, place, str(error)) from error
    return leaf_of(value, place)


def leaf_of(value: object, place: str) -> Leaf:
    """What a leaf says that was read as JSON. Raises Deviation: LEAF_MALFORMED or TRANSFER_WRONG."""
    members = Members.of(value, place, DeviationCode.LEAF_MALFORMED)
    attestation = members.member("attestation") if "attestation" in members.value else None
    leaf = Leaf(
        index=members.count("leaf_index"),
        transaction_id=members.matching("transaction_id", _UUID, "a UUID in lower case"),
        subject=_subject(members.member("subject")),
        number=members.count("subject_number", at_least=1),
        kind=members.text("kind"),
        part=members.count("part", at_least=1),
        parts=members.count("parts", at_least=1),
        effective_on=members.day("effective_on"),
        recorded_at=_time(members),
        nonce=bytes.fromhex(members.matching("nonce", _NONCE, "32 hexadecimal digits")),
        cause=_cause(members.member("cause")),
        lines=tuple(_line(line) for line in _listed(members, "lines")),
        gold=_gold(members.member("gold")) if "gold" in members.value else None,
        transfers=tuple(_transfer(transfer) for transfer in _listed(members, "transfers")),
        attestation=None if attestation is None else attestation.text("attestation"),
        attested_sha256=None if attestation is None else attestation.matching("sha256", _SHA256, "64 hexadecimal digits"),
    )
    if leaf.part > leaf.parts:
        members.refuse(f"is part {leaf.part} of {leaf.parts}")
    return leaf


class Parts:
    """Leaves in order: the parts of one cause follow one another. One that never came would leave the others unchecked."""

    def __init__(self) -> None:
        self._before: Leaf | None = None

    def take(self, leaf: Leaf) -> None:
        """Raises Deviation: PART_MISSING."""
        if leaf.part == 1:
            self.finish()
        elif self._before is None or not _follows(leaf, self._before):
            message = f"is part {leaf.part} of {leaf.parts}, and part {leaf.part - 1} does not precede it"
            raise Deviation(DeviationCode.PART_MISSING, leaf.place, message)
        self._before = leaf

    def finish(self) -> None:
        """No more leaves. Raises Deviation: PART_MISSING."""
        last = self._before
        if last is not None and last.part < last.parts:
            message = f"is part {last.part} of {last.parts}, and part {last.part + 1} does not follow it"
            raise Deviation(DeviationCode.PART_MISSING, last.place, message)


class LinesAgainstTransfers:
    """A premium is posted as the difference of its lines, part by part; the fine gold of a lot likewise.

    Leaves are taken in order; lines and transfers of all parts of one cause are compared together.
    """

    def __init__(self) -> None:
        self._parts = Parts()
        self._open: dict[Part, int] = {}

    def take(self, leaf: Leaf) -> None:
        """Raises Deviation: PART_MISSING; LINES_WRONG at the last part of what does not fit."""
        self._parts.take(leaf)
        if leaf.part == 1:
            self._open = {}
        for line in leaf.lines:
            self._add(line.part, line.amount - line.previous)
        if leaf.gold is not None:
            self._add(Part(FINE_GOLD, "", "", ""), leaf.gold.amount - leaf.gold.previous)
        if leaf.kind == "premium":
            for part, amount in _moved_by_premium(leaf):
                self._add(part, -amount)
        if leaf.part == leaf.parts:
            for part, amount in self._open.items():
                if amount:
                    message = f"its lines and its transfers differ by {amount} {part.unit} ({'/'.join(filter(None, part[1:]))})"
                    raise Deviation(DeviationCode.LINES_WRONG, leaf.place, message)

    def finish(self) -> None:
        """No more leaves. Raises Deviation: PART_MISSING."""
        self._parts.finish()

    def _add(self, part: Part, amount: int) -> None:
        self._open[part] = self._open.get(part, 0) + amount


def _follows(leaf: Leaf, before: Leaf) -> bool:
    """Whether a leaf is the next part of the same cause, which later parts tell more briefly."""
    same_cause = all(leaf.cause.text_or_none(id_) == before.cause.text_or_none(id_) for id_ in ("entitlement_id", "command_id"))
    next_part = (before.subject, before.kind, before.parts, before.part + 1)
    return same_cause and (leaf.subject, leaf.kind, leaf.parts, leaf.part) == next_part


def _moved_by_premium(leaf: Leaf) -> Iterator[tuple[Part, int]]:
    """What a premium added to its subject. Raises Deviation: LINES_WRONG for a transfer that no line could tell of."""
    for transfer in leaf.transfers:
        is_credit = transfer.credit.owner == leaf.subject
        own, other = (transfer.credit, transfer.debit) if is_credit else (transfer.debit, transfer.credit)
        owed = (Account(leaf.subject, "payable"), Account(Subject("payer", transfer.part.payer_id), "receivable"))
        is_gold = own == Account(leaf.subject, "gold") and (other.owner.kind, other.purpose) == ("refiner", "gold")
        if (own, other) != owed and not is_gold:
            message = f"is a premium of {leaf.subject} and moves {transfer.debit} to {transfer.credit}"
            raise Deviation(DeviationCode.LINES_WRONG, leaf.place, message)
        yield transfer.part, transfer.amount if is_credit else -transfer.amount


def require_own_accounts(leaf: Leaf) -> None:
    """A payee's accounts are moved by its own leaves only. Raises Deviation: TRANSFER_WRONG."""
    for account, _, _ in leaf.moved():
        if account.owner.kind in PAYEES and account.purpose in OWN_PURPOSES and account.owner != leaf.subject:
            raise Deviation(DeviationCode.TRANSFER_WRONG, leaf.place, f"is a leaf of {leaf.subject} and moves {account}")


def _listed(members: Members, name: str) -> list[Members]:
    listed = members.objects(name)
    if len(listed) > LISTED_MAX:
        members.refuse(f"has {len(listed)} {name}, at most {LISTED_MAX} are looked at")
    return listed


def _subject(members: Members) -> Subject:
    return Subject(members.text("kind"), members.text("id"))


def _time(members: Members) -> datetime:
    text = members.matching("recorded_at", _TIME, "a time in UTC")
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        members.refuse(f"recorded_at is {text}, which no calendar has")


def _cause(members: Members) -> Members:
    kind = members.text("kind")
    if kind == "entitlement":
        for name in ("refiner_id", "lot_id", "stage", "status"):
            members.text(name)
        members.count("revision")
        members.count("calculation")
    return members


def _line(members: Members) -> Line:
    currency = members.matching("currency", _UNIT, "a currency")
    part = Part(currency, members.text("scheme_id"), members.text("payer_id"), members.text("role"))
    members.flag("eligible")
    return Line(
        part, amount_of(members, "amount", currency), amount_of(members, "previous_amount", currency), dict(members.value)
    )


def _gold(members: Members) -> Gold:
    amount, previous = (amount_of(members, name, FINE_GOLD) for name in ("fine_weight_g", "previous_fine_weight_g"))
    return Gold(amount, previous, dict(members.value))


def _transfer(members: Members) -> Transfer:
    unit = members.matching("unit", _UNIT, "a currency or AU-MG")
    scope = members.member("scope") if "scope" in members.value else Members({}, members.place, members.code)
    part = Part(unit, *(scope.text_or_none(name) or "" for name in ("scheme_id", "payer_id", "role")))
    debit, credit = (_account(members.member(side)) for side in ("debit", "credit"))
    amount = members.count("amount_minor")
    if amount == 0 or debit == credit:
        raise Deviation(DeviationCode.TRANSFER_WRONG, members.place, f"moves {amount} {unit} from {debit} to {credit}")
    return Transfer(debit, credit, amount, part)


def _account(members: Members) -> Account:
    return Account(Subject(members.text("owner_kind"), members.text("owner_id")), members.text("purpose"))


def amount_of(members: Members, name: str, unit: str) -> int:
    """An amount in minor units or milligrams that is written as a text."""
    try:
        return amount_from_text(members.text(name), unit)
    except NotStrictError as error:
        members.refuse(f"{name} {error}")
