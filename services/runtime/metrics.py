"""Metrics of what every service does alike: reading topics in batches and relaying messages. Rows in docs/metrics.md."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

RECORDS_TOTAL: Final = Counter("premia_consumer_records_total", "Records applied.", ["topic"])
LAG_RECORDS: Final = Gauge("premia_consumer_lag_records", "Records that are published and not yet applied.", ["topic"])
BATCH_SECONDS: Final = Histogram(
    "premia_consumer_batch_seconds", "From receiving a batch to its commit.", buckets=(0.005, 0.02, 0.1, 0.5, 2, 10)
)
FENCED_TOTAL: Final = Counter("premia_consumer_fenced_total", "Batches rolled back because another process owns the offset.")
RELAYED_TOTAL: Final = Counter("premia_relay_messages_total", "Messages published by the relay.", ["topic"])
RELAY_BEHIND: Final = Gauge("premia_relay_behind_messages", "Messages written and not yet published.", ["source"])
