"""Limits of the ledger, each with its reason."""

from __future__ import annotations

from typing import Final

from schemas.ledger_words import AMOUNT_MINOR_MAX

# Debits and credits of an account are PostgreSQL bigints. Both only grow, so what once overflowed always does.
BALANCE_MAX: Final = 2**63 - 1
SEQUENCES_GATHER_S: Final = 0.5  # gaps of a sequence are looked at by people; their gauges are measured every ten seconds.
MEASURE_INTERVAL_S: Final = 10.0  # the trial balance is a sum over all accounts; Prometheus scrapes every 15 s or so.
# Leaves that are summed by account and day together. Measured at 1,000,000 transactions: buckets of a quarter made reading one
# account three times slower, larger ones leave more transfers to add one by one.
BUCKET_LEAVES: Final = 16_384
SUMMING_INTERVAL_S: Final = 2.0  # between two buckets: 8,000 leaves a second, and at most a tenth of the time of one core.

assert AMOUNT_MINOR_MAX < BALANCE_MAX // 1000, "an account holds many of the largest amounts before it overflows"
