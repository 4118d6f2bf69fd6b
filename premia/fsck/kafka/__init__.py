"""What lies on Kafka, against what ledger and payout stored."""
