"""The ledger's own log, as it is served and as it lies in its folder, checked by `premia verify`; bundles made from it."""

from __future__ import annotations

import asyncio
import json
from hashlib import sha256
from pathlib import Path
from typing import Final

import pytest
from click.testing import CliRunner, Result

from premia.__main__ import main
from tests.integration.ledger.conftest import Ledger
from tests.integration.ledger.records import entitlement
from tests.integration.ledger.service import running, send
from tests.integration.ledger.test_sealing import log_of, until_sealed, verifier_of

TOKEN: Final = "auditors-token"


@pytest.fixture
def ledger(service: Ledger) -> Ledger:
    """Here it is the ledger of a process, with an auditor who has a token."""
    hashes = {"auditor": sha256(TOKEN.encode()).hexdigest()}
    Path(service.environment["PREMIA_ACTOR_TOKENS"]).write_text(json.dumps(hashes))
    return service


async def premia(ledger: Ledger, *arguments: object, token: str = "") -> Result:
    environment = {
        "PREMIA_AUDITOR_TOKEN": token,
        "PREMIA_LEDGER_URL": f"http://{ledger.environment['PREMIA_LEDGER_HTTP']}",
        "PREMIA_READER_DATABASE_URL": ledger.environment["DATABASE_URL"],
    }
    return await asyncio.to_thread(CliRunner().invoke, main, [str(one) for one in arguments], env=environment)


async def test_the_log_is_verified_as_served_and_as_files_and_extends_what_was_kept(ledger: Ledger, tmp_path: Path) -> None:
    key, url = verifier_of(ledger), f"http://{ledger.environment['PREMIA_LEDGER_HTTP']}"
    kept = tmp_path / "kept"
    async with running(ledger):
        await send(ledger, [entitlement(lot=f"LOT-{number}") for number in range(3)])
        await until_sealed(ledger, 3)
        kept.write_bytes((log_of(ledger) / "checkpoint").read_bytes())
        await send(ledger, [entitlement(lot=f"MORE-{number}") for number in range(300)])
        await until_sealed(ledger, 303)
        with_token = await premia(ledger, "verify", "log", url, "--key", key, "--from", kept, "--require-entries", token=TOKEN)
        without = await premia(ledger, "verify", "log", url, "--key", key, "--from", kept)
        extends = await premia(
            ledger, "verify", "checkpoint", log_of(ledger) / "checkpoint", "--key", key, "--extends", kept, "--log", url
        )
        bundle = tmp_path / "lot.proof.json"
        made = await premia(ledger, "proof", "lot", "MORE-299", "--save", bundle)
    as_files = await premia(ledger, "verify", "log", log_of(ledger), "--key", key, "--from", kept, "--require-entries")
    for done, words in (
        (with_token, "Every leaf is in canonical form and in its place"),
        (without, "only their hashes were given"),
        (extends, "It begins with all 3 leaves of the earlier checkpoint"),
        (as_files, "It begins with all 3 leaves of the earlier checkpoint"),
        (made, "lot.proof.json"),
    ):
        assert done.exit_code == 0, done.output
        assert words in " ".join(done.stdout.split())
    assert (await premia(ledger, "verify", "lot", bundle, "--key", key)).exit_code == 0
    forged = bundle.read_bytes().replace(b"MORE-299", b"MORE-298")
    bundle.write_bytes(forged)
    refused = await premia(ledger, "verify", "lot", bundle, "--key", key)
    assert (refused.exit_code, refused.stdout.startswith("DEVIATION LEAF_NOT_INCLUDED at leaf ")) == (1, True)
