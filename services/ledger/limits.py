"""Limits of the ledger, each with its reason."""

from __future__ import annotations

from typing import Final

from schemas.ledger_words import AMOUNT_MINOR_MAX

# Debits and credits of an account are PostgreSQL bigints. Both only grow, so what once overflowed always does.
BALANCE_MAX: Final = 2**63 - 1
MEASURE_INTERVAL_S: Final = 10.0  # the trial balance is a sum over all accounts; Prometheus scrapes every 15 s or so.

assert AMOUNT_MINOR_MAX < BALANCE_MAX // 1000, "an account holds many of the largest amounts before it overflows"
