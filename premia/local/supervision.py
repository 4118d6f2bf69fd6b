"""Supervisord over the stack's processes: its configuration, and a client for its socket.

Goal: what dies is started again, what cannot start is given up after a few tries, what is stopped is gone, children included.
Method: one supervisord for each data folder, controlled by XML-RPC over a Unix socket that only its owner can use. Services
form one group and infrastructure another: on shutdown a group stops at once, and the services first.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import time
import xmlrpc.client
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil
from supervisor.states import RUNNING_STATES, ProcessStates
from supervisor.xmlrpc import Faults, SupervisorTransport

from premia.local.errors import StackUnreachable
from premia.local.launch import SUPERVISED_VARIABLE
from premia.local.limits import (
    LOG_BACKUPS,
    LOG_BYTES_MAX,
    POLL_INTERVAL_S,
    START_RETRIES_MAX,
    START_TIMEOUT_S,
    STEADY_AFTER_S,
    STOP_TIMEOUT_S,
)
from premia.local.owner import OWNER_VARIABLE
from premia.local.programs import INFRASTRUCTURE, INFRASTRUCTURE_GROUP, PROGRAMS, SERVICES, SERVICES_GROUP, Program
from premia.local.state import DATA_DIR_VARIABLE
from premia.local.talk import progress

# Paths reach supervisord by its environment, not by this text: its configuration has comments, quotes and % of its own. Logs
# are named from the folder that it runs in, because it expands their names twice.
OWNER_PROGRAM: Final = "owner"  # watches the process that the stack shall not outlive
HEAD: Final = f"""\
[supervisord]
logfile = logs/supervisord.log
logfile_maxbytes = {LOG_BYTES_MAX}
logfile_backups = {LOG_BACKUPS}
pidfile = %(ENV_PREMIA_SOCKETS)s/supervisord.pid
childlogdir = logs
{{user}}
[unix_http_server]
file = %(ENV_PREMIA_SOCKETS)s/supervisor.sock
chmod = 0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[program:{OWNER_PROGRAM}]
command = "%(ENV_PREMIA_PYTHON)s" -P -m premia.local.owner
autostart = false
autorestart = false
startsecs = 0
redirect_stderr = true
stdout_logfile = logs/{OWNER_PROGRAM}.log

[group:{INFRASTRUCTURE_GROUP}]
programs = {",".join(INFRASTRUCTURE)}
priority = 10

[group:{SERVICES_GROUP}]
programs = {",".join(SERVICES)}
priority = 20
"""

PROGRAM: Final = """
[program:{name}]
command = "%(ENV_PREMIA_PYTHON)s" -P -m premia.local.launch {name}
autostart = false
autorestart = true
startsecs = {steady_after_s}
startretries = {retries}
stopsignal = {stop_signal}
stopwaitsecs = {stop_wait_s}
killasgroup = true
redirect_stderr = true
stdout_logfile = logs/{name}.log
stdout_logfile_maxbytes = {log_bytes}
stdout_logfile_backups = {log_backups}
"""


@dataclass(frozen=True, slots=True)
class ProcessInfo:
    """What supervisord says about one program. `pid` is 0 unless it runs."""

    name: str
    state: str
    pid: int
    started_at_s: int
    exit_status: int

    @property
    def runs(self) -> bool:
        """Whether there is a process now."""
        return self.pid > 0

    @property
    def given_up(self) -> bool:
        """Whether supervisord stopped trying."""
        return self.state == "FATAL"


def configuration() -> str:
    """supervisord.conf."""
    user = "user = root\n" if os.geteuid() == 0 else ""  # else it complains at every start that it keeps root
    return HEAD.format(user=user) + "".join(_section(program) for program in PROGRAMS.values())


def _section(program: Program) -> str:
    return PROGRAM.format(
        name=program.name,
        steady_after_s=STEADY_AFTER_S,
        retries=START_RETRIES_MAX,
        stop_signal=program.stop_signal,
        stop_wait_s=program.stop_wait_s,
        log_bytes=LOG_BYTES_MAX,
        log_backups=LOG_BACKUPS,
    )


class Supervisor:
    """The supervisord of one data folder, running or not."""

    def __init__(self, data_dir: Path, socket_dir: Path) -> None:
        self._data_dir = data_dir
        self._socket_dir = socket_dir

    @property
    def logs_dir(self) -> Path:
        """Where the programs' output goes."""
        return self._data_dir / "logs"

    def pid(self) -> int | None:
        """Process id of supervisord, or None if it does not run. A pid file left behind by a crash counts as not running."""
        try:
            pid = int((self._socket_dir / "supervisord.pid").read_text(encoding="ascii"))
            if psutil.Process(pid).environ().get(SUPERVISED_VARIABLE) == str(self._data_dir):
                return pid
        except (FileNotFoundError, ValueError, psutil.Error):
            pass
        return None

    def start(self, owner_pid: int | None = None) -> None:
        """Start supervisord as a daemon with nothing running yet. Nothing to do if it is there.

        With an owner, everything is stopped when that process has ended, however it ended.
        """
        if self.pid() is not None:
            return
        self.logs_dir.mkdir(exist_ok=True)
        self._socket_dir.mkdir(mode=0o700, exist_ok=True)
        found = self._socket_dir.stat()
        if found.st_uid != os.geteuid() or found.st_mode & 0o077:
            # Under /tmp somebody else may have made it first, and would control our processes.
            raise StackUnreachable(f"{self._socket_dir} is open to others: remove it, and choose a shorter --data-dir")
        conf = self._data_dir / "supervisord.conf"
        conf.write_text(configuration(), encoding="utf-8")
        environment = {
            **os.environ,
            DATA_DIR_VARIABLE: str(self._data_dir),
            SUPERVISED_VARIABLE: str(self._data_dir),
            "PREMIA_SOCKETS": str(self._socket_dir),
            "PREMIA_PYTHON": sys.executable,
            OWNER_VARIABLE: str(owner_pid or ""),
        }
        # Supervisor 4.3 uses urllib.parse.splitquery, deprecated since 3.8: a person's PYTHONWARNINGS=error must not stop it.
        command = [sys.executable, "-W", "ignore", "-P", "-m", "supervisor.supervisord", "-c", str(conf)]
        started = subprocess.run(  # noqa: S603
            command, env=environment, cwd=self._data_dir, capture_output=True, text=True, check=False, timeout=START_TIMEOUT_S
        )
        if started.returncode != 0:
            reason = (started.stderr.strip() or started.stdout.strip() or "no output").splitlines()[0]
            raise StackUnreachable(f"supervisord did not start: {reason}")
        deadline = time.monotonic() + START_TIMEOUT_S
        while self.pid() is None or not self._answers():
            if time.monotonic() > deadline:
                raise StackUnreachable(f"supervisord did not come up; see {self.logs_dir / 'supervisord.log'}")
            time.sleep(POLL_INTERVAL_S)
        if owner_pid is not None:
            self._call("startProcess", OWNER_PROGRAM)

    def processes(self) -> dict[str, ProcessInfo]:
        """All programs by name. Empty if supervisord does not run."""
        if self.pid() is None:
            return {}
        try:
            answer: list[dict[str, Any]] = self._call("getAllProcessInfo")
        except OSError:  # it is just going down
            return {}
        return {
            info["name"]: ProcessInfo(info["name"], info["statename"], info["pid"], info["start"], info["exitstatus"])
            for info in answer
            if info["name"] in PROGRAMS
        }

    def start_program(self, name: str) -> None:
        """Start one program unless it runs; does not wait until it is ready."""
        try:
            self._call("startProcess", _full_name(name), False)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode != Faults.ALREADY_STARTED:
                raise StackUnreachable(f"{PROGRAMS[name].title} could not be started: {fault.faultString}") from fault

    def stop_program(self, name: str) -> None:
        """Stop one program and wait until it is gone."""
        try:
            self._call("stopProcess", _full_name(name))
        except xmlrpc.client.Fault as fault:
            if fault.faultCode != Faults.NOT_RUNNING:
                raise

    def shutdown(self) -> list[str]:
        """Stop everything and supervisord; what does not stop in time is killed. Returns the names of what ran."""
        ran = [name for name, info in self.processes().items() if info.runs]
        pid = self.pid()
        if pid is not None:
            self._ask_to_end(psutil.Process(pid))
        ran.extend(self.end_orphans())
        for leftover in ("supervisord.pid", "supervisor.sock"):
            (self._socket_dir / leftover).unlink(missing_ok=True)
        return ran

    def end_orphans(self) -> list[str]:
        """End what outlived a supervisord that was killed. Returns names with pids; nothing to do while one runs."""
        if self.pid() is not None:
            return []
        orphans = self._orphans()
        names = [f"{orphan.name()} (pid {orphan.pid})" for orphan in orphans]
        _end(orphans)
        return names

    def _orphans(self) -> list[psutil.Process]:
        """Processes of this stack without a parent in it: the first of each family, which ends its children."""
        marked = []
        for process in psutil.process_iter():
            try:
                if process.environ().get(SUPERVISED_VARIABLE) == str(self._data_dir):
                    marked.append(process)
            except (psutil.Error, OSError):  # gone meanwhile, or somebody else's
                continue
        pids = {process.pid for process in marked}
        return [process for process in marked if _parent_pid(process) not in pids]

    def _ask_to_end(self, supervisord: psutil.Process) -> None:
        """Let supervisord stop its programs and end; by force if it takes too long."""
        try:
            self._call("shutdown")
        except (OSError, xmlrpc.client.Fault):  # its socket was removed, or it is on its way already
            _signal(supervisord, signal.SIGTERM)
        deadline = time.monotonic() + STOP_TIMEOUT_S
        with progress("Stopping") as tick:
            while supervisord.is_running() and supervisord.status() != psutil.STATUS_ZOMBIE:
                if time.monotonic() > deadline:
                    _signal(supervisord, signal.SIGKILL)
                    supervisord.wait(STOP_TIMEOUT_S)
                    return
                # It looks after its children once a second, or when somebody calls: measured, 4.5 s become 2.5 s.
                self._answers()
                tick(0)
                time.sleep(POLL_INTERVAL_S)

    def _answers(self) -> bool:
        try:
            self._call("getState")
        except (OSError, xmlrpc.client.Fault, http.client.HTTPException):
            return False
        return True

    def _call(self, method: str, *arguments: object) -> Any:
        # A new connection for each call: they come from several threads, and the socket is local.
        transport = SupervisorTransport(None, None, f"unix://{self._socket_dir / 'supervisor.sock'}")
        with xmlrpc.client.ServerProxy("http://localhost", transport) as proxy:
            return getattr(proxy.supervisor, method)(*arguments)


def is_running(info: ProcessInfo) -> bool:
    """Whether supervisord keeps the program up: running, or about to."""
    return getattr(ProcessStates, info.state) in RUNNING_STATES


def _full_name(name: str) -> str:
    return f"{PROGRAMS[name].group}:{name}"


def _parent_pid(process: psutil.Process) -> int:
    try:
        return process.ppid()
    except psutil.NoSuchProcess:
        return 0


def _signal(process: psutil.Process, number: int) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def _end(processes: list[psutil.Process]) -> None:
    """End processes as they are meant to be ended, then by force."""
    for process in processes:
        _signal(process, signal.SIGINT if process.name() == "postgres" else signal.SIGTERM)
    _, stubborn = psutil.wait_procs(processes, timeout=STOP_TIMEOUT_S / 2)
    for process in stubborn:
        _signal(process, signal.SIGKILL)
    psutil.wait_procs(stubborn, timeout=STOP_TIMEOUT_S / 2)
