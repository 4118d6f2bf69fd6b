"""Drives the sample programme through the stack, cycle by cycle.

Goal: everything happens as in a programme's life: sales are published, payers' money arrives, one person prepares a
settlement and another approves it, the bank answers, statements are issued.
Method: only what outsiders have: Kafka to publish sales and to read outcomes, payout's HTTP API in the name of actors, the
bank's own interface, and the reader's login to see balances. Every wait is for a condition, with a deadline.
Refuses: a step whose condition does not come true in time: names the step, what it waited for and where to look.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from typing import TYPE_CHECKING, Any, Final

import click
import orjson

from premia.demo.stopwatch import Stopwatch
from premia.local.talk import progress
from schemas.topics import SALE_OUTCOMES
from services.runtime.kafka import publish
from services.runtime.topic_log import open_log

if TYPE_CHECKING:
    from aiokafka import AIOKafkaProducer

    from premia.local.bank import Bank
    from premia.service_client import ServiceClient
    from samples.reader import AccountEvidence, PublishedSale, SampleCycle, SampleReturn, SampleStatements
    from services.runtime.database import Connection

STEP_DEADLINE_S: Final = 180.0  # the longest step, a year of sales, takes seconds; a slow machine may take ten times that.
POLL_S: Final = 0.05  # a cycle has a dozen waits; half of this is lost in each.
RECEIVABLES: Final = """
    SELECT a.owner_id AS payer_id, a.unit AS currency, b.debits - b.credits AS amount_minor
    FROM ledger.balance AS b JOIN ledger.account AS a USING (account_id)
    WHERE a.purpose = 'receivable' AND b.debits > b.credits ORDER BY a.owner_id"""
ACCOUNT_DETAILS: Final = ("holder", "account", "kind", "bic", "bank_name", "bank_town", "bank_country")
TREE_SIZE: Final = "SELECT tree_size FROM ledger.log_head"


class DemoStuck(click.ClickException):
    """A step did not end in time."""

    exit_code = 1


@dataclass(slots=True)
class Outcomes:
    """What became of the sales published so far, counted once for each origin."""

    by_origin: dict[str, str] = field(default_factory=dict)
    rejected: dict[str, str] = field(default_factory=dict)

    def add(self, value: bytes) -> None:
        """Take one message of sale.outcomes.v1."""
        outcome = orjson.loads(value)
        self.by_origin[outcome["origin"]] = outcome["outcome"]
        if outcome["outcome"] == "rejected":
            self.rejected[outcome["origin"]] = outcome["detail"]

    def count(self, outcome: str) -> int:
        """How many origins ended so."""
        return sum(ended == outcome for ended in self.by_origin.values())


@dataclass(slots=True)
class Driver:
    """One run over all cycles. `actors` maps a role to the clients of the persons who have it, in the registry's order."""

    sales: Sequence[PublishedSale]
    accounts: Sequence[AccountEvidence]
    servers: str
    producer: AIOKafkaProducer
    reader: Connection
    bank: Bank
    clients: Mapping[str, ServiceClient]
    actors: Mapping[str, Sequence[str]]
    payer_names: Mapping[str, str]
    stopwatch: Stopwatch
    outcomes: Outcomes = field(default_factory=Outcomes)
    published: int = 0
    credits_sent: int = 0
    account_ids: dict[AccountEvidence, str] = field(default_factory=dict)
    verified: set[AccountEvidence] = field(default_factory=set)
    following: asyncio.Task[None] | None = None

    async def run(self, cycles: Sequence[SampleCycle]) -> None:
        """Settle all cycles, one after the other."""
        self.following = asyncio.create_task(self._follow_outcomes())
        try:
            with progress("Settling the programme", len(cycles)) as advance:
                for cycle in cycles:
                    await self._cycle(cycle)
                    advance(1)
        finally:
            self.following.cancel()
            await asyncio.gather(self.following, return_exceptions=True)

    async def _cycle(self, cycle: SampleCycle) -> None:
        with self.stopwatch.step("publish sales, until all are in the ledger"):
            await self._publish_until(datetime.combine(cycle.settles_on, time_of_day.min, UTC))
        with self.stopwatch.step("bank's days pass, its statements are read"):
            await asyncio.to_thread(self.bank.advance_to, cycle.settles_on)
            await self._scan_bank()
            await self._payout_has_seen_all()  # what came back meanwhile is payable again
        with self.stopwatch.step("accounts, by two persons"):
            await self._verify_accounts(cycle.settles_on)
        with self.stopwatch.step("payers' money"):
            await self._receive_money()
        with self.stopwatch.step("prepare, reserve, approve"):
            cycle_id = await self._prepare(cycle.settles_on)
        with self.stopwatch.step("bank file, answer, booking"):
            await self._pay(cycle_id, cycle.returned)
        if cycle.statements is None:
            return
        with self.stopwatch.step("bank's days pass, its statements are read"):
            await asyncio.to_thread(self.bank.advance_to, cycle.statements.issued_on)
            await self._scan_bank()
        with self.stopwatch.step("statements"):
            await self._issue_statements(cycle.statements)

    async def _publish_until(self, moment: datetime) -> None:
        first = self.published
        while self.published < len(self.sales) and self.sales[self.published].at < moment:
            self.published += 1
        await publish(self.producer, (sale.message for sale in self.sales[first : self.published]))

        async def all_decided() -> bool:
            if self.following is not None and self.following.done():
                self.following.result()  # it ends by an error only, and nothing would come any more
            return len(self.outcomes.by_origin) >= self.published

        await self._until(all_decided, "an outcome for every sale", "premia logs calculator, premia logs ledger")
        await self._payout_has_seen_all()

    async def _scan_bank(self) -> None:
        await self._client("prepare").post("/v1/bank/scan")

    def _client(self, role: str) -> ServiceClient:
        return self.clients[self.actors[role][0]]

    async def _payout_has_seen_all(self) -> None:
        async def caught_up() -> bool:
            summary = await self._client("prepare").get("/v1/summary")
            return bool(summary["commands_open"] == 0 and summary["tree_size"] == await self.reader.fetchval(TREE_SIZE))

        await self._until(caught_up, "payout to see the whole ledger", "premia logs payout")

    async def _verify_accounts(self, on: date) -> None:
        """Let the persons whom the sample names propose and verify accounts, as far as they had done so by this day."""
        proposed = [account for account in self.accounts if account.proposed_on <= on and account not in self.account_ids]
        for proposer in sorted({account.proposed_by for account in proposed}):
            entries = [account for account in proposed if account.proposed_by == proposer]
            body = [_proposal(account) for account in entries]
            answers = (await self.clients[proposer].post("/v1/accounts/propose", {"accounts": body}))["accounts"]
            for account, answer in zip(entries, answers, strict=True):
                _require_done(answer, f"the account of {account.organization_id}")
                self.account_ids[account] = answer["account_id"]
        verified = [
            account
            for account in self.accounts
            if account.verified_on is not None and account.verified_on <= on and account not in self.verified
        ]
        for verifier in sorted({str(account.verified_by) for account in verified}):
            entries = [account for account in verified if account.verified_by == verifier]
            body = [_verification(account, self.account_ids[account]) for account in entries]
            answers = (await self.clients[verifier].post("/v1/accounts/verify", {"accounts": body}))["accounts"]
            for account, answer in zip(entries, answers, strict=True):
                _require_done(answer, f"the account of {account.organization_id}")
                self.verified.add(account)

    async def _receive_money(self) -> None:
        """Let every payer send what it owes, as the ledger says, and wait until the ledger has it."""
        for row in await self.reader.fetch(RECEIVABLES):
            self.credits_sent += 1
            await asyncio.to_thread(
                self.bank.credit,
                row["amount_minor"],
                payer=self.payer_names[row["payer_id"]],
                reference=row["payer_id"],
                end_to_end_id=f"{row['payer_id']}-{self.credits_sent:06}",
            )
        await self._scan_bank()

        async def nothing_owed() -> bool:
            return not await self.reader.fetch(RECEIVABLES)

        await self._until(nothing_owed, "the payers' money in the ledger", "premia logs payout")

    async def _prepare(self, on: date) -> str:
        preparer = self.actors["prepare"][0]
        approver = next(actor for actor in self.actors["approve"] if actor != preparer)
        cycle = await self.clients[preparer].post("/v1/cycles", {"on": on.isoformat()})
        cycle_id = str(cycle["cycle_id"])

        async def prepared() -> bool:
            return bool((await self.clients[preparer].get(f"/v1/cycles/{cycle_id}"))["state"] != "preparing")

        await self._until(prepared, "the ledger's reservations", "premia logs ledger, premia payouts show " + cycle_id)
        await self.clients[approver].post(f"/v1/cycles/{cycle_id}/approve")
        return cycle_id

    async def _pay(self, cycle_id: str, returned: SampleReturn | None) -> None:
        client = self._client("prepare")

        async def sent() -> bool:
            cycle = await client.get(f"/v1/cycles/{cycle_id}")
            return all(file["state"] != "SENDING" for file in cycle["files"]) and not cycle["orders"].keys() & {
                "approved",
                "sending",
            }

        await self._until(sent, "the bank file", "premia logs payout")
        if returned is not None:
            payouts = (await client.get(f"/v1/cycles/{cycle_id}"))["payouts"]
            (payment,) = [payout for payout in payouts if payout["organization_id"] == returned.organization_id]
            await asyncio.to_thread(
                self.bank.return_later,
                payment["end_to_end_id"],
                reason=returned.reason,
                business_days=returned.after_business_days,
            )
        await asyncio.to_thread(self.bank.scan_drop_folder)
        await self._scan_bank()

        async def finished() -> bool:
            return bool((await client.get(f"/v1/cycles/{cycle_id}"))["finished"])

        await self._until(finished, "the bank's bookings in the ledger", f"premia payouts show {cycle_id}")

    async def _issue_statements(self, due: SampleStatements) -> None:
        assert due.period.ends_before is not None, "a period that is over has an end"
        period = {"from": due.period.starts_on.isoformat(), "to": (due.period.ends_before - timedelta(days=1)).isoformat()}
        body = {"period": period, "issued_on": due.issued_on.isoformat(), "organizations": "all"}
        answers = (await self._client("statements").post("/v1/statements", body))["statements"]
        for answer in answers:
            _require_done(answer, f"the statement of {answer['organization_id']}")
        await self._payout_has_seen_all()

    async def _follow_outcomes(self) -> None:
        async with open_log(SALE_OUTCOMES, servers=self.servers) as log:
            async for records in log.to_end():
                for record in records:
                    self.outcomes.add(record.value)
            async for records in log.following():
                for record in records:
                    self.outcomes.add(record.value)

    async def _until(self, condition: Callable[[], Awaitable[bool]], what: str, look_at: str) -> None:
        deadline = time.monotonic() + STEP_DEADLINE_S
        while not await condition():
            if time.monotonic() > deadline:
                raise DemoStuck(f"waited {STEP_DEADLINE_S:.0f} s for {what}; look at: {look_at}")
            await asyncio.sleep(POLL_S)


def _require_done(answer: Mapping[str, Any], what: str) -> None:
    if answer["refused"]:
        raise DemoStuck(f"{what} was refused: {answer['refused']['message']}")


def _proposal(account: AccountEvidence) -> dict[str, Any]:
    """The account as the payee's evidence has it: the registry claims only the one of today."""
    details = {name: getattr(account, name) for name in ACCOUNT_DETAILS}
    return {"organization_id": account.organization_id, "currency": account.currency, "details": details}


def _verification(account: AccountEvidence, account_id: str) -> dict[str, Any]:
    assert account.verified_on is not None, "only verified accounts are due"
    return {
        "account_id": account_id,
        "method": account.method,
        "on": account.verified_on.isoformat(),
        "evidence": account.evidence,
    }
