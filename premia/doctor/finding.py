"""What a check of `premia doctor` found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, whether it will do, what is so, and what to do where the message does not say it itself."""

    what: str
    ok: bool
    message: str
    fix: str | None = None
