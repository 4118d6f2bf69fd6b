"""`premia doctor` on real servers, from nothing to a programme: each time it names what is missing, and the fix mends it."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Final

import asyncpg
import pytest

from premia.commands.migrate import bring_up_to_date
from premia.doctor.finding import Finding
from premia.doctor.machine import check_machine, check_packages
from premia.doctor.programme import check_kafka, check_postgres, check_services
from premia.local.stack import LocalStack
from tests.conftest import environment_with_database
from tests.integration.command import premia

PREMIA: Final = "bin/premia"
SAMPLES: Final = Path(__file__).resolve().parents[3] / "samples"
SCHEMES: Final = SAMPLES.parent / "schemes"


async def found(findings: AsyncIterator[Finding]) -> dict[str, Finding]:
    return {finding.what: finding async for finding in findings}


async def test_topics_then_registry_then_tokens(kafka: str, tmp_path: Path) -> None:
    known = {"KAFKA_BOOTSTRAP_SERVERS": kafka, "PREMIA_DATA_DIR": str(tmp_path)}
    first = await found(check_kafka(known, premia=PREMIA))
    assert first["Kafka"] == Finding("Kafka", ok=True, message=f"{kafka} answers, 1 broker")
    assert (first["Topics"].ok, first["Topics"].fix) == (False, "bin/premia topics apply")

    assert (await premia(kafka, "topics", "apply")).exit_code == 0
    second = await found(check_kafka(known, premia=PREMIA))
    assert second["Topics"].ok
    assert (second["Registry"].ok, second["Registry"].message) == (False, "none was applied: sales wait")

    applied = await premia(kafka, "registry", "apply", SAMPLES / "programme.yaml", "--schemes", SCHEMES)
    assert applied.exit_code == 0
    third = await found(check_kafka(known, premia=PREMIA))
    assert third["Registry"].ok
    assert third["Tokens"].message == "cannot act here: persona-1, persona-2, persona-3, persona-4, persona-5"

    tokens = {f"persona-{number}": f"token-{number}" for number in range(1, 6)}
    (tmp_path / "tokens.json").write_text(json.dumps(tokens), encoding="utf-8")
    hashes = {actor: hashlib.sha256(token.encode()).hexdigest() for actor, token in tokens.items()}
    (tmp_path / "actor-tokens.json").write_text(json.dumps(hashes | {"persona-5": "of an older token"}), encoding="utf-8")
    fourth = await found(check_kafka(known, premia=PREMIA))
    assert fourth["Tokens"].message == "cannot act here: persona-5"


async def test_schemas_then_clock(new_database: Callable[[], str], servers: LocalStack) -> None:
    known = environment_with_database(servers, new_database())
    first = await found(check_postgres(known, premia=PREMIA))
    assert first["PostgreSQL"].ok
    assert first["Schemas"] == Finding("Schemas", ok=False, message="the database was never migrated", fix="bin/premia migrate")
    assert first["Clock"].ok

    await bring_up_to_date(known["DATABASE_URL"], known)
    assert all(finding.ok for finding in (await found(check_postgres(known, premia=PREMIA))).values())

    await change(known, "UPDATE ledger.log_head SET recorded_at = now() + interval '1 hour'")
    clock = (await found(check_postgres(known, premia=PREMIA)))["Clock"]
    assert not clock.ok
    assert "the clock went back" in clock.message

    await change(known, "DELETE FROM public.premia_migration WHERE schema_name = 'payout' AND number = 1")
    schemas = (await found(check_postgres(known, premia=PREMIA)))["Schemas"]
    assert (schemas.ok, schemas.message) == (False, "not applied: payout 0001_payout")

    await change(known, "UPDATE public.premia_migration SET number = 9999 WHERE schema_name = 'ledger' AND number = 1")
    schemas = (await found(check_postgres(known, premia=PREMIA)))["Schemas"]
    assert schemas.message == "ledger: the database is newer than this code (migration 9999)"


async def change(known: Mapping[str, str], statement: str) -> None:
    connection = await asyncpg.connect(known["DATABASE_URL"])
    await connection.execute(statement)
    await connection.close()


async def test_what_nobody_named_is_not_asked() -> None:
    for check, variable in ((check_kafka, "KAFKA_BOOTSTRAP_SERVERS"), (check_postgres, "DATABASE_URL")):
        (finding,) = (await found(check({}, premia=PREMIA))).values()
        assert finding.message == f"{variable} is not set, and there is no local stack"


async def test_what_does_not_answer_is_named_without_a_password() -> None:
    known = {
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "DATABASE_URL": "postgresql://premia:secret@127.0.0.1:1/premia",
        "PREMIA_LEDGER_URL": "http://127.0.0.1:1",
    }
    for check, what in ((check_kafka, "Kafka"), (check_postgres, "PostgreSQL"), (check_services, "Ledger")):
        (finding,) = (await found(check(known, premia=PREMIA))).values()
        assert (finding.what, finding.ok) == (what, False)
        assert "127.0.0.1:1" in finding.message
        assert "secret" not in finding.message
        assert str(finding.fix).startswith("bin/premia up")


def test_a_machine_without_a_stack_has_room_and_jars(tmp_path: Path) -> None:
    assert check_packages().ok
    findings = list(check_machine(LocalStack(tmp_path / "stack", environ={}), premia=PREMIA))
    assert [(finding.what, finding.ok) for finding in findings] == [("Room", True), ("Kafka's jars", True)]


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: shutil._ntuple_diskusage(1, 1, 0))
    room = next(check_machine(LocalStack(tmp_path / "stack", environ={}), premia=PREMIA))
    assert (room.what, room.ok) == ("Room", False)


async def test_the_command_ends_with_exit_code_1_and_says_how_to_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    done = await premia("", "doctor", "--data-dir", tmp_path / "stack", "--json")
    assert done.exit_code == 1
    findings = [json.loads(line) for line in done.lines]
    assert [finding["what"] for finding in findings if not finding["ok"]] == ["Stack"]
    assert "premia up" in findings[-1]["fix"]
