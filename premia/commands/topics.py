"""`premia topics apply`: the topics of a programme, as `schemas.topics` declares them.

Goal: one command makes any cluster ready, and says where an existing one differs from what delivery rests on.
Method: creates what is missing; compares partitions and configuration of what is there, and changes nothing of it,
because a retention or a limit that an operator set must not change by the way.
Refuses: nothing; a difference is printed, exit 1.
"""

from __future__ import annotations

from typing import Final

import click

from premia.kafka import kafka_servers, run

EXIT_DIFFERENT: Final = 1


@click.group()
def topics() -> None:
    """Create the Kafka topics."""


@topics.command()
def apply() -> None:
    """Create the topics that are missing, and say how existing ones differ from what is planned.

    Running it again changes nothing. Exit code 1 if an existing topic differs.
    """
    from premia.kafka_topics import apply_topics  # noqa: PLC0415  takes longer to import than a command's help may

    if run(apply_topics(kafka_servers())):
        raise click.exceptions.Exit(EXIT_DIFFERENT)
