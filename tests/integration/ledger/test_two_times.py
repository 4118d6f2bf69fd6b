"""What was recorded when, and with effect on which day: reports that can be made again to the byte."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import orjson
import pytest
from aiokafka import ConsumerRecord
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.ledger.limits import BUCKET_LEAVES
from services.ledger.use_cases import account_balances, account_postings, sum_account_days
from services.ledger.use_cases.account_balances import ALL_ACCOUNTS
from services.ledger.use_cases.as_of import AsOf, tree_size_at
from services.ledger.use_cases.sum_account_days import sum_next_bucket
from tests.integration.ledger.conftest import Ledger
from tests.integration.ledger.records import entitlement_record, entitlement_value, reserve, settle
from tests.integration.ledger.test_commands import premia
from tests.soak import examples

PAYABLE, RECEIVABLE = "org:ORG-1:payable:USD", "payer:PAY-1:receivable:USD"


def sold(lot: str, cents: int, on: str, *, revision: int = 1, organization: str = "ORG-1") -> ConsumerRecord[Any, Any]:
    """A premium that takes effect on a day."""
    value = entitlement_value(lot=lot, revision=revision, lines=((organization, "producer", cents),))
    return entitlement_record(value, sale_time=f"{on}T10:00:00Z")


@pytest.fixture(params=[BUCKET_LEAVES, 4], ids=["added up", "summed"])
def leaves_of_a_bucket(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Buckets as they are, which none of these small ledgers fills, and tiny ones."""
    size: int = request.param
    for module in (account_balances, account_postings, sum_account_days):
        monkeypatch.setattr(module, "BUCKET_LEAVES", size)
    return size


async def summed(ledger: Ledger) -> int:
    """Sum all whole buckets, as the service does beside posting. Returns how many there were."""
    buckets = 0
    while await sum_next_bucket(ledger.conn):
        buckets += 1
    return buckets


async def balances_as_of(ledger: Ledger, as_of: AsOf) -> dict[str, int]:
    """By name, other than zero."""
    found = {a.name: a.balance async for a in account_balances.account_balances(ledger.conn, ALL_ACCOUNTS, as_of)}
    return {name: balance for name, balance in found.items() if balance}


async def test_a_balance_is_what_was_recorded_by_a_tree_size_with_effect_by_a_day(
    ledger: Ledger, leaves_of_a_bucket: int
) -> None:
    await ledger.post(sold("A", 10000, "2025-03-10"), sold("B", 20000, "2025-03-20"))
    await ledger.post(sold("LATE", 5000, "2025-03-05"), sold("A", 9000, "2025-04-02", revision=2))
    assert await summed(ledger) == (1 if leaves_of_a_bucket == 4 else 0)
    found = {
        (size, on): (await balances_as_of(ledger, AsOf(size, on))).get(PAYABLE, 0)
        for size in (0, 1, 2, 3, 4)
        for on in (date(2025, 3, 4), date(2025, 3, 10), date(2025, 3, 31), date.max)
    }
    assert found == {
        (size, on): -sum(
            amount
            for leaf, (amount, day) in enumerate(
                [(10000, date(2025, 3, 10)), (20000, date(2025, 3, 20)), (5000, date(2025, 3, 5)), (-1000, date(2025, 4, 2))]
            )
            if leaf < size and day <= on
        )
        for size, on in found
    }


async def test_what_is_posted_late_or_backdated_leaves_earlier_reports_as_they_were_to_the_byte(
    ledger: Ledger, leaves_of_a_bucket: int
) -> None:
    for number in range(9):
        await ledger.post(sold(f"LOT-{number}", 10000 + number, f"2025-03-{10 + number}", organization=f"ORG-{number % 3}"))
    await ledger.post(reserve("R", ["50.00"]), settle("R", "B-1"))
    await summed(ledger)
    reports = [
        ("balances", "--tree-size", "11", "--json"),
        ("balances", "--tree-size", "11", "--on", "2025-03-14"),
        ("balances", "--tree-size", "6", "--json", "--on", "2025-03-31"),
        ("ledger", "account", PAYABLE, "--tree-size", "11", "--json"),
        ("ledger", "account", RECEIVABLE, "--tree-size", "7", "--from", "2025-03-12", "--to", "2025-03-15"),
    ]
    kept = {report: await premia(ledger, *report) for report in reports}
    assert all(ran.exit_code == 0 and ran.output for ran in kept.values()), kept
    await ledger.post(
        sold("BACKDATED", 777, "2025-03-01"),
        sold("NEW-OWNER", 888, "2025-03-02", organization="ORG-NEW"),
        sold("LOT-0", 1, "2025-03-12", revision=2),
        *(sold(f"MORE-{number}", 5, "2025-03-13") for number in range(6)),
    )
    await summed(ledger)
    assert {report: await premia(ledger, *report) for report in reports} == kept
    now = await premia(ledger, "ledger", "account", RECEIVABLE, "--from", "2025-03-12", "--to", "2025-03-15")
    assert now.output != kept[reports[-1]].output


async def test_an_account_statement_leads_from_opening_to_closing(ledger: Ledger, leaves_of_a_bucket: int) -> None:
    await ledger.post(*(sold(f"LOT-{number}", 100 * (number + 1), f"2025-03-{10 + number}") for number in range(10)))
    await summed(ledger)
    ran = await premia(ledger, "ledger", "account", PAYABLE, "--from", "2025-03-12", "--to", "2025-03-14", "--json")
    opening, *postings, closing = [orjson.loads(line) for line in ran.output.splitlines()]
    assert (opening["opening_minor"], closing["closing_minor"]) == (-300, -1500)
    assert [(row["leaf_index"], row["amount_minor"], row["balance_minor"]) for row in postings] == [
        (2, -300, -600),
        (3, -400, -1000),
        (4, -500, -1500),
    ]
    assert (postings[0]["against"], postings[0]["lot_id"], postings[0]["effective_on"]) == (RECEIVABLE, "LOT-2", "2025-03-12")
    assert "As of tree size 10, with effect by 2025-03-14." in ran.talk


async def test_a_moment_is_the_tree_size_that_was_there_then(ledger: Ledger) -> None:
    moments = []
    for number in range(5):
        await ledger.post(sold(f"LOT-{number}", 100, "2025-03-10"))
        moments.append((await ledger.rows("journal", "leaf_index"))[-1]["recorded_at"])
    sizes = [await tree_size_at(ledger.conn, moment) for moment in moments]
    assert sizes == [1, 2, 3, 4, 5]
    assert await tree_size_at(ledger.conn, moments[0] - timedelta(microseconds=1)) == 0
    assert await tree_size_at(ledger.conn, moments[-1] + timedelta(days=1)) == 5
    ran = await premia(ledger, "balances", "--recorded-by", moments[1].isoformat(), "--json")
    assert "As of tree size 2." in ran.talk
    by_day = await premia(ledger, "balances", "--recorded-by", moments[-1].date().isoformat())
    assert "As of tree size 5." in by_day.talk, "by a day is by its end, as everywhere in accounts"
    day_before = await premia(ledger, "balances", "--recorded-by", (moments[0] - timedelta(days=1)).date().isoformat())
    assert "As of tree size 0." in day_before.talk


async def test_an_account_is_there_from_its_first_posting_on(ledger: Ledger) -> None:
    await ledger.post(sold("A", 100, "2025-03-10"), sold("B", 100, "2025-03-10", organization="ORG-2"))
    ran = await premia(ledger, "balances", "--tree-size", "1", "--json")
    assert not [line for line in ran.output.splitlines() if "ORG-2" in line]
    assert (await premia(ledger, "ledger", "account", "org:ORG-2:payable:USD", "--tree-size", "1")).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("balances", "--tree-size", "2"), "the ledger has 1 leaves, not 2"),
        (("balances", "--tree-size", "1", "--recorded-by", "2025-03-10"), "give one of them"),
        (("ledger", "account", "org:ORG-9:payable:USD"), "no account org:ORG-9:payable:USD"),
        (("ledger", "account", "ORG-1"), "KIND:OWNER:PURPOSE:UNIT"),
        (("ledger", "account", PAYABLE, "--from", "2025-03-10", "--to", "2025-03-09"), "before --from"),
    ],
)
async def test_what_cannot_be_shown_is_exit_2(ledger: Ledger, arguments: tuple[str, ...], told: str) -> None:
    await ledger.post(sold("A", 100, "2025-03-10"))
    ran = await premia(ledger, *arguments)
    assert (ran.exit_code, told in ran.talk, ran.output) == (2, True, ""), ran


async def test_a_bucket_is_summed_once_and_only_when_it_is_whole(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sum_account_days, "BUCKET_LEAVES", 4)
    await ledger.post(*(sold(f"LOT-{number}", 100, "2025-03-10") for number in range(7)))
    assert await summed(ledger) == 1
    await ledger.post(sold("LOT-7", 100, "2025-03-10"))
    assert (await summed(ledger), await summed(ledger)) == (1, 0)
    rows = await ledger.rows("account_day", "account_id, bucket")
    assert {(row["bucket"], row["debits"] + row["credits"]) for row in rows} == {(0, 400), (1, 400), (0, 4000), (1, 4000)}


@settings(
    max_examples=examples(15),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    postings=st.lists(st.tuples(st.integers(1, 500), st.integers(0, 9), st.integers(1, 3)), min_size=1, max_size=14),
    bucket_leaves=st.integers(1, 5),
    summed_after=st.integers(0, 14),
)
async def test_sums_of_days_and_transfers_give_what_adding_up_all_leaves_gives(
    ledger: Ledger, postings: list[tuple[int, int, int]], bucket_leaves: int, summed_after: int
) -> None:
    await ledger.make_empty()
    with pytest.MonkeyPatch.context() as patch:
        for module in (account_balances, account_postings, sum_account_days):
            patch.setattr(module, "BUCKET_LEAVES", bucket_leaves)
        expected = []
        for number, (cents, day, organization) in enumerate(postings):
            await ledger.post(sold(f"LOT-{number}", cents, f"2025-03-1{day}", organization=f"ORG-{organization}"))
            expected.append((cents, date(2025, 3, 10 + day)))
            if number == summed_after:
                await summed(ledger)
        size, on = len(postings) // 2 + 1, date(2025, 3, 15)
        found = await balances_as_of(ledger, AsOf(size, on))
        total = sum(cents for leaf, (cents, day) in enumerate(expected) if leaf < size and day <= on)
        assert found.get(RECEIVABLE, 0) == total
