"""The broker's configuration."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import yaml

from premia.local.kafka import new_cluster_id, server_properties, serves_clients
from premia.local.limits import BROKER_MESSAGE_BYTES_MAX
from schemas.topics import TOPICS


def settings() -> dict[str, str]:
    lines = server_properties(20001, 20002).splitlines()
    return dict(line.split("=", 1) for line in lines)


def test_the_broker_listens_on_loopback_only() -> None:
    assert settings()["listeners"] == "CLIENT://127.0.0.1:20001,CONTROLLER://127.0.0.1:20002"
    assert settings()["advertised.listeners"] == "CLIENT://127.0.0.1:20001"


def test_topics_are_never_created_by_a_misspelling() -> None:
    assert settings()["auto.create.topics.enable"] == "false"


def test_the_broker_takes_the_largest_message_of_every_topic() -> None:
    assert int(settings()["message.max.bytes"]) == BROKER_MESSAGE_BYTES_MAX
    assert all(topic.message_bytes_max <= BROKER_MESSAGE_BYTES_MAX for topic in TOPICS)


def test_the_broker_in_a_container_takes_it_too_and_keeps_its_data_in_the_volume() -> None:
    compose = yaml.safe_load((Path(__file__).resolve().parents[3] / "docker-compose.yml").read_text(encoding="utf-8"))
    kafka = compose["services"]["kafka"]
    assert int(kafka["environment"]["KAFKA_MESSAGE_MAX_BYTES"]) == BROKER_MESSAGE_BYTES_MAX
    assert [volume.split(":")[1] for volume in kafka["volumes"]] == [kafka["environment"]["KAFKA_LOG_DIRS"]]
    ports = [port for service in compose["services"].values() for port in service["ports"]]
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_a_cluster_id_is_a_uuid_as_kafka_writes_it_and_never_looks_like_an_option() -> None:
    ids = [new_cluster_id() for _ in range(200)]
    assert {len(cluster_id) for cluster_id in ids} == {22}
    assert not any(cluster_id.startswith("-") for cluster_id in ids)


def test_a_server_that_is_not_a_broker_is_not_ready() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(100)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        assert not serves_clients(server.getsockname()[1])
        thread.join()


def test_a_port_where_nobody_listens_is_not_ready() -> None:
    assert not serves_clients(1)
