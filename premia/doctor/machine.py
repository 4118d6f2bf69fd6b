"""Checks of this machine: Python, packages, room, Kafka's jars, ports. They need nothing that runs.

Method: the questions that `premia up` asks before it starts, each for itself, so that all answers are seen at once. What Premia
does not start itself (KAFKA_BOOTSTRAP_SERVERS, DATABASE_URL) needs no jars and no port.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from typing import TYPE_CHECKING

from premia.doctor.finding import Finding
from premia.local.errors import MachineNotReady
from premia.local.machine import MEGABYTE, check_installation, check_room

if TYPE_CHECKING:
    from premia.local.stack import LocalStack


def check_packages() -> Finding:
    """Whether Python, platform and packages will do; without them nothing else of a local stack can be asked."""
    try:
        check_installation()
    except MachineNotReady as error:
        return Finding("Python", ok=False, message=error.message)
    machine = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return Finding("Python", ok=True, message=f"{machine}; every package is there")


def check_machine(stack: LocalStack, *, premia: str) -> Iterator[Finding]:
    """Room, jars and ports for this stack, which may be running, stopped or not there yet."""
    running = stack.processes()
    if not running:  # what runs has taken its room and its ports
        yield _room(stack)
    exists = stack.exists()
    if "kafka" in stack.local_infrastructure() if exists else not os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        yield _jars()
    if exists and not running:
        yield _ports(stack, premia=premia)


def _room(stack: LocalStack) -> Finding:
    import psutil  # noqa: PLC0415  # after check_packages

    available_bytes = psutil.virtual_memory().available
    try:
        check_room(stack.data_dir, available_bytes)
    except MachineNotReady as error:
        return Finding("Room", ok=False, message=error.message)
    return Finding(
        "Room", ok=True, message=f"{stack.data_dir} can be written; {available_bytes // MEGABYTE:,} MB of memory free"
    )


def _jars() -> Finding:
    from premia.local.jars import KAFKA_VERSION, JarCache, cache_dir, locked_jars  # noqa: PLC0415

    jars = locked_jars()
    try:
        missing = JarCache(cache_dir(), jars).missing()
    except MachineNotReady as error:
        return Finding("Kafka's jars", ok=False, message=error.message)
    fetched_mb = sum(jar.size_bytes for jar in missing) / 1e6
    later = f"; {len(missing)} ({fetched_mb:.0f} MB) are fetched by the next start" if missing else ""
    found = f"{len(jars) - len(missing)} of {len(jars)} of Kafka {KAFKA_VERSION} in {cache_dir()}, checksums right{later}"
    return Finding("Kafka's jars", ok=True, message=found)


def _ports(stack: LocalStack, *, premia: str) -> Finding:
    try:
        stack.refuse_taken_ports()
    except MachineNotReady as error:
        return Finding("Ports", ok=False, message=error.message, fix=f"{premia} up --new-ports")
    shown = ", ".join(str(port) for port in sorted(stack.state.ports.values()))
    return Finding("Ports", ok=True, message=f"{shown} are free")
