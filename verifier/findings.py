"""What was proven and what was not, in words.

Goal: a person who knows nothing of hashes knows after reading what may be relied on, and what it rests on that was not checked.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Findings:
    """`about` names what was looked at. Each sentence of `proven` stands for checks that passed, of `not_proven` for none."""

    about: str
    proven: list[str] = field(default_factory=list)
    not_proven: list[str] = field(default_factory=list)


def of(count: int, one: str, many: str | None = None) -> str:
    """`1 leaf`, `2 leaves`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
