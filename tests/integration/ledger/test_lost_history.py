"""Any history of which a restore took the end away: taken back from the log and read again, it is the same history."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from aiokafka import ConsumerRecord
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from premia.fsck.deviation import Deviation, DeviationCode
from schemas.topics import LEDGER_TRANSACTIONS
from services.ledger.adapters.kafka_copies import SPOOL, drop_spool, keep_told
from services.ledger.use_cases.import_leaves import import_leaves
from tests.integration.ledger.backup import back_up, restore
from tests.integration.ledger.conftest import Ledger
from tests.integration.ledger.records import record
from tests.integration.ledger.reference import Reference
from tests.integration.ledger.test_any_history import Step, commands, corrections, entitlements, post_step
from tests.soak import examples

# Everything that decides what comes next, or proves what was. Account ids, and the times of what made no leaf, may differ.
COMPARED: Final = {
    "journal": "SELECT * FROM ledger.journal ORDER BY leaf_index",
    "transfer": """
        SELECT t.leaf_index, t.number, d.owner_kind, d.owner_id, d.purpose, c.owner_kind AS o, c.owner_id AS i, c.purpose AS p,
            t.amount, t.unit, t.refiner_id, t.lot_id, t.revision, t.stage, t.scheme_id, t.payer_id, t.role
        FROM ledger.transfer AS t JOIN ledger.account AS d ON d.account_id = t.debit_account_id
        JOIN ledger.account AS c ON c.account_id = t.credit_account_id ORDER BY t.leaf_index, t.number""",
    "entitlement": """
        SELECT refiner_id, lot_id, revision, calculation, entitlement_id, cause, sale_source, sale_id, sale_hash, origin,
            sequence, effective_on, CASE detail WHEN 'posted' THEN recorded_at END, detail, first_leaf, leaves, value
        FROM ledger.entitlement ORDER BY 1, 2, 3, 4""",
    "command": "SELECT * FROM ledger.command ORDER BY command_id",
    "booking": "SELECT * FROM ledger.booking ORDER BY booking_key",
    "reversal": "SELECT * FROM ledger.reversal ORDER BY transaction_id",
    "quarantine": "SELECT origin, code, entitlement_id, known_origin FROM ledger.quarantine ORDER BY origin",
    "balance": """
        SELECT a.owner_kind, a.owner_id, a.purpose, a.unit, b.debits, b.credits
        FROM ledger.balance AS b JOIN ledger.account AS a USING (account_id) ORDER BY 1, 2, 3, 4""",
    "subject": "SELECT * FROM ledger.subject ORDER BY kind, id",
    "lot_head": "SELECT * FROM ledger.lot_head ORDER BY refiner_id, lot_id",
    "lot_line": "SELECT * FROM ledger.lot_line ORDER BY 1, 2, 3, 4, 5, 6, 7",
    "reservation": "SELECT * FROM ledger.reservation ORDER BY reservation_id",
    "suspense": "SELECT * FROM ledger.suspense ORDER BY booking_key",
    "log_head": "SELECT tree_size FROM ledger.log_head",
}


async def state_of(ledger: Ledger) -> dict[str, list[tuple[Any, ...]]]:
    """What is compared."""
    return {table: [tuple(row) for row in await ledger.conn.fetch(query)] for table, query in COMPARED.items()}


def redelivered(steps: Sequence[Step], seed: int) -> list[ConsumerRecord[Any, Any]]:
    """The records of Kafka again: in order within each key, in any order between keys."""
    by_key: dict[tuple[str, bytes | None], list[ConsumerRecord[Any, Any]]] = {}
    for step in steps:
        for sent in step if isinstance(step, list) else ():
            by_key.setdefault((sent.topic, sent.key), []).append(sent)
    chance = random.Random(seed)
    waiting = [key for key, sent in by_key.items() for _ in sent]
    chance.shuffle(waiting)
    return [by_key[key].pop(0) for key in waiting]


async def _each(leaves: Sequence[bytes]) -> AsyncIterator[bytes]:
    for leaf in leaves:
        yield leaf


@settings(
    max_examples=examples(40),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    steps=st.lists(st.lists(entitlements() | commands(), max_size=12) | corrections(), min_size=1, max_size=8),
    kept=st.integers(0, 7),
    seed=st.integers(0, 1_000),
    batch=st.integers(1, 20),
)
async def test_what_a_restore_took_away_comes_back_as_it_was(
    ledger: Ledger, steps: list[Step], kept: int, seed: int, batch: int
) -> None:
    await ledger.make_empty()
    reference = Reference()
    kept = min(kept, len(steps))
    backup = await back_up(ledger)
    for number, step in enumerate(steps):
        async with ledger.conn.transaction():
            await post_step(ledger, step, reference)
        if number + 1 == kept:
            backup = await back_up(ledger)
    undisturbed = await state_of(ledger)
    told = [record(made.topic, made.key, made.value, made.headers) for made in await ledger.messages(LEDGER_TRANSACTIONS)]
    lost = [row["leaf"] for row in await ledger.rows("journal", "leaf_index")][len(backup.tables["journal"]) :]

    await restore(ledger, backup)
    await ledger.conn.execute(SPOOL)
    await keep_told(ledger.conn, told, 0)
    await drop_spool(ledger.conn)
    await import_leaves(ledger.conn, _each(lost))
    again = redelivered(steps[kept:], seed)
    for first in range(0, len(again), batch):
        await ledger.post(*again[first : first + batch])

    found = await state_of(ledger)
    # What two persons asked for over HTTP and were refused does not come again: nobody waits for it.
    by_hand = [row for row in undisturbed["command"] if row[2] in {"open", "correct"} and row[5] != "POSTED"]
    undisturbed["command"] = [row for row in undisturbed["command"] if row not in by_hand or row in found["command"]]
    for table, rows in undisturbed.items():
        assert found[table] == rows, table
    # What a correction's author proposed, in words, is in no leaf: what is younger than the backup is missed by name.
    assert [found for found in await ledger.deviations() if not _is_lost_proposal(found)] == []


def _is_lost_proposal(found: Deviation) -> bool:
    return found.code is DeviationCode.CORRECTION_WRONG and (found.expected[:9], found.found) == ("proposal ", "none")
