"""One Kafka message that is ready to be sent.

Goal: the same shape for whatever a service publishes, whether at once or from an outbox.
"""

from __future__ import annotations

from typing import NamedTuple

Headers = tuple[tuple[str, bytes], ...]


class Message(NamedTuple):
    """Topic, key, value and headers of one message. A value is the event's data alone (CloudEvents binary mode)."""

    topic: str
    key: bytes | None
    value: bytes
    headers: Headers = ()
