"""The sample settled halfway, the ledger's database backed up, settled further, and the backup put back: nothing is different.

Goal: nobody outside the ledger, payout and the bank least of all, can tell that it lost a half of its history and took it back.
Method: real processes on a stack of their own; replay.py reads the books before and after. Then the sample goes on.
"""

from __future__ import annotations

import asyncio
from typing import Final

import asyncpg
import pytest

from premia.commands.demo import SCHEMES, apply_registry
from premia.demo.run import Sample, open_driver
from premia.demo.stopwatch import Stopwatch
from premia.local.stack import LocalStack
from samples.reader import PROGRAMME_FILE, read_accounts, read_cycles, read_sales
from schemas.registry_file import load_registry
from tests.integration.kills import open_lags, until
from tests.integration.ledger.backup import Backup, back_up, restore
from tests.integration.ledger.conftest import Ledger
from tests.integration.own_stack import own_stack, run_command
from tests.integration.replay import read_books
from tests.integration.test_kills_in_the_middle_of_the_sample import assert_bank_and_books_agree, assert_same

BACKED_UP_AFTER: Final = 1  # cycles
LOST_AFTER: Final = 3
GOES_ON_TO: Final = 4
TIMEOUT_S: Final = 600


@pytest.mark.timeout(TIMEOUT_S)
def test_payout_and_bank_do_not_notice_that_the_ledger_was_restored_from_an_old_backup() -> None:
    sample = Sample(load_registry(PROGRAMME_FILE, SCHEMES), list(read_sales()), read_accounts(), read_cycles())
    with own_stack() as stack:
        apply_registry(stack, sample.registry)
        asyncio.run(_lose_and_go_on(stack, sample))
        checked = run_command(stack, "fsck")
        assert checked.returncode == 0, checked.stdout + checked.stderr


async def _lose_and_go_on(stack: LocalStack, sample: Sample) -> None:
    environment = stack.environment()
    conn = await asyncpg.connect(environment["DATABASE_URL"])
    ledger = Ledger(conn, environment)
    async with open_driver(stack, sample, Stopwatch()) as driver, open_lags(stack) as lags:
        await driver.run(sample.cycles[:BACKED_UP_AFTER])
        await until(lags.everything_done, "all to be done")
        backup = await back_up(ledger)
        await driver.run(sample.cycles[BACKED_UP_AFTER:LOST_AFTER])
        await until(lags.everything_done, "all to be done")
        before, leaves = await read_books(driver, lags.servers), await _leaves(ledger)

        await _restore_stopped(stack, ledger, backup)
        await until(lags.everything_done, "all to be read again")
        assert await _leaves(ledger) == leaves
        assert_same(await read_books(driver, lags.servers), before)

        await driver.run(sample.cycles[LOST_AFTER:GOES_ON_TO])
        await until(lags.everything_done, "all to be done")
        assert_bank_and_books_agree(await read_books(driver, lags.servers))
    await conn.close()


async def _restore_stopped(stack: LocalStack, ledger: Ledger, backup: Backup) -> None:
    await asyncio.to_thread(stack.supervisor.stop_program, "ledger")
    await restore(ledger, backup)
    assert len(await _leaves(ledger)) == len(backup.tables["journal"])
    await asyncio.to_thread(stack.start_services, ("ledger",))


async def _leaves(ledger: Ledger) -> list[bytes]:
    return [row["leaf"] for row in await ledger.rows("journal", "leaf_index")]
