"""A consumer that knows Premia by its published files alone: no Python model of ours, no code of ours.

Goal: what the services really produce is what a stranger was told.
Method: the newest folder under schemas/published; headers and key by the AsyncAPI document, the value by its JSON Schema.
`faults` goes by the schema as it is; `surprises` closes it first, so that a field nobody was told of is found too.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from jsonschema import Draft202012Validator, FormatChecker

PUBLISHED: Final = Path(__file__).parents[2] / "schemas" / "published"
DEAD_LETTER: Final = "dead-letter"


def newest() -> Path:
    """The folder of the newest release, or of the draft after it."""
    return max(PUBLISHED.glob("v[0-9]*"), key=lambda folder: int(folder.name[1:]))


@dataclass(frozen=True)
class Consumer:
    """Reads messages by one folder of published files."""

    folder: Path

    def faults(self, topic: str, key: bytes | None, headers: tuple[tuple[str, bytes], ...], value: bytes) -> list[str]:
        """What is wrong with a message; nothing, if it keeps its contract."""
        channel = self.asyncapi["channels"].get(topic)
        if channel is None:
            return [f"{topic} is no channel"]
        texts = {name: content.decode() for name, content in headers}
        name = DEAD_LETTER if topic.endswith(".dlq") else texts.get("ce_type", "no ce_type")
        if name not in channel["messages"]:
            return [f"{name} is no message of {topic}"]
        message = self.asyncapi["components"]["messages"][name]
        found = errors(message["headers"], texts)
        if name == DEAD_LETTER:
            return found
        key_schema = message["bindings"]["kafka"]["key"]
        found += [f"key: {fault}" for fault in errors(key_schema, None if key is None else key.decode())]
        return found + errors(self.schema(name), json.loads(value))

    def surprises(self, contract: str, value: object) -> list[str]:
        """As `faults` for a value, where fields and values beyond those that were published count too."""
        return errors(closed(self.schema(contract)), value)

    def schema(self, contract: str) -> dict[str, Any]:
        """The published schema of a contract."""
        schema: dict[str, Any] = json.loads((self.folder / f"{contract}.schema.json").read_text(encoding="utf-8"))
        return schema

    @cached_property
    def asyncapi(self) -> dict[str, Any]:
        """The published document."""
        document: dict[str, Any] = json.loads((self.folder / "asyncapi.json").read_text(encoding="utf-8"))
        return document


def errors(schema: dict[str, Any], value: object) -> list[str]:
    """All faults of a value."""
    validator = Draft202012Validator(schema, format_checker=FormatChecker(["date", "uuid"]))
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


def closed(part: Any) -> Any:
    """A schema that takes nothing but what it names."""
    if isinstance(part, list):
        return [closed(member) for member in part]
    if not isinstance(part, dict):
        return part
    inner = {name: member if name in {"examples", "default", "enum"} else closed(member) for name, member in part.items()}
    if "x-extensible-enum" in part:
        inner["enum"] = part["x-extensible-enum"]
    if isinstance(part.get("properties"), dict) and part.get("type") == "object":
        inner["additionalProperties"] = False
    return inner
