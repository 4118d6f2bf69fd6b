"""What the relay of the journal is given: from memory if this process posted what comes next, else from the journal."""

from __future__ import annotations

import asyncpg
import pytest

from schemas.message import Message
from services.ledger.use_cases import just_posted as just_posted_module
from services.ledger.use_cases.just_posted import JustPosted
from services.ledger.use_cases.relay_journal import journal_after, next_messages
from tests.integration.ledger.conftest import ALL, Ledger
from tests.integration.ledger.records import entitlement


async def post(ledger: Ledger, lot: str, *to: JustPosted) -> None:
    """A batch of one leaf; `to` belongs to the process that posted it."""
    result = await ledger.post(entitlement(lot=lot, origin_offset=ord(lot)))
    for just_posted in to:
        just_posted.add(result.rows)


async def drained(ledger: Ledger, just_posted: JustPosted) -> list[tuple[int, Message]]:
    """All that a relay is given from the beginning on."""
    messages: list[tuple[int, Message]] = []
    while more := await next_messages(just_posted, ledger.conn, messages[-1][0] if messages else -1, 1):
        messages += more
    return messages


async def test_the_batch_that_comes_next_is_not_read_again(ledger: Ledger) -> None:
    just_posted = JustPosted()
    await post(ledger, "A", just_posted)
    closed = await asyncpg.connect(ledger.environment["PREMIA_LEDGER_DATABASE_URL"])
    await closed.close()
    given = await next_messages(just_posted, closed, -1, ALL)
    assert given == await journal_after(ledger.conn, -1, ALL)
    assert [position for position, _ in given] == [0, 0]  # the transaction and its sale's outcome
    with pytest.raises(asyncpg.InterfaceError):  # it is given once: after it comes the journal
        await next_messages(just_posted, closed, -1, ALL)


async def test_what_another_process_posted_in_between_is_read_in_its_place(ledger: Ledger) -> None:
    just_posted = JustPosted()
    await post(ledger, "A")
    await post(ledger, "B", just_posted)
    await post(ledger, "C")
    await post(ledger, "D", just_posted)
    assert await drained(ledger, just_posted) == await journal_after(ledger.conn, -1, ALL)


async def test_a_relay_that_is_behind_or_was_overtaken_misses_nothing(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(just_posted_module, "WAITING_LEAVES_MAX", 2)
    behind, overtaken = JustPosted(), JustPosted()
    for lot in "ABCDEF":
        await post(ledger, lot, behind, overtaken)
    everything = await journal_after(ledger.conn, -1, ALL)
    assert await drained(ledger, behind) == everything
    assert await next_messages(overtaken, ledger.conn, 0, ALL) == [told for told in everything if told[0] == 1]
    assert await next_messages(overtaken, ledger.conn, 4, ALL) == [told for told in everything if told[0] == 5]


async def test_a_batch_too_large_to_keep_is_read_in_pieces(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(just_posted_module, "LEAVES_MAX", 1)
    just_posted = JustPosted()
    result = await ledger.post(entitlement(lot="A", origin_offset=1), entitlement(lot="B", origin_offset=2))
    just_posted.add(result.rows)
    assert [position for position, _ in await next_messages(just_posted, ledger.conn, -1, 1)] == [0, 0]
    assert await drained(ledger, just_posted) == await journal_after(ledger.conn, -1, ALL)
