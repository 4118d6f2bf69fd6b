"""fsck compares what payout keeps of accounts, orders, cycles and statements with what it published of them."""

from __future__ import annotations

from typing import Final

from premia.fsck.deviation import Checked, Deviation
from premia.fsck.kafka.payout_events import check_payout_events
from premia.fsck.kafka.sales import read_marks
from schemas.message import Message
from schemas.topics import LEDGER_COMMANDS, PAYOUT_EVENTS
from services.runtime.kafka import publish, start_producer
from services.runtime.outbox import outbox_after
from tests.integration.command import premia
from tests.integration.damage import damage
from tests.integration.payout.books import ALL_ROWS, Books
from tests.integration.payout.test_fsck_damage import fill

READ_ALL_TOLD: Final = """
    INSERT INTO payout.relay_cursor SELECT 'outbox', last_number FROM payout.outbox_head
    ON CONFLICT (source) DO UPDATE SET position = EXCLUDED.position"""
# What was changed, and the place that must be named; no other check sees it.
DAMAGES: Final[dict[str, tuple[str, dict[str, str]]]] = {
    "who verified an account": (
        "UPDATE payout.account_event SET actor = 'mallory' WHERE state = 'verified'",
        {"PAYOUT_NOT_AS_TOLD": "verified: actor"},
    ),
    "when an account was verified": (
        "UPDATE payout.account_event SET at = at - interval '1 year' WHERE state = 'verified'",
        {"PAYOUT_NOT_AS_TOLD": "verified: at"},
    ),
    "how an account was verified": (
        "UPDATE payout.account_event SET method = 'document' WHERE state = 'verified'",
        {"PAYOUT_NOT_AS_TOLD": "verified: method"},
    ),
    "on which day it was checked": (
        "UPDATE payout.account_event SET checked_on = checked_on - 1 WHERE state = 'verified'",
        {"PAYOUT_NOT_AS_TOLD": "verified: checked_on"},
    ),
    "a reason that was never given": (
        "UPDATE payout.account_event SET reason = 'AC04' WHERE state = 'verified'",
        {"PAYOUT_NOT_AS_TOLD": "verified: reason"},
    ),
    "who moved an order": (
        "UPDATE payout.order_event SET actor = 'mallory' WHERE state = 'approved'",
        {"PAYOUT_NOT_AS_TOLD": "approved: actor"},
    ),
    "why an order was moved": (
        "UPDATE payout.order_event SET code = 'AC04' WHERE state = 'settled'",
        {"PAYOUT_NOT_AS_TOLD": "settled: code"},
    ),
    "a step of an order that nobody took": (
        "UPDATE payout.order_event SET state = 'voiding' WHERE state = 'sending'",
        {"PAYOUT_NOT_AS_TOLD": "voiding"},
    ),
    "what a cycle decided": (
        "UPDATE payout.cycle_result SET amount_minor = amount_minor + 1",
        {"PAYOUT_NOT_AS_TOLD": "ordered: amount"},
    ),
    "who issued a statement": (
        "UPDATE payout.statement SET issued_by = 'mallory'",
        {"PAYOUT_NOT_AS_TOLD": ": issued_by"},
    ),
}


async def _published(books: Books, kafka: str) -> None:
    """All that payout had to tell is on Kafka, some of it twice."""
    assert (await premia(kafka, "topics", "apply")).exit_code == 0
    async with books.payout.acquire() as conn:
        told = [message for _, message in await outbox_after(conn, "payout", 0, ALL_ROWS) if message.topic != LEDGER_COMMANDS]
    foreign = [Message(PAYOUT_EVENTS, None, value, ()) for value in (b"{", b'{"kind":"x"}')]
    producer = await start_producer(kafka)
    await publish(producer, [*told, *foreign, *told])
    await producer.stop()
    await books.fetch(READ_ALL_TOLD)


async def _found(books: Books, kafka: str, *statements: str) -> tuple[list[Deviation], Checked]:
    """What the reader's role finds once the statements were carried out."""
    checked, marks = Checked(), await read_marks(kafka)
    async with books.admin() as conn:
        transaction = conn.transaction()
        await transaction.start()
        await damage(conn, *statements)
        assert await books.deviations_on(conn) == [], "without Kafka nobody sees it"
        await conn.execute("SET LOCAL ROLE payout_reader")
        found = [deviation async for deviation in check_payout_events(conn, checked, marks)]
        await transaction.rollback()
    return found, checked


async def test_what_was_published_bears_out_what_is_kept(books: Books, kafka: str) -> None:
    await fill(books)
    await _published(books, kafka)
    found, checked = await _found(books, kafka)
    assert (found, checked.not_checked) == ([], {})
    for name, (statement, expected) in DAMAGES.items():
        found, _ = await _found(books, kafka, statement)
        assert {deviation.code.value for deviation in found} == set(expected), (name, found)
        (place,) = expected.values()
        assert any(deviation.where.endswith(place) for deviation in found), (name, found)


async def test_what_is_on_its_way_is_counted_and_not_taken_for_untold(books: Books, kafka: str) -> None:
    await books.account("ORG-PE-012")
    await _published(books, kafka)
    await books.account("ORG-PE-013")
    found, checked = await _found(books, kafka)
    assert found == []
    told = {"events of payout on their way": "2 are not published yet: look again when they are"}
    assert checked.not_checked == told
    await books.fetch(READ_ALL_TOLD)
    found, checked = await _found(books, kafka)
    assert [deviation.found for deviation in found] == ["none", "none"]
    assert checked.not_checked == {}


async def test_what_a_database_from_an_old_backup_does_not_know_is_left_alone(books: Books, kafka: str) -> None:
    await books.account("ORG-PE-012")
    await _published(books, kafka)
    found, _ = await _found(books, kafka, "DELETE FROM payout.account_event", "DELETE FROM payout.account")
    assert found == []
