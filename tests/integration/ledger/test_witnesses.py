"""Cosignatures: asked for with a proof, verified, published; and a witness that is no good holds nothing up."""

from __future__ import annotations

import asyncio
import sys
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import aiohttp
import orjson
import pytest
from aiohttp import web

from premia.local.ports import choose_ports
from schemas.note_signing import NoteKey, NoteKind, new_note_key
from schemas.topics import LEDGER_CHECKPOINTS
from services.ledger.adapters import witness as adapter
from services.ledger.adapters.checkpoint import Checkpoint
from services.ledger.adapters.signed_note import Signature, read_verifier_key
from services.ledger.adapters.witness import SETTING, NotCosigned, Witness, WitnessState, witnesses
from services.runtime.settings import SettingError
from tests.integration.command import premia
from tests.integration.ledger.conftest import Ledger
from tests.integration.ledger.logs import KEYS, ORIGIN, root_of
from tests.integration.ledger.records import entitlement
from tests.integration.ledger.service import running, send, told, until
from tests.integration.ledger.test_sealing import ledger, log_of, sealed_size, until_sealed, verifier_of
from tests.integration.witness.test_witness_process import OWN, folder_with_key
from tests.log_files import consistency_proof
from tests.unit.ledger.domain.proof_checks import hash_of_leaf, is_consistent

__all__ = ["ledger"]

KEY: Final = new_note_key("witness.example/w1", NoteKind.WITNESS)
LEAVES: Final = [f"leaf {number}".encode() for number in range(40)]
AT: Final = 1_700_000_000


def root(size: int) -> bytes:
    return root_of([hash_of_leaf(leaf) for leaf in LEAVES[:size]])


def checkpoint(size: int) -> Checkpoint:
    return Checkpoint(ORIGIN, size, root(size))


async def prove(old_size: int, size: int) -> list[bytes]:
    return consistency_proof(old_size, LEAVES[:size])


Answer = Callable[[str], Awaitable[web.Response]]


@dataclass
class Stranger:
    """A witness that answers as a test tells it to, and remembers what it was asked."""

    answers: list[Answer]
    asked: list[str] = field(default_factory=list)

    async def add_checkpoint(self, request: web.Request) -> web.Response:
        body = await request.text()
        self.asked.append(body)
        return await self.answers[min(len(self.asked), len(self.answers)) - 1](body)


@asynccontextmanager
async def answering(*answers: Answer) -> AsyncIterator[tuple[Stranger, Witness, aiohttp.ClientSession]]:
    stranger = Stranger(list(answers))
    app = web.Application()
    app.add_routes([web.post("/w1/add-checkpoint", stranger.add_checkpoint)])
    runner = web.AppRunner(app)
    await runner.setup()
    port = choose_ports(["witness"])["witness"]
    await web.TCPSite(runner, "127.0.0.1", port).start()
    async with aiohttp.ClientSession() as session:
        yield stranger, Witness(read_verifier_key(KEY.verifier_key()), f"http://127.0.0.1:{port}/w1"), session
    await runner.cleanup()


def says(status: int, text: str = "") -> Answer:
    async def answer(_body: str) -> web.Response:
        return web.Response(status=status, text=text)

    return answer


def signs(*keys: NoteKey) -> Answer:
    async def answer(body: str) -> web.Response:
        text = body.split("\n\n")[1] + "\n"
        return web.Response(text="".join(key.cosign(text, AT) for key in keys))

    return answer


def in_pieces(whole: Answer) -> Answer:
    """The same answer, a letter at a time, each of which has arrived before the next is sent."""

    async def answer(body: str) -> web.Response:
        response = await whole(body)
        text = response.text or ""

        async def letters() -> AsyncIterator[bytes]:
            for letter in text:
                yield letter.encode()
                await asyncio.sleep(0.001)  # leave the loop to who reads

        return web.Response(status=response.status, body=letters())

    return answer


async def ask(witness: Witness, session: aiohttp.ClientSession, size: int) -> Signature | NotCosigned:
    asked = checkpoint(size)
    return await witness.cosign(session, asked, KEYS.signed(asked.text), prove)


async def test_a_witness_is_asked_with_a_proof_from_what_it_signed_before() -> None:
    async with answering(signs(new_note_key("witness.example/other", NoteKind.WITNESS), KEY)) as (stranger, witness, session):
        for old_size, size in ((0, 3), (3, 3), (3, 40)):
            found = await ask(witness, session, size)
            assert isinstance(found, Signature)
            assert (found.name, witness.known_size) == (KEY.name, size)
            head, note = stranger.asked[-1].split("\n\n", 1)
            first, *lines = head.split("\n")
            assert first == f"old {old_size}"
            assert note == KEYS.signed(checkpoint(size).text).to_text()
            proof = [b64decode(line) for line in lines]
            assert old_size == 0 or is_consistent(old_size, size, root(old_size), root(size), proof)


async def test_a_witness_that_knows_another_size_is_asked_again_from_there() -> None:
    async with answering(says(409, "7\n"), signs(KEY)) as (stranger, witness, session):
        assert isinstance(await ask(witness, session, 9), Signature)
        assert [body.split("\n")[0] for body in stranger.asked] == ["old 0", "old 7"]


async def test_an_answer_that_comes_in_pieces_is_read_to_its_end() -> None:
    first, second = says(409, "12\n"), signs(new_note_key("witness.example/other", NoteKind.WITNESS), KEY)
    async with answering(in_pieces(first), in_pieces(second)) as (stranger, witness, session):
        assert isinstance(await ask(witness, session, 20), Signature)
        assert [body.split("\n")[0] for body in stranger.asked] == ["old 0", "old 12"]


async def test_a_witness_that_was_ahead_and_is_mended_cosigns_again() -> None:
    async with answering(says(409, "41\n"), signs(KEY)) as (stranger, witness, session):
        assert isinstance(await ask(witness, session, 9), NotCosigned)
        assert isinstance(await ask(witness, session, 9), Signature)
        assert stranger.asked[-1].startswith("old 0\n")


@pytest.mark.parametrize(
    ("answers", "state", "why"),
    [
        ((says(409, "41\n"),), WitnessState.AHEAD, "it signed 41 leaves, and this log has 9"),
        ((says(409, "7\n"), says(409, "8\n")), WitnessState.SILENT, "moved while it was asked"),
        ((says(409, "seven"),), WitnessState.REFUSING, "without the size"),
        ((says(409, "9" * 5_000),), WitnessState.REFUSING, "without the size"),
        ((says(403, "who are you?"),), WitnessState.REFUSING, "403: who are you?"),
        ((says(404),), WitnessState.REFUSING, "404"),
        ((says(422),), WitnessState.REFUSING, "422"),
        ((says(302),), WitnessState.REFUSING, "302"),
        ((says(500),), WitnessState.SILENT, "500"),
        ((says(200),), WitnessState.REFUSING, "no signature"),
        ((says(200, "thanks\n"),), WitnessState.REFUSING, "no signature"),
        ((signs(new_note_key(KEY.name, NoteKind.WITNESS)),), WitnessState.REFUSING, "none of its signatures"),
        ((says(200, "x" * 1_000_000),), WitnessState.REFUSING, "no signature"),
    ],
)
async def test_what_is_no_cosignature_says_how_the_witness_is(
    answers: tuple[Answer, ...], state: WitnessState, why: str
) -> None:
    async with answering(*answers) as (_, witness, session):
        found = await ask(witness, session, 9)
    assert isinstance(found, NotCosigned)
    assert found.state is state
    assert why in found.why


async def test_what_a_witness_says_is_one_short_line_of_our_log() -> None:
    async with answering(says(403, f"no\n2026-11-27 INFO all is well\x1b[2J{'x' * 5_000}")) as (_, witness, session):
        found = await ask(witness, session, 9)
    assert isinstance(found, NotCosigned)
    assert found.why.startswith("it answered 403: no?2026-11-27 INFO all is well?[2Jxxx")
    assert len(found.why) < 300


async def test_a_witness_that_never_answers_or_is_not_there_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "TIMEOUT_S", 0.2)
    never = asyncio.Event()

    async def hangs(_body: str) -> web.Response:
        await never.wait()
        return web.Response()

    async with answering(hangs) as (_, witness, session):
        found = await ask(witness, session, 9)
        never.set()
        assert isinstance(found, NotCosigned)
        assert found.state is WitnessState.SILENT
        gone = Witness(witness.key, f"http://127.0.0.1:{choose_ports(['nobody'])['nobody']}")
        found = await ask(gone, session, 9)
        assert isinstance(found, NotCosigned)
        assert found.state is WitnessState.SILENT


def test_witnesses_are_lines_of_key_and_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SETTING, raising=False)
    assert witnesses() == ()
    monkeypatch.setenv(SETTING, f"\n{KEY.verifier_key()} https://witness.example/w1/\n")
    (found,) = witnesses()
    assert (found.key, found.url) == (read_verifier_key(KEY.verifier_key()), "https://witness.example/w1")
    line = f"{KEY.verifier_key()} https://witness.example"
    for text, reason in (
        (KEY.verifier_key(), "verifier key and its address"),
        (f"{KEY.verifier_key()} ftp://witness.example", "verifier key and its address"),
        ("nonsense https://witness.example", "nonsense"),
        (f"{KEYS.keys[0].verifier_key()} https://witness.example", "a log's key"),
        (f"{line}\n{line}", "there twice"),
        ("\n".join([line] * 17), "at most 16"),
    ):
        monkeypatch.setenv(SETTING, text)
        with pytest.raises(SettingError, match=reason):
            witnesses()


@asynccontextmanager
async def witness_process(folder: Path, log_key: str, port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """`premia witness` for one log; ended with the block."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "premia", "witness", "--log", log_key, "--key", str(folder / "witness.key")),
        *("--state", str(folder / "state"), "--listen", f"127.0.0.1:{port}"),
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.terminate()
        await process.wait()


async def test_the_ledger_publishes_what_a_real_witness_signs_and_a_dead_one_holds_nothing_up(
    ledger: Ledger, tmp_path: Path
) -> None:
    port, nobody = choose_ports(["witness", "nobody"]).values()
    lines = [f"{OWN.verifier_key()} http://127.0.0.1:{port}", f"{KEY.verifier_key()} http://127.0.0.1:{nobody}"]
    watched = Ledger(ledger.conn, ledger.environment | {SETTING: "\n".join(lines)})
    key, checkpoint_file = verifier_of(ledger), log_of(ledger) / "checkpoint"
    arguments = ("verify", "checkpoint", checkpoint_file, "--key", key, "--witness", OWN.verifier_key())
    url = f"http://{ledger.environment['PREMIA_LEDGER_HTTP']}/metrics"

    async def is_cosigned() -> bool:
        return f" {OWN.name} " in checkpoint_file.read_text()

    async def counts(*states: str) -> bool:
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            lines = (await answer.text()).splitlines()
        return {f'premia_ledger_witnesses{{state="{state}"}} 1.0' for state in states} <= set(lines)

    async with running(watched):
        await send(ledger, [entitlement(lot="LOT-1")])
        await until_sealed(ledger, 1)
        assert not await is_cosigned(), "nobody is there yet"
        async with witness_process(folder_with_key(tmp_path), key, port):
            await until(is_cosigned)
            await send(ledger, [entitlement(lot="LOT-2")])
            await until_sealed(ledger, 2)
            await until(is_cosigned)
            await until(lambda: counts("cosigning", "silent"))
    found = await premia("", *arguments, "--require-witnesses", "1")
    assert found.exit_code == 0, found.stdout
    last = max(await told(ledger, LEDGER_CHECKPOINTS), key=lambda record: record.offset)
    assert orjson.loads(last.value)["checkpoint"] == checkpoint_file.read_text()
    assert sealed_size(ledger) == 2
