"""How commands find Kafka, the databases and the services.

Goal: `premia publish` works right after `premia up`, without a variable set; and anywhere else by the environment alone.
Method: the environment of the process, and below it what the local stack of this folder wrote down. What is
set explicitly wins.
Refuses: a part that is needed and not known: one line that says what to do, exit 3.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import click

from premia.local.environment import stack_environment
from premia.local.state import StateError, chosen_data_dir, stack_exists
from premia.local.tokens import ensure_actor_tokens, read_tokens

EXIT_UNREACHABLE: Final = 3
EXIT_REJECTED: Final = 4


class Unreachable(click.ClickException):
    """A part that a command needs is not known, or does not answer."""

    exit_code = EXIT_UNREACHABLE


class Rejected(click.ClickException):
    """Nothing was changed: the service refused it, or what was named is not there, or not one thing."""

    exit_code = EXIT_REJECTED


def environment() -> dict[str, str]:
    """Variables of the process over those of the local stack, if there is one here."""
    return environment_for(chosen_data_dir())


def environment_for(data_dir: Path) -> dict[str, str]:
    """As `environment`, for the local stack of another folder."""
    try:
        local = stack_environment(data_dir)
    except StateError as error:
        raise Unreachable(str(error)) from error
    return {**local, **os.environ}


def needed(name: str, known: Mapping[str, str] | None = None) -> str:
    """Value of one variable. Raises Unreachable (exit 3) if neither the environment nor a local stack has it."""
    value = (environment() if known is None else known).get(name, "")
    if not value:
        raise Unreachable(f"{name} is not set and there is no local stack in {chosen_data_dir()}: start one with `premia up`")
    return value


def actor_token(actor: str) -> str:
    """The token that proves to a service who acts: PREMIA_TOKEN, else the one that the local stack keeps for `actor`.

    The local stack makes one on first use: whoever can write its folder may act as anybody there. What an actor may do is still
    the programme's to say. Raises Unreachable (exit 3) if there is neither.
    """
    if token := os.environ.get("PREMIA_TOKEN"):
        return token
    data_dir = chosen_data_dir()
    if not stack_exists(data_dir):
        raise Unreachable(f"no token for '{actor}': set PREMIA_TOKEN, or start a local stack with `premia up`")
    return read_tokens(data_dir).get(actor) or ensure_actor_tokens(data_dir, [actor])[actor]


def give_local_tokens(actors: Iterable[str]) -> None:
    """Make tokens for the programme's actors where the registry went to this machine's own stack, so that they can act here.

    Elsewhere tokens are the operator's: nothing happens.
    """
    data_dir = chosen_data_dir()
    if stack_environment(data_dir).get("KAFKA_BOOTSTRAP_SERVERS") == environment().get("KAFKA_BOOTSTRAP_SERVERS"):
        ensure_actor_tokens(data_dir, actors)
