"""PostgreSQL 15, the oldest that Premia runs on, where it is installed: `make test15`, and a few tests of `make test`.

Method: Debian's package, or the bin folder that PREMIA_TEST_POSTGRES15 names; a cluster of its own that is removed afterwards.
`python -m tests.postgres_15` runs the tests that speak to PostgreSQL on it, as DATABASE_URL lets anybody do with any server.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from premia.local.ports import choose_ports
from premia.local.postgres import as_account, server_account

BIN: Final = Path(os.environ.get("PREMIA_TEST_POSTGRES15") or "/usr/lib/postgresql/15/bin")
IS_THERE: Final = (BIN / "postgres").exists()
WHY_NOT: Final = f"PostgreSQL 15 is not in {BIN}: install it, or name its bin folder in PREMIA_TEST_POSTGRES15"
START_TIMEOUT_S: Final = 60
ON_IT: Final = (
    "tests/integration/ledger",
    "tests/integration/payout",
    "tests/integration/runtime",
    "tests/integration/test_backup.py",
)


@contextmanager
def running() -> Iterator[str]:
    """A server with nothing in it, and the URL of its superuser."""
    account = server_account()
    folder = Path(tempfile.mkdtemp(prefix="premia-postgres15-"))
    password_file = folder / "password"
    password = secrets.token_hex(8)
    password_file.write_text(password)
    port = choose_ports(["postgres"])["postgres"]
    if account is not None:
        shutil.chown(folder, account.uid, account.gid)
        shutil.chown(password_file, account.uid, account.gid)
    data = folder / "data"

    def run(program: str, *arguments: str) -> None:
        command = [str(BIN / program), *arguments]
        subprocess.run(command, cwd="/", check=True, timeout=START_TIMEOUT_S, stdout=subprocess.DEVNULL, **as_account(account))  # type: ignore[call-overload]

    login = ("--username=premia_admin", f"--pwfile={password_file}", "--auth=scram-sha-256")
    run("initdb", f"--pgdata={data}", *login, "--locale=C", "--encoding=UTF8")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
    run("pg_ctl", "start", "--wait", f"--pgdata={data}", f"--log={folder / 'log'}", f"--options={options}")
    try:
        yield f"postgresql://premia_admin:{password}@127.0.0.1:{port}/postgres"
    finally:
        run("pg_ctl", "stop", "--mode=immediate", f"--pgdata={data}")
        shutil.rmtree(folder)


def main() -> None:
    """Run the tests on it; further arguments go to pytest."""
    if not IS_THERE:
        sys.exit(WHY_NOT)
    with running() as url:
        tests = subprocess.run(
            [sys.executable, "-m", "pytest", *ON_IT, *sys.argv[1:]], env={**os.environ, "DATABASE_URL": url}, check=False
        )
    sys.exit(tests.returncode)


if __name__ == "__main__":
    main()
