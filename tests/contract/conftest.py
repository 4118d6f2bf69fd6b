"""The ledger, the payout and the bank of the integration tests, for contract tests too."""

from __future__ import annotations

from tests.integration.payout.conftest import bank, books, printer

__all__ = ["bank", "books", "printer"]
