"""What payout holds, against the ledger's journal. Invariants 5, 9 and 10 of the design."""
