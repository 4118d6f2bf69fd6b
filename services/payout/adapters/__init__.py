"""What speaks to the outside: Kafka messages, HTTP, documents on disk."""
