"""Commands that speak to Kafka.

Goal: a broker that does not answer is one line and exit 3, not a traceback between a client's own complaints.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from premia.connection import Unreachable, needed

_Result = TypeVar("_Result")


def kafka_servers() -> str:
    """Addresses of the brokers, from the environment or the local stack. Raises Unreachable (exit 3)."""
    return needed("KAFKA_BOOTSTRAP_SERVERS")


@contextmanager
def told_if_unreachable() -> Iterator[None]:
    """Raise Unreachable (exit 3) if Kafka or a topic is not there."""
    # They take longer to import than a command's help may.
    from aiokafka.errors import (  # noqa: PLC0415
        KafkaConnectionError,
        KafkaTimeoutError,
        TopicAuthorizationFailedError,
    )

    from services.runtime.topic_log import TopicMissingError  # noqa: PLC0415

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what it would say is said below, once
    try:
        yield
    except (KafkaConnectionError, KafkaTimeoutError, TimeoutError) as error:
        raise Unreachable(f"Kafka at {kafka_servers()} does not answer: {error}") from error
    except (TopicMissingError, TopicAuthorizationFailedError) as error:
        raise Unreachable(str(error)) from error


def run(main: Coroutine[Any, Any, _Result]) -> _Result:
    """Run a command's coroutine. Raises Unreachable (exit 3) if Kafka or a topic is not there."""
    with told_if_unreachable():
        return asyncio.run(main)
