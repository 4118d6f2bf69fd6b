"""Compare contracts with a released version of them: what breaks whom, in words.

Goal: no release of ours breaks a reader or a writer of any release before it, and whoever is stopped is told why.
Method: both schemas are walked together. Old writers break where a value that the old schema allowed is refused now; old
readers break where a value that is written now is refused by the old schema (docs/adr/0010 says who counts). What a walk
could miss is asked of jsoncompat, which compares whole schemas by other means; it takes all patterns for equal, so those
are compared here, exactly (greenery) where that is quick, else any change counts as breaking.
Refuses: a keyword that the walk does not know (UnknownKeywordError), so that nothing is passed over in silence.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final, Literal

import greenery
import jsoncompat

from schemas.publish.contracts import Side
from schemas.publish.json_schema import EXTENSIBLE, as_read, as_written

Schema = dict[str, Any]
# The automaton of a pattern grows with its counts: 30 took 2 s, 256 more than 100 s (measured on one core).
PATTERN_COUNT_MAX: Final = 64
_COUNT: Final = re.compile(r"\{(?:[0-9]+,)?([0-9]+)\}")
_KNOWN: Final = frozenset(
    (
        *("$ref", "$defs", "type", "properties", "required", "additionalProperties", "items", "minItems", "maxItems"),
        *("uniqueItems", "enum", "const", "pattern", "allOf", "anyOf", "oneOf", "minimum", "maximum", "exclusiveMinimum"),
        *("exclusiveMaximum", "minLength", "maxLength", "format", EXTENSIBLE),
    )
)
_LOWER_BOUNDS: Final = ("minimum", "exclusiveMinimum", "minItems", "minLength")
_UPPER_BOUNDS: Final = ("maximum", "exclusiveMaximum", "maxItems", "maxLength")


class UnknownKeywordError(Exception):
    """A schema uses a keyword that the comparison does not know."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference. `path` is the field, dots between names, `[]` for any row; empty for the whole message."""

    contract: str
    path: str
    words: str
    breaks_old_writers: bool = False
    breaks_old_readers: bool = False

    @property
    def breaks(self) -> bool:
        """Whether it must not be released."""
        return self.breaks_old_writers or self.breaks_old_readers

    def __str__(self) -> str:
        """One line for people."""
        broken = [
            who
            for who, is_broken in (("old writers", self.breaks_old_writers), ("old readers", self.breaks_old_readers))
            if is_broken
        ]
        verdict = f"breaks {' and '.join(broken)}" if broken else "harmless"
        place = f"{self.contract} {self.path}".strip()
        return f"{place}: {self.words} ({verdict})"


def differences(old: Mapping[str, Schema], new: Mapping[str, Schema]) -> list[Difference]:
    """All differences of two releases, by contract name. Raises UnknownKeywordError."""
    found: list[Difference] = []
    for name in sorted(old.keys() | new.keys()):
        if name not in new:
            found.append(Difference(name, "", "the contract is gone", breaks_old_writers=True, breaks_old_readers=True))
        elif name not in old:
            found.append(Difference(name, "", "a new contract"))
        else:
            found += differences_of(name, old[name], new[name])
    return found


def differences_of(name: str, old: Schema, new: Schema) -> list[Difference]:
    """The differences of one contract."""
    others_read = new["x-premia"]["side"] == Side.OTHERS_READ
    found = [*_envelope(old["x-premia"], new["x-premia"])]
    old_read, new_read = as_read(old), as_read(new)
    walk = _Walk(old_read.get("$defs", {}), new_read.get("$defs", {}), others_read)
    found += walk.compare(old_read, new_read, "")
    found += _second_opinion(old, new, found, others_read=others_read)
    counted = (found_ if others_read else replace(found_, breaks_old_readers=False) for found_ in dict.fromkeys(found))
    return [replace(found_, contract=name) for found_ in counted]


def _envelope(old: Schema, new: Schema) -> Iterator[Difference]:
    for what in ("topic", "key"):
        if old[what] != new[what]:
            words = f"the {what} was {old[what]!r} and is {new[what]!r}"
            yield Difference("", "", words, breaks_old_writers=True, breaks_old_readers=True)
    for header in sorted(set(old["headers"]) - set(new["headers"])):
        yield Difference("", "", f"header {header} is no longer promised", breaks_old_readers=True)
    for header in sorted(set(new["headers"]) - set(old["headers"])):
        yield Difference("", "", f"header {header} is required now", breaks_old_writers=True)
    if old["side"] != new["side"]:
        words = "only we read it now" if new["side"] == Side.ONLY_WE_READ else "others read it now"
        yield Difference("", "", words, breaks_old_readers=new["side"] == Side.ONLY_WE_READ)


def _second_opinion(old: Schema, new: Schema, found: list[Difference], *, others_read: bool) -> Iterator[Difference]:
    """What jsoncompat finds and the walk did not."""
    words = "jsoncompat finds a difference that is not told above"
    if not any(one.breaks_old_writers for one in found) and not _compatible(as_written(old), as_written(new), "deserializer"):
        yield Difference("", "", words, breaks_old_writers=True)
    readers_asked = others_read and not any(one.breaks_old_readers for one in found)
    if readers_asked and not _compatible(as_read(old), as_written(new), "serializer"):
        yield Difference("", "", words, breaks_old_readers=True)


def _compatible(old: Schema, new: Schema, role: Literal["serializer", "deserializer"]) -> bool:
    return jsoncompat.check_compat(json.dumps(_plain(old)), json.dumps(_plain(new)), role)


def _plain(schema: Any) -> Any:
    """Without what jsoncompat does not compare; variants have their own kinds, so at most one of them ever applies."""
    if isinstance(schema, list):
        return [_plain(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {}
    for name, part in schema.items():
        if name == "properties":
            plain[name] = {member: _plain(value) for member, value in part.items()}
        elif name == "oneOf":
            plain["anyOf"] = _plain(part)
        elif name not in {"pattern", "format", "allOf", EXTENSIBLE}:
            plain[name] = _plain(part)
    return plain


class _Walk:
    """Walks two schemas together. Paths are those of the message."""

    def __init__(self, old_definitions: Schema, new_definitions: Schema, others_read: bool) -> None:
        self._old_definitions = old_definitions
        self._new_definitions = new_definitions
        self._others_read = others_read

    def compare(self, old: Schema, new: Schema, path: str) -> Iterator[Difference]:
        """Differences of two schemas of the same place."""
        old, new = _resolved(old, self._old_definitions), _resolved(new, self._new_definitions)
        if old == new and "$ref" not in json.dumps(old):
            return
        old_variants, new_variants = self._variants(old, self._old_definitions), self._variants(new, self._new_definitions)
        for label in (label for label in old_variants if label not in new_variants):
            yield Difference("", path, f"{label} is no longer taken", breaks_old_writers=True)
        for label in (label for label in new_variants if label not in old_variants):
            yield Difference("", path, f"{label} is possible now", breaks_old_readers=True)
        for label in (label for label in old_variants if label in new_variants):
            below = f"{path}({label})" if len(old_variants) > 1 and label.startswith("kind ") else path
            yield from self._compare_variant(old_variants[label], new_variants[label], below)

    def _variants(self, schema: Schema, definitions: Schema) -> dict[str, Schema]:
        """The variants of a schema, by kind where they have one, else by type."""
        parts = schema.get("anyOf") or schema.get("oneOf")
        if parts is None:
            return {_label(schema): schema}
        variants: dict[str, Schema] = {}
        for part in parts:
            variants |= self._variants(_resolved(part, definitions), definitions)
        return variants

    def _compare_variant(self, old: Schema, new: Schema, path: str) -> Iterator[Difference]:
        unknown = (old.keys() | new.keys()) - _KNOWN
        if unknown:
            raise UnknownKeywordError(f"{path or 'the message'}: {', '.join(sorted(unknown))}")
        yield from self._compare_fields(old, new, path)
        yield from _compare_values(old, new, path)
        yield from _compare_patterns(old, new, path)
        yield from _compare_bounds(old, new, path)
        if "items" in old or "items" in new:
            yield from self.compare(old.get("items", {}), new.get("items", {}), f"{path}[]")
        old_rest, new_rest = old.get("additionalProperties"), new.get("additionalProperties")
        if isinstance(old_rest, dict) and isinstance(new_rest, dict):
            yield from self.compare(old_rest, new_rest, f"{path}.*")
        if old.get("format") != new.get("format"):
            words = f"the format was {old.get('format', 'any')} and is {new.get('format', 'any')}"
            yield Difference("", path, words, "format" in new, "format" in old)

    def _compare_fields(self, old: Schema, new: Schema, path: str) -> Iterator[Difference]:
        old_fields, new_fields = old.get("properties", {}), new.get("properties", {})
        old_required, new_required = set(old.get("required", ())), set(new.get("required", ()))
        gone = [name for name in old_fields if name not in new_fields]
        added = [name for name in new_fields if name not in old_fields]
        for name in list(gone):
            same = [other for other in added if new_fields[other] == old_fields[name]]
            if len(same) == 1 and sum(old_fields[other] == old_fields[name] for other in gone) == 1:
                gone.remove(name)
                added.remove(same[0])
                words = f"is gone, and {same[0]} is new: a field is never renamed; add the new one and keep both"
                yield Difference("", _joined(path, name), words, True, name in old_required)
        for name in gone:
            words = "is gone: messages that have it are refused"
            yield Difference("", _joined(path, name), words, True, name in old_required)
        for name in added:
            if name in new_required:
                yield Difference("", _joined(path, name), "is new and required: messages without it are refused", True)
            else:
                words = "is new and optional: old readers ignore it" if self._others_read else "is new and optional"
                yield Difference("", _joined(path, name), words)
        for name in (name for name in old_fields if name in new_fields):
            if name in new_required - old_required:
                yield Difference("", _joined(path, name), "is required now: messages without it are refused", True)
            if name in old_required - new_required:
                words = "is optional now: readers that rely on it miss it" if self._others_read else "is optional now"
                yield Difference("", _joined(path, name), words, breaks_old_readers=True)
            yield from self.compare(old_fields[name], new_fields[name], _joined(path, name))


def _resolved(schema: Schema, definitions: Schema) -> Schema:
    while "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    return schema


def _label(schema: Schema) -> str:
    kind = schema.get("properties", {}).get("kind", {}).get("const")
    return f"kind {kind}" if kind is not None else f"{schema.get('type', 'any value')}"


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _values(schema: Schema) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    values: list[Any] | None = schema.get(EXTENSIBLE) or schema.get("enum")
    return values


def _compare_values(old: Schema, new: Schema, path: str) -> Iterator[Difference]:
    old_values, new_values = _values(old), _values(new)
    may_grow = EXTENSIBLE in old
    if old_values is None and new_values is None:
        return
    if old_values is None:
        yield Difference("", path, f"only {_listed(new_values)} are taken now", breaks_old_writers=True)
    elif new_values is None:
        yield Difference(
            "", path, f"any value is possible now, not only {_listed(old_values)}", breaks_old_readers=not may_grow
        )
    else:
        gone = [value for value in old_values if value not in new_values]
        added = [value for value in new_values if value not in old_values]
        if gone:
            yield Difference("", path, f"the value {_listed(gone)} is no longer taken", breaks_old_writers=True)
        if added:
            words = f"the value {_listed(added)} is possible now" + (": readers were told to expect more" if may_grow else "")
            yield Difference("", path, words, breaks_old_readers=not may_grow)
    if may_grow and EXTENSIBLE not in new:
        yield Difference("", path, "no further values are promised any more")
    if EXTENSIBLE in new and not may_grow and old_values is not None:
        yield Difference("", path, "further values may come now", breaks_old_readers=True)


def _listed(values: list[Any] | None) -> str:
    return ", ".join(str(value) for value in values or ())


def _patterns(schema: Schema) -> frozenset[str]:
    if EXTENSIBLE in schema:
        return frozenset()  # the values are compared
    parts = {part["pattern"] for part in schema.get("allOf", ()) if part.keys() == {"pattern"}}
    if any(part.keys() != {"pattern"} for part in schema.get("allOf", ())):
        raise UnknownKeywordError("allOf of other things than patterns")
    return frozenset(parts | ({schema["pattern"]} if "pattern" in schema else set()))


def _compare_patterns(old: Schema, new: Schema, path: str) -> Iterator[Difference]:
    old_patterns, new_patterns = _patterns(old), _patterns(new)
    if old_patterns == new_patterns:
        return
    refuses = not _implied(old_patterns, new_patterns)
    admits = not _implied(new_patterns, old_patterns)
    words = f"the pattern was {_all_of(old_patterns)} and is {_all_of(new_patterns)}"
    yield Difference("", path, words, breaks_old_writers=refuses, breaks_old_readers=admits)


def _all_of(patterns: frozenset[str]) -> str:
    return " and ".join(sorted(patterns)) or "anything"


def _implied(given: frozenset[str], wanted: frozenset[str]) -> bool:
    """Tell whether every text that matches all of `given` matches all of `wanted`; no where that cannot be said quickly."""
    return all(any(_narrower(pattern, missing) for pattern in given) for missing in wanted - given)


@cache
def _narrower(narrow: str, wide: str) -> bool:
    """Tell whether every text of one pattern is one of the other's; no where that would take long to find out."""
    whole = all(pattern.startswith("^") and pattern.endswith("$") for pattern in (narrow, wide))
    if not whole or max(_count(narrow), _count(wide)) > PATTERN_COUNT_MAX:
        return False
    narrow_texts, wide_texts = (greenery.parse(pattern[1:-1]) for pattern in (narrow, wide))
    return bool(narrow_texts.difference(wide_texts).empty())


def _count(pattern: str) -> int:
    return sum(int(count) for count in _COUNT.findall(pattern))


def _compare_bounds(old: Schema, new: Schema, path: str) -> Iterator[Difference]:
    for name in (*_LOWER_BOUNDS, *_UPPER_BOUNDS):
        before, now = old.get(name), new.get(name)
        if before == now:
            continue
        tighter = now is not None and (before is None or (now > before) == (name in _LOWER_BOUNDS))
        yield Difference("", path, f"{name} was {_or_none(before)} and is {_or_none(now)}", tighter, not tighter)
    if old.get("uniqueItems", False) != new.get("uniqueItems", False):
        now_unique = new.get("uniqueItems", False)
        words = "each entry must be there once now" if now_unique else "entries may be there twice now"
        yield Difference("", path, words, now_unique, not now_unique)


def _or_none(bound: object) -> str:
    return "none" if bound is None else str(bound)
