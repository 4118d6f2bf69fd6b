"""Metrics of payout, all of them. Rows in docs/metrics.md.

Gauges are measured from the database every few seconds by use_cases/measure.py; counters count events as they happen.
"""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge

ORDERS: Final = Gauge("premia_payout_orders", "Payout orders by state.", ["state"])
OPEN_ITEMS_MINOR: Final = Gauge(
    "premia_payout_open_items_minor", "Premiums posted that no order has taken, in minor units.", ["currency"]
)
HELD_MINOR: Final = Gauge(
    "premia_payout_held_minor", "Open premiums that a hold keeps from being paid, in minor units.", ["currency", "code"]
)
CARRIED_OVER_MINOR: Final = Gauge(
    "premia_payout_carried_over_minor",
    "Open premiums that wait without anybody having to act, in minor units.",
    ["currency", "code"],
)
OLDEST_OPEN_ITEM_SECONDS: Final = Gauge(
    "premia_payout_oldest_open_item_seconds", "Age of the oldest premium that is open and above zero, by its business day."
)
OLDEST_ORDER_AT_BANK_SECONDS: Final = Gauge(
    "premia_payout_oldest_order_at_bank_seconds",
    "Age of the oldest bank file with a payment that the bank has not booked or refused.",
)
SUSPENDED_BOOKINGS: Final = Gauge("premia_payout_suspended_bookings", "Bookings that a person must clear.", ["code"])
QUARANTINED_FILES: Final = Gauge("premia_payout_quarantined_files", "Bank files that could not be read.")
FILES_SENDING: Final = Gauge("premia_payout_files_sending", "Bank files fixed and not known to be with the bank.")
TREE_SIZE: Final = Gauge("premia_payout_tree_size_leaves", "Leaves of the ledger's log seen without a gap.")
COMMANDS_OPEN: Final = Gauge("premia_payout_commands_open", "Commands that the ledger has not answered.")
COMMANDS_REFUSED_TOTAL: Final = Counter(
    "premia_payout_commands_refused_total", "Commands that the ledger answered with another code than POSTED.", ["kind", "code"]
)
BANK_FILES_READ_TOTAL: Final = Counter("premia_payout_bank_files_read_total", "Files of the bank that were read.", ["kind"])
BANK_FILES_REPEATED_TOTAL: Final = Counter(
    "premia_payout_bank_files_repeated_total", "Files of the bank whose bytes were read before."
)
BOOKINGS_TOTAL: Final = Counter("premia_payout_bookings_total", "Bookings by what they were taken for.", ["disposition"])
FOLDER_TROUBLE_TOTAL: Final = Counter(
    "premia_payout_bank_folder_trouble_total",
    "Attempts at a bank folder that failed: it is missing, full, or holds a conflict.",
)
STATEMENTS_TOTAL: Final = Counter("premia_payout_statements_total", "Statements issued.")
