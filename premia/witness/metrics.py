"""Metrics of the witness. Rows in docs/metrics.md."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge

REQUESTS_TOTAL: Final = Counter(
    "premia_witness_requests_total", "Checkpoints that were sent, by the HTTP status answered.", ["status"]
)
ALARMS_TOTAL: Final = Counter(
    "premia_witness_alarms_total", "Checkpoints that the log signed and that contradict what it showed before.", ["kind"]
)
TREE_SIZE: Final = Gauge("premia_witness_tree_size_leaves", "Leaves of the log as of the latest checkpoint that was signed.")
SIGNED_AT: Final = Gauge(
    "premia_witness_signed_timestamp_seconds", "When this process last signed, in seconds since 1970; 0 before the first."
)
