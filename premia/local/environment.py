"""The environment of services and commands: all variables that Premia reads, derived from what the stack remembers.

Standard library alone, as state.py is.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit, urlunsplit

from premia.local.state import DATABASE, POSTGRES_ADMIN, ROLES, StackState, read_state, write_private

LOOPBACK: Final = "127.0.0.1"
ACTOR_HASHES_FILE: Final = "actor-tokens.json"
ENV_FILE: Final = "env"
LOG_FOLDER: Final = "log"
LOG_KEY_FILE: Final = "log.key"
LOG_VERIFIER_FILE: Final = "log.vkey"


def stack_environment(data_dir: Path) -> dict[str, str]:
    """All variables for services and command line of the stack in `data_dir`. Empty if there is no stack."""
    state = read_state(data_dir)
    return {} if state is None else environment_of(data_dir, state)


def environment_of(data_dir: Path, state: StackState) -> dict[str, str]:
    """As `stack_environment`, for a state at hand."""
    ports = state.ports
    admin_url = state.external_database or database_url(POSTGRES_ADMIN, state.passwords[POSTGRES_ADMIN], ports["postgres"])
    ledger_role, payout_role, reader_role = ROLES
    return {
        "PREMIA_DATA_DIR": str(data_dir),
        "KAFKA_BOOTSTRAP_SERVERS": state.external_kafka or f"{LOOPBACK}:{ports['kafka']}",
        "DATABASE_URL": admin_url,
        "PREMIA_LEDGER_DATABASE_URL": with_login(admin_url, ledger_role, state.passwords[ledger_role]),
        "PREMIA_PAYOUT_DATABASE_URL": with_login(admin_url, payout_role, state.passwords[payout_role]),
        "PREMIA_READER_DATABASE_URL": with_login(admin_url, reader_role, state.passwords[reader_role]),
        "PREMIA_CALCULATOR_HTTP": f"{LOOPBACK}:{ports['calculator']}",
        "PREMIA_LEDGER_HTTP": f"{LOOPBACK}:{ports['ledger']}",
        "PREMIA_PAYOUT_HTTP": f"{LOOPBACK}:{ports['payout']}",
        "PREMIA_CALCULATOR_URL": f"http://{LOOPBACK}:{ports['calculator']}",
        "PREMIA_LEDGER_URL": f"http://{LOOPBACK}:{ports['ledger']}",
        "PREMIA_PAYOUT_URL": f"http://{LOOPBACK}:{ports['payout']}",
        "PREMIA_BANK_URL": f"http://{LOOPBACK}:{ports['bank']}",
        "PREMIA_LEDGER_LOG": str(data_dir / LOG_FOLDER),
        "PREMIA_LEDGER_LOG_KEY": str(data_dir / LOG_KEY_FILE),
        "PREMIA_BANK_OUTGOING": str(data_dir / "bank" / "outgoing"),
        "PREMIA_BANK_INCOMING": str(data_dir / "bank" / "incoming"),
        "PREMIA_DOCUMENTS_DIR": str(data_dir / "documents"),
        "PREMIA_ACTOR_TOKENS": str(data_dir / ACTOR_HASHES_FILE),
        "PREMIA_LOG": "text",
    }


def database_url(role: str, password: str, port: int) -> str:
    """URL of the stack's own database for one login."""
    return f"postgresql://{quote(role)}:{quote(password, safe='')}@{LOOPBACK}:{port}/{DATABASE}"


def with_login(url: str, role: str, password: str) -> str:
    """The same server, database and options as `url`, with another login."""
    parts = urlsplit(url)
    address = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(role)}:{quote(password, safe='')}@{address}"))


def write_env_file(data_dir: Path, environment: dict[str, str]) -> Path:
    """Write the variables as `export` lines, for `. .premia/env` in a shell."""
    path = data_dir / ENV_FILE
    lines = (f"export {name}={shlex.quote(value)}\n" for name, value in sorted(environment.items()))
    write_private(path, "".join(lines))
    return path
