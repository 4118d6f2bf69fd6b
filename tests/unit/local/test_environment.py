"""What a stack remembers, and the variables that follow from it."""

from __future__ import annotations

import hashlib
import json
import subprocess
from dataclasses import replace
from pathlib import Path

import click
import pytest

from premia.connection import actor_token, environment, needed
from premia.local.environment import environment_of, stack_environment, with_login, write_env_file
from premia.local.state import PORT_NAMES, ROLES, StackState, StateError, read_state, write_state
from premia.local.tokens import ensure_actor_tokens

STATE = StackState(
    ports={name: 20000 + number for number, name in enumerate(PORT_NAMES)},
    passwords={role: f"p@ss/{role}" for role in ("premia_admin", *ROLES)},
    kafka_cluster_id="cluster",
    postgres_dir="/data/postgres",
    socket_dir="/data/run",
)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a stack's state, chosen as the command line would."""
    for variable in ("KAFKA_BOOTSTRAP_SERVERS", "DATABASE_URL", "PREMIA_TOKEN"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PREMIA_DATA_DIR", str(tmp_path))
    write_state(tmp_path, STATE)
    return tmp_path


def test_state_is_read_as_it_was_written_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    write_state(tmp_path, STATE)
    assert read_state(tmp_path) == STATE
    assert (tmp_path / "state.json").stat().st_mode & 0o777 == 0o600


def test_no_state_is_no_stack(tmp_path: Path) -> None:
    assert read_state(tmp_path) is None
    assert stack_environment(tmp_path) == {}


@pytest.mark.parametrize("text", ["{", "[]", '{"version": 0}', '{"version": 1}', '{"version": 1, "unknown": 2}'])
def test_damaged_state_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "state.json").write_text(text, encoding="utf-8")
    with pytest.raises(StateError, match=r"state\.json"):
        read_state(tmp_path)


def test_each_role_has_its_own_login_on_the_same_database() -> None:
    variables = environment_of(Path("/data"), STATE)
    assert variables["DATABASE_URL"] == "postgresql://premia_admin:p%40ss%2Fpremia_admin@127.0.0.1:20002/premia"
    assert variables["PREMIA_LEDGER_DATABASE_URL"] == "postgresql://premia_ledger:p%40ss%2Fpremia_ledger@127.0.0.1:20002/premia"


def test_everything_that_is_named_is_on_loopback() -> None:
    variables = environment_of(Path("/data"), STATE)
    addresses = [value for name, value in variables.items() if name.endswith(("_URL", "_HTTP", "_SERVERS"))]
    assert len(addresses) == 12
    assert all("127.0.0.1:" in address for address in addresses)


def test_servers_from_elsewhere_are_used_with_the_stacks_own_logins() -> None:
    state = replace(
        STATE, external_kafka="broker:9092", external_database="postgresql://admin:secret@db:5432/prog?sslmode=require"
    )
    variables = environment_of(Path("/data"), state)
    assert variables["KAFKA_BOOTSTRAP_SERVERS"] == "broker:9092"
    assert (
        variables["PREMIA_READER_DATABASE_URL"]
        == "postgresql://premia_reader:p%40ss%2Fpremia_reader@db:5432/prog?sslmode=require"
    )


def test_a_login_replaces_only_the_login() -> None:
    assert with_login("postgresql://h:1/d?x=y", "role", "p:w") == "postgresql://role:p%3Aw@h:1/d?x=y"


def test_a_shell_reads_the_env_file_back(tmp_path: Path) -> None:
    path = write_env_file(tmp_path, {"PREMIA_X": "with 'quotes' and $(no) spaces"})
    shell = subprocess.run(["sh", "-c", f". '{path}'; printf %s \"$PREMIA_X\""], capture_output=True, text=True, check=True)
    assert shell.stdout == "with 'quotes' and $(no) spaces"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_variable_that_is_set_wins_over_the_local_stack(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "broker:9092")
    known = environment()
    assert known["KAFKA_BOOTSTRAP_SERVERS"] == "broker:9092"
    assert known["PREMIA_LEDGER_URL"] == f"http://127.0.0.1:{STATE.ports['ledger']}"


def test_a_variable_that_nobody_knows_is_one_line_and_exit_3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREMIA_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)
    with pytest.raises(click.ClickException, match="start one with `premia up`") as refusal:
        needed("KAFKA_BOOTSTRAP_SERVERS")
    assert refusal.value.exit_code == 3


def test_tokens_are_kept_and_services_get_only_their_hashes(tmp_path: Path) -> None:
    first = ensure_actor_tokens(tmp_path, ["ana"])
    both = ensure_actor_tokens(tmp_path, ["ana", "bruno"])
    assert both["ana"] == first["ana"] != both["bruno"]
    hashes = json.loads((tmp_path / "actor-tokens.json").read_text(encoding="utf-8"))
    assert hashes["ana"] == hashlib.sha256(first["ana"].encode()).hexdigest()
    assert all((tmp_path / name).stat().st_mode & 0o777 == 0o600 for name in ("tokens.json", "actor-tokens.json"))


def test_a_token_in_the_environment_wins_over_the_one_that_is_made(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = actor_token("ana")
    assert actor_token("ana") == made
    assert "ana" in json.loads((here / "actor-tokens.json").read_text(encoding="utf-8"))
    monkeypatch.setenv("PREMIA_TOKEN", "explicit")
    assert actor_token("ana") == "explicit"


def test_without_a_stack_and_without_a_token_one_line_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREMIA_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("PREMIA_TOKEN", raising=False)
    with pytest.raises(click.ClickException, match="set PREMIA_TOKEN") as refusal:
        actor_token("ana")
    assert refusal.value.exit_code == 3
