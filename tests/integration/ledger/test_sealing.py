"""The sealer in the ledger's process: sealed while it posts, through kills, told on Kafka, stopped where stories differ."""

from __future__ import annotations

import asyncio
import json
import signal
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import orjson
import pytest

from premia.local.ports import choose_ports
from schemas.note_signing import NoteKind, read_note_key
from schemas.topics import ENTITLEMENTS, LEDGER_CHECKPOINTS
from tests.integration.ledger.conftest import Ledger
from tests.integration.ledger.logs import audit
from tests.integration.ledger.records import entitlement
from tests.integration.ledger.service import DEADLINE_S, EXIT_UNEXPECTED, posted, running, send, told, until
from tests.integration.ledger.tessera import fsck, needs_go

TOKEN: Final = "auditors-token"


@pytest.fixture
def ledger(service: Ledger) -> Ledger:
    """Here it is the ledger of a process, with an auditor who has a token."""
    hashes = {"auditor": sha256(TOKEN.encode()).hexdigest()}
    Path(service.environment["PREMIA_ACTOR_TOKENS"]).write_text(json.dumps(hashes))
    return service


def log_of(ledger: Ledger) -> Path:
    """The folder of its log."""
    return Path(ledger.environment["PREMIA_LEDGER_LOG"])


def verifier_of(ledger: Ledger) -> str:
    """The log's public key."""
    return read_note_key(Path(ledger.environment["PREMIA_LEDGER_LOG_KEY"]).read_text(), NoteKind.LOG).verifier_key()


def sealed_size(ledger: Ledger) -> int:
    """Leaves under the checkpoint; -1 while there is none."""
    try:
        return int((log_of(ledger) / "checkpoint").read_text().split("\n")[1])
    except FileNotFoundError:
        return -1


async def until_sealed(ledger: Ledger, size: int) -> None:
    """Wait for a checkpoint of that size."""

    async def is_sealed() -> bool:
        return sealed_size(ledger) >= size

    await until(is_sealed)


async def checkpoints(ledger: Ledger) -> list[dict[str, Any]]:
    """All checkpoints that were told, in order."""
    records = sorted(await told(ledger, LEDGER_CHECKPOINTS), key=lambda record: record.offset)
    return [orjson.loads(record.value) for record in records]


async def test_a_new_ledger_has_a_checkpoint_of_nothing_and_tells_it(ledger: Ledger) -> None:
    async with running(ledger):
        await until_sealed(ledger, 0)

        async def is_told() -> bool:
            return len(await checkpoints(ledger)) == 1

        await until(is_told)
    (checkpoint,) = await checkpoints(ledger)
    assert checkpoint == {
        "origin": "demo.premia.example/ledger",
        "tree_size": 0,
        "root_hash": "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        "checkpoint": (log_of(ledger) / "checkpoint").read_text(),
    }


@needs_go
async def test_the_independent_tool_finds_the_log_whole_at_every_moment_while_it_grows(ledger: Ledger, tmp_path: Path) -> None:
    key_file = tmp_path / "log.vkey"
    key_file.write_text(verifier_of(ledger))
    lots = [entitlement(lot=f"LOT-{number}") for number in range(6_000)]
    url = f"http://{ledger.environment['PREMIA_LEDGER_HTTP']}"
    sizes: list[int] = []
    async with running(ledger):
        await until_sealed(ledger, 0)
        sending = asyncio.create_task(send(ledger, lots))
        while sealed_size(ledger) < len(lots):
            found = await asyncio.to_thread(fsck, url, key_file, TOKEN)
            assert isinstance(found, int), found
            sizes.append(found)
        await sending
    assert len(set(sizes)) > 1, "it was looked at while it grew"
    assert sizes == sorted(sizes)
    assert audit(log_of(ledger), verifier_of(ledger)).leaves == [
        row["leaf"] for row in await ledger.rows("journal", "leaf_index")
    ]


async def test_a_sealer_that_is_killed_again_and_again_never_forks(ledger: Ledger) -> None:
    lots = [entitlement(lot=f"LOT-{number}") for number in range(3_000)]
    await send(ledger, lots)
    before = None
    kills = 0
    while sealed_size(ledger) < len(lots):
        async with running(ledger) as process:
            size = sealed_size(ledger)

            async def has_sealed(size: int = size) -> bool:
                return sealed_size(ledger) > size

            await until(has_sealed)
            process.send_signal(signal.SIGKILL)
            await process.wait()
            kills += 1
        log = audit(log_of(ledger), verifier_of(ledger))
        assert before is None or log.extends(before)
        before = log
    assert kills >= 2, "one kill at least hit a ledger with leaves to seal"
    assert before is not None
    assert before.leaves == [row["leaf"] for row in await ledger.rows("journal", "leaf_index")]
    told_sizes = [checkpoint["tree_size"] for checkpoint in await checkpoints(ledger)]
    assert all(first <= second for first, second in pairwise(told_sizes))


async def test_a_second_process_seals_when_the_first_is_gone(ledger: Ledger) -> None:
    async with running(ledger) as first:
        await send(ledger, [entitlement(lot="LOT-1")])
        await until_sealed(ledger, 1)
        port = choose_ports(["ledger"])["ledger"]
        other = Ledger(ledger.conn, ledger.environment | {"PREMIA_INSTANCE": "1", "PREMIA_LEDGER_HTTP": f"127.0.0.1:{port}"})
        async with running(other):
            first.send_signal(signal.SIGKILL)
            await send(ledger, [entitlement(lot=f"LOT-{number}") for number in range(2, 10)])
            await until_sealed(ledger, 9)
    assert audit(log_of(ledger), verifier_of(ledger)).size == 9


async def test_stories_that_differ_stop_the_process_before_it_reads_anything(ledger: Ledger) -> None:
    async with running(ledger):
        await send(ledger, [entitlement(lot="LOT-1")])
        await until_sealed(ledger, 1)
    await ledger.as_administrator("UPDATE ledger.journal SET leaf = leaf || ' '")
    await send(ledger, [entitlement(lot="LOT-2")])
    async with running(ledger) as process:
        assert process.stderr is not None
        said = (await asyncio.wait_for(process.stderr.read(), DEADLINE_S)).decode()
        assert await process.wait() == EXIT_UNEXPECTED
    assert "TILES_DISAGREE: leaf 0 of the journal" in said
    assert await posted(ledger) == 1
    assert await ledger.conn.fetchval("SELECT sum(next_offset) FROM ledger.consumer_offset WHERE topic = $1", ENTITLEMENTS) == 1


@pytest.mark.parametrize("missing", ["PREMIA_LEDGER_LOG", "PREMIA_LEDGER_LOG_KEY"])
async def test_a_ledger_without_folder_or_key_says_so(ledger: Ledger, missing: str) -> None:
    async with running(Ledger(ledger.conn, ledger.environment | {missing: ""})) as process:
        assert process.stderr is not None
        said = (await asyncio.wait_for(process.stderr.read(), DEADLINE_S)).decode()
        assert await process.wait() == 2
    assert said.startswith(f"ledger: {missing} is not set")
    assert len(said.splitlines()) == 1
