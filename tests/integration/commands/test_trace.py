"""`premia trace` on real books: two lots are paid in one payout, and a statement names it all."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from premia.__main__ import main
from premia.commands.migrate import bring_up_to_date
from premia.local.stack import LocalStack
from services.payout.adapters.statement_printer import StatementPrinter
from services.runtime.database import open_pool
from tests.conftest import environment_with_database
from tests.integration.command import premia
from tests.integration.ledger.records import clear, suspend
from tests.integration.payout.books import Books, registry_file
from tests.integration.payout.test_decided_by_persons import correction
from tests.mock_bank import running_mock_bank

At = tuple[Books, dict[str, str]]  # the programme, and the variables of who reads it
LOT = "PE-2025-000123"


@pytest.fixture
async def books(servers: LocalStack, new_database: Callable[[], str], tmp_path: Path) -> AsyncIterator[At]:
    """Ledger, payout and bank on one database, which commands read by the reader's login."""
    environment = environment_with_database(servers, new_database())
    await bring_up_to_date(environment["DATABASE_URL"], environment)
    ledger = await open_pool(environment["PREMIA_LEDGER_DATABASE_URL"])
    payout = await open_pool(environment["PREMIA_PAYOUT_DATABASE_URL"])
    printer = StatementPrinter()
    try:
        with running_mock_bank(tmp_path, clock="2025-03-27T09:00") as bank:
            books = Books(ledger, payout, bank, tmp_path, environment["DATABASE_URL"], printer)
            await books.apply_registry(registry_file())
            yield books, environment
    finally:
        printer.close()
        ledger.terminate()
        payout.terminate()


async def trace(environment: dict[str, str], *arguments: str) -> Result:
    result = await asyncio.to_thread(CliRunner().invoke, main, ["trace", *arguments], env=environment)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


async def events(environment: dict[str, str], name: str) -> list[dict[str, Any]]:
    found = await trace(environment, name, "--json")
    assert found.exit_code == 0, found.output
    told: list[dict[str, Any]] = json.loads(found.stdout)["events"]
    return told


def shapes(story: list[dict[str, Any]], what: str) -> list[str]:
    return [event["text"].split(":")[0].split(" (")[0] for event in story if event["what"] == what]


async def test_a_lot_a_payout_a_bank_reference_and_a_statement_lead_to_the_one_story(
    books: At,
) -> None:
    programme, environment = books
    await programme.account("ORG-PE-012")
    await programme.premium("1348.58", revision=1, stage="provisional")
    await programme.premium("1498.08", revision=2)
    await programme.premium("700.00", lot_id="PE-2025-000124")
    await programme.settle()
    await programme.bank_day("2025-03-28")
    await programme.statements(date(2025, 3, 1), date(2025, 3, 31))
    await programme.carry()

    story = await events(environment, f"REF-CH-01/{LOT}")
    assert [event["on"] for event in story] == sorted(event["on"] for event in story)
    assert shapes(story, "sale") == [f"REF-CH-01/{LOT} revision 1", f"REF-CH-01/{LOT} revision 2"]
    assert shapes(story, "posting") == ["premium", "premium", "reserved", "settled"]
    assert [event["text"].split()[1] for event in story if event["what"] == "cycle"] == ["preparing", "prepared", "approved"]
    states = [event["details"]["state"] for event in story if event["what"] == "payout"]
    assert states[:3] == ["reserving", "reserved", "approved"]
    assert states[-2:] == ["booked", "settled"]
    assert len([event for event in story if event["what"] == "bank file"]) == 2
    (booking,) = [event for event in story if event["what"] == "booking"]
    assert (booking["details"]["amount"], booking["details"]["disposition"]) == ("2198.08", "settle")
    (statement,) = [event for event in story if event["what"] == "statement"]
    settled = next(event for event in story if event["text"].startswith("settled: "))
    assert settled["leaf_index"] in statement["details"]["names_leaves"]
    assert statement["leaf_index"] is not None
    leaves = [event["leaf_index"] for event in story if event["what"] == "posting"]
    assert len(set(leaves)) == len(leaves), "each posting once"

    assert await events(environment, LOT) == story, "a bare lot id works where it is unique"
    order_id = booking["details"]["order_id"]
    reference = next(event for event in story if event["what"] == "bank file")["details"]["end_to_end_id"]
    of_payout = await events(environment, order_id)
    assert await events(environment, reference) == of_payout
    assert len(shapes(of_payout, "sale")) == 3, "both lots, one of them in two revisions"
    of_statement = await events(environment, f"ORG-PE-012/{statement['details']['number']}")
    assert await events(environment, statement["details"]["number"]) == of_statement
    assert await events(environment, statement["details"]["statement_id"]) == of_statement
    assert shapes(of_statement, "posting") == shapes(of_payout, "posting")
    told = await trace(environment, LOT)
    assert told.stdout.startswith(f"The story of lot REF-CH-01/{LOT}\n\n2025-03-14  sale ")
    assert f"leaf {settled['leaf_index']}" in told.stdout


async def test_what_waits_and_what_nobody_knows(books: At) -> None:
    programme, environment = books
    await programme.premium("1498.08")
    await programme.carry()
    await programme.prepare()
    story = await events(environment, LOT)
    (waited,) = [event for event in story if event["what"] == "waited"]
    assert waited["details"]["outcome"] == "held"
    assert waited["details"]["code"].startswith("HOLD_ACCOUNT")
    assert next(event for event in story if event["what"] == "posting")["text"].endswith("; an open item")
    assert "USD 1,498.08;" in next(event for event in story if event["what"] == "entitlement")["text"], "as postings are told"

    await programme.premium("1.00", lot_id="0001-2025-03")
    assert (await trace(environment, "0001-2025-03")).exit_code == 0
    for name in ("nothing", "0099-2025-03", "REF-CH-02/" + LOT, "0" * 32, "00000000-0000-0000-0000-000000000000"):
        unknown = await trace(environment, name)
        assert (unknown.exit_code, unknown.stdout) == (2, "")
        assert f"there is no lot, payout, bank reference or statement {name}" in unknown.stderr


async def test_money_that_came_back_and_was_paid_again_is_one_story_with_two_payouts(books: At) -> None:
    programme, environment = books
    await programme.account("ORG-PE-012")
    await programme.premium("1498.08")
    later = {"behaviour": "return-later", "parameters": {"days": 1}}
    await asyncio.to_thread(programme.bank.call, "PATCH", "/_mock/accounts/PREMIA", later)
    await programme.settle()
    await programme.bank_day("2025-03-31")
    story = await events(environment, LOT)
    assert shapes(story, "posting") == ["premium", "reserved", "settled", "returned"]
    assert [event["details"]["disposition"] for event in story if event["what"] == "booking"] == ["settle", "return"]
    came_back = next(event for event in story if event["text"].startswith("returned: "))
    booked = next(event for event in story if event["what"] == "booking" and event["details"]["disposition"] == "return")
    assert came_back["on"] == booked["on"]
    assert booked["on"] > next(event["on"] for event in story if event["text"].startswith("settled: "))
    assert "; an open item" in next(event["text"] for event in story if event["what"] == "posting")
    states = [event["details"]["state"] for event in story if event["what"] == "payout"]
    assert states[-2:] == ["returning", "returned"]

    await asyncio.to_thread(programme.bank.call, "PATCH", "/_mock/accounts/PREMIA", {"behaviour": "accept"})
    await programme.account("ORG-PE-012")
    await programme.settle(date(2025, 4, 3))
    await programme.bank_day("2025-04-04")
    paid = await events(environment, LOT)
    assert shapes(paid, "posting") == [*shapes(story, "posting"), "reserved", "settled"]
    assert len({event["details"]["order_id"] for event in paid if event["what"] == "payout"}) == 2
    first, _, second = (event["details"]["order_id"] for event in paid if event["what"] == "booking")
    assert shapes(await events(environment, first), "posting") == shapes(story, "posting")
    assert shapes(await events(environment, second), "posting") == ["premium", "reserved", "settled"]


async def test_a_recalculation_stands_beside_the_sale_that_it_is_from(books: At, kafka: str) -> None:
    programme, environment = books
    assert (await premia(kafka, "topics", "apply")).exit_code == 0
    await programme.premium("1498.08")
    await programme.recalculated("0.00", instead_of="1498.08", reason="status:suspended")
    await programme.carry()
    story = await events(environment, LOT)
    assert shapes(story, "sale") == shapes(story, "recalculation") == [f"REF-CH-01/{LOT} revision 1"]
    first, second = (event["details"]["calculation"] for event in story if event["what"] == "entitlement")
    assert (first, second) == (0, 1)
    assert [event["text"].split(" from ")[0] for event in story if event["what"] == "posting"] == [
        "premium: USD 1,498.08",
        "premium: USD 1,498.08",
    ]
    assert {event["on"] for event in story} == {"2025-03-14"}, "it takes effect on the day of its sale"


async def test_a_payment_that_a_person_cleared_and_a_correction_are_part_of_the_story(books: At) -> None:
    programme, environment = books
    await programme.account("ORG-PE-012")
    await programme.premium("1498.08")
    await programme.settle()
    await programme.command(suspend("B", "1498.08", direction="DBIT"))
    attempt_id = await programme.value("SELECT attempt_id FROM payout.attempt")
    organization = ("org", "ORG-PE-012")
    await programme.command(clear("C", "B", "1498.08", organization, kind="settlement", reservation_id=str(attempt_id)))
    await programme.correct(correction("down", ("debit", "6.76")))
    await programme.carry()
    order_id = await programme.value("SELECT order_id FROM payout.payout_order")
    posted = [event["details"]["kind"] for event in await events(environment, str(order_id)) if event["what"] == "posting"]
    assert posted == ["premium", "reserved", "settled"]
    (answer,) = await programme.statements(date(2025, 3, 1), date(2025, 3, 31), ["ORG-PE-012"])
    await programme.carry()
    told = await events(environment, str(answer["statement_id"]))
    assert "corrected" in {event["details"].get("kind") for event in told}
