"""Real examples of the public contracts, stored beside the schemas.

Goal: whoever reads a contract sees what really travels.
Method: `schemas/examples/NAME.json` holds messages that the services made; tests/contract makes them anew and compares.
Refuses: nothing; tests/contract validates every example against its schema.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

EXAMPLES_FOLDER: Final = Path(__file__).parents[1] / "examples"


@dataclass(frozen=True, slots=True)
class Example:
    """One message or file. Files have neither key nor headers."""

    name: str
    about: str
    value: Any
    key: str | None = None
    headers: dict[str, str] | None = None


def stored_examples(contract: str) -> tuple[Example, ...]:
    """The examples of a contract; none where none is stored."""
    file = EXAMPLES_FOLDER / f"{contract}.json"
    if not file.is_file():
        return ()
    return tuple(Example(**entry) for entry in json.loads(file.read_text(encoding="utf-8")))


def store_examples(contract: str, examples: list[Example]) -> None:
    """Write the examples of a contract."""
    entries = [
        {"name": example.name, "about": example.about, "key": example.key, "headers": example.headers, "value": example.value}
        for example in examples
    ]
    EXAMPLES_FOLDER.mkdir(exist_ok=True)
    text = json.dumps(entries, ensure_ascii=False, indent=2)
    (EXAMPLES_FOLDER / f"{contract}.json").write_text(f"{text}\n", encoding="utf-8")
