"""Metrics of the ledger. Rows in docs/metrics.md."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

ENTITLEMENTS_TOTAL: Final = Counter(
    "premia_ledger_entitlements_total", "Entitlements by what became of them; codes are refusals.", ["outcome"]
)
COMMANDS_TOTAL: Final = Counter("premia_ledger_commands_total", "Commands by the code they were answered with.", ["outcome"])
TRANSFERS_TOTAL: Final = Counter("premia_ledger_transfers_total", "Transfers posted.")
TREE_SIZE: Final = Gauge("premia_ledger_tree_size_leaves", "Leaves of the log.")
BATCH_RECORDS: Final = Histogram(
    "premia_ledger_batch_records", "Records posted in one SQL transaction.", buckets=(1, 10, 50, 200, 500, 1000, 2000)
)
TRIAL_BALANCE: Final = Gauge(
    "premia_ledger_trial_balance_minor", "Debits less credits of all accounts; anything but 0 stops payouts.", ["unit"]
)
SEQUENCE_GAPS: Final = Gauge(
    "premia_ledger_sequence_gaps", "Stretches of refiners' sequence numbers that are missing, and rejected numbers.", ["kind"]
)
OLDEST_SEQUENCE_GAP_SECONDS: Final = Gauge(
    "premia_ledger_oldest_sequence_gap_seconds", "Since when the oldest of them is known; 0 while there is none."
)
UNREADABLE_OUTCOMES_TOTAL: Final = Counter(
    "premia_ledger_unreadable_outcomes_total", "Records of sale.outcomes.v1 that could not be read for sequence gaps."
)
SEALED_SIZE: Final = Gauge("premia_ledger_sealed_size_leaves", "Leaves under the newest checkpoint of this process.")
SEALED_BEHIND_SECONDS: Final = Gauge(
    "premia_ledger_sealed_behind_seconds", "Age of the oldest leaf that no checkpoint covers; 0 while there is none."
)
SEAL_SECONDS: Final = Histogram(
    "premia_ledger_seal_seconds",
    "From posting the oldest leaf of a checkpoint to the checkpoint's publication.",
    buckets=(0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10, 60),
)
WITNESSES: Final = Gauge("premia_ledger_witnesses", "Witnesses of the log by how they are doing.", ["state"])
CORRECTIONS_WAITING: Final = Gauge(
    "premia_ledger_corrections_waiting", "Opening balances and corrections that one person proposed and nobody decided on."
)
UNSUMMED_LEAVES: Final = Gauge(
    "premia_ledger_unsummed_leaves",
    "Leaves that readers of earlier balances add up one by one; below a bucket when all is well.",
)
