"""All dead letters of a programme, each origin once, with its state.

Goal: who looks after refused events sees what still waits, what a redrive settled, and what failed again.
Method: reads all dead-letter topics to their end. A redriven event that fails again has the same origin as before; the last
letter of an origin counts, and carries the history. That a redrive was accepted is learnt from sale.outcomes.v1.
Refuses: nothing. A letter that none of our services wrote is shown under its own place with the code UNREADABLE_DEAD_LETTER.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from aiokafka import ConsumerRecord

from premia.dead_letters.wanted import State
from premia.sale_outcomes import AcceptedSales, accepted_sales
from schemas.dead_letter import Attempt, DeadLetter, Origin
from schemas.identifiers import is_id
from schemas.message import Headers
from schemas.topics import DEAD_LETTER_TOPICS, LEDGER_COMMANDS_DEAD, SALES_DEAD
from services.ledger.domain.post_entitlement import EntitlementRefusal
from services.runtime.topic_log import open_log

UNREADABLE: Final = "UNREADABLE_DEAD_LETTER"  # written by something else than our services


@dataclass(frozen=True, slots=True)
class Letter:
    """The last dead letter of one origin. `lot` is refiner/lot; None where it cannot be read, as `revision` is."""

    place: Origin
    reason: DeadLetter
    state: State
    lot: str | None
    revision: int | None
    size_bytes: int

    @property
    def origin(self) -> str:
        """topic/partition/offset where the event was first read."""
        return str(self.reason.origin)

    @property
    def topic(self) -> str:
        """The dead-letter topic that it lies in."""
        return self.place.topic

    @property
    def failures(self) -> tuple[Attempt, ...]:
        """Every time that it failed, oldest first."""
        return (*self.reason.history, Attempt(self.reason.code, self.reason.at))

    @property
    def redrivable(self) -> bool:
        """Tell whether publishing it again can change anything."""
        return self.state in (State.WAITING, State.FAILED_AGAIN)


async def read_dead_letters(servers: str) -> list[Letter]:
    """All of them, oldest first, without their bytes. Raises services.runtime.topic_log.TopicMissingError."""
    last: dict[str, Letter] = {}
    async with open_log(*DEAD_LETTER_TOPICS, servers=servers) as log:
        async for records in log.to_end():
            for record in records:
                letter = _letter(record)
                if letter.origin not in last or last[letter.origin].reason.at <= letter.reason.at:
                    last[letter.origin] = letter
    accepted = await accepted_sales(servers) if last else AcceptedSales()
    found = [_as_it_stands(letter, accepted) for letter in last.values()]
    return sorted(found, key=lambda letter: (letter.reason.at, letter.origin))


def _as_it_stands(letter: Letter, accepted: AcceptedSales) -> Letter:
    """The letter, with what became of its event afterwards."""
    if not letter.redrivable:
        return letter
    if letter.origin in accepted.origins:
        return replace(letter, state=State.ACCEPTED)
    # A conflict is about a revision that was accepted before: that mends nothing.
    mendable = letter.topic == SALES_DEAD and letter.lot is not None and letter.revision is not None
    if mendable and accepted.last_revisions.get(letter.lot or "", 0) >= (letter.revision or 0):
        return replace(letter, state=State.MENDED)
    return letter


async def with_records(
    servers: str, letters: Iterable[Letter]
) -> AsyncGenerator[tuple[Letter, ConsumerRecord[Any, Any]], None]:
    """Read the topics again, and give these letters with their records: no more than a few are in memory at once."""
    wanted = {letter.place: letter for letter in letters}
    async with open_log(*DEAD_LETTER_TOPICS, servers=servers) as log:
        async for records in log.to_end():
            for record in records:
                letter = wanted.get(_place(record))
                if letter is not None:
                    yield letter, record


def headers_of(record: ConsumerRecord[Any, Any]) -> Headers:
    """A record's headers. One without value becomes an empty one; all that read them take the two for the same."""
    return tuple((name, content or b"") for name, content in record.headers)


def _place(record: ConsumerRecord[Any, Any]) -> Origin:
    return Origin(record.topic, record.partition, record.offset)


def _letter(record: ConsumerRecord[Any, Any]) -> Letter:
    place, size_bytes = _place(record), len(record.value or b"")
    lot, revision = _lot_and_revision(record.key, record.value)
    try:
        reason = DeadLetter.from_headers(headers_of(record))
    except (KeyError, ValueError) as error:
        published_at = datetime.fromtimestamp(record.timestamp / 1000, UTC)
        reason = DeadLetter(UNREADABLE, None, f"without a readable reason: {error}", place, published_at)
        return Letter(place, reason, State.NEVER_REDRIVEN, lot, revision, size_bytes)
    if record.topic == LEDGER_COMMANDS_DEAD or reason.code == EntitlementRefusal.STALE_RECALCULATION:
        state = State.NEVER_REDRIVEN
    else:
        state = State.FAILED_AGAIN if reason.history else State.WAITING
    return Letter(place, reason, state, lot, revision, size_bytes)


def _lot_and_revision(key: bytes | None, value: bytes | None) -> tuple[str | None, int | None]:
    """refiner/lot as the value says, else as the key does, and the revision; None where it cannot be read."""
    try:
        sent = orjson.loads(value or b"")
    except orjson.JSONDecodeError:
        sent = None
    if isinstance(sent, dict):
        ids, revision = [sent.get("refiner_id"), sent.get("lot_id")], sent.get("revision")
        if all(isinstance(id_, str) and is_id(id_) for id_ in ids):
            return f"{ids[0]}/{ids[1]}", revision if type(revision) is int else None
    try:
        refiner_id, _, lot_id = (key or b"").decode().partition("/")
    except UnicodeDecodeError:
        return None, None
    return (f"{refiner_id}/{lot_id}" if is_id(refiner_id) and is_id(lot_id) else None), None
