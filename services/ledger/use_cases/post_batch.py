"""Post one batch of records: entitlements and commands, in the order given, in the caller's SQL transaction.

Goal: each record gets its effect or its outcome; one that is refused never fails its neighbours.
Method: read all records; lock the log head; load the books of the batch; decide one record after the other, each seeing the
effects of those before; write everything at once; move the log head. What got a leaf is announced by the relay that follows
the journal; outcomes of everything else go to the outbox.
Refuses: an unreadable entitlement, by raising (UnreadableEntitlementError).
Source: design, sections 3 and 6.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, assert_never
from uuid import UUID

from schemas.cloudevents import time_text
from schemas.currencies import minor_digits_by_currency
from schemas.dead_letter import DeadLetter, Origin
from schemas.ledger_words import AcceptedDetail, OutcomeCode
from schemas.sale_outcome import Outcome
from schemas.topics import ENTITLEMENTS, LEDGER_COMMANDS
from services.ledger.adapters.command_topic import UnanswerableRecord, UnreadableCommand, read_command
from services.ledger.adapters.entitlement_topic import read_entitlement
from services.ledger.adapters.leaf import Leaf, leaves_of, written_cause
from services.ledger.adapters.messages import SERVICE, command_outcome_message, sale_outcome_message
from services.ledger.adapters.sale_came_before import conflict_message, duplicate_message
from services.ledger.domain.books import Accepted, Answered, LotHead
from services.ledger.domain.carry_out_command import carry_out_command, enter
from services.ledger.domain.command import Command
from services.ledger.domain.decision import AnsweredBefore, CarriedOut, Conflicting, Declined, Recovered
from services.ledger.domain.entitlement import Cause, Entitlement, LineKey
from services.ledger.domain.post_entitlement import (
    Adopts,
    Advances,
    ConflictingSale,
    Duplicate,
    EntitlementRefusal,
    Refused,
    Repeated,
    Superseded,
    accept,
    post_entitlement,
)
from services.ledger.domain.transaction import CommandCause, TransactionDraft
from services.ledger.use_cases.just_posted import PostedRows
from services.ledger.use_cases.load_books import load_books
from services.ledger.use_cases.relay_journal import rows_of
from services.ledger.use_cases.save_books import Pages, save_books

if TYPE_CHECKING:
    from aiokafka import ConsumerRecord

    from services.ledger.domain.books import Books
    from services.runtime.database import Connection

# Whoever holds this lock and falls silent (a frozen process, a host that is gone) is ended by the server, else nobody could
# post until a person came. Thirty times what deciding on the largest batch takes.
LOCK_LOG_HEAD: Final = """
    SELECT tree_size, greatest(recorded_at, clock_timestamp()) AS recorded_at, last_account_id,
        set_config('idle_in_transaction_session_timeout', '30s', true)
    FROM ledger.log_head FOR UPDATE"""
MOVE_LOG_HEAD: Final = "UPDATE ledger.log_head SET tree_size = $1, recorded_at = $2, last_account_id = $3"

_Item = Entitlement | Command | UnreadableCommand | UnanswerableRecord


@dataclass(slots=True)
class BatchResult:
    """What became of a batch: numbers of records by outcome, for metrics, and its rows for who follows the journal."""

    entitlements: Counter[str] = field(default_factory=Counter)
    commands: Counter[str] = field(default_factory=Counter)
    leaves: int = 0
    transfers: int = 0
    tree_size: int = 0
    rows: PostedRows = field(default_factory=PostedRows)


async def post_batch(conn: Connection, records: Sequence[ConsumerRecord[Any, Any]]) -> BatchResult:
    """Post the records. Raises UnreadableEntitlementError."""
    return (await _post(conn, [(record, _read(record)) for record in records])).result


async def post_command(conn: Connection, command: Command) -> tuple[BatchResult, Answered]:
    """Post one command that did not come by Kafka. Returns its outcome too, which is remembered unless it conflicts."""
    batch = await _post(conn, [(None, command)])
    assert batch.answered is not None, "every command is answered"
    return batch.result, batch.answered


async def _post(conn: Connection, items: Sequence[tuple[ConsumerRecord[Any, Any] | None, _Item]]) -> _Batch:
    head = await conn.fetchrow(LOCK_LOG_HEAD)
    assert head is not None, "the first migration inserted the log head"
    books = await load_books(
        conn,
        [item for _, item in items if isinstance(item, Entitlement)],
        [item for _, item in items if isinstance(item, Command)],
    )
    batch = _Batch(books, head["tree_size"], head["recorded_at"])
    for record, item in items:
        match item:
            case Entitlement():
                assert record is not None, "entitlements come by Kafka only"
                batch.entitlement(record, item)
            case Command():
                batch.command(item)
            case UnreadableCommand():
                batch.unreadable_command(item)
            case UnanswerableRecord():
                batch.unanswerable_record(item)
            case _ as unknown:
                assert_never(unknown)
    last_account_id = await save_books(conn, books, batch.pages, head["last_account_id"])
    await conn.execute(MOVE_LOG_HEAD, batch.next_leaf, head["recorded_at"], last_account_id)
    batch.result.tree_size = batch.next_leaf
    batch.result.rows = rows_of(batch.pages)
    return batch


def _read(record: ConsumerRecord[Any, Any]) -> _Item:
    if record.topic == ENTITLEMENTS:
        return read_entitlement(record)
    assert record.topic == LEDGER_COMMANDS, "the ledger subscribes to these two"
    return read_command(record)


class _Batch:
    """A batch while it is decided: the books, the pages that will be written, and the next free leaf."""

    def __init__(self, books: Books, tree_size: int, recorded_at: datetime) -> None:
        self.books = books
        self.pages = Pages()
        self.next_leaf = tree_size
        self.recorded_at = recorded_at
        self.recorded_at_text = time_text(recorded_at)
        self.result = BatchResult()
        self.minor_digits = minor_digits_by_currency()
        # The outcome of the last command.
        self.answered: Answered | None = None

    def entitlement(self, record: ConsumerRecord[Any, Any], entitlement: Entitlement) -> None:
        match post_entitlement(self.books, entitlement):
            case Advances() as advances:
                first_leaf = self.next_leaf
                self._write(advances.drafts, entitlement)
                for draft in advances.drafts:
                    self.books.post(draft.transfers)
                self._advance(entitlement, advances.lines)
                self._accept(entitlement, advances.detail, first_leaf, self.next_leaf - first_leaf, self.recorded_at)
            case Adopts(posting=posting, lines=lines):
                self._advance(entitlement, lines)
                self._accept(entitlement, AcceptedDetail.POSTED, *posting)
                # The relay may have passed its leaves while the row that it announces was not there yet.
                self._tell_sale(entitlement, Outcome.ACCEPTED, AcceptedDetail.POSTED, posting.recorded_at)
            case Superseded():
                self._accept(entitlement, AcceptedDetail.SUPERSEDED, self.next_leaf, 0, self.recorded_at)
            case Repeated(accepted=accepted):
                self.result.entitlements["repeated"] += 1
                self._tell_sale(entitlement, Outcome.ACCEPTED, accepted.detail, accepted.recorded_at)
            case Duplicate(accepted=accepted):
                self.result.entitlements[Outcome.DUPLICATE] += 1
                message = duplicate_message(accepted)
                self._tell_sale(entitlement, Outcome.DUPLICATE, Outcome.DUPLICATE, self.recorded_at, message=message)
            case ConflictingSale() as conflict:
                message = conflict_message(conflict, entitlement.value)
                code = EntitlementRefusal.CONFLICTING_PAYLOAD
                self._refuse(record, entitlement, Refused(code, conflict.field, message, conflict.accepted.origin))
            case Refused() as refused:
                self._refuse(record, entitlement, refused)
            case _ as unknown:
                assert_never(unknown)

    def command(self, command: Command) -> None:
        match carry_out_command(self.books, command, self.minor_digits):
            case CarriedOut() as carried_out:
                leaves = self._write((carried_out.draft,), None)
                enter(self.books, carried_out)
                if carried_out.reservation is not None:
                    self.pages.reservations.update([carried_out.reservation])
                if carried_out.booking_key is not None:
                    self.pages.bookings.append((carried_out.booking_key, command.command_id, command.kind))
                self.pages.suspended.update(carried_out.suspended)
                if carried_out.draft.reverses is not None:
                    self.pages.reversals.append((carried_out.draft.reverses, command.command_id))
                self._answer(command, OutcomeCode.POSTED, None, leaves)
            case Declined(code=code, message=message):
                self._answer(command, code, message, [])
            case AnsweredBefore(answered=answered):
                self.result.commands["repeated"] += 1
                self._tell_command(command, answered)
            case Recovered(answered=answered):
                self._remember(command, answered, [])
            case Conflicting(message=message):
                code = OutcomeCode.CONFLICTING_PAYLOAD
                self.result.commands[code] += 1
                self._tell_command(command, Answered(command.command_hash, code.value, message, None, self.recorded_at))
            case _ as unknown:
                assert_never(unknown)

    def unreadable_command(self, command: UnreadableCommand) -> None:
        self.result.commands[OutcomeCode.SCHEMA_INVALID] += 1
        self.pages.messages.append(
            command_outcome_message(
                command_id=command.command_id,
                command_hash=command.command_hash,
                key=command.key,
                code=OutcomeCode.SCHEMA_INVALID,
                transaction_id=None,
                message=command.message,
                recorded_at=self.recorded_at,
            )
        )

    def unanswerable_record(self, unanswerable: UnanswerableRecord) -> None:
        self.result.commands["UNANSWERABLE"] += 1
        record = unanswerable.record
        letter = DeadLetter(
            OutcomeCode.SCHEMA_INVALID,
            unanswerable.field,
            unanswerable.message,
            Origin(record.topic, record.partition, record.offset),
            self.recorded_at,
        )
        self.pages.messages.append(
            letter.to_message(service=SERVICE, key=record.key, value=record.value, headers=tuple(record.headers))
        )

    def _write(self, drafts: Sequence[TransactionDraft], entitlement: Entitlement | None) -> list[Leaf]:
        """Give the drafts their places in the log: journal rows and transfers."""
        written: list[Leaf] = []
        cause = None if entitlement is None else written_cause(entitlement)
        for draft in drafts:
            if cause is None or isinstance(draft.cause, CommandCause):
                cause = written_cause(draft.cause)
            counter = self.books.subject(draft.subject)
            leaves = leaves_of(
                draft,
                cause,
                first_leaf=self.next_leaf,
                first_number=counter.last_number + 1,
                recorded_at=self.recorded_at_text,
            )
            self.next_leaf += len(leaves)
            counter.last_number += len(leaves)
            if draft.takes_back:
                counter.last_negative_number = counter.last_number
            self.pages.subjects.add(draft.subject)
            for leaf in leaves:
                self._write_leaf(draft, cause.id, leaf)
            written += leaves
        return written

    def _write_leaf(self, draft: TransactionDraft, cause_id: str, leaf: Leaf) -> None:
        self.pages.journal.append(
            (
                leaf.leaf_index,
                leaf.transaction_id,
                draft.subject.kind,
                draft.subject.id,
                leaf.subject_number,
                draft.kind,
                leaf.part,
                leaf.parts,
                draft.effective_on,
                self.recorded_at,
                cause_id,
                leaf.value,
            )
        )
        self.pages.transfers += [(leaf.leaf_index, number, t) for number, t in enumerate(leaf.transfers, start=1)]
        self.result.leaves += 1
        self.result.transfers += len(leaf.transfers)

    def _advance(self, entitlement: Entitlement, lines: dict[LineKey, int]) -> None:
        self.books.lot_heads[entitlement.lot] = LotHead(entitlement.position, entitlement.entitlement_id)
        self.books.lot_lines[entitlement.lot] = lines
        self.pages.advanced[entitlement.lot] = (entitlement, lines)

    def _accept(
        self, entitlement: Entitlement, detail: AcceptedDetail, first_leaf: int, leaves: int, recorded_at: datetime
    ) -> None:
        self.result.entitlements[detail] += 1
        accepted = Accepted(
            entitlement.entitlement_id,
            entitlement.cause,
            entitlement.sale.id,
            entitlement.sale_hash,
            entitlement.origin,
            detail,
            recorded_at,
            entitlement.value,
        )
        accept(self.books, entitlement, accepted)
        self.pages.entitlements.append(
            (
                *entitlement.lot,
                *entitlement.position,
                entitlement.entitlement_id,
                entitlement.cause.value,
                *entitlement.sale,
                entitlement.sale_hash,
                entitlement.origin,
                entitlement.sequence,
                entitlement.effective_on,
                recorded_at,
                detail.value,
                first_leaf if leaves else None,
                leaves,
                entitlement.value,
            )
        )
        if not leaves:  # what has leaves is announced by the relay of the journal
            self._tell_sale(entitlement, Outcome.ACCEPTED, detail, recorded_at)

    def _tell_sale(
        self,
        entitlement: Entitlement,
        outcome: Outcome,
        detail: str,
        recorded_at: datetime,
        *,
        field: str | None = None,
        message: str | None = None,
    ) -> None:
        if entitlement.cause is not Cause.SALE:  # a recalculation answers no sale
            return
        self.pages.messages.append(
            sale_outcome_message(
                sale_source=entitlement.sale.source,
                sale_id=entitlement.sale.id,
                sale_hash=entitlement.sale_hash,
                origin=entitlement.origin,
                refiner_id=entitlement.lot.refiner_id,
                lot_id=entitlement.lot.lot_id,
                revision=entitlement.position.revision,
                sequence=entitlement.sequence,
                outcome=outcome,
                detail=detail,
                field=field,
                message=message,
                recorded_at=recorded_at,
            )
        )

    def _refuse(self, record: ConsumerRecord[Any, Any], entitlement: Entitlement, refused: Refused) -> None:
        """Tell it, and put it into quarantine."""
        self.result.entitlements[refused.code] += 1
        self._tell_sale(
            entitlement, Outcome.REJECTED, refused.code, self.recorded_at, field=refused.field, message=refused.message
        )
        # A sale is found by its own origin. A recalculation has none: there the entitlement's record is meant.
        read_from = Origin(record.topic, record.partition, record.offset)
        origin = Origin.parse(entitlement.origin) if entitlement.cause is Cause.SALE else read_from
        letter = DeadLetter(refused.code, refused.field, refused.message, origin, self.recorded_at)
        row = (
            str(origin),
            refused.code.value,
            entitlement.entitlement_id,
            *entitlement.sale,
            entitlement.sale_hash,
            *entitlement.lot,
            *entitlement.position,
            refused.known_origin,
            self.recorded_at,
        )
        message = letter.to_message(
            service=SERVICE, key=record.key, value=record.value, headers=tuple(record.headers), read_from=record.topic
        )
        self.pages.quarantined.append((row, message))

    def _answer(self, command: Command, code: OutcomeCode, message: str | None, leaves: list[Leaf]) -> None:
        """Remember the outcome of now."""
        transaction_id = UUID(leaves[0].transaction_id) if leaves else None
        answered = Answered(command.command_hash, code.value, message, transaction_id, self.recorded_at)
        self._remember(command, answered, leaves)

    def _remember(self, command: Command, answered: Answered, leaves: list[Leaf]) -> None:
        """Remember an outcome; without a leaf it is also told here."""
        self.answered = answered
        self.result.commands[answered.code] += 1
        self.books.commands[command.command_id] = answered
        self.pages.commands.append(
            (
                command.command_id,
                answered.command_hash,
                command.kind,
                command.subject.id,
                answered.recorded_at,
                answered.code,
                answered.message,
                answered.transaction_id,
                leaves[0].leaf_index if leaves else None,
                len(leaves),
            )
        )
        if not leaves:
            self._tell_command(command, answered)

    def _tell_command(self, command: Command, answered: Answered) -> None:
        self.answered = answered
        self.pages.messages.append(
            command_outcome_message(
                command_id=command.command_id,
                command_hash=answered.command_hash,
                key=command.subject.id.encode(),
                code=answered.code,
                transaction_id=answered.transaction_id,
                message=answered.message,
                recorded_at=answered.recorded_at,
            )
        )
