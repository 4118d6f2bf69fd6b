"""Settings: what differs between installations, read once from the environment.

Refuses: a variable that is missing or malformed, by name, as SettingError; an entrypoint turns it into one line and exit 2.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


class SettingError(Exception):
    """A variable of the environment is missing or cannot be read; the message names it and says what it should be."""


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """Where a service's HTTP listens."""

    host: str
    port: int


def required(name: str) -> str:
    """Value of an environment variable. Raises SettingError if it is not set or empty."""
    value = os.environ.get(name, "")
    if not value:
        raise SettingError(f"{name} is not set")
    return value


def listen_address(name: str) -> ListenAddress:
    """host:port from the variable `name`."""
    host, _, port = required(name).rpartition(":")
    if not host or not port.isdigit():
        raise SettingError(f"{name} must be host:port, e.g. 127.0.0.1:8081")
    return ListenAddress(host, int(port))


def folder(name: str) -> Path:
    """An existing folder from the variable `name`."""
    path = Path(required(name))
    if not path.is_dir():
        raise SettingError(f"{name}: {path} is not a folder")
    return path
