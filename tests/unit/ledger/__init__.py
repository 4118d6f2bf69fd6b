"""The ledger without a database: leaves, limits."""
