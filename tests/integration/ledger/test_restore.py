"""The whole of it, as processes: traffic, a backup in the middle, its restore, and everybody outside finds one history."""

from __future__ import annotations

import asyncio
from pathlib import Path

import orjson

from premia.local.ports import choose_ports
from schemas.topics import LEDGER_TRANSACTIONS, SALE_OUTCOMES
from services.ledger.adapters.witness import SETTING
from tests.integration.command import premia
from tests.integration.ledger.backup import back_up, restore
from tests.integration.ledger.conftest import Ledger
from tests.integration.ledger.logs import audit
from tests.integration.ledger.records import entitlement, reserve, settle
from tests.integration.ledger.service import posted, running, send, told, until
from tests.integration.ledger.tessera import fsck, needs_go
from tests.integration.ledger.test_lost_history import state_of
from tests.integration.ledger.test_sealing import TOKEN, ledger, log_of, until_sealed, verifier_of
from tests.integration.ledger.test_witnesses import witness_process
from tests.integration.premium_calculator.programme import header
from tests.integration.witness.test_witness_process import OWN, folder_with_key

__all__ = ["ledger"]


async def until_posted(ledger: Ledger, leaves: int, outcomes: int) -> None:
    """Wait until that much is posted, sealed and told."""

    async def is_told() -> bool:
        ids = {header(record, "ce_id") for record in await told(ledger, SALE_OUTCOMES, LEDGER_TRANSACTIONS)}
        return await posted(ledger) == leaves and len(ids) == outcomes

    await until(is_told)
    await until_sealed(ledger, leaves)


@needs_go
async def test_a_ledger_that_is_restored_from_an_old_backup_is_the_same_ledger(ledger: Ledger, tmp_path: Path) -> None:
    """A witness that saw the newest checkpoint before signs all that comes after."""
    port = choose_ports(["witness"])["witness"]
    watched = Ledger(ledger.conn, ledger.environment | {SETTING: f"{OWN.verifier_key()} http://127.0.0.1:{port}"})
    key, log = verifier_of(ledger), log_of(ledger)
    key_file = tmp_path / "log.vkey"
    key_file.write_text(key)
    first = [entitlement(lot=f"LOT-{number}") for number in range(300)]
    second = [entitlement(lot=f"LOT-{number}", revision=2, lines=(("ORG-1", "producer", 5),)) for number in range(0, 300, 2)]
    payment = [reserve("all", ["999999.00"]), reserve("R", ["10.00"]), settle("R", "B-1"), reserve("R", ["11.00"])]

    async def is_cosigned() -> bool:
        return f" {OWN.name} " in (log / "checkpoint").read_text()

    async def is_read_again() -> bool:
        entered = await ledger.conn.fetchval("SELECT count(*) FROM ledger.entitlement")
        return int(entered) == len(first) + len(second) + 1 and len(await ledger.rows("command", "command_id")) == 3

    async with witness_process(folder_with_key(tmp_path), key, port):
        async with running(watched):
            await send(ledger, first)
            await until_posted(ledger, 300, 600)
        backup = await back_up(ledger)
        kept = tmp_path / "checkpoint-of-the-backup"
        kept.write_bytes((log / "checkpoint").read_bytes())
        async with running(watched):
            await send(ledger, [*second, *payment])
            await until_posted(ledger, 452, 600 + 300 + 2 + 4)
            await until(is_cosigned)
        undisturbed, sealed = await state_of(ledger), audit(log, key)
        outside = tmp_path / "checkpoint-outside"
        outside.write_bytes((log / "checkpoint").read_bytes())

        await restore(ledger, backup)
        async with running(watched):
            await send(ledger, [entitlement(lot="LOT-NEW")])
            await until_posted(ledger, 453, 600 + 300 + 2 + 4 + 2)
            await until(is_read_again)
            await until(is_cosigned)
            url = f"http://{ledger.environment['PREMIA_LEDGER_HTTP']}"
            assert await asyncio.to_thread(fsck, url, key_file, TOKEN) == 453
    after = audit(log, key)
    assert after.extends(sealed)
    found = await state_of(ledger)
    for table in ("journal", "command", "entitlement", "booking", "reservation", "lot_head", "lot_line"):
        assert [row for row in found[table] if row in undisturbed[table]] == undisturbed[table], table
    assert await ledger.deviations() == []
    for earlier in (kept, outside):
        verified = await premia("", "verify", "log", log, "--from", earlier, "--key", key)
        assert verified.exit_code == 0, verified.stdout
    transactions = [record for record in await told(ledger, LEDGER_TRANSACTIONS) if b'"leaf_index"' in record.value]
    by_index = {orjson.loads(record.value)["leaf_index"]: record.value for record in transactions}
    assert len(by_index) == len({record.value for record in transactions}) == 453, "no leaf was ever told in two ways"
    outcomes = [(header(record, "ce_id"), record.value) for record in await told(ledger, SALE_OUTCOMES, LEDGER_TRANSACTIONS)]
    assert len(set(outcomes)) == len(dict(outcomes)), "nothing that was told is told otherwise"
