"""Payment accounts: two different persons, and what the bank would not take is never verified."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.payout.errors import RefusalCode, Refused
from services.payout.use_cases.propose_account import AccountProposed, propose_account
from services.payout.use_cases.read_accounts import read_claims
from services.payout.use_cases.verify_account import AccountVerified, verify_account
from tests.integration.payout.books import Books

DETAILS = {"holder": "Asociación Minera Ejemplo", "account": "00110345020099998890", "bic": "XMPLPEPL"}


async def propose(
    books: Books, organization_id: str = "ORG-PE-012", *, actor: str = "carla", details: Any = None, currency: str = "USD"
) -> AccountProposed | Refused:
    async with books.payout.acquire() as conn, conn.transaction():
        return await propose_account(
            conn,
            organization_id=organization_id,
            currency=currency,
            details=details,
            actor=actor,
            registry=books.registry,
            now=books.now,
        )


async def verify(books: Books, account_id: UUID, *, actor: str = "diego") -> AccountVerified | Refused:
    async with books.payout.acquire() as conn, conn.transaction():
        return await verify_account(
            conn,
            account_id=account_id,
            method="call_back",
            checked_on=date(2025, 3, 13),
            evidence="MUESTRA-CTA-012",
            actor=actor,
            registry=books.registry,
            now=books.now,
        )


def proposed(outcome: AccountProposed | Refused) -> AccountProposed:
    assert isinstance(outcome, AccountProposed), outcome
    return outcome


def code(outcome: object) -> RefusalCode:
    assert isinstance(outcome, Refused), outcome
    return outcome.code


async def test_what_the_registry_claims_is_payable_after_a_second_person_verified_it(books: Books) -> None:
    account = proposed(await propose(books))
    assert await books.value("SELECT count(*) FROM payout.account WHERE state = 'verified'") == 0
    assert code(await verify(books, account.account_id, actor="carla")) is RefusalCode.SAME_ACTOR
    assert await verify(books, account.account_id) == AccountVerified(account.account_id, verified_now=True)
    history = await books.fetch("SELECT state, actor, method, checked_on, evidence FROM payout.account_event ORDER BY number")
    assert [(row["state"], row["actor"]) for row in history] == [("proposed", "carla"), ("verified", "diego")]
    assert (history[1]["method"], history[1]["checked_on"]) == ("call_back", date(2025, 3, 13))


async def test_the_same_details_again_are_the_same_account(books: Books) -> None:
    first = proposed(await propose(books))
    again = proposed(await propose(books, actor="diego"))
    assert (again.account_id, again.created) == (first.account_id, False)
    await verify(books, first.account_id)
    assert proposed(await propose(books)).state == "verified"
    assert await verify(books, first.account_id) == AccountVerified(first.account_id, verified_now=False)


async def test_a_new_account_replaces_the_one_before_only_when_it_is_verified(books: Books) -> None:
    old = await books.account("ORG-PE-012")
    new = proposed(await propose(books, details=DETAILS))
    payable = "SELECT account_id FROM payout.account WHERE state = 'verified'"
    assert await books.value(payable) == old
    await verify(books, new.account_id)
    assert await books.value(payable) == new.account_id
    assert await books.value("SELECT state FROM payout.account WHERE account_id = $1", old) == "replaced"
    assert code(await verify(books, old)) is RefusalCode.ACCOUNT_NOT_PROPOSED


async def test_address_and_tax_id_come_from_the_registry_where_they_are_not_given(books: Books) -> None:
    await propose(books, details=DETAILS)
    town = await books.value("SELECT details -> 'address' ->> 'town' FROM payout.account")
    assert town == "Chala"


@pytest.mark.parametrize(
    ("details", "field"),
    [
        ({**DETAILS, "account": "CH9300762011623852958"}, "creditor_account"),
        ({**DETAILS, "bic": "NOTABIC"}, "creditor_bank.bic"),
        ({"holder": "Asociación", "account": "001"}, "bic"),
        ({**DETAILS, "holder": "鉱山"}, "name"),
    ],
)
async def test_details_that_no_bank_would_take_are_refused_by_field(books: Books, details: Any, field: str) -> None:
    outcome = await propose(books, details=details)
    assert code(outcome) is RefusalCode.ACCOUNT_INVALID
    assert isinstance(outcome, Refused)
    assert field in outcome.message


async def test_refusals_name_what_is_wrong(books: Books) -> None:
    assert code(await propose(books, actor="ana")) is RefusalCode.ROLE_MISSING
    assert code(await propose(books, "ORG-PE-999")) is RefusalCode.ORGANIZATION_UNKNOWN
    assert code(await propose(books, "PAY-01")) is RefusalCode.ORGANIZATION_UNKNOWN
    assert code(await propose(books, currency="PEN")) is RefusalCode.ACCOUNT_UNKNOWN
    assert code(await verify(books, uuid4())) is RefusalCode.ACCOUNT_UNKNOWN
    assert code(await verify(books, uuid4(), actor="bruno")) is RefusalCode.ROLE_MISSING


async def test_what_was_verified_is_paid_whatever_the_registry_says_later(books: Books) -> None:
    await books.account("ORG-PE-012")
    await books.premium("1498.08")
    file = books.known
    assert file is not None
    before = await books.value("SELECT details ->> 'account' FROM payout.account")
    private = file.private["ORG-PE-012"]
    changed = private.payment_accounts[0].model_copy(update={"account": "99999999999999999999"})
    books.registry._private["ORG-PE-012"] = private.model_copy(update={"payment_accounts": (changed,)})
    await books.settle()
    content = await books.value("SELECT content FROM payout.bank_file")
    assert before.encode() in content
    assert b"99999999999999999999" not in content


async def test_claims_are_accounts_that_nobody_proposed(books: Books) -> None:
    await propose(books)
    async with books.payout.acquire() as conn:
        claims = await read_claims(conn, books.registry)
    assert {claim["organization_id"] for claim in claims} == {"ORG-PE-013", "FUND-PE-01"}


async def test_no_event_carries_an_account_number(books: Books) -> None:
    await books.account("ORG-PE-012")
    values = await books.fetch("SELECT value FROM payout.outbox")
    assert values
    assert all(b"00110345020011223344" not in row["value"] for row in values)
    assert any(b'"last_four":"3344"' in row["value"] for row in values)
