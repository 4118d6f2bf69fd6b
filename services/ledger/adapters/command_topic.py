"""Records of ledger.commands.v1, read.

Goal: a command is answered whenever its id can be read, however wrong the rest is.
Method: the bytes are parsed as JSON, the contract validates them strictly. The hash is over the canonical JSON of what was
sent; where that has no canonical form (a float), over the bytes.
Refuses: a command that cannot be understood, as `UnreadableCommand` (answered SCHEMA_INVALID; its id stays free for a mended
one); a record without a readable id, as `UnanswerableRecord` (a dead letter).
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, assert_never
from uuid import UUID

import orjson
from pydantic import ValidationError

from schemas import ledger_command as contract
from schemas.canonical_json import NotCanonicalError, payload_hash
from schemas.contract import first_fault
from services.ledger.domain.account import SubjectKey
from services.ledger.domain.command import (
    AgainstBooking,
    AgainstCharges,
    AgainstReceivable,
    AgainstReturn,
    AgainstSettlement,
    AskedPart,
    Attest,
    BankMoney,
    Clear,
    ClearedAgainst,
    Command,
    Exchange,
    Order,
    PayableMoney,
    Receive,
    Reserve,
    Return,
    Settle,
    Suspend,
    Void,
)
from services.ledger.domain.transaction import ExchangeRate

if TYPE_CHECKING:
    from aiokafka import ConsumerRecord

_PAYEES: Final = frozenset({"org", "fund"})
_PAYERS: Final = frozenset({"payer"})
_PROGRAMME: Final = frozenset({"programme"})
# Whose accounts a command may touch; of a clear and an exchange it depends on what for. None: anybody's story can have it.
SUBJECT_KINDS: Final[dict[str, frozenset[str] | None]] = {
    "reserve": _PAYEES,
    "settle": _PAYEES,
    "void": _PAYEES,
    "return": _PAYEES,
    "receive": _PAYERS,
    "suspend": _PROGRAMME,
    "attest": None,
    "clear receivable": _PAYERS,
    "clear settlement": _PAYEES,
    "clear return": _PAYEES,
    "clear charges": _PROGRAMME,
    "clear booking": _PROGRAMME,
    "exchange bank": _PROGRAMME,
    "exchange payable": _PAYEES,
}
# What moves money without a cause outside needs two persons, who do not write to Kafka.
KINDS_OF_TWO_PERSONS: Final = frozenset({"open", "correct"})


@dataclass(frozen=True, slots=True)
class UnreadableCommand:
    """Its id could be read, the rest is wrong. `key` is the record's, for want of a subject."""

    command_id: UUID
    command_hash: str
    key: bytes | None
    message: str


@dataclass(frozen=True, slots=True)
class UnanswerableRecord:
    """Nobody to answer."""

    record: ConsumerRecord[Any, Any]
    field: str | None
    message: str


def read_command(record: ConsumerRecord[Any, Any]) -> Command | UnreadableCommand | UnanswerableRecord:
    """One record as a command, or what is wrong with it."""
    try:
        sent = orjson.loads(record.value or b"")
    except orjson.JSONDecodeError as error:
        return UnanswerableRecord(record, None, f"is no JSON in UTF-8: {error}")
    command_id = _command_id(sent)
    if command_id is None:
        return UnanswerableRecord(record, "command_id", "must be a UUID, so that the command can be answered")
    return _understood(record, sent, command_id)


def _understood(record: ConsumerRecord[Any, Any], sent: dict[str, Any], command_id: UUID) -> Command | UnreadableCommand:
    if str(sent.get("kind")) in KINDS_OF_TWO_PERSONS:
        message = f"kind {sent['kind']} is decided by two persons: propose it with `premia corrections propose`"
        return _unreadable(record, command_id, message)
    try:
        command_hash = payload_hash(sent)
    except NotCanonicalError as error:
        return _unreadable(record, command_id, f"is no canonical JSON ({error}): send decimals as strings")
    try:
        command = contract.LEDGER_COMMAND.validate_json(record.value or b"", strict=True)
    except ValidationError as error:
        fault = first_fault(error, sent)
        return _unreadable(record, command_id, f"{fault.field} {fault.message}".strip())
    kind = _kind_and_use(command)
    owner_kinds = SUBJECT_KINDS[kind]
    if owner_kinds is not None and command.subject.kind not in owner_kinds:
        return _unreadable(record, command_id, f"subject.kind of a {kind} must be {' or '.join(sorted(owner_kinds))}")
    return Command(
        command_id=command.command_id,
        command_hash=command_hash,
        kind=command.kind,
        subject=SubjectKey(command.subject.kind.value, command.subject.id),
        effective_on=command.effective_on,
        order=_order(command),
    )


def _kind_and_use(command: contract.LedgerCommand) -> str:
    match command:
        case contract.Clear():
            return f"clear {command.against.kind}"
        case contract.Exchange():
            return f"exchange {command.of.kind}"
        case _:
            return command.kind


def _command_id(sent: object) -> UUID | None:
    text = sent.get("command_id") if isinstance(sent, dict) else None
    if not isinstance(text, str):
        return None
    try:
        return UUID(text)
    except ValueError:
        return None


def _unreadable(record: ConsumerRecord[Any, Any], command_id: UUID, message: str) -> UnreadableCommand:
    digest = f"sha256:{sha256(record.value or b'').hexdigest()}"
    return UnreadableCommand(command_id, digest, record.key, message)


def _order(command: contract.LedgerCommand) -> Order:  # noqa: PLR0911  one for each kind
    match command:
        case contract.Reserve():
            parts = tuple(AskedPart(part.scheme_id, part.payer_id, part.amount) for part in command.parts)
            return Reserve(command.reservation_id, command.currency, parts, command.seen_subject_number)
        case contract.Settle():
            return Settle(command.reservation_id, command.booking_key)
        case contract.Void():
            return Void(command.reservation_id, command.reason)
        case contract.Return():
            return Return(command.reservation_id, command.credited, command.charges, command.booking_key)
        case contract.Receive():
            return Receive(command.currency, command.amount, command.booking_key)
        case contract.Suspend():
            arrived = command.direction is contract.Direction.CREDIT
            return Suspend(command.currency, command.amount, arrived, command.booking_key)
        case contract.Clear():
            return Clear(command.booking_key, command.currency, command.amount, _cleared_against(command.against))
        case contract.Exchange():
            rate = ExchangeRate(command.rate.value, command.rate.source, command.rate.side, command.rate.on)
            sold, bought, of = command.sold, command.bought, command.of
            money = (
                PayableMoney(of.scheme_id, of.payer_id, of.seen_subject_number)
                if isinstance(of, contract.ExchangeOfPayable)
                else BankMoney()
            )
            return Exchange(sold.currency, sold.amount, bought.currency, bought.amount, rate, money)
        case contract.Attest():
            return Attest(command.attestation, command.sha256)
        case _ as unknown:
            assert_never(unknown)


def _cleared_against(against: contract.ClearedAgainst) -> ClearedAgainst:
    match against:
        case contract.AgainstReceivable():
            return AgainstReceivable()
        case contract.AgainstSettlement():
            return AgainstSettlement(against.reservation_id)
        case contract.AgainstReturn():
            return AgainstReturn(against.reservation_id, against.charges)
        case contract.AgainstCharges():
            return AgainstCharges()
        case contract.AgainstBooking():
            return AgainstBooking(against.booking_key)
        case _ as unknown:
            assert_never(unknown)
