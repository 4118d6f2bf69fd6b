"""Leaves of the log: the bytes of transactions, as published and as hashed.

Goal: one canonical form (RFC 8785) of each transaction with its cause and a random nonce.
Method: structures and dictionaries of texts, small integers and booleans, written with sorted keys: that is RFC 8785 for ASCII
keys (a test compares with schemas.canonical_json). What does not apply has its default, and is left out. A cause is written
once for all subjects of an entitlement.
A transaction that would exceed LEAF_BYTES_MAX becomes several: transfers and lines are spread in order, and the explanation
stands in the first part only.
Refuses: nothing; a cause whose explanation alone is too large goes without it, because the entitlement's bytes have it.
Source: design, section 6.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from datetime import date
from functools import lru_cache
from typing import Final

import msgspec

from schemas.currencies import minor_digits_by_currency
from schemas.fixed_point import fixed_text
from schemas.identity import derived_id_text
from schemas.ledger_transaction import LEAF_BYTES_MAX
from services.ledger.domain.account import KEPT_KEYS_MAX, AccountKey, SubjectKey
from services.ledger.domain.entitlement import Entitlement
from services.ledger.domain.transaction import (
    NO_SCOPE,
    Attestation,
    ClearedPart,
    CommandCause,
    GoldChange,
    LineChange,
    Scope,
    TransactionDraft,
    TransferDraft,
)

NONCE_BYTES: Final = 16
NONCES_AT_ONCE: Final = 1_000  # a call to the system for each took 5 µs, a third of what a leaf takes.
CAUSE_BYTES_MAX: Final = 40_000  # leaves room for one line and transfer with the longest ids; real causes have 1 KB.
NO_EXPLANATION: Final = b"[]"
GOLD_DIGITS: Final = 3  # grams with three decimals are whole milligrams
# Subject, ids, dates, nonce and the names of all members, at their longest: 256 characters of an id are 1 KB in UTF-8.
FRAME_BYTES_MAX: Final = 4_000
assert CAUSE_BYTES_MAX + FRAME_BYTES_MAX < LEAF_BYTES_MAX, "a leaf has room for more than its cause"


class Leaf(msgspec.Struct, frozen=True, gc=False):
    """One transaction in its place. `transfers` are those of this part."""

    leaf_index: int
    transaction_id: str
    subject_number: int
    part: int
    parts: int
    value: bytes
    transfers: tuple[TransferDraft, ...]


class WrittenCause(msgspec.Struct, frozen=True, gc=False):
    """A cause and its canonical JSON, as the first part of a transaction has it. `id` is the entitlement's or command's."""

    id: str
    full: bytes
    cause: Entitlement | CommandCause

    def brief(self) -> bytes:
        """Canonical JSON for other parts: without explanation and clearings."""
        if isinstance(self.cause, CommandCause):
            return _write(_command_members(self.cause, ()))
        return _write(_entitlement_members(self.cause, NO_EXPLANATION))


_write: Final = msgspec.json.Encoder(order="sorted").encode


class _Place(msgspec.Struct, frozen=True, gc=False):
    leaf_index: int
    subject_number: int
    part: int
    parts: int


class _Content(msgspec.Struct, frozen=True, gc=False):
    transfers: tuple[TransferDraft, ...]
    lines: tuple[LineChange, ...]
    gold: GoldChange | None


class _Members(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Members of one object of a leaf, by their names."""


class _LeafMembers(_Members, frozen=True):
    transaction_id: str
    leaf_index: int
    subject: msgspec.Raw
    subject_number: int
    kind: str
    part: int
    parts: int
    effective_on: date
    recorded_at: str
    nonce: str
    cause: msgspec.Raw
    transfers: list[_TransferMembers] = []
    lines: list[_LineMembers] = []
    gold: _GoldMembers | None = None
    attestation: Attestation | None = None


class _TransferMembers(_Members, frozen=True):
    debit: msgspec.Raw
    credit: msgspec.Raw
    amount_minor: int
    unit: str
    scope: Scope | None = None


class _LineMembers(_Members, frozen=True):
    scheme_id: str
    scheme_version: str | None
    payer_id: str
    role: str
    currency: str
    fine_weight_g: str | None
    amount: str
    previous_amount: str
    eligible: bool
    reason: str | None


class _GoldMembers(_Members, frozen=True):
    fine_weight_g: str
    previous_fine_weight_g: str


class _EntitlementMembers(_Members, frozen=True):
    kind: str
    entitlement_id: str
    refiner_id: str
    lot_id: str
    revision: int
    calculation: int
    stage: str
    status: str
    sold_on: date
    sale: _SaleMembers
    registry_version: str
    fineness_permille: str | None
    fine_weight_g: str | None
    explanation: msgspec.Raw


class _SaleMembers(_Members, frozen=True):
    source: str
    id: str
    hash: str


def written_cause(cause: Entitlement | CommandCause) -> WrittenCause:
    """Write a cause, once for all of its transactions."""
    if isinstance(cause, CommandCause):
        return WrittenCause(str(cause.command_id), _write(_command_members(cause, cause.clears)), cause)
    full = _write(_entitlement_members(cause, cause.explanation))
    if len(full) > CAUSE_BYTES_MAX:
        full = _write(_entitlement_members(cause, NO_EXPLANATION))
    return WrittenCause(cause.entitlement_id, full, cause)


def leaves_of(
    draft: TransactionDraft, cause: WrittenCause, *, first_leaf: int, first_number: int, recorded_at: str
) -> list[Leaf]:
    """The leaves of one draft, from `first_leaf` and subject number `first_number` on: one, or several parts.

    `recorded_at` is the text of the moment, which a whole batch shares.
    """
    whole = _Content(draft.transfers, draft.lines, draft.gold)
    leaf = _leaf(draft, cause, recorded_at, whole, _Place(first_leaf, first_number, 1, 1))
    if len(leaf.value) <= LEAF_BYTES_MAX:
        return [leaf]
    parts = list(_spread(whole, LEAF_BYTES_MAX - FRAME_BYTES_MAX - len(cause.full)))
    return [
        _leaf(draft, cause, recorded_at, part, _Place(first_leaf + index, first_number + index, index + 1, len(parts)))
        for index, part in enumerate(parts)
    ]


def _fresh_nonces() -> Iterator[str]:
    """Random nonces in hexadecimal, without end."""
    while True:
        drawn = secrets.token_hex(NONCE_BYTES * NONCES_AT_ONCE)
        yield from [drawn[at : at + 2 * NONCE_BYTES] for at in range(0, len(drawn), 2 * NONCE_BYTES)]


_nonces: Final = _fresh_nonces()


def _leaf(draft: TransactionDraft, cause: WrittenCause, recorded_at: str, content: _Content, place: _Place) -> Leaf:
    subject, gold, part = draft.subject, content.gold, place.part
    transaction_id = derived_id_text("transaction", cause.id, subject.kind, subject.id, str(part))
    members = _LeafMembers(
        transaction_id=transaction_id,
        leaf_index=place.leaf_index,
        subject=_subject(subject),
        subject_number=place.subject_number,
        kind=draft.kind,
        part=part,
        parts=place.parts,
        effective_on=draft.effective_on,
        recorded_at=recorded_at,
        nonce=next(_nonces),
        cause=msgspec.Raw(cause.full if part == 1 else cause.brief()),
        transfers=[_transfer(transfer) for transfer in content.transfers],
        lines=[_line(change) for change in content.lines],
        gold=None if gold is None else _gold(gold),
        attestation=draft.attestation,
    )
    return Leaf(place.leaf_index, transaction_id, place.subject_number, part, place.parts, _write(members), content.transfers)


def _spread(whole: _Content, room: int) -> Iterator[_Content]:
    """Spread lines, then transfers, over parts of at most `room` bytes each. Gold's figures stand in the first part."""
    lines: list[LineChange] = []
    transfers: list[TransferDraft] = []
    gold = whole.gold
    used = 0
    items: list[LineChange | TransferDraft] = [*whole.lines, *whole.transfers]
    for item in items:
        size = len(_write(_line(item) if isinstance(item, LineChange) else _transfer(item))) + 1
        if used and used + size > room:
            yield _Content(tuple(transfers), tuple(lines), gold)
            lines, transfers, gold, used = [], [], None, 0
        used += size
        if isinstance(item, LineChange):
            lines.append(item)
        else:
            transfers.append(item)
    yield _Content(tuple(transfers), tuple(lines), gold)


def _entitlement_members(cause: Entitlement, explanation: bytes) -> _EntitlementMembers:
    return _EntitlementMembers(
        kind="entitlement",
        entitlement_id=cause.entitlement_id,
        refiner_id=cause.lot.refiner_id,
        lot_id=cause.lot.lot_id,
        revision=cause.position.revision,
        calculation=cause.position.calculation,
        stage=cause.stage,
        status=cause.status,
        sold_on=cause.sold_on,
        sale=_SaleMembers(source=cause.sale.source, id=cause.sale.id, hash=cause.sale_hash),
        registry_version=cause.registry_version,
        fineness_permille=cause.fineness_permille,
        fine_weight_g=cause.fine_weight_g,
        explanation=msgspec.Raw(explanation),
    )


def _command_members(cause: CommandCause, clears: Sequence[ClearedPart]) -> dict[str, object]:
    members: dict[str, object] = {
        "kind": "command",
        "command_id": str(cause.command_id),
        "command": cause.kind,
        "command_hash": cause.command_hash,
    }
    if cause.reservation_id is not None:
        members["reservation_id"] = str(cause.reservation_id)
    if cause.booking_key is not None:
        members["booking_key"] = cause.booking_key
    if cause.reason is not None:
        members["reason"] = cause.reason
    if clears:
        members["clears"] = [{"booking_key": part.booking_key, "amount_minor": part.amount} for part in clears]
    if cause.rate is not None:
        members["rate"] = cause.rate._asdict() | {"side": cause.rate.side.value, "on": cause.rate.on.isoformat()}
    if cause.reverses is not None:
        members["reverses"] = str(cause.reverses)
    if cause.authority is not None:
        members |= cause.authority._asdict()
    return members


def _transfer(transfer: TransferDraft) -> _TransferMembers:
    debit, scope = transfer.debit, transfer.scope
    return _TransferMembers(
        debit=_account(debit),
        credit=_account(transfer.credit),
        amount_minor=transfer.amount,
        unit=debit.unit,
        scope=None if scope is NO_SCOPE else scope,
    )


@lru_cache(KEPT_KEYS_MAX)
def _subject(subject: SubjectKey) -> msgspec.Raw:
    return msgspec.Raw(_write({"kind": subject.kind, "id": subject.id}))


@lru_cache(KEPT_KEYS_MAX)
def _account(account: AccountKey) -> msgspec.Raw:
    return msgspec.Raw(_write({"owner_kind": account.owner_kind, "owner_id": account.owner_id, "purpose": account.purpose}))


def _line(change: LineChange) -> _LineMembers:
    key, line = change.key, change.line
    digits = minor_digits_by_currency()[key.unit]
    return _LineMembers(
        scheme_id=key.scheme_id,
        scheme_version=None if line is None else line.scheme_version,
        payer_id=key.payer_id,
        role=key.role,
        currency=key.unit,
        fine_weight_g=None if line is None else line.fine_weight_g,
        amount=fixed_text(0, digits) if line is None else line.amount,
        previous_amount=fixed_text(change.previous, digits),
        eligible=line is not None and line.eligible,
        reason=None if line is None else line.reason,
    )


def _gold(change: GoldChange) -> _GoldMembers:
    return _GoldMembers(
        fine_weight_g=fixed_text(change.current, GOLD_DIGITS),
        previous_fine_weight_g=fixed_text(change.previous, GOLD_DIGITS),
    )
