"""Registry and scheme files: one reader for all commands.

Goal: whoever keeps the files is told file, line and field of the first mistake, in one line; `check_file` tells all of them.
Method: YAML (or JSON, which is read by the same way) into plain values with a note of each value's line; then the
contracts of `schemas.registry` and `schemas.scheme`; then the rules that join files. Scalars are read as YAML 1.2
does: only true and false are truth values, so the country NO stays one; dates stay text; decimals must be in quotes,
because 0.70 without them is a binary float.
Refuses: unknown fields, a name twice in one mapping, aliases (one fact, one place), ids twice, overlapping versions of
a scheme, and whatever the contracts refuse.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final, Generic, TypeVar

import yaml
from pydantic import ValidationError

from schemas.contract import Contract, FieldFault, all_faults, first_fault
from schemas.identifiers import FROM_A_FILE
from schemas.registry import (
    Organization,
    OrganizationEntry,
    PrivateData,
    Programme,
    RegistryFile,
)
from schemas.registry_snapshot import LoadedRegistry, registry_snapshot
from schemas.scheme import Scheme

FILE_BYTES_MAX: Final = 32 * 1024 * 1024  # 100,000 organizations; a registry of 150 takes 100 KiB.
DEPTH_MAX: Final = 32  # The formats are six levels deep.
SUFFIXES: Final = frozenset({".yaml", ".yml", ".json"})

_Path = tuple[str | int, ...]
_Lines = dict[_Path, int]
_File = TypeVar("_File", bound=Contract)


class RegistryFileError(Exception):
    """A registry or scheme file cannot be used; the text is one line with file, line and field."""

    def __init__(self, file: Path, line: int | None, message: str) -> None:
        """Name the place; `line` counts from 1, None where the file as a whole is meant."""
        place = f"{file}:{line}" if line else str(file)
        self.message = " ".join(message.split())
        super().__init__(" ".join(f"{place}: {message}".split()))
        self.file, self.line = file, line


def load_registry(registry_file: Path, schemes_dir: Path) -> LoadedRegistry:
    """Read a registry file and all scheme files (*.yaml, *.yml, *.json) of a folder. Raises RegistryFileError."""
    registry = load_registry_file(registry_file)
    organizations = {entry.id: _public(entry) for entry in registry.organizations}
    private = {entry.id: data for entry in registry.organizations if (data := _private(entry)) != PrivateData()}
    programme: Programme | None = None
    if registry.programme is not None:
        programme = Programme.model_validate(registry.programme.model_dump(exclude={"debtor_account"}))
        if registry.programme.debtor_account is not None:
            private[programme.id] = PrivateData(debtor_account=registry.programme.debtor_account)
    return LoadedRegistry(registry_snapshot(programme, organizations, load_schemes(schemes_dir)), private)


def load_registry_file(file: Path) -> RegistryFile:
    """Read and check one registry file. Raises RegistryFileError."""
    return _load(file, RegistryFile)[0]


@dataclass(frozen=True, slots=True)
class CheckedFile(Generic[_File]):
    """A file that was read: `contract` is None where `faults` has any; `value` is what it says, mended or not."""

    file: Path
    value: object
    contract: _File | None
    faults: tuple[RegistryFileError, ...]
    lines: Mapping[tuple[str | int, ...], int]

    def line(self, *path: str | int) -> int | None:
        """The line of a value, or of the nearest one above it."""
        return _line(self.lines, path)


def check_file(file: Path, contract: type[_File]) -> CheckedFile[_File]:
    """Read a file and find every mistake in it, not only the first. Raises RegistryFileError if it cannot be read at all."""
    value, lines = _read(file)
    try:
        return CheckedFile(file, value, contract.model_validate(value, context=FROM_A_FILE), (), lines)
    except ValidationError as error:
        faults = tuple(_error(file, lines, fault) for fault in all_faults(error, value))
        return CheckedFile(file, value, None, faults, lines)


def scheme_files(folder: Path) -> list[Path]:
    """The scheme files of a folder (*.yaml, *.yml, *.json), sorted. Raises RegistryFileError if there are none."""
    try:
        files = sorted(file for file in folder.iterdir() if file.suffix in SUFFIXES)
    except OSError as error:
        raise RegistryFileError(folder, None, f"cannot be read as a folder of schemes: {error.strerror}") from error
    if not files:
        raise RegistryFileError(folder, None, "holds no scheme: one *.yaml file for each version of a scheme is expected")
    return files


def load_contract_file(file: Path, contract: type[_File]) -> _File:
    """Read and check another file in the same form, such as those of the sample. Raises RegistryFileError."""
    return _load(file, contract)[0]


def load_schemes(folder: Path) -> dict[str, Scheme]:
    """Read and check all scheme files of a folder; by `scheme_id@version`. Raises RegistryFileError."""
    schemes: dict[str, Scheme] = {}
    for file in scheme_files(folder):
        scheme, lines = _load(file, Scheme)
        if scheme.record_id in schemes:
            raise _error(file, lines, FieldFault(("version",), f"{scheme.record_id} is in another file too"))
        for other in schemes.values():
            if other.id == scheme.id and other.valid.overlaps(scheme.valid):
                fault = FieldFault(("valid", "from"), f"overlaps version {other.version} of {scheme.id}")
                raise _error(file, lines, fault)
        schemes[scheme.record_id] = scheme
    return schemes


def _public(entry: OrganizationEntry) -> Organization:
    return Organization.model_validate(entry.model_dump(include=set(Organization.model_fields)))


def _private(entry: OrganizationEntry) -> PrivateData:
    return PrivateData.model_validate(entry.model_dump(exclude=set(Organization.model_fields)))


def _load(file: Path, contract: type[_File]) -> tuple[_File, _Lines]:
    value, lines = _read(file)
    try:
        return contract.model_validate(value, context=FROM_A_FILE), lines
    except ValidationError as error:
        raise _error(file, lines, first_fault(error, value)) from error


def _error(file: Path, lines: _Lines, fault: FieldFault) -> RegistryFileError:
    prefix = f"{fault.field}: " if fault.path else ""
    return RegistryFileError(file, _line(lines, fault.path), f"{prefix}{fault.message}")


def _line(lines: Mapping[_Path, int], path: _Path) -> int | None:
    # A missing field has no line of its own: that of the mapping it is missing from is the nearest there is.
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path)


def _read(file: Path) -> tuple[object, _Lines]:
    try:
        with file.open("rb") as stream:
            read = stream.read(FILE_BYTES_MAX + 1)  # of a pipe or a device nobody knows the size before
        if len(read) > FILE_BYTES_MAX:
            raise RegistryFileError(file, None, f"is larger than {FILE_BYTES_MAX:,} bytes, and no more are read")
        content = read.decode()
    except OSError as error:
        raise RegistryFileError(file, None, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RegistryFileError(file, None, "is not UTF-8") from error
    if file.suffix == ".json":
        content = _checked_json(file, content)
    try:
        node = yaml.compose(content, Loader=_Reader)
    except yaml.YAMLError as error:
        raise _syntax_error(file, error) from error
    except RecursionError as error:  # PyYAML without libyaml; with it, what is too deep is an error of syntax
        raise RegistryFileError(file, None, "is nested too deeply") from error
    if node is None:
        raise RegistryFileError(file, 1, "is empty")
    values = _Values(file)
    return values.of(node, ()), values.lines


def _checked_json(file: Path, content: str) -> str:
    try:
        json.loads(content)
    except json.JSONDecodeError as error:
        raise RegistryFileError(file, error.lineno, f"is not JSON: {error.msg}") from error
    except RecursionError as error:
        raise RegistryFileError(file, None, "is nested too deeply") from error
    # JSON is YAML but for tabs between values (inside of its texts a tab cannot stand as such) and for characters
    # beyond U+FFFF written as two escapes.
    return _ESCAPE.sub(_joined_surrogates, content.replace("\t", " "))


_ESCAPE: Final = re.compile(r"\\(?:u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})|.)", re.IGNORECASE)


def _joined_surrogates(escape: re.Match[str]) -> str:
    high, low = escape.groups()
    return escape[0] if high is None else chr(0x10000 + ((int(high, 16) & 0x3FF) << 10) + (int(low, 16) & 0x3FF))


def _syntax_error(file: Path, error: yaml.YAMLError) -> RegistryFileError:
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        return RegistryFileError(file, mark.line + 1 if mark else None, f"is not YAML: {error.problem or error.context}")
    return RegistryFileError(file, None, f"is not YAML: {error}")


class _Reader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # libyaml is ten times faster
    """Composes nodes, and knows only the scalars of YAML 1.2."""

    yaml_implicit_resolvers: ClassVar[dict[str, list[tuple[str, re.Pattern[str]]]]] = {}


_NULL: Final = "tag:yaml.org,2002:null"
_TRUTH: Final = "tag:yaml.org,2002:bool"
_WHOLE: Final = "tag:yaml.org,2002:int"
_FLOAT: Final = "tag:yaml.org,2002:float"
_TEXT: Final = "tag:yaml.org,2002:str"

_Reader.add_implicit_resolver(_NULL, re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])
_Reader.add_implicit_resolver(_TRUTH, re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))
_Reader.add_implicit_resolver(_WHOLE, re.compile(r"^[-+]?[0-9]{1,20}$"), list("-+0123456789"))
_Reader.add_implicit_resolver(
    _FLOAT, re.compile(r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$"), list("-+.0123456789")
)


class _Values:
    """Plain values of a file's nodes, and the line of each path."""

    def __init__(self, file: Path) -> None:
        self.lines: _Lines = {}
        self._file = file
        self._seen: set[int] = set()

    def of(self, node: yaml.Node, path: _Path) -> object:
        """The value of a node, and of all below it."""
        self.lines.setdefault(path, node.start_mark.line + 1)
        if len(path) > DEPTH_MAX:
            raise RegistryFileError(self._file, node.start_mark.line + 1, "is nested too deeply")
        if id(node) in self._seen:
            # A few lines of aliases can stand for gigabytes, or for themselves.
            raise self._refusal(node, path, "aliases (*name) are not taken: write the value out")
        self._seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.of(member, (*path, row)) for row, member in enumerate(node.value)]
        return self._scalar(node, path)

    def _mapping(self, node: yaml.MappingNode, path: _Path) -> dict[str, object]:
        mapping: dict[str, object] = {}
        for name_node, member in node.value:
            if not isinstance(name_node, yaml.ScalarNode):
                raise self._refusal(name_node, path, "names of fields are plain texts")
            name = str(name_node.value)
            if name in mapping:
                raise self._refusal(name_node, (*path, name), "is there twice")
            self.lines[*path, name] = name_node.start_mark.line + 1
            mapping[name] = self.of(member, (*path, name))
        return mapping

    def _scalar(self, node: yaml.Node, path: _Path) -> object:
        text = str(node.value)
        if node.tag == _TEXT:
            return text
        if node.tag == _NULL:
            return None
        if node.tag == _TRUTH:
            return text.lower() == "true"
        if node.tag == _WHOLE:
            return int(text)
        if node.tag == _FLOAT:
            return float(text)  # no field takes one: the contract refuses it, with the hint to use quotes
        raise self._refusal(node, path, f"the tag {node.tag} is not taken")

    def _refusal(self, node: yaml.Node, path: _Path, message: str) -> RegistryFileError:
        self.lines[path] = node.start_mark.line + 1
        return _error(self._file, self.lines, FieldFault(path, message))
