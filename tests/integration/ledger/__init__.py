"""The ledger against a real PostgreSQL, and against Kafka where its process runs."""
