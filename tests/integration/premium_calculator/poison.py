"""Records that are no sales: what broken clients, wrong files and strangers put on the topic."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

from aiokafka import AIOKafkaProducer
from aiokafka.record.util import calc_crc32c

from schemas.message import Message
from schemas.topics import SALES
from tests.integration.premium_calculator.programme import message_of
from tests.unit.premium_calculator import programme

GOOD: Final = programme.encoded(programme.sale(lot_id="POISON"))
KEY: Final = b"REF/POISON"
# What is wrong -> the record, and the field that its dead letter names.
POISON: Final[dict[str, tuple[Message, str]]] = {
    "not JSON": (message_of(b"\xff\x00 no JSON", key=KEY), "value"),
    "truncated": (message_of(GOOD[:-20], key=KEY), "value"),
    "empty": (message_of(b"", key=KEY), "value"),
    "a list": (message_of(b"[1]", key=KEY), "value"),
    "300 KiB": (message_of(GOOD[:-1] + b', "refiner_reference": "' + b"x" * 300 * 1024 + b'"}', key=KEY), "value"),
    "a number for a weight": (message_of(GOOD.replace(b'"2450.60"', b"2450.60", 1), key=KEY), "melt_weight.value"),
    "without headers": (Message(SALES, KEY, GOOD + b" "), "ce_specversion"),
    "another's source": (message_of(GOOD + b"  ", key=KEY, source="/refiners/OTHER"), "ce_source"),
    "another's key": (message_of(GOOD, key=b"REF/OTHER"), "key"),
    "without key": (message_of(GOOD, key=None), "key"),
    "deeply nested": (message_of(b"[" * 100_000, key=KEY), "value"),
}
SALES_BETWEEN: Final = 100  # so that each batch of the worker has some poison


def with_poison(sales: Sequence[Message]) -> list[Message]:
    """The sales with poison of every kind between them."""
    kinds = [message for message, _ in POISON.values()]
    mixed: list[Message] = []
    for number, sale in enumerate(sales):
        mixed.append(sale)
        if number % SALES_BETWEEN == 0:
            mixed.append(kinds[number // SALES_BETWEEN % len(kinds)])
    return mixed


async def send_between_unreadable_names(brokers: str, sale: Message) -> None:
    """Publish the sale twice, and between them once with a header whose name is not UTF-8: all three in one batch.

    Brokers take it, though Kafka calls the name a string; a client in another encoding may well send it. Who reads it with
    aiokafka needs `mend_header_names`, as the worker does.
    """
    producer = AIOKafkaProducer(bootstrap_servers=brokers)
    await producer.start()
    batch = producer.create_batch()
    for headers in (list(sale.headers), [("a\u00f1o", b"2025"), ("ce_id", b"x")], list(sale.headers)):
        batch.append(timestamp=None, key=sale.key, value=sale.value, headers=headers)
    batch.close()
    content = bytearray(batch._build().replace("a\u00f1o".encode(), b"a\xf1\xf1o"))
    struct.pack_into(">I", content, 17, calc_crc32c(bytes(content[21:])))
    batch._buffer = bytes(content)
    await (await producer.send_batch(batch, SALES, partition=0))
    await producer.stop()
