"""Outbox: messages written in the same SQL transaction as the effect they tell of.

Goal: nothing is published that was rolled back, and nothing committed stays unpublished.
Method: each schema has the tables `outbox` and `outbox_head` (one row). A writer takes numbers by updating the head, so the
row lock makes number order equal to commit order, and a relay can follow with a plain cursor without missing a late commit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from schemas.message import Message

if TYPE_CHECKING:
    from services.runtime.database import Connection


async def enqueue(conn: Connection, schema: str, messages: Sequence[Message]) -> None:
    """Write messages to the outbox of `schema`, in order, inside the caller's SQL transaction."""
    if not messages:
        return
    last = await conn.fetchval(
        f"UPDATE {schema}.outbox_head SET last_number = last_number + $1 RETURNING last_number", len(messages)
    )
    first = last - len(messages) + 1
    await conn.copy_records_to_table(
        "outbox",
        schema_name=schema,
        columns=["number", "topic", "key", "value", "header_names", "header_values"],
        records=[
            (
                first + index,
                message.topic,
                message.key,
                message.value,
                [name for name, _ in message.headers],
                [content for _, content in message.headers],
            )
            for index, message in enumerate(messages)
        ],
    )


async def outbox_after(conn: Connection, schema: str, number: int, limit: int) -> list[tuple[int, Message]]:
    """Up to `limit` messages with a number above `number`, in order, each with its number."""
    rows = await conn.fetch(
        f"SELECT number, topic, key, value, header_names, header_values FROM {schema}.outbox"
        " WHERE number > $1 ORDER BY number LIMIT $2",
        number,
        limit,
    )
    return [
        (
            row["number"],
            Message(
                row["topic"],
                row["key"],
                row["value"],
                tuple(zip(row["header_names"], row["header_values"], strict=True)),
            ),
        )
        for row in rows
    ]
