"""The one story from sale to bank and back, of a lot, a payout or a statement. Read-only, from ledger and payout."""
