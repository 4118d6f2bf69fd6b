"""After every step of any history the ledger is what a plain reference says, whatever was repeated, torn or rebuilt.

Method: a state machine draws the steps: batches, batches again in another order, crashes before and after a commit, corrections
by two persons, new connections, rebuilds of all that is derived. The reference keeps balances in plain Python. At the end fsck
looks.
"""

from __future__ import annotations

import asyncio
import random
from typing import Any

import asyncpg
from aiokafka import ConsumerRecord
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from services.ledger.use_cases.rebuild_derived import rebuild_derived
from tests.integration.ledger.conftest import Ledger
from tests.integration.ledger.records import entitlement
from tests.integration.ledger.reference import Reference
from tests.integration.ledger.test_any_history import (
    ORGANIZATIONS,
    Step,
    ask,
    commands,
    corrections,
    entitlements,
    post_step,
    step_of_payment,
)
from tests.soak import examples

Batch = list[ConsumerRecord[Any, Any]]
BATCHES = st.lists(entitlements() | commands(), min_size=1, max_size=8)


def in_another_order(batch: Batch, seed: int) -> Batch:
    """The same records; those of one key stay in order, as Kafka keeps them."""
    by_key: dict[tuple[str, bytes | None], Batch] = {}
    for record in batch:
        by_key.setdefault((record.topic, record.key), []).append(record)
    turns = [key for key, records in by_key.items() for _ in records]
    random.Random(seed).shuffle(turns)
    return [by_key[key].pop(0) for key in turns]


class Histories(RuleBasedStateMachine):
    """See the module. `environment` is that of a migrated database."""

    environment: dict[str, str]
    delivered = Bundle("delivered")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.reference = Reference()
        self.answers: dict[str, str] = {}
        self.ledger = self.runner.run(self.connected())
        self.runner.run(self.ledger.make_empty())

    async def connected(self) -> Ledger:
        return Ledger(await asyncpg.connect(self.environment["PREMIA_LEDGER_DATABASE_URL"]), self.environment)

    @rule(target=delivered, batch=BATCHES)
    def a_batch_is_delivered(self, batch: Batch) -> Batch:
        self.runner.run(self.post(batch))
        return batch

    @rule(
        target=delivered,
        name=st.sampled_from("PQ"),
        organization=st.sampled_from(ORGANIZATIONS),
        steps=st.sampled_from([("reserve",), ("reserve", "settle"), ("reserve", "void"), ("reserve", "settle", "return")]),
    )
    def an_organization_that_is_owed_enough_is_paid(self, name: str, organization: str, steps: tuple[str, ...]) -> Batch:
        owed = entitlement(lot=f"OWED-{organization}", lines=((organization, "producer", 10_000),))
        batch = [owed, *(step_of_payment(kind, name, organization, back=f"back {name}") for kind in steps)]
        self.runner.run(self.post(batch))
        return batch

    @rule(batch=delivered, seed=st.integers(0, 100))
    def a_batch_is_delivered_again_in_another_order(self, batch: Batch, seed: int) -> None:
        self.runner.run(self.post(in_another_order(batch, seed)))

    @rule(first=delivered, second=delivered)
    def two_batches_come_as_one(self, first: Batch, second: Batch) -> None:
        self.runner.run(self.post([*second, *first]))

    @rule(batch=BATCHES)
    def the_process_ends_before_its_commit(self, batch: Batch) -> None:
        async def interrupted() -> None:
            transaction = self.ledger.conn.transaction()
            await transaction.start()
            await post_step(self.ledger, batch, self.reference)
            await transaction.rollback()

        self.runner.run(interrupted())

    @rule(batch=BATCHES)
    def the_process_ends_between_commit_and_acknowledgement(self, batch: Batch) -> None:
        self.runner.run(self.post(batch))
        self.a_new_process_connects()
        self.runner.run(self.post(batch))

    @rule()
    def a_new_process_connects(self) -> None:
        self.runner.run(self.ledger.conn.close())
        self.ledger = self.runner.run(self.connected())

    @rule(correction=corrections())
    def two_persons_correct(self, correction: dict[str, Any]) -> None:
        self.answers[correction["correction_id"]] = self.reference.command(correction["correction_id"], correction)
        self.runner.run(self.post_asked(correction))

    @rule()
    def everything_derived_is_rebuilt(self) -> None:
        async def differing() -> list[str]:
            admin = await asyncpg.connect(self.environment["DATABASE_URL"])
            try:
                async with admin.transaction():
                    return [table.table for table in await rebuild_derived(admin) if table.differed]
            finally:
                await admin.close()

        assert self.runner.run(differing()) == []

    @invariant()
    def balances_and_suspense_are_the_references(self) -> None:
        assert self.runner.run(self.ledger.balances()) == self.reference.balances()
        rows = self.runner.run(self.ledger.rows("suspense", "booking_key"))
        expected = {key: booking.still_open for key, booking in self.reference.suspended.items()}
        assert {row["booking_key"]: row["open_amount"] for row in rows} == expected

    @invariant()
    def every_command_has_the_references_answer(self) -> None:
        rows = self.runner.run(self.ledger.rows("command", "command_id"))
        assert {str(row["command_id"]): row["code"] for row in rows} == self.answers

    def teardown(self) -> None:
        try:
            assert self.runner.run(self.ledger.deviations()) == []
        finally:
            self.runner.run(self.ledger.conn.close())
            self.runner.close()

    async def post(self, batch: Batch) -> None:
        ask(self.reference, batch, {}, self.answers)
        await self.post_asked(batch)

    async def post_asked(self, step: Step) -> None:
        async with self.ledger.conn.transaction():
            await post_step(self.ledger, step, self.reference)


def test_after_every_step_of_any_history_the_ledger_is_the_references(ledger_environment: dict[str, str]) -> None:
    machine = type("HistoriesHere", (Histories,), {"environment": ledger_environment})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples(12),
            stateful_step_count=15,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
