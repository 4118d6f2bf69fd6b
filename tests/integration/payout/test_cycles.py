"""Cycles: who may, in which order, and what asking twice does."""

from __future__ import annotations

from datetime import date
from hashlib import sha256

import pytest

from services.payout.errors import RefusalCode, Refused
from services.payout.registry_view import RegistryView
from services.payout.use_cases.cancel_cycle import cancel_cycle
from services.payout.use_cases.prepare_cycle import CyclePrepared, prepare_cycle
from tests.integration.payout.books import Books, registry_file

ON = date(2025, 3, 27)


def code(outcome: object) -> RefusalCode:
    assert isinstance(outcome, Refused), outcome
    return outcome.code


@pytest.fixture
async def prepared(books: Books) -> CyclePrepared:
    """A cycle that waits for its decision: one premium, reserved."""
    await books.account("ORG-PE-012")
    await books.premium("1498.08")
    await books.carry()
    outcome = await books.prepare(ON)
    await books.carry()
    assert isinstance(outcome, CyclePrepared)
    return outcome


async def test_asking_again_for_a_date_answers_with_its_cycle(books: Books, prepared: CyclePrepared) -> None:
    again = await books.prepare(ON, actor="diego")
    assert again == CyclePrepared(prepared.cycle_id, created=False)
    assert await books.value("SELECT count(*) FROM payout.payout_order") == 1


async def test_while_one_waits_for_its_decision_no_other_begins(books: Books, prepared: CyclePrepared) -> None:
    assert code(await books.prepare(date(2025, 4, 3))) is RefusalCode.CYCLE_OPEN
    await books.approve(prepared.cycle_id)
    assert isinstance(await books.prepare(date(2025, 4, 3)), CyclePrepared)


async def test_no_cycle_is_prepared_before_one_that_was_settled(books: Books, prepared: CyclePrepared) -> None:
    await books.approve(prepared.cycle_id)
    assert code(await books.prepare(date(2025, 3, 26))) is RefusalCode.CYCLE_DATE_PASSED


async def test_preparing_needs_its_role(books: Books) -> None:
    assert code(await books.prepare(ON, actor="bruno")) is RefusalCode.ROLE_MISSING
    assert code(await books.prepare(ON, actor="nobody")) is RefusalCode.ROLE_MISSING


async def test_without_a_registry_nothing_is_prepared(books: Books) -> None:
    async with books.payout.acquire() as conn, conn.transaction():
        outcome = await prepare_cycle(conn, on=ON, actor="ana", registry=RegistryView(), now=books.now)
    assert code(outcome) is RefusalCode.REGISTRY_MISSING


async def test_without_a_debtor_account_nothing_is_prepared(books: Books) -> None:
    await books.apply_registry(registry_file(debtor_account=None))
    assert code(await books.prepare(ON)) is RefusalCode.DEBTOR_ACCOUNT_MISSING


async def test_the_person_who_prepared_cannot_approve(books: Books) -> None:
    await books.account("ORG-PE-012")
    await books.premium("1498.08")
    await books.carry()
    outcome = await books.prepare(ON, actor="diego")  # has both roles
    await books.carry()
    assert code(await books.approve(outcome.cycle_id, actor="diego")) is RefusalCode.SAME_ACTOR
    assert code(await books.approve(outcome.cycle_id, actor="ana")) is RefusalCode.ROLE_MISSING
    assert not isinstance(await books.approve(outcome.cycle_id, actor="bruno"), Refused)


async def test_approving_waits_for_the_ledgers_answers_and_happens_once(books: Books) -> None:
    await books.account("ORG-PE-012")
    await books.premium("1498.08")
    await books.carry()
    outcome = await books.prepare(ON)
    assert code(await books.approve(outcome.cycle_id)) is RefusalCode.CYCLE_NOT_READY
    await books.carry()
    first = await books.approve(outcome.cycle_id)
    assert first.approved_now
    assert not (await books.approve(outcome.cycle_id)).approved_now
    assert code(await books.approve(outcome.cycle_id, actor="diego")) is RefusalCode.CYCLE_CLOSED


async def test_the_decision_is_on_record_in_the_ledger_with_both_persons(books: Books, prepared: CyclePrepared) -> None:
    await books.approve(prepared.cycle_id)
    await books.carry()
    decision = await books.value("SELECT decision FROM payout.cycle_event WHERE state = 'approved'")
    assert b'"approved_by":"bruno"' in decision
    assert b'"prepared_by":"ana"' in decision
    leaf = await books.value("SELECT leaf FROM payout.ledger_transaction WHERE kind = 'attested'")
    assert sha256(decision).hexdigest().encode() in leaf


async def test_a_cancelled_cycle_frees_its_money_and_the_date_can_be_prepared_anew(
    books: Books, prepared: CyclePrepared
) -> None:
    async with books.payout.acquire() as conn, conn.transaction():
        await cancel_cycle(conn, cycle_id=prepared.cycle_id, actor="ana", registry=books.registry, now=books.now)
    await books.carry()
    assert await books.history() == ["reserving", "reserved", "voiding", "voided"]
    assert await books.ledger_balance("payable") == 149_808
    assert code(await books.approve(prepared.cycle_id)) is RefusalCode.CYCLE_CLOSED
    again = await books.prepare(ON)
    assert again.created
    assert again.cycle_id != prepared.cycle_id


async def test_a_cycle_with_nothing_to_pay_stands_in_nobodys_way(books: Books) -> None:
    await books.premium("1498.08")
    await books.carry()
    empty = await books.prepare(ON)
    assert await books.value("SELECT state FROM payout.cycle") == "empty"
    assert await books.results(empty.cycle_id) == {"ORG-PE-012": ("held", 149_808, "HOLD_ACCOUNT_MISSING")}
    await books.account("ORG-PE-012")
    assert (await books.prepare(ON)).created


async def test_every_organization_has_its_result(books: Books) -> None:
    await books.account("ORG-PE-012")
    await books.account("ORG-PE-013")
    await books.premium("1498.08")
    await books.premium("50.00", organization_id="ORG-PE-013", lot_id="PE-2025-000131")
    await books.premium("200.00", organization_id="FUND-PE-01", role="community_fund", lot_id="PE-2025-000132")
    await books.carry()
    cycle = await books.prepare(ON)
    assert await books.results(cycle.cycle_id) == {
        "ORG-PE-012": ("ordered", 149_808, None),
        "ORG-PE-013": ("carried_over", 5_000, "BELOW_MINIMUM"),
        "FUND-PE-01": ("held", 20_000, "HOLD_ACCOUNT_MISSING"),
    }


async def test_carried_over_premiums_are_paid_once_they_reach_the_minimum(books: Books) -> None:
    await books.account("ORG-PE-013")
    await books.premium("60.00", organization_id="ORG-PE-013", lot_id="A", on=date(2025, 1, 10))
    await books.carry()
    await books.prepare(date(2025, 1, 30))
    await books.premium("60.00", organization_id="ORG-PE-013", lot_id="B")
    cycle_id = await books.settle(ON)
    assert await books.results(cycle_id) == {"ORG-PE-013": ("ordered", 12_000, None)}


async def test_a_fund_is_paid_like_an_organization(books: Books) -> None:
    await books.account("FUND-PE-01")
    await books.premium("200.00", organization_id="FUND-PE-01", role="community_fund")
    await books.settle()
    await books.bank_day("2025-03-28")
    assert await books.order_states() == {"FUND-PE-01": "settled"}
