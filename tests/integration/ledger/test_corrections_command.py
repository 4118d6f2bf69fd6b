"""`premia corrections`: two persons at a terminal."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from premia.__main__ import main
from tests.integration.ledger.api import LedgerApi, running_api
from tests.integration.ledger.conftest import Ledger
from tests.integration.ledger.records import entitlement, uuid_of
from tests.integration.ledger.test_commands import Ran

DOWN = (
    "propose", "--subject", "org:ORG-1", "--debit", "payable:USD:98.08", "--scheme", "sbg", "--payer", "PAY-1",
    "--on", "2025-03-20", "--reason", "WEIGHED_TWICE", "--text", "La carga se pesó dos veces.",
)  # fmt: skip


@pytest.fixture
async def api(ledger: Ledger, tmp_path: Path) -> AsyncIterator[LedgerApi]:
    async with running_api(ledger, tmp_path) as api:
        yield api


async def corrections(api: LedgerApi, *arguments: str, actor: str | None = None) -> Ran:
    """Run `premia corrections` with the token of `actor`, who is ana unless it says otherwise."""
    known = {"PREMIA_LEDGER_URL": api.url, "PREMIA_TOKEN": f"token-of-{actor or 'ana'}"}
    result = await asyncio.to_thread(CliRunner().invoke, main, ["corrections", *arguments], env=known)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Ran(result.exit_code, result.stdout, result.stderr)


def id_in(ran: Ran) -> str:
    """The proposal's id as it was printed."""
    found = re.search(r"id ([0-9a-f-]{36})", ran.output)
    assert found is not None, ran
    return found[1]


async def test_one_proposes_sees_the_postings_and_another_approves(ledger: Ledger, api: LedgerApi) -> None:
    await ledger.post(entitlement())
    proposed = await corrections(api, *DOWN)
    assert proposed.exit_code == 0, proposed
    for told in (
        "Correction of org:ORG-1, effective 2025-03-20: proposed",
        "WEIGHED_TWICE: La carga se pesó dos veces.",
        "98.08 USD, debit org:ORG-1:payable, credit programme:programme:suspense",
    ):
        assert told in proposed.output
    assert ["org:ORG-1:payable", "-1,498.08", "-1,400.00", "USD"] in [line.split() for line in proposed.output.splitlines()]
    short = id_in(proposed)[:8]
    assert f"premia corrections approve {short} --as ACTOR" in proposed.talk
    assert "ana" in (await corrections(api, "list", "--state", "proposed")).output
    own = await corrections(api, "approve", short, actor="ana")
    assert (own.exit_code, "ROLE_MISSING" in own.talk) == (4, True)
    approved = await corrections(api, "approve", short, actor="bruno")
    assert (approved.exit_code, "approved by bruno" in approved.output, "leaf 1" in approved.output) == (0, True, True)
    assert "--reverses" in approved.talk
    assert (await ledger.balances())["org:ORG-1:payable:USD"] == -140000


async def test_a_proposal_is_withdrawn_and_nothing_is_posted(ledger: Ledger, api: LedgerApi) -> None:
    await ledger.post(entitlement())
    proposed = id_in(await corrections(api, *DOWN))
    withdrawn = await corrections(api, "withdraw", proposed, actor="bruno")
    assert (withdrawn.exit_code, "withdrawn by bruno" in withdrawn.output) == (0, True)
    shown = await corrections(api, "show", proposed, "--json")
    assert json.loads(shown.output)["state"] == "withdrawn"
    assert len(await ledger.leaves()) == 1


async def test_a_whole_proposal_from_a_file(ledger: Ledger, api: LedgerApi, tmp_path: Path) -> None:
    file = tmp_path / "opening.json"
    file.write_text(
        json.dumps(
            {
                "correction_id": str(uuid_of("O")),
                "kind": "open",
                "subject": {"kind": "refiner", "id": "REF-1"},
                "effective_on": "2025-01-01",
                "reason": {"code": "HISTORY", "text": "Oro de antes del libro."},
                "lines": [{"purpose": "gold", "unit": "AU-MG", "side": "debit", "amount": "2140.109"}],
            }
        )
    )
    proposed = await corrections(api, "propose", "--file", str(file))
    assert (proposed.exit_code, id_in(proposed)) == (0, str(uuid_of("O")))
    assert "Opening balance of refiner:REF-1" in proposed.output
    assert "2,140.109 g fine gold, debit refiner:REF-1:gold" in proposed.output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("propose",), "--subject"),
        (("propose", "--file", "nowhere.json"), "nowhere.json"),
        (("propose", "--subject", "ORG-1", "--on", "2025-01-01", "--reason", "A", "--text", "b"), "KIND:ID"),
        (("propose", "--subject", "org:ORG-1", "--debit", "payable:USD"), "--on"),
        ((*DOWN, "--debit", "payable 1.00"), "PURPOSE:UNIT:AMOUNT"),
    ],
)
async def test_wrong_use_is_exit_2(api: LedgerApi, arguments: tuple[str, ...], told: str) -> None:
    ran = await corrections(api, *arguments)
    assert (ran.exit_code, told in ran.talk) == (2, True), ran


async def test_what_the_ledger_refuses_is_exit_4_with_its_code(ledger: Ledger, api: LedgerApi) -> None:
    ran = await corrections(api, *DOWN[:4], "suspense:USD:1.00", *DOWN[9:])
    assert (ran.exit_code, "SAME_ACCOUNT" in ran.talk) == (4, True), ran
    ran = await corrections(api, "show", "12345678")
    assert (ran.exit_code, "there is no proposal 12345678" in ran.talk) == (4, True)
    assert await ledger.leaves() == []
