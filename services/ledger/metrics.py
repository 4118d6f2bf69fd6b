"""Metrics of the ledger. Rows in docs/metrics.md."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

ENTITLEMENTS_TOTAL: Final = Counter(
    "premia_ledger_entitlements_total", "Entitlements by what became of them; codes are refusals.", ["outcome"]
)
COMMANDS_TOTAL: Final = Counter("premia_ledger_commands_total", "Commands by the code they were answered with.", ["outcome"])
TRANSFERS_TOTAL: Final = Counter("premia_ledger_transfers_total", "Transfers posted.")
TREE_SIZE: Final = Gauge("premia_ledger_tree_size_leaves", "Leaves of the log as of the last batch of this process.")
BATCH_RECORDS: Final = Histogram(
    "premia_ledger_batch_records", "Records posted in one SQL transaction.", buckets=(1, 10, 50, 200, 500, 1000, 2000)
)
TRIAL_BALANCE: Final = Gauge(
    "premia_ledger_trial_balance_minor", "Debits less credits of all accounts; anything but 0 stops payouts.", ["unit"]
)
