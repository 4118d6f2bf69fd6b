"""What two services need, no more: Kafka batches, PostgreSQL, outbox and relay, HTTP with metrics and health, logging."""
