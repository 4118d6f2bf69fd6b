"""Limits of the premium calculator, each with its reason."""

from __future__ import annotations

from typing import Final

from schemas.recalculation import LOT_BYTES_MAX, LOTS_MAX
from schemas.topics import SALE_MESSAGE_BYTES_MAX
from services.runtime.process import STOP_S_MAX

BATCH_RECORDS_MAX: Final = 500  # 75 ms of work: more gains nothing (measured), and /healthz answers in between.
BUFFERED_BATCHES_MAX: Final = 4  # one in work and a few waiting; read again after a crash, so no more than needed.
FETCH_BYTES_MAX: Final = SALE_MESSAGE_BYTES_MAX  # of one partition at once: 1,500 sales, or one of the largest.
COMMIT_INTERVAL_S: Final = 0.5  # what a crash repeats is at most this long; a commit takes 3 ms.
STOP_BATCH_S: Final = 1.0  # how long a stop waits for the batch in work; then it is left, and comes again.
STOP_FAUST_S: Final = 2.5  # measured: 0.1 s, and most of a second on a busy machine.
MEASURE_INTERVAL_S: Final = 1.0  # lag and liveness; nobody looks more often.
MEASURE_TIMEOUT_S: Final = 5.0  # a broker that is there answers in milliseconds; without answer the last lag stays.
CONFIRM_TIMEOUT_S: Final = 15.0  # a record that was delivered is read back in milliseconds; a broker restart takes 2 s.
LEADER_POLL_S: Final = 1.0  # how soon another worker takes recalculations over; its partitions come in seconds.
REQUEST_BYTES_MAX: Final = LOTS_MAX * LOT_BYTES_MAX  # a recalculation of the longest lots; a usual one has 3 MB.
assert STOP_BATCH_S + STOP_FAUST_S < STOP_S_MAX, "a stop that goes well is not overdue"
