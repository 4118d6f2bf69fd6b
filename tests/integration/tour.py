"""The guided tour (docs/tour.md) as a test runs it: its commands, and what they print where figures are the same for everybody.

Method: a fenced `console` block is commands, each followed by its output. What differs between runs is masked on both sides:
times, ids, hashes, leaves, offsets, counts of `premia fsck`. PREMIA_WRITE_TOUR=1 writes what is printed today into the page.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "tour.md"
BLOCK: Final = re.compile(r"(?<=^```console\n).*?(?=^```$)", re.MULTILINE | re.DOTALL)
PROMPT: Final = "$ "
MASKS: Final = (
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "<uuid>"),
    (re.compile(r"\b[0-9a-f]{12,64}\b"), "<hex>"),
    (re.compile(r"\d{4}-\d{2}-\d{2}(T| )\d{2}:\d{2}\S*( UTC)?"), "<time>"),
    (re.compile(r"\b([a-z]+\.[a-z.]*v1)/\d+/\d+"), r"\1/<offset>"),
    (re.compile(r"\bleaf \d+"), "leaf <n>"),
    (re.compile(r"(camt|pain)(\.\d+)+-PREMIA-\d+\.xml"), r"\1-<n>.xml"),
    (re.compile(r"^(checked|root of) .*$", re.MULTILINE), r"\1 <counts>"),
)


def commands(block: str) -> list[tuple[str, str]]:
    """Each command of a block with what stands below it."""
    parts = re.split(r"^\$ (.*)\n", block, flags=re.MULTILINE)
    assert parts[0] == "", "a block begins with a command"
    return list(zip(parts[1::2], parts[2::2], strict=True))


def masked(output: str) -> str:
    """What is the same in every run."""
    for pattern, mask in MASKS:
        output = pattern.sub(mask, output)
    return output.rstrip()


def walked(page: str, run: Callable[[str], str]) -> str:
    """The page with what its commands print now, in their order; what is equal but for masked parts stays as it was."""

    def block(found: re.Match[str]) -> str:
        shown = []
        for command, before in commands(found.group()):
            now = run(command)
            shown.append(f"{PROMPT}{command}\n{before if masked(now) == masked(before) else now}")
        return "".join(shown)

    return BLOCK.sub(block, page)
