"""What an organization is on each day decides; its ranges may be written in many ways."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from premia.registry_words import NOTHING, last_four, status_changes, status_on
from schemas.registry import Status

FIRST = date(2025, 1, 1)
DAYS = 40


@st.composite
def timelines(draw: st.DrawFn) -> tuple[Status, ...]:
    """Ranges of one scheme that do not overlap, the last one open or not."""
    bounds = sorted(draw(st.sets(st.integers(0, DAYS), max_size=6)))
    ranges = []
    for start, end in zip(bounds, [*bounds[1:], None], strict=False):
        status = draw(st.sampled_from(["step_1", "step_2", "suspended", None]))
        if status is not None:
            ends = None if end is None else (FIRST + timedelta(days=end)).isoformat()
            starts = (FIRST + timedelta(days=start)).isoformat()
            ranges.append(Status.model_validate({"scheme": "sbg", "status": status, "from": starts, "to": ends}))
    return tuple(draw(st.permutations(ranges)))


@given(timelines(), timelines())
def test_each_day_has_the_status_that_the_changes_say(old: Sequence[Status], new: Sequence[Status]) -> None:
    changes = status_changes(old, new)
    for number in range(-1, DAYS + 2):
        day = FIRST + timedelta(days=number)
        was, becomes = status_on(old, "sbg", day) or NOTHING, status_on(new, "sbg", day) or NOTHING
        told = [change for change in changes if holds(change.words, day)]
        assert [(change.before, change.after) for change in told] == ([] if was == becomes else [(was, becomes)])


def holds(words: str, day: date) -> bool:
    """Whether a day lies in the days that a sentence ends with."""
    days = words.partition(" from ")[2].split(" up to, but not on, ")
    ends = date.fromisoformat(days[1]) if len(days) > 1 else date.max
    return date.fromisoformat(days[0]) <= day < ends


def test_of_an_account_no_more_than_its_end_is_shown() -> None:
    assert last_four("00110345020011223344") == "…3344"
    assert last_four("12345678") == "…"
