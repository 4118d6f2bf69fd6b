"""What lies on Kafka, against what the ledger stored. Invariant 4 of the design."""
