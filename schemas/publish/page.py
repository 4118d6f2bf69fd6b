"""The page for people, docs/events.md, made from the contracts.

Goal: a developer of a refiner or of a portal reads one page and can start.
Method: for each topic purpose, key, headers, what a consumer may rely on, the fields with their meaning, and a real example.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from schemas.publish.contracts import CONTRACTS, PublishedContract, Side
from schemas.publish.examples import Example
from schemas.publish.json_schema import EXTENSIBLE, module_words
from schemas.topics import TOPICS

EVENTS_PAGE: Final = Path(__file__).parents[2] / "docs" / "events.md"
EXAMPLE_LINES_MAX: Final = 90  # longer ones stand in the schema file; a page should be read.

_HEAD: Final = """\
# Events and files

Made by `python -m schemas.publish` from the models in `schemas/`; do not edit. Machines read the same as JSON Schema and as
one AsyncAPI document in `schemas/published/v{version}/`.

What holds for every event:

- CloudEvents 1.0 in Kafka's binary mode: attributes are headers (`ce_id`, `ce_source`, `ce_type`, `ce_time`,
  `ce_specversion`), the value is the data alone, JSON in UTF-8. `(ce_source, ce_id)` identifies an event; delivery is at least
  once.
- Decimals are texts (`"873.5"`), never JSON numbers. Dates are `YYYY-MM-DD`, times RFC 3339. Units of mass are UN/CEFACT codes:
  `GRM`, `KGM`, `APZ` (troy ounce, 31.1034768 g). Currencies are ISO 4217, and amounts have exactly their digits. Ids have 1 to
  256 characters in Unicode normal form C, without `/` and control characters, and are compared by code point.
- Nothing is deleted: topics keep everything for ever.
- Where others read what we write, ignore fields and `ce_type`s that you do not know: later releases add some. Where only our
  services read, unknown fields are refused. Nothing that a release promises is taken back; `premia schema diff` says what
  differs between releases.
"""


def events_page(version: int, schemas: dict[str, dict[str, Any]], examples: dict[str, tuple[Example, ...]]) -> str:
    """The whole page."""
    sections = (_section(contract, version, schemas[contract.name], examples[contract.name]) for contract in CONTRACTS)
    return "\n".join((_HEAD.format(version=version), _overview(), *sections))


def _overview() -> str:
    rows = ["## Topics and files", "", "| contract | topic | key | written by | read by |", "|---|---|---|---|---|"]
    for contract in CONTRACTS:
        topic = f"`{contract.topic}`" if contract.topic else "a file"
        key = _cell(contract.key or "")
        writers, readers = ", ".join(contract.written_by) or "its keeper", ", ".join(contract.read_by)
        rows.append(f"| [`{contract.name}`](#{_anchor(contract.name)}) | {topic} | {key} | {writers} | {readers} |")
    largest = max(topic.message_bytes_max for topic in TOPICS)
    return "\n".join((*rows, "", f"No message is larger than {largest:,} bytes.", ""))


def _anchor(name: str) -> str:
    return "".join(sign for sign in name.lower() if sign.isalnum() or sign in "-_")


def _section(contract: PublishedContract, version: int, schema: dict[str, Any], examples: tuple[Example, ...]) -> str:
    words = module_words(contract)
    lines = [f"## {contract.name}", "", f"{words.title}. {words.goal}", ""]
    if words.method:
        lines += [words.method, ""]
    if words.refuses and contract.side is Side.ONLY_WE_READ:
        lines += [f"Refused: {words.refuses}", ""]
    if contract.topic is not None:
        lines.append(f"- topic `{contract.topic}`, key: {contract.key}")
        lines.append(f"- `ce_source`: {contract.source}")
        lines += [
            f"- `ce_{header.name}`{'' if header.required else ', optional'}: {header.meaning}" for header in contract.headers
        ]
    lines.append(f"- schema: [{contract.name}.schema.json](../schemas/published/v{version}/{contract.name}.schema.json)")
    unknown = "refused" if contract.side is Side.ONLY_WE_READ else "to be ignored"
    lines += [f"- fields that you do not know are {unknown}", "", "What you may rely on:", ""]
    lines += [f"- {guarantee}" for guarantee in contract.guarantees]
    lines += ["", *_fields(schema)]
    for example in examples:
        lines += _example(example, contract, version)
    return "\n".join(lines)


def _fields(schema: dict[str, Any]) -> list[str]:
    lines = []
    definitions = schema.get("$defs", {})
    objects = [("", schema), *definitions.items()]
    for name, part in objects:
        if "properties" not in part:
            continue
        required = part.get("required", ())
        lines += [f"**{name}** {part['description']}" if name else "Fields:", "", "| field | type | meaning |", "|---|---|---|"]
        for field, member in part["properties"].items():
            optional = "" if field in required else "optional, "
            lines.append(f"| `{field}` | {optional}{_cell(_type(member, definitions))} | {_cell(member['description'])} |")
        lines.append("")
    return lines


def _type(part: dict[str, Any], definitions: dict[str, Any]) -> str:  # noqa: PLR0911  one for each form
    for union in ("anyOf", "oneOf"):
        if union in part:
            return " or ".join(_type(member, definitions) for member in part[union])
    if "allOf" in part and "$ref" in part["allOf"][0]:
        return _type(part["allOf"][0], definitions)
    if "$ref" in part:
        name = part["$ref"].rpartition("/")[2]
        target = definitions[name]
        return _type(target, definitions) if "properties" not in target else name
    if "const" in part:
        return f"`{part['const']}`"
    values = part.get("enum") or part.get(EXTENSIBLE)
    if values:
        return ", ".join(f"`{value}`" for value in values) + (" or more" if EXTENSIBLE in part else "")
    if part.get("type") == "array":
        return f"list of {_type(part['items'], definitions)}"
    return _FORMATS.get(part.get("format", ""), _TYPES.get(part.get("type", ""), "anything"))


_FORMATS: Final = {"date": "date", "date-time": "time", "uuid": "UUID"}
_TYPES: Final = {"string": "text", "integer": "whole number", "boolean": "true or false", "null": "null", "object": "object"}


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _example(example: Example, contract: PublishedContract, version: int) -> list[str]:
    text = json.dumps(example.value, ensure_ascii=False, indent=1)
    lines = [f"Example: {example.about}", ""]
    if example.key is not None:
        lines += [f"Key `{example.key}`; headers " + ", ".join(f"`{n}: {v}`" for n, v in (example.headers or {}).items()), ""]
    if text.count("\n") >= EXAMPLE_LINES_MAX:
        file = f"../schemas/published/v{version}/{contract.name}.schema.json"
        return [*lines, f"It is long; it stands under `examples` in [the schema]({file}).", ""]
    return [*lines, "```json", text, "```", ""]
