"""`premia balances`, `premia lot`: what a person and a program read."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import orjson
from click.testing import CliRunner

from premia.__main__ import main
from tests.integration.ledger.conftest import Ledger
from tests.integration.ledger.records import entitlement


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended."""

    exit_code: int
    output: str
    talk: str


async def premia(ledger: Ledger, *arguments: str) -> Ran:
    """Run a command with the ledger's variables, in a thread of this process: another process takes a second."""
    result = await asyncio.to_thread(CliRunner().invoke, main, arguments, env=ledger.environment)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Ran(result.exit_code, result.stdout, result.stderr)


async def test_balances_are_debit_positive_and_the_trial_balance_is_said_in_words(ledger: Ledger) -> None:
    await ledger.post(entitlement(gold_mg={"ORG-1": 2140109}))
    ran = await premia(ledger, "balances")
    assert ran.exit_code == 0
    assert [line.split() for line in ran.output.splitlines()] == [
        ["org:ORG-1:gold:AU-MG", "-2,140.109"],
        ["org:ORG-1:payable:USD", "-1,498.08"],
        ["payer:PAY-1:receivable:USD", "1,498.08"],
        ["refiner:REF-1:gold:AU-MG", "2,140.109"],
    ]
    assert "USD: debits equal credits (1,498.08)." in ran.talk
    assert "g fine gold: debits equal credits (2,140.109)." in ran.talk


async def test_balances_of_some_owners_as_json(ledger: Ledger) -> None:
    await ledger.post(entitlement(), entitlement(lot="LOT-2", lines=(("ORG-2", "producer", 1),), payer="PAY-2"))
    ran = await premia(ledger, "balances", "--json", "--owner", "PAY-2", "--owner", "ORG-1")
    rows = [orjson.loads(line) for line in ran.output.splitlines()]
    assert [(row["account"], row["balance"], row["balance_minor"]) for row in rows] == [
        ("org:ORG-1:gold:AU-MG", "-1.000", -1000),
        ("org:ORG-1:payable:USD", "-1498.08", -149808),
        ("payer:PAY-2:receivable:USD", "0.01", 1),
    ]


async def test_debits_that_do_not_equal_credits_are_exit_1(ledger: Ledger) -> None:
    await ledger.post(entitlement())
    await ledger.as_administrator(
        "UPDATE ledger.balance SET debits = debits + 1 WHERE account_id IN (SELECT account_id FROM ledger.account"
        " WHERE purpose = 'receivable')"
    )
    ran = await premia(ledger, "balances")
    assert (ran.exit_code, "they differ by 0.01" in ran.talk) == (1, True)


async def test_an_empty_ledger_is_said_to_be_empty(ledger: Ledger) -> None:
    ran = await premia(ledger, "balances")
    assert (ran.exit_code, ran.output, ran.talk) == (0, "", "The ledger is empty.\n")


async def test_a_lot_tells_its_story_with_the_leaves_that_prove_it(ledger: Ledger) -> None:
    await ledger.post(entitlement(stage="provisional", lines=(("ORG-1", "producer", 134858),), origin_offset=1))
    await ledger.post(entitlement(revision=2, origin_offset=2), entitlement(revision=2, content="x", origin_offset=3))
    ran = await premia(ledger, "lot", "LOT-1")
    assert ran.exit_code == 0
    for told in (
        "Lot REF-1/LOT-1",
        "Revision 1 · provisional · settleable · posted",
        "Revision 2 · final · settleable · posted, counts now",
        "leaf 1: 149.50 USD, debit payer:PAY-1:receivable, credit org:ORG-1:payable",
        "Revision 2 · refused · CONFLICTING_PAYLOAD",
        "at gold.sales.v1/0/3, which conflicts with gold.sales.v1/0/2",
    ):
        assert told in ran.output, ran.output


async def test_a_lot_as_json_has_every_transfer(ledger: Ledger) -> None:
    await ledger.post(entitlement(), entitlement(revision=2, lines=(("ORG-1", "producer", 100),)))
    story = orjson.loads((await premia(ledger, "lot", "REF-1/LOT-1", "--json")).output)
    assert [revision["outcome"] for revision in story["revisions"]] == ["posted", "posted"]
    (transfer,) = story["revisions"][1]["transfers"]
    assert (transfer["leaf_index"], transfer["amount"], transfer["debit"], transfer["unit"]) == (
        1,
        "1497.08",
        "org:ORG-1:payable:USD",
        "USD",
    )


async def test_a_lot_id_of_two_refiners_needs_the_refiner(ledger: Ledger) -> None:
    await ledger.post(entitlement(), entitlement(refiner="REF-2"))
    ran = await premia(ledger, "lot", "LOT-1")
    assert (ran.exit_code, "REF-1/LOT-1, REF-2/LOT-1" in ran.talk) == (2, True)
    assert (await premia(ledger, "lot", "REF-2/LOT-1")).exit_code == 0


async def test_a_lot_that_never_came_is_exit_2(ledger: Ledger) -> None:
    ran = await premia(ledger, "lot", "LOT-9")
    assert (ran.exit_code, ran.output) == (2, "")
    assert "no accepted sale of lot LOT-9" in ran.talk


async def test_a_database_that_was_not_migrated_is_exit_3_and_says_what_to_do(ledger: Ledger) -> None:
    empty = ledger.environment["PREMIA_READER_DATABASE_URL"].rsplit("/", 1)[0] + "/postgres"
    for command in (["balances"], ["fsck"], ["lot", "X"]):
        ran = await premia(Ledger(ledger.conn, ledger.environment | {"PREMIA_READER_DATABASE_URL": empty}), *command)
        assert (ran.exit_code, "premia migrate" in ran.talk) == (3, True), ran


async def test_a_database_that_does_not_answer_is_exit_3_without_showing_the_password(ledger: Ledger) -> None:
    nowhere = "postgresql://premia_reader:secret@127.0.0.1:1/premia"
    ran = await premia(Ledger(ledger.conn, ledger.environment | {"PREMIA_READER_DATABASE_URL": nowhere}), "balances")
    assert (ran.exit_code, "secret" in ran.talk, "127.0.0.1:1/premia" in ran.talk) == (3, False, True)
