"""Reading the ledger: in any order, any number of times, and never past what cannot be read."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from asyncpg import ObjectNotInPrerequisiteStateError

from schemas.ledger_transaction import LEDGER_OUTCOME_TYPE
from services.payout.adapters.ledger_topic import read_ledger_record
from services.payout.errors import ContradictingLedgerError, UnreadableLedgerMessageError
from tests.integration.payout.books import Books, Carried


async def three_premiums(books: Books) -> list[Carried]:
    await books.premium("100.00", lot_id="A")
    await books.premium("200.00", lot_id="B", organization_id="ORG-PE-013")
    await books.premium("300.00", lot_id="C")
    return await books.published()


async def view(books: Books) -> tuple[int, int]:
    seen = await books.value("SELECT seen_subject_number FROM payout.subject_view WHERE subject_id = 'ORG-PE-012'")
    return await books.value("SELECT tree_size FROM payout.ledger_view"), seen or 0


async def test_every_premium_is_one_open_item(books: Books) -> None:
    await books.take_in(await three_premiums(books))
    rows = await books.fetch(
        "SELECT subject_id, scheme_id, payer_id, currency, amount_minor, lot_id, revision, stage, effective_on"
        " FROM payout.open_item ORDER BY leaf_index"
    )
    assert [(row["lot_id"], row["amount_minor"]) for row in rows] == [("A", 10_000), ("B", 20_000), ("C", 30_000)]
    assert rows[0]["effective_on"] == date(2025, 3, 14)


async def test_the_same_records_again_change_nothing(books: Books) -> None:
    records = await three_premiums(books)
    await books.take_in(records)
    await books.take_in(records + records[:1])
    assert await books.value("SELECT count(*) FROM payout.open_item") == 3
    assert await books.value("SELECT count(*) FROM payout.posting") == 3


async def test_the_tree_size_is_the_unbroken_run_whatever_the_order_of_arrival(books: Books) -> None:
    records = await three_premiums(books)
    total = len(records)
    await books.take_in(records[1:])
    assert (await view(books))[0] == 0
    await books.take_in(records[:1])
    assert (await view(books))[0] == total


async def test_a_subjects_view_ends_before_its_first_missing_number(books: Books) -> None:
    records = await three_premiums(books)
    own = [record for record in records if record.key == b"ORG-PE-012"]
    await books.take_in(own[1:])
    assert (await view(books))[1] == 0
    await books.take_in(own[:1])
    assert (await view(books))[1] == 2


async def test_an_outcome_waits_for_the_transaction_that_it_names(books: Books) -> None:
    await books.account("ORG-PE-012")
    await books.premium("1498.08")
    await books.carry()
    await books.prepare()
    await books.carry_commands()
    records = await books.published()
    outcomes = [record for record in records if ("ce_type", LEDGER_OUTCOME_TYPE.encode()) in record.headers]
    transactions = [record for record in records if record not in outcomes]
    await books.take_in(outcomes)
    assert await books.order_states() == {"ORG-PE-012": "reserving"}
    await books.take_in(transactions)
    assert await books.order_states() == {"ORG-PE-012": "reserved"}
    await books.take_in(outcomes)
    assert await books.history() == ["reserving", "reserved"]


async def test_another_content_for_a_known_leaf_stops_the_consumer(books: Books) -> None:
    records = await three_premiums(books)
    await books.take_in(records)
    changed = replace(records[0], value=records[0].value.replace(b'"amount_minor":10000', b'"amount_minor":10001'))
    with pytest.raises(ContradictingLedgerError):
        await books.take_in([changed])


@pytest.mark.parametrize("value", [b"", b"{", b'{"leaf_index": 1}', "ñ".encode("latin-1")])
async def test_an_unreadable_record_stops_the_consumer(books: Books, value: bytes) -> None:
    (record, *_) = await three_premiums(books)
    with pytest.raises(UnreadableLedgerMessageError):
        await books.take_in([replace(record, value=value)])
    assert await books.value("SELECT count(*) FROM payout.ledger_transaction") == 0


async def test_a_record_of_an_unknown_type_stops_the_consumer(books: Books) -> None:
    (record, *_) = await three_premiums(books)
    unknown = tuple((name, b"ledger.other.v1" if name == "ce_type" else content) for name, content in record.headers)
    with pytest.raises(UnreadableLedgerMessageError, match=r"ledger\.other\.v1"):
        read_ledger_record(replace(record, headers=unknown))


async def test_history_cannot_be_changed_or_deleted_by_the_service(books: Books) -> None:
    await books.take_in(await three_premiums(books))
    async with books.payout.acquire() as conn:
        for statement in (
            "UPDATE payout.ledger_transaction SET kind = 'settled'",
            "DELETE FROM payout.posting",
            "TRUNCATE payout.order_event",
        ):
            with pytest.raises(Exception, match=r"permission denied|append-only"):
                await conn.execute(statement)


async def test_not_even_its_owner_changes_history(books: Books) -> None:
    await books.take_in(await three_premiums(books))
    async with books.admin() as conn:
        with pytest.raises(ObjectNotInPrerequisiteStateError, match="append-only"):
            await conn.execute("DELETE FROM payout.posting")
