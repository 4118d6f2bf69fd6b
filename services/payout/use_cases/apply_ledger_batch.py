"""Take in what the ledger posted and answered.

Goal: payout's view of the ledger is complete, in order and never contradicts itself; decisions follow from it at once.
Method: new transactions are stored with their bytes, what they moved and the open items they made; the unbroken runs are
extended. Then the commands that are complete now (their outcome is here, and so is the transaction that it names, whichever
came first) move their orders, and so does what a person cleared; money taken back voids what was not sent yet. All in the
consumer's SQL transaction.
Refuses: another content for a leaf or an outcome that is known (ContradictingLedgerError): the consumer stops.
Source: design, sections 3 and 7.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from schemas.ledger_words import OutcomeCode
from services.payout.adapters.ledger_topic import ReadOutcome, ReadTransaction
from services.payout.errors import ContradictingLedgerError
from services.payout.registry_view import RegistryView
from services.payout.use_cases.complete_commands import CompletedCommand, complete_commands
from services.payout.use_cases.follow_clearings import follow_clearings
from services.payout.use_cases.take_turn import take_turn
from services.payout.use_cases.void_orders import void_orders_of_corrected_payees

if TYPE_CHECKING:
    from services.runtime.database import Connection

KNOWN_LEAVES: Final = "SELECT leaf_index, leaf FROM payout.ledger_transaction WHERE leaf_index = ANY($1)"
KNOWN_OUTCOMES: Final = "SELECT command_id, code, transaction_id FROM payout.command_outcome WHERE command_id = ANY($1)"
# The run goes on as long as numbers follow one another; only what lies beyond its end is looked at.
EXTEND_TREE: Final = """
    UPDATE payout.ledger_view SET tree_size = tree_size + (
        SELECT count(*) FROM (
            SELECT leaf_index, row_number() OVER (ORDER BY leaf_index) - 1 AS place
            FROM payout.ledger_transaction WHERE leaf_index >= tree_size) AS beyond
        WHERE leaf_index = tree_size + place)"""
EXTEND_SUBJECTS: Final = """
    INSERT INTO payout.subject_view AS v (subject_kind, subject_id, seen_subject_number)
    SELECT s.kind, s.id, coalesce(k.seen_subject_number, 0) + (
        SELECT count(*) FROM (
            SELECT t.subject_number, row_number() OVER (ORDER BY t.subject_number) AS place
            FROM payout.ledger_transaction AS t
            WHERE t.subject_kind = s.kind AND t.subject_id = s.id
              AND t.subject_number > coalesce(k.seen_subject_number, 0)) AS beyond
        WHERE subject_number = coalesce(k.seen_subject_number, 0) + place)
    FROM unnest($1::text[], $2::text[]) AS s (kind, id)
    LEFT JOIN payout.subject_view AS k ON k.subject_kind = s.kind AND k.subject_id = s.id
    ON CONFLICT (subject_kind, subject_id) DO UPDATE SET seen_subject_number = excluded.seen_subject_number"""
# Outcomes that came before the transaction that they name.
WAITED_FOR: Final = """
    SELECT command_id, code, message FROM payout.command_outcome
    WHERE transaction_id = ANY($1) AND NOT command_id = ANY($2) ORDER BY command_id"""
HERE: Final = "SELECT DISTINCT transaction_id FROM payout.ledger_transaction WHERE transaction_id = ANY($1)"


async def apply_ledger_batch(
    conn: Connection, batch: Sequence[ReadTransaction | ReadOutcome], *, registry: RegistryView, now: datetime
) -> None:
    """Apply a batch inside the caller's SQL transaction. What was applied before changes nothing."""
    await take_turn(conn)
    transactions = await _new_transactions(conn, [entry for entry in batch if isinstance(entry, ReadTransaction)])
    outcomes = [entry for entry in batch if isinstance(entry, ReadOutcome)]
    if transactions:
        await _store_transactions(conn, transactions)
    await _store_outcomes(conn, outcomes, now)
    await complete_commands(conn, await _complete(conn, transactions, outcomes), registry=registry, now=now)
    await follow_clearings(conn, transactions, now)
    corrected = {
        (entry.subject_kind, entry.subject_id, delta.currency)
        for entry in transactions
        for delta in entry.deltas
        if delta.amount_minor < 0
    }
    await void_orders_of_corrected_payees(conn, sorted(corrected), now)


async def _new_transactions(conn: Connection, read: list[ReadTransaction]) -> list[ReadTransaction]:
    known: dict[int, bytes] = {}
    if read:
        rows = await conn.fetch(KNOWN_LEAVES, [entry.leaf_index for entry in read])
        known = {row["leaf_index"]: row["leaf"] for row in rows}
    new: list[ReadTransaction] = []
    for entry in read:
        if entry.leaf_index not in known:
            known[entry.leaf_index] = entry.leaf
            new.append(entry)
        elif known[entry.leaf_index] != entry.leaf:
            raise ContradictingLedgerError(f"leaf {entry.leaf_index} was read before with other bytes")
    return new


async def _store_outcomes(conn: Connection, read: list[ReadOutcome], now: datetime) -> None:
    if not read:
        return
    rows = await conn.fetch(KNOWN_OUTCOMES, [entry.command_id for entry in read])
    known = {row["command_id"]: (row["code"], row["transaction_id"]) for row in rows}
    new: list[ReadOutcome] = []
    for entry in read:
        said = (str(entry.code), entry.transaction_id)
        if entry.command_id not in known:
            known[entry.command_id] = said
            new.append(entry)
        # The id of a command that was answered came again with other content: that one is refused, the first stands.
        elif known[entry.command_id] != said and entry.code != OutcomeCode.CONFLICTING_PAYLOAD:
            raise ContradictingLedgerError(f"command {entry.command_id} had another outcome before")
    await conn.copy_records_to_table(
        "command_outcome",
        schema_name="payout",
        columns=["command_id", "code", "transaction_id", "message", "read_at"],
        records=[(entry.command_id, entry.code, entry.transaction_id, entry.message, now) for entry in new],
    )


async def _complete(
    conn: Connection, transactions: list[ReadTransaction], outcomes: list[ReadOutcome]
) -> list[CompletedCommand]:
    """Outcomes whose transaction, if they name one, is here; of those that this batch completed or repeated."""
    named = [entry.transaction_id for entry in outcomes if entry.transaction_id is not None]
    here = {row["transaction_id"] for row in await conn.fetch(HERE, named)} if named else set()
    complete = [
        CompletedCommand(entry.command_id, OutcomeCode(entry.code), entry.message)
        for entry in outcomes
        if entry.transaction_id is None or entry.transaction_id in here
    ]
    arrived = [entry.transaction_id for entry in transactions if entry.command_id is not None]
    if arrived:
        waited = await conn.fetch(WAITED_FOR, arrived, [entry.command_id for entry in outcomes])
        complete += [CompletedCommand(row["command_id"], OutcomeCode(row["code"]), row["message"]) for row in waited]
    return complete


async def _store_transactions(conn: Connection, transactions: list[ReadTransaction]) -> None:
    await conn.copy_records_to_table(
        "ledger_transaction",
        schema_name="payout",
        columns=[
            "leaf_index", "transaction_id", "subject_kind", "subject_id", "subject_number", "kind", "effective_on",
            "refiner_id", "lot_id", "revision", "stage", "gold_mg", "command_id", "reservation_id", "leaf",
        ],
        records=[
            (
                entry.leaf_index, entry.transaction_id, entry.subject_kind, entry.subject_id, entry.subject_number, entry.kind,
                entry.effective_on, entry.refiner_id, entry.lot_id, entry.revision, entry.stage, entry.gold_mg,
                entry.command_id, entry.reservation_id, entry.leaf,
            )
            for entry in transactions
        ],
    )  # fmt: skip
    await conn.copy_records_to_table(
        "posting",
        schema_name="payout",
        columns=[
            "leaf_index", "position", "subject_kind", "subject_id", "purpose", "currency", "amount_minor", "kind",
            "effective_on",
        ],
        records=[
            (
                entry.leaf_index, posting.position, entry.subject_kind, entry.subject_id, posting.purpose, posting.currency,
                posting.amount_minor, entry.kind, entry.effective_on,
            )
            for entry in transactions
            for posting in entry.postings
        ],
    )  # fmt: skip
    await conn.copy_records_to_table(
        "open_item",
        schema_name="payout",
        columns=[
            "leaf_index", "position", "subject_kind", "subject_id", "scheme_id", "payer_id", "role", "currency",
            "amount_minor", "refiner_id", "lot_id", "revision", "stage", "effective_on",
        ],
        records=[
            (
                entry.leaf_index, delta.position, entry.subject_kind, entry.subject_id, delta.scheme_id, delta.payer_id,
                delta.role, delta.currency, delta.amount_minor, delta.refiner_id, delta.lot_id, delta.revision, delta.stage,
                entry.effective_on,
            )
            for entry in transactions
            for delta in entry.deltas
        ],
    )  # fmt: skip
    await conn.copy_records_to_table(
        "booking_clearing",
        schema_name="payout",
        columns=["leaf_index", "booking_key", "amount_minor"],
        records=[
            (entry.leaf_index, clearing.booking_key, clearing.amount_minor)
            for entry in transactions
            for clearing in entry.clearings
        ],
    )
    await conn.execute(EXTEND_TREE)
    subjects = sorted({(entry.subject_kind, entry.subject_id) for entry in transactions})
    await conn.execute(EXTEND_SUBJECTS, [kind for kind, _ in subjects], [id_ for _, id_ in subjects])
