"""Ports are chosen once, and a taken one is named."""

from __future__ import annotations

import os
import socket

import click
import pytest

from premia.local.ports import choose_ports, is_free, refuse_taken


def test_chosen_ports_are_free_and_different() -> None:
    ports = choose_ports(("one", "two", "three"))
    assert len(set(ports.values())) == 3
    assert all(is_free(port) for port in ports.values())


def test_a_taken_port_is_refused_with_its_use_and_the_process_that_holds_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(click.ClickException) as refusal:
            refuse_taken({"PostgreSQL": port})
    assert refusal.value.exit_code == 2
    assert f"port {port}, written down for PostgreSQL, is in use" in refusal.value.message
    assert f"(pid {os.getpid()})" in refusal.value.message
    assert "premia up --new-ports" in refusal.value.message


def test_a_port_whose_last_connection_has_just_ended_is_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            accepted, _ = server.accept()
            accepted.close()
            assert client.recv(1) == b""
    assert is_free(port)
