"""What the ledger's own schema must hold. Invariants 1, 2, 3, 6 and 8 of the design, and its half of 4 and 5."""
