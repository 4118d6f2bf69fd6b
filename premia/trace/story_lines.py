"""A story as it is printed: a line for each event, under the business day that it belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from premia.trace.event import TraceEvent
    from premia.trace.subject import Traced


def story_lines(about: Traced, events: Sequence[TraceEvent]) -> list[str]:
    """The lines, an empty one before each day."""
    lines = [f"The story of {about}"]
    day = None
    for event in events:
        lines += [] if event.on == day else [""]
        lines.append(_line(event, shows_day=event.on != day))
        day = event.on
    return lines


def _line(event: TraceEvent, *, shows_day: bool) -> str:
    day = f"{event.on}" if shows_day else " " * 10
    leaf = "" if event.leaf_index is None else f"leaf {event.leaf_index}"
    subject = f"{event.subject} " if event.subject else ""
    return f"{day}  {event.what:<12} {leaf:<12} {subject}{event.text}"
