"""Kafka records in, leaves and outcome messages out."""
