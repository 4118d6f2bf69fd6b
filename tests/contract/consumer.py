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
from typing import Any, Final, TypeAlias

from jsonschema import Draft202012Validator, FormatChecker

PUBLISHED: Final = Path(__file__).parents[2] / "schemas" / "published"
DEAD_LETTER: Final = "dead-letter"

Headers: TypeAlias = tuple[tuple[str, bytes], ...]


def newest() -> Path:
    """The folder of the newest release, or of the draft after it."""
    return max(PUBLISHED.glob("v[0-9]*"), key=lambda folder: int(folder.name[1:]))


@dataclass(frozen=True)
class Consumer:
    """Reads messages by one folder of published files."""

    folder: Path

    def name(self, topic: str, headers: Headers) -> str:
        """Which of the document's messages this is, or what it calls itself."""
        texts = {name: content.decode(errors="replace") for name, content in headers}
        return DEAD_LETTER if topic.endswith(".dlq") else texts.get("ce_type", "no ce_type")

    def faults(self, topic: str, key: bytes | None, headers: Headers, value: bytes) -> list[str]:
        """What is wrong with a message; nothing, if it keeps its contract."""
        channel = self.asyncapi["channels"].get(topic)
        if channel is None:
            return [f"{topic} is no channel"]
        name = self.name(topic, headers)
        if name not in channel["messages"]:
            return [f"{name} is no message of {topic}"]
        try:
            texts = {name: content.decode() for name, content in headers}
            found = self._errors(f"headers {name}", texts)
            if name == DEAD_LETTER:
                return found
            found += [f"key: {fault}" for fault in self._errors(f"key {name}", None if key is None else key.decode())]
            return found + self._errors(name, json.loads(value))
        except ValueError as error:  # no UTF-8, no JSON
            return [str(error)]

    def surprises(self, contract: str, value: object) -> list[str]:
        """As `faults` for a value, where fields and values beyond those that were published count too."""
        return self._errors(f"closed {contract}", value)

    def has_schema(self, name: str) -> bool:
        """Whether the value of a message is described: of a dead letter's, nobody knows anything."""
        return (self.folder / f"{name}.schema.json").is_file()

    def schema(self, contract: str) -> dict[str, Any]:
        """The published schema of a contract."""
        schema: dict[str, Any] = json.loads((self.folder / f"{contract}.schema.json").read_text(encoding="utf-8"))
        return schema

    def _errors(self, which: str, value: object) -> list[str]:
        if which not in self._validators:
            self._validators[which] = validator(self._described(which))
        return [f"{error.json_path}: {error.message}" for error in self._validators[which].iter_errors(value)]

    def _described(self, which: str) -> dict[str, Any]:
        part, _, name = which.rpartition(" ")
        if part in ("", "closed"):
            return closed(self.schema(name)) if part else self.schema(name)
        message = self.asyncapi["components"]["messages"][name]
        described: dict[str, Any] = message["headers"] if part == "headers" else message["bindings"]["kafka"]["key"]
        return described

    @cached_property
    def _validators(self) -> dict[str, Draft202012Validator]:
        """Made once for each thing described: a run has many messages of few kinds."""
        return {}

    @cached_property
    def asyncapi(self) -> dict[str, Any]:
        """The published document."""
        document: dict[str, Any] = json.loads((self.folder / "asyncapi.json").read_text(encoding="utf-8"))
        return document


def errors(schema: dict[str, Any], value: object) -> list[str]:
    """All faults of a value."""
    return [f"{error.json_path}: {error.message}" for error in validator(schema).iter_errors(value)]


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    """What checks values by a schema."""
    return Draft202012Validator(schema, format_checker=FormatChecker(["date", "uuid"]))


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
