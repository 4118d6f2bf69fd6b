"""JSON Schema 2020-12 of the public contracts.

Goal: whoever has the schema needs nothing else of ours to read or to write a message.
Method: pydantic's own generator; added are what every field means (`field_words.yaml`, or a docstring below the field), what
tells variants apart as required, and enumerations that may grow as patterns with the values of today beside them.
Two forms: what others read is published open, because they have to ignore fields they do not know; what only we read is
published closed, because we refuse such fields. `as_written` is the closed form of either (docs/adr/0010).
Refuses: a field without a meaning (UndescribedFieldError).
Source: JSON Schema 2020-12; `x-extensible-enum` is a convention of several API guidelines.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Sequence
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml
from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from schemas.ledger_words import OutcomeCode, Purpose, TransactionKind
from schemas.publish.contracts import PublishedContract, Side

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
FIELD_WORDS_FILE: Final = Path(__file__).with_name("field_words.yaml")
# Later releases will know more of these; whoever reads them must take one that it does not know.
GROWING: Final[tuple[type[Enum], ...]] = (OutcomeCode, Purpose, TransactionKind)
GROWING_PATTERN: Final = "^[A-Za-z][A-Za-z0-9_]{0,63}$"
EXTENSIBLE: Final = "x-extensible-enum"
Schema = dict[str, Any]


class UndescribedFieldError(Exception):
    """A field of a public contract does not say what it means."""


@cache
def field_words() -> dict[str, str]:
    """Meanings of fields by name, or by class and name."""
    words: dict[str, str] = yaml.safe_load(FIELD_WORDS_FILE.read_text(encoding="utf-8"))
    return words


def published_schema(contract: PublishedContract, examples: list[object]) -> Schema:
    """The schema as it is published. Raises UndescribedFieldError."""
    schema = _schema(contract, _Generator)
    return schema | {"examples": examples} if examples else schema


def compared_schema(contract: PublishedContract) -> Schema:
    """The schema as it is compared with releases: whom a change breaks is told before its words are there."""
    return _schema(contract, _WordlessGenerator)


def _schema(contract: PublishedContract, generator: type[GenerateJsonSchema]) -> Schema:
    generated = contract.adapter.json_schema(schema_generator=generator, ref_template="#/$defs/{model}")
    words = module_words(contract)
    if isinstance(contract.model, TypeAdapter) or "description" not in generated:
        generated["description"] = words.goal
    generated["title"] = contract.name
    schema = {"$schema": DIALECT, "$id": f"urn:premia:{contract.name}"} | generated
    schema["x-premia"] = {
        "about": words.title,
        "written_by": list(contract.written_by),
        "read_by": list(contract.read_by),
        "side": contract.side.value,
        "topic": contract.topic,
        "key": contract.key,
        "headers": [f"ce_{header.name}" for header in contract.headers if header.required],
    }
    if contract.side is Side.OTHERS_READ:
        schema = _mapped(schema, _opened)
    return schema


def component_schemas(models: Sequence[type[BaseModel]]) -> dict[str, Schema]:
    """Schemas of models and of all that they are made of, by name, referring to each other as OpenAPI's components.

    Raises UndescribedFieldError.
    """
    _, generated = models_json_schema(
        [(model, "validation") for model in models],
        schema_generator=_Generator,
        ref_template="#/components/schemas/{model}",
    )
    found: dict[str, Schema] = generated["$defs"]
    return found


class ModuleWords(NamedTuple):
    """The parts of a module's docstring (style R1); empty where there is none."""

    title: str
    goal: str
    method: str
    refuses: str


def module_words(contract: PublishedContract) -> ModuleWords:
    """What the docstring of the contract's module says."""
    first, _, rest = contract.docstring.partition("\n")
    parts: dict[str, list[str]] = {}
    for line in rest.splitlines():
        name, colon, text = line.partition(": ")
        if colon and name in {"Goal", "Method", "Refuses", "Source", "Units"}:
            parts[name] = current = [text]
        elif line.strip() and parts:
            current.append(line.strip())
    goal, method, refuses = (_sentence(" ".join(parts.get(name, []))) for name in ("Goal", "Method", "Refuses"))
    return ModuleWords(first.rstrip("."), goal or first, method, refuses)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def as_written(schema: Schema) -> Schema:
    """The closed form: exactly the fields and the values that are named. Annotations are left out."""
    closed: Schema = _mapped(_without_annotations(schema), _closed)
    return closed


def as_read(schema: Schema) -> Schema:
    """The form that a reader goes by: what is published. Annotations are left out."""
    return _without_annotations(schema)


def _without_annotations(schema: Schema) -> Schema:
    kept = {name: value for name, value in schema.items() if name not in {"examples", "$schema", "$id", "x-premia"}}
    bare: Schema = _mapped(kept, lambda part: {n: v for n, v in part.items() if n not in {"title", "description", "default"}})
    return bare


def _mapped(schema: Any, change: Callable[[Schema], Schema]) -> Any:
    """Apply a change to a schema and to all schemas in it, and to nothing that only looks like one (a field's name)."""
    if not isinstance(schema, dict):
        return schema
    mapped: Schema = {}
    for name, value in schema.items():
        if name in {"properties", "$defs"}:
            mapped[name] = {member: _mapped(part, change) for member, part in value.items()}
        elif name in {"items", "additionalProperties"}:
            mapped[name] = _mapped(value, change)
        elif name in {"anyOf", "oneOf", "allOf"}:
            mapped[name] = [_mapped(part, change) for part in value]
        else:
            mapped[name] = value
    return change(mapped)


def _opened(schema: Schema) -> Schema:
    if schema.get("additionalProperties") is False:
        return {name: value for name, value in schema.items() if name != "additionalProperties"}
    return schema


def _closed(schema: Schema) -> Schema:
    if EXTENSIBLE in schema:
        return {"type": "string", "enum": schema[EXTENSIBLE]}
    if "properties" in schema:
        return {"additionalProperties": False} | schema
    return schema


class _Generator(GenerateJsonSchema):
    """Pydantic's generator with what a reader without our code needs in addition."""

    def meaning(self, model: type[BaseModel], name: str) -> str:
        """What a field without a docstring means. Raises UndescribedFieldError."""
        return _word(model, name)

    def get_title_from_name(self, name: str) -> str:
        """As pydantic; it is taken off again below, as it only says the name once more."""
        return name

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """With a description of each field; what tells variants apart is required."""
        generated = super().model_schema(schema)
        model: type[BaseModel] = schema["cls"]
        docstrings = _docstrings(model)
        names = {field.alias or name: name for name, field in model.model_fields.items()}
        for name, part in generated.get("properties", {}).items():
            part.pop("title", None)
            part["description"] = docstrings.get(names[name]) or self.meaning(model, name)
            if "const" in part and name not in generated.setdefault("required", []):
                generated["required"].insert(0, name)
        return generated

    def tagged_union_schema(self, schema: core_schema.TaggedUnionSchema) -> JsonSchemaValue:
        """Without OpenAPI's own keyword."""
        generated = super().tagged_union_schema(schema)
        generated.pop("discriminator", None)
        return generated

    def enum_schema(self, schema: core_schema.EnumSchema) -> JsonSchemaValue:
        """Enumerations that may grow name the values of today."""
        generated = super().enum_schema(schema)
        if schema["cls"] not in GROWING:
            return generated
        kept = {name: value for name, value in generated.items() if name != "enum"}
        return kept | {"pattern": GROWING_PATTERN, EXTENSIBLE: generated["enum"]}


class _WordlessGenerator(_Generator):
    """The same for who does not read what fields mean."""

    def meaning(self, model: type[BaseModel], name: str) -> str:
        """Nothing."""
        return ""


def _word(model: type[BaseModel], name: str) -> str:
    words = field_words()
    for cls in model.__mro__:
        if f"{cls.__name__}.{name}" in words:
            return words[f"{cls.__name__}.{name}"]
    if name not in words:
        raise UndescribedFieldError(
            f"{model.__module__}.{model.__name__}.{name}: say what it means, in {FIELD_WORDS_FILE.name} or below the field"
        )
    return words[name]


@cache
def _docstrings(model: type[BaseModel]) -> dict[str, str]:
    """Texts that stand directly below a field. Read from the source, so that importing the models costs nothing for it."""
    found: dict[str, str] = {}
    for cls in reversed(model.__mro__):
        if cls is BaseModel or not issubclass(cls, BaseModel):
            continue
        (definition,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
        assert isinstance(definition, ast.ClassDef), "the source of a class is its definition"
        for field, below in zip(definition.body, definition.body[1:], strict=False):
            if (
                isinstance(field, ast.AnnAssign)
                and isinstance(field.target, ast.Name)
                and isinstance(below, ast.Expr)
                and isinstance(below.value, ast.Constant)
                and isinstance(below.value.value, str)
            ):
                found[field.target.id] = " ".join(below.value.value.split())
    return found
