"""The Kafka topics of a programme, declared once.

Goal: name, partitions, limits and retention of every topic in one place; `premia topics apply` creates what is missing.
Method: a table. Everything is kept for ever, because replaying all sales must always give the same balances.
Source: design, sections 2 and 3.7.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB

PARTITIONS_DEFAULT: Final = 4  # a default, not a rule: correctness never rests on partitioning.
SALE_BYTES_MAX: Final = 256 * KIB  # 200 sources with long ids and documents are about 60 KiB; four times that.
SALE_MESSAGE_BYTES_MAX: Final = 1 * MIB  # what a refiner may publish at all; above it the client refuses by name.
DERIVED_MESSAGE_BYTES_MAX: Final = 4 * MIB  # an entitlement of 200 sources under all schemes is below 2 MiB (tested).
DEAD_LETTER_HEADROOM_BYTES: Final = 64 * KIB  # code, field, message and origin that a dead letter carries in addition.
assert SALE_BYTES_MAX < SALE_MESSAGE_BYTES_MAX, "a sale that is too large must reach us to be rejected by name"

SALES: Final = "gold.sales.v1"
REGISTRY: Final = "registry.v1"
REGISTRY_PRIVATE: Final = "registry.private.v1"
RECALCULATIONS: Final = "recalculations.v1"
ENTITLEMENTS: Final = "premium.entitlements.v1"
SALE_OUTCOMES: Final = "sale.outcomes.v1"
LEDGER_COMMANDS: Final = "ledger.commands.v1"
LEDGER_TRANSACTIONS: Final = "ledger.transactions.v1"
LEDGER_CHECKPOINTS: Final = "ledger.checkpoints.v1"
PAYOUT_EVENTS: Final = "payout.events.v1"
STATEMENTS: Final = "premium.statements.v1"
DEAD_LETTER_SUFFIX: Final = ".dlq"


def dead_letters(topic: str, service: str) -> str:
    """Name of the dead-letter topic of `service` for what it could not use from `topic`."""
    return f"{topic}.{service}{DEAD_LETTER_SUFFIX}"


def dead_letter_source(dead_letter_topic: str) -> str:
    """Name of the topic that a dead-letter topic's records are from."""
    return dead_letter_topic.removesuffix(DEAD_LETTER_SUFFIX).rpartition(".")[0]


SALES_DEAD: Final = dead_letters(SALES, "premium_calculator")
ENTITLEMENTS_DEAD: Final = dead_letters(ENTITLEMENTS, "ledger")
LEDGER_COMMANDS_DEAD: Final = dead_letters(LEDGER_COMMANDS, "ledger")


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. `message_bytes_max` is the broker's limit for a record batch, in bytes."""

    name: str
    partitions: int
    message_bytes_max: int
    compression: str = "producer"

    def config(self) -> dict[str, str]:
        """Topic configuration as Kafka takes it."""
        return {
            "cleanup.policy": "delete",
            "retention.ms": "-1",
            "retention.bytes": "-1",
            "max.message.bytes": str(self.message_bytes_max),
            "compression.type": self.compression,
            # Publish time, set by the producer; never the business time, which is ce_time.
            "message.timestamp.type": "CreateTime",
        }


TOPICS: Final[tuple[Topic, ...]] = (
    # Outsiders write here. The broker unpacks what they compressed and measures that: a megabyte that unpacks to a
    # gigabyte is refused when it is published, and what is accepted always fits into its dead letter.
    Topic(SALES, PARTITIONS_DEFAULT, SALE_MESSAGE_BYTES_MAX, compression="uncompressed"),
    Topic(REGISTRY, 1, DERIVED_MESSAGE_BYTES_MAX),
    Topic(REGISTRY_PRIVATE, 1, DERIVED_MESSAGE_BYTES_MAX),
    Topic(RECALCULATIONS, 1, DERIVED_MESSAGE_BYTES_MAX),  # one partition: the order of decisions decides
    Topic(ENTITLEMENTS, PARTITIONS_DEFAULT, DERIVED_MESSAGE_BYTES_MAX),
    Topic(SALE_OUTCOMES, PARTITIONS_DEFAULT, DERIVED_MESSAGE_BYTES_MAX),
    Topic(LEDGER_COMMANDS, PARTITIONS_DEFAULT, DERIVED_MESSAGE_BYTES_MAX),
    Topic(LEDGER_TRANSACTIONS, PARTITIONS_DEFAULT, DERIVED_MESSAGE_BYTES_MAX),
    Topic(LEDGER_CHECKPOINTS, 1, DERIVED_MESSAGE_BYTES_MAX),
    Topic(PAYOUT_EVENTS, PARTITIONS_DEFAULT, DERIVED_MESSAGE_BYTES_MAX),
    Topic(STATEMENTS, PARTITIONS_DEFAULT, DERIVED_MESSAGE_BYTES_MAX),
    Topic(SALES_DEAD, PARTITIONS_DEFAULT, SALE_MESSAGE_BYTES_MAX + DEAD_LETTER_HEADROOM_BYTES),
    Topic(ENTITLEMENTS_DEAD, PARTITIONS_DEFAULT, DERIVED_MESSAGE_BYTES_MAX + DEAD_LETTER_HEADROOM_BYTES),
    Topic(LEDGER_COMMANDS_DEAD, PARTITIONS_DEFAULT, DERIVED_MESSAGE_BYTES_MAX + DEAD_LETTER_HEADROOM_BYTES),
)
MESSAGE_BYTES_MAX: Final = max(topic.message_bytes_max for topic in TOPICS)
DEAD_LETTER_TOPICS: Final = tuple(topic.name for topic in TOPICS if topic.name.endswith(DEAD_LETTER_SUFFIX))
MESSAGE_BYTES_MAX_BY_TOPIC: Final = {topic.name: topic.message_bytes_max for topic in TOPICS}
