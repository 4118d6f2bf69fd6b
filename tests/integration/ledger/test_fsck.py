"""`premia fsck` on a ledger: silent on a sound one, and on a damaged one every deviation in words and as JSON."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator

import orjson

from services.ledger.use_cases.import_leaves import import_leaves
from tests.integration.ledger.backup import back_up, restore
from tests.integration.ledger.conftest import Ledger
from tests.integration.ledger.records import entitlement
from tests.integration.ledger.story import fill


async def test_a_ledger_that_was_left_alone_has_no_deviation(ledger: Ledger) -> None:
    assert await ledger.deviations() == []
    await fill(ledger)
    assert await ledger.deviations() == []


async def test_the_command_names_deviations_on_standard_output_and_exits_1(ledger: Ledger) -> None:
    await fill(ledger)
    sound = _fsck(ledger)
    assert (sound.returncode, sound.stdout) == (0, "")
    assert "no deviation" in sound.stderr
    await ledger.as_administrator("UPDATE ledger.balance SET debits = debits + 1 WHERE account_id = 1")
    broken = _fsck(ledger)
    assert broken.returncode == 1
    assert len(broken.stdout.splitlines()) == 2
    assert "invariant 2  BALANCE_WRONG  fund:FUND-1:payable:USD: a balance is not the sum" in broken.stdout
    assert "2 deviations" in broken.stderr


async def test_what_was_damaged_does_not_reach_the_terminal(ledger: Ledger) -> None:
    await fill(ledger)
    await ledger.as_administrator("UPDATE ledger.subject SET id = E'\\x1b[2Jgone' WHERE id = 'FUND-1'")
    ran = _fsck(ledger)
    assert ran.returncode == 1
    assert "\x1b" not in ran.stdout
    assert "\\u001b[2Jgone" in ran.stdout


async def test_as_json_every_line_has_the_same_members_and_the_last_one_says_what_was_looked_at(ledger: Ledger) -> None:
    await fill(ledger)
    await ledger.as_administrator("UPDATE ledger.balance SET debits = debits + 1 WHERE account_id = 1")
    *deviations, summary = [orjson.loads(line) for line in _fsck(ledger, "--json").stdout.splitlines()]
    assert [line["code"] for line in deviations] == ["BALANCE_WRONG", "UNIT_NOT_ZERO"]
    assert deviations[0] == {
        "type": "deviation",
        "invariant": 2,
        "code": "BALANCE_WRONG",
        "what": "a balance is not the sum of the account's transfers",
        "where": "fund:FUND-1:payable:USD",
        "expected": "1000 debit, 2000 credit",
        "found": "1001 debit, 2000 credit",
    }
    assert summary.keys() == {"type", "deviations", "root", "checked", "not_checked"}
    assert (summary["type"], summary["deviations"]) == ("summary", 2)
    assert summary["checked"]["leaves"] == 31


async def test_lots_that_a_restore_took_back_are_not_judged_before_their_entitlements_came_again(ledger: Ledger) -> None:
    await fill(ledger)
    backup = await back_up(ledger)
    again = [entitlement(lot="LOT-2", revision=3, origin_offset=20), entitlement(lot="NEW", origin_offset=21)]
    await ledger.post(*again)
    lost = [row["leaf"] for row in await ledger.rows("journal", "leaf_index")][len(backup.tables["journal"]) :]
    await restore(ledger, backup)

    async def leaves() -> AsyncIterator[bytes]:
        for leaf in lost:
            yield leaf

    await import_leaves(ledger.conn, leaves())
    waiting = _fsck(ledger, "--json")
    assert (waiting.returncode, len(waiting.stdout.splitlines())) == (0, 1), waiting.stdout
    told = "2 wait for entitlements that are read again after a restore"
    assert orjson.loads(waiting.stdout)["not_checked"]["lots"] == told
    await ledger.post(*reversed(again))
    assert "lots" not in orjson.loads(_fsck(ledger, "--json").stdout)["not_checked"]
    assert await ledger.deviations() == []


def _fsck(ledger: Ledger, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "premia", "fsck", *options],
        env={**os.environ, **ledger.environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
