"""Backups of what a programme keeps outside of Kafka: the database, the log's files, the documents."""
