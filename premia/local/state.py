"""What a stack remembers between runs: ports, passwords, where things are. One file, state.json, readable by its owner only.

Standard library alone: the command line reads it on every call, and its first output comes in under 100 ms.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

STATE_FILE: Final = "state.json"
STATE_VERSION: Final = 1
DATA_DIR_VARIABLE: Final = "PREMIA_DATA_DIR"
DEFAULT_DATA_DIR: Final = ".premia"

POSTGRES_ADMIN: Final = "premia_admin"
DATABASE: Final = "premia"
ROLES: Final = ("premia_ledger", "premia_payout", "premia_reader")
PORT_NAMES: Final = ("kafka", "kafka_controller", "postgres", "bank", "calculator", "ledger", "payout")


class StateError(Exception):
    """state.json is there but is not what this version writes; the message names file and reason."""


@dataclass(frozen=True, slots=True)
class StackState:
    """Everything in state.json. `external_*` name a Kafka or database that the environment brought along."""

    ports: dict[str, int]
    passwords: dict[str, str]
    kafka_cluster_id: str
    postgres_dir: str
    socket_dir: str
    bank_clock: str | None = None
    external_kafka: str | None = None
    external_database: str | None = None
    version: int = STATE_VERSION

    def with_ports(self, ports: dict[str, int]) -> StackState:
        """The same stack on other ports."""
        return replace(self, ports=ports)


def chosen_data_dir() -> Path:
    """The folder of the local stack: PREMIA_DATA_DIR, else .premia/ where the command runs."""
    return Path(os.environ.get(DATA_DIR_VARIABLE) or DEFAULT_DATA_DIR).absolute()


def stack_exists(data_dir: Path) -> bool:
    """Whether the folder holds a stack, running or not."""
    return (data_dir / STATE_FILE).exists()


def read_state(data_dir: Path) -> StackState | None:
    """The stack of a folder, or None if there is none. Raises StateError."""
    path = data_dir / STATE_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise StateError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise StateError(f"{path} is damaged ({error}); remove {data_dir} to start over") from error
    if not isinstance(content, dict) or content.get("version") != STATE_VERSION:
        raise StateError(f"{path} was written by another version of Premia; remove {data_dir} to start over")
    try:
        return StackState(**content)
    except TypeError as error:
        raise StateError(f"{path} is damaged ({error}); remove {data_dir} to start over") from error


def write_state(data_dir: Path, state: StackState) -> None:
    """Replace state.json in one step."""
    write_private(data_dir / STATE_FILE, json.dumps(asdict(state), indent=2) + "\n")


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, in one step: readers see the old or the new one."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    partial.replace(path)
