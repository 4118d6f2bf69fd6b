"""The sample settled twice: once undisturbed, once while every service is killed in the middle of its work, again and again.

Goal: whatever dies whenever, the books, the lots, the answers to sales and the bank's payments are the same.
Method: real processes on stacks of their own; see kills.py for what counts as a kill, replay.py for what is compared.
PREMIA_SOAK=1 replays all cycles, with as many more kills.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import Sequence
from typing import Final

import pytest

from premia.commands.demo import SCHEMES, apply_registry
from premia.demo.run import Sample
from samples.reader import PROGRAMME_FILE, SampleCycle, read_accounts, read_cycles, read_sales
from schemas.registry_file import load_registry
from schemas.topics import ENTITLEMENTS
from tests.contract.reading import IN_THE_SAMPLE
from tests.integration.kills import DELIVERING, INPUTS, MOMENTS, Strike
from tests.integration.own_stack import own_stack, run_command
from tests.integration.replay import Books, Replayed, replay

SOAK: Final = bool(os.environ.get("PREMIA_SOAK"))
CYCLES: Final = 4  # to the end of 2017: 1,300 sales, with duplicates, bad events, corrections
SEED: Final = 20251218
SIGHTINGS_MAX: Final = 3
KILLS_MIN: Final = 2  # of each service, in any replay
TIMEOUT_S: Final = 600  # measured on two cores: 78 s beside a load of 5, 275 s beside one of 15.


@pytest.mark.timeout(0 if SOAK else TIMEOUT_S)
def test_kills_of_every_service_in_the_middle_of_work_change_nothing_in_the_books() -> None:
    sample = Sample(load_registry(PROGRAMME_FILE, SCHEMES), list(read_sales()), read_accounts(), read_cycles())
    cycles = sample.cycles if SOAK else sample.cycles[:CYCLES]
    planned = strikes(len(cycles), random.Random(SEED))

    undisturbed = replayed(sample, cycles)
    disturbed = replayed(sample, cycles, planned)

    assert_killed_in_the_middle(disturbed, planned)
    for run in (undisturbed, disturbed):
        assert_contracts_kept(run)
        assert len(run.books.outcomes) == run.published, "every sale has an outcome"
        assert_bank_and_books_agree(run.books)
    assert_same(disturbed.books, undisturbed.books)


def strikes(cycles: int, chance: random.Random) -> list[Strike]:
    """Every moment once in four cycles, in an order and at times that chance chooses; the last cycle is left as reserve."""
    planned = [
        Strike(moment, chance.randrange(cycles - 1), chance.randint(1, SIGHTINGS_MAX))
        for _ in range(max(1, cycles // CYCLES))
        for moment in chance.sample(MOMENTS, len(MOMENTS))
    ]
    return sorted(planned, key=lambda strike: strike.cycles)


def replayed(sample: Sample, cycles: Sequence[SampleCycle], planned: Sequence[Strike] = ()) -> Replayed:
    """Replay on a stack of its own, whose books are checked before it is removed."""
    started = time.monotonic()
    with own_stack() as stack:
        apply_registry(stack, sample.registry)
        done = asyncio.run(replay(stack, sample, cycles, planned))
        checked = run_command(stack, "fsck")
        assert checked.returncode == 0, checked.stdout + checked.stderr
    print(f"{done.published} sales in {time.monotonic() - started:.1f} s")
    for kill in done.kills:
        again = ", ".join(f"{count} of {topic}" for topic, count in done.redelivered(kill).items()) or "nothing"
        print(f"{kill.moment.service} killed while {kill.moment.name}: {kill.waiting} records waited; written again: {again}")
    return done


def assert_contracts_kept(run: Replayed) -> None:
    """What all services wrote is what a stranger was told who has the published files alone."""
    assert run.reading.faults == []
    assert run.reading.topics >= IN_THE_SAMPLE
    assert run.reading.refused_by_schema
    assert run.reading.refused_by_schema <= run.reading.rejected_as_invalid


def assert_killed_in_the_middle(run: Replayed, planned: Sequence[Strike]) -> None:
    assert Counter(kill.moment.name for kill in run.kills) == Counter(strike.moment.name for strike in planned)
    assert all(kill.waiting > 0 for kill in run.kills)
    killed = Counter(kill.moment.service for kill in run.kills)
    assert all(killed[service] >= KILLS_MIN for service in INPUTS)
    assert all(run.redelivered(kill)[ENTITLEMENTS] > 0 for kill in run.kills if kill.moment is DELIVERING)


def assert_bank_and_books_agree(books: Books) -> None:
    by_id = Counter(payment["end_to_end_id"] for payment in books.payments)
    assert by_id
    assert set(by_id.values()) == {1}, "no payment is at the bank twice"
    debits = {payment["end_to_end_id"]: payment["amount"] for payment in books.payments if payment["booked_at"]}
    assert books.settled == debits
    booked = {(id_, amount) for id_, _, amount, state in books.orders if state in {"settled", "returned"}}
    assert booked == set(debits.items())
    (bank,) = [account for account in books.accounts if account[2] == "bank"]
    assert bank[-2] - bank[-1] == books.bank_balance_minor
    assert bank[-1] == sum(debits.values())


def assert_same(books: Books, expected: Books) -> None:
    assert books.accounts == expected.accounts
    assert books.lot_heads == expected.lot_heads
    assert books.lot_lines == expected.lot_lines
    assert books.outcomes == expected.outcomes
    assert books.orders == expected.orders
    assert books.statements == expected.statements
    assert books.transaction_ids == expected.transaction_ids
    assert paid(books) == paid(expected)


def paid(books: Books) -> set[tuple[object, ...]]:
    """The payments as the bank has them: ids derive from orders, so they are the same too."""
    fields = ("end_to_end_id", "amount", "currency", "creditor_iban", "status", "settlement_date")
    return {tuple(payment[name] for name in fields) for payment in books.payments}
