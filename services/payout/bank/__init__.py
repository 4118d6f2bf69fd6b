"""The bank's files (ISO 20022): what we write, what we read, and the folders they lie in. No database, no Kafka."""
