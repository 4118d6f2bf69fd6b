"""Leaves of the log: the bytes of transactions, as published and as hashed.

Goal: one canonical form (RFC 8785) of each transaction with its cause and a random nonce.
Method: dictionaries of texts, small integers and booleans, written by orjson with sorted keys: that is RFC 8785 for ASCII
keys (a test compares with schemas.canonical_json). What does not apply is left out. A cause is written once for all subjects
of an entitlement.
A transaction that would exceed LEAF_BYTES_MAX becomes several: transfers and lines are spread in order, and the explanation
stands in the first part only.
Refuses: nothing; a cause whose explanation alone is too large goes without it, because the entitlement's bytes have it.
Source: design, section 6.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

import orjson

from schemas.currencies import minor_digits_by_currency
from schemas.fixed_point import fixed_text
from schemas.identity import derived_id_text
from schemas.ledger_transaction import LEAF_BYTES_MAX
from services.ledger.domain.account import KEPT_KEYS_MAX, AccountKey, SubjectKey
from services.ledger.domain.entitlement import Entitlement
from services.ledger.domain.transaction import (
    NO_SCOPE,
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
SCOPE_NAMES: Final = Scope._fields
GOLD_DIGITS: Final = 3  # grams with three decimals are whole milligrams
# Subject, ids, dates, nonce and the names of all members, at their longest: 256 characters of an id are 1 KB in UTF-8.
FRAME_BYTES_MAX: Final = 4_000
assert CAUSE_BYTES_MAX + FRAME_BYTES_MAX < LEAF_BYTES_MAX, "a leaf has room for more than its cause"


class Leaf(NamedTuple):
    """One transaction in its place. `transfers` are those of this part."""

    leaf_index: int
    transaction_id: str
    subject_number: int
    part: int
    parts: int
    value: bytes
    transfers: tuple[TransferDraft, ...]


class WrittenCause(NamedTuple):
    """A cause and its canonical JSON, as the first part of a transaction has it. `id` is the entitlement's or command's."""

    id: str
    full: bytes
    cause: Entitlement | CommandCause

    def brief(self) -> bytes:
        """Canonical JSON for other parts: without explanation and clearings."""
        return _dumps(_members(self.cause))


class _Place(NamedTuple):
    leaf_index: int
    subject_number: int
    part: int
    parts: int


class _Content(NamedTuple):
    transfers: tuple[TransferDraft, ...]
    lines: tuple[LineChange, ...]
    gold: GoldChange | None


def written_cause(cause: Entitlement | CommandCause) -> WrittenCause:
    """Write a cause, once for all of its transactions."""
    id_ = str(cause.command_id) if isinstance(cause, CommandCause) else cause.entitlement_id
    members = _members(cause)
    if not isinstance(cause, CommandCause):
        members["explanation"] = orjson.Fragment(cause.explanation)
    elif cause.clears:
        members["clears"] = [{"booking_key": part.booking_key, "amount_minor": part.amount} for part in cause.clears]
    written = WrittenCause(id_, _dumps(members), cause)
    if isinstance(cause, CommandCause) or len(written.full) <= CAUSE_BYTES_MAX:
        return written
    return written._replace(full=written.brief())


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
    leaf_index, subject_number, part, parts = place
    subject = draft.subject
    transaction_id = derived_id_text("transaction", cause.id, subject.kind, subject.id, str(part))
    members: dict[str, object] = {
        "transaction_id": transaction_id,
        "leaf_index": leaf_index,
        "subject": _subject(subject),
        "subject_number": subject_number,
        "kind": draft.kind,
        "part": part,
        "parts": parts,
        "effective_on": draft.effective_on,
        "recorded_at": recorded_at,
        "nonce": next(_nonces),
        "cause": orjson.Fragment(cause.full if part == 1 else cause.brief()),
    }
    if content.transfers:
        members["transfers"] = [_transfer(transfer) for transfer in content.transfers]
    if content.lines:
        members["lines"] = [_line(change) for change in content.lines]
    if content.gold is not None:
        members["gold"] = {
            "fine_weight_g": fixed_text(content.gold.current, GOLD_DIGITS),
            "previous_fine_weight_g": fixed_text(content.gold.previous, GOLD_DIGITS),
        }
    if draft.attestation is not None:
        members["attestation"] = {"attestation": draft.attestation.attestation, "sha256": draft.attestation.sha256}
    return Leaf(leaf_index, transaction_id, subject_number, part, parts, _dumps(members), content.transfers)


def _spread(whole: _Content, room: int) -> Iterator[_Content]:
    """Spread lines, then transfers, over parts of at most `room` bytes each. Gold's figures stand in the first part."""
    lines: list[LineChange] = []
    transfers: list[TransferDraft] = []
    gold = whole.gold
    used = 0
    items: list[LineChange | TransferDraft] = [*whole.lines, *whole.transfers]
    for item in items:
        size = len(_dumps(_line(item) if isinstance(item, LineChange) else _transfer(item))) + 1
        if used and used + size > room:
            yield _Content(tuple(transfers), tuple(lines), gold)
            lines, transfers, gold, used = [], [], None, 0
        used += size
        if isinstance(item, LineChange):
            lines.append(item)
        else:
            transfers.append(item)
    yield _Content(tuple(transfers), tuple(lines), gold)


def _members(cause: Entitlement | CommandCause) -> dict[str, object]:
    return _command_members(cause) if isinstance(cause, CommandCause) else _entitlement_members(cause)


def _entitlement_members(cause: Entitlement) -> dict[str, object]:
    return {
        "kind": "entitlement",
        "entitlement_id": cause.entitlement_id,
        "refiner_id": cause.lot.refiner_id,
        "lot_id": cause.lot.lot_id,
        "revision": cause.position.revision,
        "calculation": cause.position.calculation,
        "stage": cause.stage,
        "status": cause.status,
        "sold_on": cause.sold_on,
        "sale": {"source": cause.sale.source, "id": cause.sale.id, "hash": cause.sale_hash},
        "registry_version": cause.registry_version,
        "fineness_permille": cause.fineness_permille,
        "fine_weight_g": cause.fine_weight_g,
        "explanation": [],
    }


def _command_members(cause: CommandCause) -> dict[str, object]:
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
    if cause.rate is not None:
        members["rate"] = cause.rate._asdict() | {"side": cause.rate.side.value, "on": cause.rate.on.isoformat()}
    if cause.reverses is not None:
        members["reverses"] = str(cause.reverses)
    if cause.authority is not None:
        members |= cause.authority._asdict()
    return members


def _transfer(transfer: TransferDraft) -> dict[str, object]:
    debit, credit, amount, scope = transfer
    members: dict[str, object] = {
        "debit": _account(debit),
        "credit": _account(credit),
        "amount_minor": amount,
        "unit": debit.unit,
    }
    if scope is not NO_SCOPE:
        members["scope"] = {name: value for name, value in zip(SCOPE_NAMES, scope, strict=True) if value is not None}
    return members


@lru_cache(KEPT_KEYS_MAX)
def _subject(subject: SubjectKey) -> orjson.Fragment:
    return orjson.Fragment(_dumps({"kind": subject.kind, "id": subject.id}))


@lru_cache(KEPT_KEYS_MAX)
def _account(account: AccountKey) -> orjson.Fragment:
    return orjson.Fragment(_dumps({"owner_kind": account.owner_kind, "owner_id": account.owner_id, "purpose": account.purpose}))


def _line(change: LineChange) -> dict[str, object]:
    key, line, previous = change
    digits = minor_digits_by_currency()[key.unit]
    return {
        "scheme_id": key.scheme_id,
        "scheme_version": None if line is None else line.scheme_version,
        "payer_id": key.payer_id,
        "role": key.role,
        "currency": key.unit,
        "fine_weight_g": None if line is None else line.fine_weight_g,
        "amount": fixed_text(0, digits) if line is None else line.amount,
        "previous_amount": fixed_text(previous, digits),
        "eligible": line is not None and line.eligible,
        "reason": None if line is None else line.reason,
    }


def _dumps(members: object) -> bytes:
    return orjson.dumps(members, option=orjson.OPT_SORT_KEYS)
