"""Metrics of the premium calculator. Rows in docs/metrics.md."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

SALES_TOTAL: Final = Counter(
    "premia_calculator_sales_total", "Sales answered; one that is delivered again counts again.", ["outcome"]
)
REJECTIONS_TOTAL: Final = Counter("premia_calculator_rejections_total", "Sales rejected to dead letters.", ["code"])
BATCH_SECONDS: Final = Histogram(
    "premia_calculator_batch_seconds",
    "From taking a batch to the broker having all of its outputs.",
    buckets=(0.005, 0.02, 0.1, 0.5, 2, 10),
)
LAG_RECORDS: Final = Gauge("premia_calculator_lag_records", "Sales published to our partitions and not yet answered.")
STALE_BATCHES_TOTAL: Final = Counter(
    "premia_calculator_stale_batches_total", "Batches left, to be read again, because partitions moved."
)
REGISTRY_SWITCHES_TOTAL: Final = Counter("premia_calculator_registry_switches_total", "Registry versions taken into use.")
REGISTRY_IGNORED_TOTAL: Final = Counter(
    "premia_calculator_registry_ignored_total", "Markers of registry.v1 that changed nothing.", ["because"]
)
RECALCULATIONS_WAITING: Final = Gauge(
    "premia_calculator_recalculations_waiting", "Recalculations that wait for a second person or for publication.", ["state"]
)
RECALCULATED_LOTS_TOTAL: Final = Counter(
    "premia_calculator_recalculated_lots_total", "Lots of approved recalculations by what became of them.", ["outcome"]
)
RECALCULATION_STEPS_IGNORED_TOTAL: Final = Counter(
    "premia_calculator_recalculation_steps_ignored_total", "Steps in recalculations.v1 that changed nothing.", ["because"]
)
