"""Limits of the local stack, each with its reason."""

from __future__ import annotations

from typing import Final

KAFKA_HEAP_MB: Final = 256  # measured: the sample runs in it with serial collection, 190 MB resident.
POSTGRES_SHARED_BUFFERS_MB: Final = 128
POSTGRES_CONNECTIONS_MAX: Final = 60  # three services' pools, the command line and a test beside them.

DERIVED_MESSAGE_BYTES_MAX: Final = 4 * 1024 * 1024  # design section 3.7: derived topics.
DEAD_LETTER_EXTRA_BYTES: Final = 64 * 1024  # design section 3.7: a dead letter is its source plus its headers.
RECORD_BATCH_OVERHEAD_BYTES: Final = 64 * 1024  # the batch header and the record's own lengths, with room.
BROKER_MESSAGE_BYTES_MAX: Final = DERIVED_MESSAGE_BYTES_MAX + DEAD_LETTER_EXTRA_BYTES + RECORD_BATCH_OVERHEAD_BYTES

START_TIMEOUT_S: Final = 60.0  # measured: Kafka 2 s, PostgreSQL 1 s on two idle cores; a busy machine is slower.
POLL_INTERVAL_S: Final = 0.05
READY_GRACE_S: Final = 3.0  # measured: services join their groups within 1 s of being up
STOP_TIMEOUT_S: Final = 10.0  # what Ctrl-C may take until everything is gone.
SERVICE_STOP_S: Final = 5  # every service's own promise after SIGTERM.
INFRASTRUCTURE_STOP_S: Final = 3  # measured: Kafka 0.5 s, PostgreSQL 0.2 s. They stop after the services.
assert SERVICE_STOP_S + INFRASTRUCTURE_STOP_S < STOP_TIMEOUT_S, "both stages fit, whatever a process does"

STEADY_AFTER_S: Final = 3  # a process that dies sooner counts as failed to start.
START_RETRIES_MAX: Final = 3  # 1, 2 and 3 s apart; then supervisord gives up and `premia status` says so.

LOG_BYTES_MAX: Final = 5 * 1024 * 1024
LOG_BACKUPS: Final = 2
LAST_LOG_LINES: Final = 12  # of a process that died: enough for the end of a traceback.

SOCKET_PATH_BYTES_MAX: Final = 100  # sun_path holds 104 on macOS, 108 on Linux, supervisord adds its pid while binding.
PORT_MIN: Final = 20000  # below the range from which systems take ports for outgoing connections, so that a port
PORT_MAX: Final = 31999  # written down today is still free tomorrow.

DISK_FREE_MB_MIN: Final = 700  # measured: Kafka, PostgreSQL and the statements of the whole sample, with room to double.
MEMORY_AVAILABLE_MB_MIN: Final = 1200  # measured: what all processes of the sample take at their peak.

DOWNLOADS_AT_ONCE: Final = 4
DOWNLOAD_TIMEOUT_S: Final = 30
SECRET_BYTES: Final = 24
HTTP_TIMEOUT_S: Final = 120.0  # the mock bank books years of days in one call when its clock moves.
PROBE_TIMEOUT_S: Final = 1.0
CONNECT_TIMEOUT_S: Final = 5.0  # to a server that somebody else runs
PROGRESS_AFTER_S: Final = 1.0  # a bar is shown on what takes longer.
PROGRESS_LINE_S: Final = (
    10.0  # without a terminal: who reads a log along sees that it goes on, and a log of an hour stays short.
)
