"""Ports: free ones are chosen once and written down; later runs use the same or say who took them."""

from __future__ import annotations

import errno
import secrets
import socket
from collections.abc import Iterable

import psutil

from premia.local.errors import MachineNotReady
from premia.local.limits import PORT_MAX, PORT_MIN

LOOPBACK = "127.0.0.1"


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of the loopback address now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: connections that just ended don't count
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    return True


def choose_ports(names: Iterable[str]) -> dict[str, int]:
    """A free port for each name, in a row from a random place, so that two stacks seldom meet."""
    span = PORT_MAX - PORT_MIN + 1
    start = secrets.randbelow(span)
    candidates = (PORT_MIN + (start + step) % span for step in range(span))
    free = (port for port in candidates if is_free(port))
    try:
        return {name: next(free) for name in names}
    except StopIteration as error:
        raise MachineNotReady(f"no free port between {PORT_MIN} and {PORT_MAX} on {LOOPBACK}") from error


def refuse_taken(ports: dict[str, int]) -> None:
    """Raise MachineNotReady if somebody listens on one of these ports, naming port, use and, if visible, the process."""
    for name, port in ports.items():
        if not is_free(port):
            raise MachineNotReady(
                f"port {port}, written down for {name}, is in use{_listener(port)}. "
                "Stop that program, or choose new ports with `premia up --new-ports`."
            )


def _listener(port: int) -> str:
    try:
        connections = psutil.net_connections("inet")
    except psutil.AccessDenied:  # macOS shows other users' sockets to root only
        return ""
    for connection in connections:
        if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port and connection.pid:
            try:
                return f" by {psutil.Process(connection.pid).name()} (pid {connection.pid})"
            except psutil.NoSuchProcess:
                return ""
    return ""
