"""`premia witness` as a process: what a log sees over HTTP, and what a kill, a second process or two requests at once do."""

from __future__ import annotations

import asyncio
import os
import random
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from schemas.note_signing import NoteKey, NoteKind, new_note_key
from tests.log_files import add_checkpoint_request, checkpoint, checkpoint_text
from verifier.checkpoint import Checkpoint, TrustedKeys, open_checkpoint
from verifier.note import read_verifier_key

DEADLINE_S = 20.0
KILLS = 5
LOG = new_note_key("log.example.org/premia", NoteKind.LOG)
OWN = new_note_key("witness.example.org", NoteKind.WITNESS)
LEAVES = [f"leaf {number}".encode() for number in range(60)]
FORK = [b"another", *LEAVES[1:]]


@dataclass
class Running:
    """A witness's process and where it answers."""

    process: asyncio.subprocess.Process
    url: str
    session: aiohttp.ClientSession

    async def send(self, old_size: int, leaves: list[bytes], key: NoteKey = LOG) -> tuple[int, str, str]:
        """Status, content type and text of the answer."""
        body = add_checkpoint_request(old_size, leaves, checkpoint(leaves, key))
        async with self.session.post(f"{self.url}/add-checkpoint", data=body.encode()) as answer:
            return answer.status, answer.content_type, await answer.text()

    async def metric(self, name: str) -> float:
        """One figure of /metrics."""
        async with self.session.get(f"{self.url}/metrics") as answer:
            text = await answer.text()
        found = re.search(rf"^{re.escape(name)} (\S+)$", text, flags=re.MULTILINE)
        return float(found[1]) if found else 0.0


def folder_with_key(folder: Path) -> Path:
    key = folder / "witness.key"
    key.touch(mode=0o600)
    key.write_text(OWN.text())
    return folder


@asynccontextmanager
async def witness(folder: Path) -> AsyncIterator[Running]:
    """A witness in the folder. It is ended when the test has not done so."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "premia", "witness", "--log", LOG.verifier_key(), "--key", str(folder / "witness.key")),
        *("--state", str(folder / "state"), "--listen", "127.0.0.1:0"),
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    async with asyncio.timeout(DEADLINE_S):
        said = (await process.stderr.readline()).decode()
    found = re.search(r"at (http://127\.0\.0\.1:\d+) knows", said)
    assert found is not None, said + (await process.stderr.read()).decode()
    async with aiohttp.ClientSession() as session:
        try:
            yield Running(process, found[1], session)
        finally:
            if process.returncode is None:
                process.terminate()
            async with asyncio.timeout(DEADLINE_S):
                await process.wait()


def cosigned(leaves: list[bytes], lines: str) -> Checkpoint:
    """The checkpoint with what the witness answered, as a log puts them together. Raises unless the witness signed it."""
    keys = TrustedKeys((read_verifier_key(LOG.verifier_key(), 1),), (read_verifier_key(OWN.verifier_key(), 4),), 1)
    return open_checkpoint((checkpoint(leaves, LOG) + lines).encode(), keys, "here")


async def test_a_log_that_only_grows_gets_its_checkpoints_signed_with_the_time(tmp_path: Path) -> None:
    async with witness(folder_with_key(tmp_path)) as running:
        for old_size, size in ((0, 5), (5, 5), (5, 8), (8, 60)):
            status, _, lines = await running.send(old_size, LEAVES[:size])
            assert status == 200
            (signed,) = cosigned(LEAVES[:size], lines).witnessed
            assert signed.at_unix_s is not None
            assert signed.at_unix_s > 1_700_000_000
        assert await running.metric('premia_witness_requests_total{status="200"}') == 4
        assert await running.metric("premia_witness_tree_size_leaves") == 60
        assert (tmp_path / "state").read_text().startswith(checkpoint_text(LOG.name, LEAVES))


async def test_a_log_that_lost_count_is_told_the_size_and_goes_on(tmp_path: Path) -> None:
    async with witness(folder_with_key(tmp_path)) as running:
        await running.send(0, LEAVES[:5])
        assert await running.send(0, LEAVES[:8]) == (409, "text/x.tlog.size", "5\n")
        assert (await running.send(5, LEAVES[:8]))[0] == 200


async def test_a_fork_is_refused_kept_and_told_of_and_the_true_log_goes_on(tmp_path: Path) -> None:
    async with witness(folder_with_key(tmp_path)) as running:
        await running.send(0, LEAVES[:5])
        assert (await running.send(5, FORK[:5]))[0] == 422
        assert (await running.send(5, FORK[:5]))[0] == 422
        assert (await running.send(5, FORK[:9]))[0] == 422
        assert (await running.send(5, LEAVES[:4]))[0] == 400
        assert (await running.send(4, LEAVES[:4]))[0] == 409
        for kind in ("fork", "inconsistent", "rollback"):
            assert await running.metric(f'premia_witness_alarms_total{{kind="{kind}"}}') == 1, kind
        evidence = sorted((tmp_path / "state.evidence").iterdir())
        assert [folder.name.partition("-")[0] for folder in evidence] == ["fork", "inconsistent", "rollback"]
        ours, theirs = ((evidence[0] / name).read_text() for name in ("signed.note", "submitted.note"))
        log_only = TrustedKeys((read_verifier_key(LOG.verifier_key(), 1),))
        both = [open_checkpoint(note.encode(), log_only, "evidence") for note in (ours, theirs)]
        assert both[0].tree_size == both[1].tree_size
        assert both[0].root != both[1].root
        assert (await running.send(5, LEAVES[:9]))[0] == 200
        running.process.terminate()
        assert running.process.stderr is not None
        said = (await running.process.stderr.read()).decode()
        assert said.count("ALARM fork") == said.count("ALARM inconsistent") == said.count("ALARM rollback") == 1


async def test_signatures_that_others_add_are_not_remembered(tmp_path: Path) -> None:
    text = checkpoint_text(LOG.name, LEAVES[:5])
    strangers = "".join(new_note_key("x" * 200, NoteKind.LOG).sign(text) for _ in range(97))
    note = f"{text}\n{strangers}{LOG.sign(text)}{LOG.sign(text)}"
    async with witness(folder_with_key(tmp_path)) as running:
        body = add_checkpoint_request(0, LEAVES[:5], note)
        async with running.session.post(f"{running.url}/add-checkpoint", data=body.encode()) as answer:
            line = await answer.text()
            assert answer.status == 200
    assert (tmp_path / "state").read_text() == f"{text}\n{LOG.sign(text)}{line}"
    async with witness(tmp_path) as running:
        assert (await running.send(5, LEAVES[:8]))[0] == 200


async def test_after_a_restart_nothing_that_was_signed_is_forgotten(tmp_path: Path) -> None:
    async with witness(folder_with_key(tmp_path)) as running:
        await running.send(0, LEAVES[:5])
    async with witness(tmp_path) as running:
        assert (await running.send(0, FORK[:8]))[0] == 409
        assert (await running.send(5, FORK[:8]))[0] == 422
        assert (await running.send(5, LEAVES[:8]))[0] == 200


async def test_of_two_requests_at_once_one_is_signed_and_the_other_told_the_size(tmp_path: Path) -> None:
    async with witness(folder_with_key(tmp_path)) as running:
        await running.send(0, LEAVES[:5])
        for size in range(6, 30, 3):
            known = int((tmp_path / "state").read_text().split("\n")[1])
            true, fork = await asyncio.gather(running.send(known, LEAVES[:size]), running.send(known, LEAVES[: size + 1]))
            assert sorted((true[0], fork[0])) == [200, 409]
            told = next(answer for answer in (true, fork) if answer[0] == 409)
            assert int(told[2]) == int((tmp_path / "state").read_text().split("\n")[1])


async def test_a_kill_at_any_moment_loses_no_signature_and_forgets_none(tmp_path: Path) -> None:
    chance, signed_size = random.Random(5), 0
    folder_with_key(tmp_path)
    for size in range(1, KILLS + 1):
        async with witness(tmp_path) as running:
            sending = asyncio.create_task(running.send(signed_size, LEAVES[:size]))
            for _ in range(chance.randrange(400)):  # somewhere before, in the middle of, or after the answer
                await asyncio.sleep(0)
            running.process.kill()
            answer = await asyncio.gather(sending, return_exceptions=True)
        remembered = int((tmp_path / "state").read_text().split("\n")[1]) if (tmp_path / "state").exists() else 0
        assert remembered in {signed_size, size}
        if isinstance(answer[0], tuple):
            assert answer[0][0] == 200
            assert remembered == size, "what was answered had been remembered"
        async with witness(tmp_path) as running:  # the log asks again, as it does when no answer came
            status, _, text = await running.send(signed_size, LEAVES[:size])
            if status == 409:
                assert int(text) == size
                status, _, text = await running.send(size, LEAVES[:size])
            assert status == 200
            cosigned(LEAVES[:size], text)
        signed_size = size


async def test_a_second_witness_on_the_same_state_does_not_start(tmp_path: Path) -> None:
    async with witness(folder_with_key(tmp_path)):
        with pytest.raises(AssertionError, match="another witness uses this state"):
            async with witness(tmp_path):
                pass


async def test_a_disk_that_takes_nothing_is_no_signature(tmp_path: Path) -> None:
    async with witness(folder_with_key(tmp_path)) as running:
        await running.send(0, LEAVES[:5])
        (tmp_path / "state").unlink()
        (tmp_path / "state").mkdir()  # what is renamed over it fails
        status, _, text = await running.send(5, LEAVES[:8])
        assert (status, text) == (500, "nothing was signed: it could not be remembered\n")
        (tmp_path / "state").rmdir()
        assert (await running.send(5, LEAVES[:8]))[0] == 200


async def test_wrong_keys_and_addresses_are_one_line_and_exit_2(tmp_path: Path) -> None:
    folder_with_key(tmp_path)
    good = {"--log": LOG.verifier_key(), "--key": str(tmp_path / "witness.key"), "--state": str(tmp_path / "state")}
    (tmp_path / "log.key").touch(mode=0o600)
    (tmp_path / "log.key").write_text(LOG.text())
    for change, reason in (
        ({"--log": OWN.verifier_key()}, "witness's key"),
        ({"--key": str(tmp_path / "log.key")}, "is a log's key"),
        ({"--key": str(tmp_path / "missing")}, "cannot be read"),
        ({"--state": str(tmp_path / "missing" / "state")}, "cannot be used"),
        ({"--listen": "8090"}, "HOST:PORT"),
    ):
        arguments = [part for pair in (good | change).items() for part in pair]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "premia", "witness", *arguments), stderr=asyncio.subprocess.PIPE
        )
        _, said = await process.communicate()
        assert process.returncode == 2, said
        assert reason in said.decode()


async def test_it_stops_when_it_is_asked_to(tmp_path: Path) -> None:
    async with witness(folder_with_key(tmp_path)) as running:
        os.kill(running.process.pid, signal.SIGTERM)
        async with asyncio.timeout(DEADLINE_S):
            assert await running.process.wait() == 0
