"""The local stack as one thing: start it, wait for it, look at it, stop it.

Goal: `premia up`, `premia demo` and the tests run the same code; a second start finds everything as it is.
Method: what was chosen once (ports, passwords) is in state.json; supervisord keeps the processes; each program is asked whether
it is ready in its own language (Kafka a metadata request, PostgreSQL pg_isready, HTTP its readiness). Kafka and PostgreSQL are
prepared and started side by side.
Refuses: a taken port, an unwritable folder, a part that does not come up in time, with its last log lines.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import http.client
import json
import os
import secrets
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import asyncpg
import psutil

from premia.local import kafka, postgres
from premia.local.bank import bank_of
from premia.local.environment import LOG_FOLDER, LOOPBACK, database_url, environment_of, write_env_file
from premia.local.errors import MachineNotReady, StackUnreachable
from premia.local.jars import prepare_kafka
from premia.local.limits import (
    CONNECT_TIMEOUT_S,
    LAST_LOG_LINES,
    POLL_INTERVAL_S,
    PROBE_TIMEOUT_S,
    SECRET_BYTES,
    SOCKET_PATH_BYTES_MAX,
    START_TIMEOUT_S,
)
from premia.local.log_key import ensure_log_key
from premia.local.logs import last_lines
from premia.local.machine import check_room
from premia.local.ports import choose_ports, refuse_taken
from premia.local.programs import INFRASTRUCTURE, PROGRAMS, SERVICES
from premia.local.state import (
    DATABASE,
    PORT_NAMES,
    POSTGRES_ADMIN,
    ROLES,
    STATE_FILE,
    StackState,
    StateError,
    read_state,
    write_state,
)
from premia.local.supervision import ProcessInfo, Supervisor
from premia.local.talk import progress, say
from premia.local.tokens import ensure_actor_tokens

FOLDERS: Final = ("logs", "bank", "bank/outgoing", "bank/incoming", "documents", LOG_FOLDER)
PRIVATE_MODE: Final = 0o700  # accounts, names and amounts lie in them; root's PostgreSQL passes by, not through
PROGRAM_PORTS: Final = {
    "kafka": ("kafka", "kafka_controller"),
    "postgres": ("postgres",),
    "bank": ("bank",),
    "calculator": ("calculator",),
    "ledger": ("ledger",),
    "payout": ("payout",),
}
HTTP_OK: Final = 200
HEALTH_BYTES_MAX: Final = 64 * 1024  # a sentence of trouble, not more


class LocalStack:
    """The stack of one data folder.

    `bank_clock` (YYYY-MM-DDTHH:MM) is where a new bank's clock starts; default now. `environ` is where KAFKA_BOOTSTRAP_SERVERS
    and DATABASE_URL are looked up: what they name is used, and not started. With `ends_with_caller` nothing outlives the
    calling process, even if that is killed.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        bank_clock: str | None = None,
        environ: Mapping[str, str] | None = None,
        ends_with_caller: bool = False,
    ) -> None:
        self.data_dir = data_dir.absolute()
        self._bank_clock = bank_clock
        self._owner_pid = os.getpid() if ends_with_caller else None
        self._environ = os.environ if environ is None else environ
        self._state: StackState | None = None

    @property
    def state(self) -> StackState:
        """What the stack remembers. Raises StackUnreachable if there is no stack in the folder."""
        if self._state is None:
            self._state = self._read_state()
        if self._state is None:
            raise StackUnreachable(f"there is no local stack in {self.data_dir}: start one with `premia up`")
        return self._state

    @property
    def supervisor(self) -> Supervisor:
        """Supervisord of this stack."""
        return Supervisor(self.data_dir, Path(self.state.socket_dir))

    def exists(self) -> bool:
        """Whether the folder holds a stack, running or not."""
        return self._read_state() is not None

    def environment(self) -> dict[str, str]:
        """All variables for services and command line."""
        return environment_of(self.data_dir, self.state)

    def command_environment(self) -> dict[str, str]:
        """For a command run on this stack: the caller's environment, with the stack's variables over it."""
        return {**self._environ, **self.environment()}

    def local_infrastructure(self) -> tuple[str, ...]:
        """What this stack starts itself: not what the environment brings along."""
        outside = {"kafka": self.state.external_kafka, "postgres": self.state.external_database}
        return tuple(name for name in INFRASTRUCTURE if not outside.get(name))

    def start_infrastructure(self, names: Iterable[str] = INFRASTRUCTURE, *, new_ports: bool = False) -> None:
        """Kafka, PostgreSQL with its database, and the bank: prepared, started and ready. What runs already stays."""
        self.make_folders()
        with self._only_one():
            self._state = self._remember(new_ports=new_ports)
            write_env_file(self.data_dir, self.environment())
            ensure_actor_tokens(self.data_dir, ())
            ensure_log_key(self.data_dir)
            if ended := self.supervisor.end_orphans():
                say(f"Ended what a killed supervisord had left: {', '.join(ended)}.")
            processes = self.supervisor.processes()
            local = self.local_infrastructure()
            wanted = [name for name in names if name in local and (name not in processes or not processes[name].runs)]
            self._refuse_unreachable(names)
            self._refuse_taken_ports(wanted)
            self.supervisor.start(self._owner_pid)
            starts: dict[str, Callable[[], None]] = {"kafka": self._start_kafka, "postgres": self._start_postgres}
            with (
                progress("Starting Kafka and PostgreSQL") as tick,
                ThreadPoolExecutor(len(INFRASTRUCTURE), thread_name_prefix="start") as pool,
            ):
                pending = [pool.submit(starts.get(name, lambda: self._start("bank"))) for name in wanted]
                while not all(start.done() for start in pending):
                    tick(0)
                    time.sleep(POLL_INTERVAL_S)
                for start in pending:
                    start.result()

    def places(self) -> list[str]:
        """Every folder that the stack keeps data in: its own, and another one where PostgreSQL could not use that."""
        postgres_dir = Path(self.state.postgres_dir)
        return [str(self.data_dir)] + ([] if postgres_dir.parent == self.data_dir else [str(postgres_dir)])

    def remove(self) -> None:
        """Stop, and delete everything the stack ever wrote: its folder, and what lies elsewhere because it had to.

        Data go first and state.json last: after an interruption there still is a stack, and removing it again goes on.
        """
        if not self.exists():
            return
        self.stop()
        inside = [entry for entry in self.data_dir.iterdir() if entry.is_dir()]
        for folder in dict.fromkeys((*inside, Path(self.state.postgres_dir), Path(self.state.socket_dir))):
            if folder.exists():
                shutil.rmtree(folder)
        (self.data_dir / STATE_FILE).unlink()
        shutil.rmtree(self.data_dir)
        self._state = None

    def start_services(self, names: Iterable[str] = SERVICES) -> None:
        """Start services and wait until each is up. The calculator may still wait for a registry, which comes after it."""
        names = tuple(names)
        processes = self.supervisor.processes()
        wanted = [name for name in names if not processes[name].runs]
        self._refuse_taken_ports(wanted)
        for name in wanted:
            self.supervisor.start_program(name)
        self._wait(names, self.is_up, START_TIMEOUT_S)

    def kill_service(self, name: str, signal_number: int = signal.SIGKILL) -> int:
        """Send a signal to a program's process, as an accident would. Returns the pid that was hit; supervisord restarts it."""
        pid = self.process_ids()[name]
        os.kill(pid, signal_number)
        return pid

    def stop(self) -> list[str]:
        """Stop everything within STOP_TIMEOUT_S, orphans of a crashed supervisor included. Returns the names of what ran."""
        if not self.exists():
            return []
        with self._only_one():
            return self.supervisor.shutdown()

    def processes(self) -> dict[str, ProcessInfo]:
        """What supervisord says about each program; empty if nothing runs."""
        return self.supervisor.processes() if self.exists() else {}

    def process_ids(self) -> dict[str, int]:
        """Name -> pid of what runs now."""
        return {name: info.pid for name, info in self.processes().items() if info.runs}

    def all_pids(self) -> list[int]:
        """Every process that supervisord keeps, and supervisord itself."""
        supervisor_pid = self.supervisor.pid()
        return [] if supervisor_pid is None else [supervisor_pid, *self.process_ids().values()]

    def is_ready(self, name: str) -> bool:
        """Whether a program answers as one that can be used."""
        ports = self.state.ports
        match name:
            case "kafka":
                return kafka.serves_clients(ports["kafka"])
            case "postgres":
                return postgres.serves_clients(ports["postgres"])
            case "bank":
                return bank_of(self.data_dir, self.environment()["PREMIA_BANK_URL"]).answers()
            case _:
                return _answer(ports[name], "/healthz/ready").ok

    def is_up(self, name: str) -> bool:
        """Whether a service runs and makes progress, though it may wait for something; of other programs as `is_ready`."""
        return _answer(self.state.ports[name], "/healthz/live").ok if name in SERVICES else self.is_ready(name)

    def trouble(self, name: str) -> str | None:
        """Why a service is not ready, in its own words; None if it is ready or does not say."""
        return _answer(self.state.ports[name], "/healthz/ready").trouble if name in SERVICES else None

    def wait_ready(self, names: Iterable[str], timeout_s: float = START_TIMEOUT_S) -> None:
        """Return when all are ready. Raises StackUnreachable with a program's last log lines if it gave up or time is over."""
        self._wait(names, self.is_ready, timeout_s)

    def _wait(self, names: Iterable[str], condition: Callable[[str], bool], timeout_s: float) -> None:
        waiting = list(names)
        deadline = time.monotonic() + timeout_s
        titles = ", ".join(PROGRAMS[name].title for name in waiting)
        with progress(f"Waiting for {titles}") as tick:
            while waiting:
                processes = self.processes()
                for name in list(waiting):
                    if name in processes and processes[name].runs and condition(name):
                        waiting.remove(name)
                    elif name not in processes or processes[name].given_up:
                        raise StackUnreachable(self._did_not_come_up(name, "does not start"))
                if waiting and time.monotonic() > deadline:
                    raise StackUnreachable(self._did_not_come_up(waiting[0], self._late(waiting[0], timeout_s)))
                tick(0)
                time.sleep(POLL_INTERVAL_S)

    def log_file(self, name: str) -> Path:
        """Where a program's output goes."""
        return self.data_dir / "logs" / f"{name}.log"

    def _late(self, name: str, timeout_s: float) -> str:
        trouble = self.trouble(name)
        return f"is not ready after {timeout_s:.0f} s" + (f" ({trouble})" if trouble else "")

    def _did_not_come_up(self, name: str, trouble: str) -> str:
        lines = "".join(f"\n  {name} | {line}" for line in last_lines(self.log_file(name), LAST_LOG_LINES))
        return f"{PROGRAMS[name].title} {trouble}; the end of {self.log_file(name)}:{lines or ' (empty)'}"

    def _start(self, name: str) -> None:
        self.supervisor.start_program(name)
        self.wait_ready((name,))

    def _start_kafka(self) -> None:
        kafka.prepare(
            self.data_dir / "kafka",
            prepare_kafka(),
            port=self.state.ports["kafka"],
            controller_port=self.state.ports["kafka_controller"],
            cluster_id=self.state.kafka_cluster_id,
        )
        self._start("kafka")

    def _start_postgres(self) -> None:
        home = Path(self.state.postgres_dir)
        postgres.prepare(home, postgres.server_account(), self.state.passwords[POSTGRES_ADMIN])
        self._start("postgres")
        asyncio.run(_ensure_database(self.state.passwords[POSTGRES_ADMIN], self.state.ports["postgres"]))

    def make_folders(self) -> None:
        """The folders of the stack. Raises MachineNotReady if there is no room, or they cannot be written."""
        if not self.processes():  # what runs already has taken its room
            check_room(self.data_dir, psutil.virtual_memory().available)
        try:
            for folder in FOLDERS:
                (self.data_dir / folder).mkdir(mode=PRIVATE_MODE, parents=True, exist_ok=True)
        except OSError as error:
            raise MachineNotReady(
                f"cannot write {error.filename}: {error.strerror}; choose another folder with --data-dir"
            ) from error

    @contextmanager
    def _only_one(self) -> Iterator[None]:
        """Keep two commands from starting or stopping the same stack at once."""
        with (self.data_dir / ".lock").open("w", encoding="ascii") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise StackUnreachable(
                    f"another command is starting or stopping the stack in {self.data_dir}: wait for it"
                ) from error
            yield

    def _read_state(self) -> StackState | None:
        try:
            return read_state(self.data_dir)
        except StateError as error:
            raise MachineNotReady(str(error)) from error

    def _remember(self, *, new_ports: bool) -> StackState:
        known = self._read_state()
        state = known or self._new_state()
        external_kafka = self._environ.get("KAFKA_BOOTSTRAP_SERVERS") or None
        external_database = self._environ.get("DATABASE_URL") or None
        if known is not None:
            # What the environment was given from here (`. .premia/env`) is not from outside.
            own = environment_of(self.data_dir, known)
            if external_kafka == own["KAFKA_BOOTSTRAP_SERVERS"]:
                external_kafka = known.external_kafka
            if external_database == own["DATABASE_URL"]:
                external_database = known.external_database
        state = replace(state, external_kafka=external_kafka, external_database=external_database)
        if new_ports:
            state = state.with_ports(choose_ports(PORT_NAMES))
        if known is not None and state != known and Supervisor(self.data_dir, Path(known.socket_dir)).pid() is not None:
            raise MachineNotReady("the stack runs with other ports or servers: stop it first with `premia down`")
        write_state(self.data_dir, state)
        return state

    def _new_state(self) -> StackState:
        account = postgres.server_account()
        postgres_dir = postgres.choose_home(self.data_dir, account)
        if account is not None:
            elsewhere = f", and {self.data_dir} is closed to it: its data goes to {postgres_dir}"
            say(f"PostgreSQL runs as '{account.name}', not as root{elsewhere if postgres_dir.parent != self.data_dir else '.'}")
        return StackState(
            ports=choose_ports(PORT_NAMES),
            passwords={role: secrets.token_urlsafe(SECRET_BYTES) for role in (POSTGRES_ADMIN, *ROLES)},
            kafka_cluster_id=kafka.new_cluster_id(),
            postgres_dir=str(postgres_dir),
            socket_dir=str(_socket_dir(self.data_dir)),
            bank_clock=self._bank_clock,
        )

    def _refuse_unreachable(self, names: Iterable[str]) -> None:
        if "kafka" in names and self.state.external_kafka:
            say(f"Using Kafka at {self.state.external_kafka} (KAFKA_BOOTSTRAP_SERVERS).")
            if not any(_listens(server) for server in self.state.external_kafka.split(",")):
                raise StackUnreachable(
                    f"nothing answers at {self.state.external_kafka}: correct KAFKA_BOOTSTRAP_SERVERS, "
                    "or unset it to have a Kafka started here"
                )
        if "postgres" in names and self.state.external_database:
            address = self.state.external_database.rpartition("@")[2]
            say(f"Using PostgreSQL at {address} (DATABASE_URL).")
            try:
                asyncio.run(_connect_once(self.state.external_database))
            except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                raise StackUnreachable(
                    f"PostgreSQL at {address} cannot be used ({error}): correct DATABASE_URL, or unset it to have one here"
                ) from error

    def refuse_taken_ports(self) -> None:
        """Raise MachineNotReady if somebody else listens where this stack, which does not run, would start a program."""
        self._refuse_taken_ports((*self.local_infrastructure(), *SERVICES))

    def _refuse_taken_ports(self, names: Iterable[str]) -> None:
        ports = self.state.ports
        refuse_taken({PROGRAMS[name].title: ports[port] for name in names for port in PROGRAM_PORTS[name]})


def _socket_dir(data_dir: Path) -> Path:
    """Where supervisord's socket lies: in the data folder, or in a short place if that path is too long for a socket."""
    inside = data_dir / "run"
    if len(os.fsencode(inside / "supervisor.sock")) <= SOCKET_PATH_BYTES_MAX:
        return inside
    short = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]
    outside = Path(tempfile.gettempdir()) / f"premia-{os.getuid()}-{short}"
    say(f"{data_dir} is too long a path for a socket: supervisord's goes to {outside}")
    return outside


async def _ensure_database(password: str, port: int) -> None:
    url = database_url(POSTGRES_ADMIN, password, port).removesuffix(DATABASE) + "postgres"
    connection = await asyncpg.connect(url)
    try:
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE):
            await connection.execute(f"CREATE DATABASE {DATABASE}")
    finally:
        await connection.close()


async def _connect_once(url: str) -> None:
    connection = await asyncpg.connect(url, timeout=CONNECT_TIMEOUT_S)
    await connection.close()


def _listens(address: str) -> bool:
    host, _, port = address.strip().rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), CONNECT_TIMEOUT_S):
            return True
    except (OSError, ValueError):
        return False


@dataclass(frozen=True, slots=True)
class _Answer:
    ok: bool
    trouble: str | None


def _answer(port: int, path: str) -> _Answer:
    """What a service's health page says. No answer is not ok, and no trouble that it could name."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=PROBE_TIMEOUT_S)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read(HEALTH_BYTES_MAX)
    except (OSError, http.client.HTTPException):
        return _Answer(ok=False, trouble=None)
    finally:
        connection.close()
    try:
        trouble = json.loads(body).get("trouble")
    except (ValueError, AttributeError):
        trouble = None
    return _Answer(ok=response.status == HTTP_OK, trouble=trouble)
