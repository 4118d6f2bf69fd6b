"""Limits of payout, each with its reason. Those of bank files are in bank/limits.py."""

from __future__ import annotations

from typing import Final

# What a person waits for without wondering; the local bank answers within a second of a scan.
BANK_POLL_INTERVAL_S: Final = 1.0
# A folder that cannot be used is mended by a person; once in ten seconds is soon enough and does not flood the log.
FOLDER_RETRY_INTERVAL_S: Final = 10.0
# Approvals wake the sender at once; this finds what a crash left behind.
SENDER_POLL_INTERVAL_S: Final = 1.0
FILES_PER_TRANSACTION_MAX: Final = 64  # measured: a tenth of the cost of one each, and the turn is ours for 0.1 s.
BYTES_PER_TRANSACTION_MAX: Final = 16 * 1024 * 1024  # beyond this the next file waits for the next SQL transaction.
# Partitions are read side by side, so that a leaf may be here before the one ahead of it: for milliseconds, if all is well.
VIEW_WAIT_S_MAX: Final = 5.0
VIEW_POLL_INTERVAL_S: Final = 0.05
MEASURE_INTERVAL_S: Final = 5.0  # Prometheus asks every 15 s.
# One bulk call: the registry has some 150 organizations, an HTTP body of 1 MiB holds about 5,000.
BULK_ENTRIES_MAX: Final = 2_000
LIST_ROWS_MAX: Final = 20_000  # 30 years of quarterly payouts to 150 organizations; an answer says whether it is all.
METHOD_CHARS_MAX: Final = 200  # how an account was verified, in a few words.
