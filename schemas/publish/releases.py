"""Releases of the contracts: schemas/published/vN.

Goal: what was released stays as it was, and the newest release says exactly what the models say.
Method: a folder is a draft, which publishing writes anew, until release.json with the hashes of its files makes it a release.
When the models differ from the newest release, publishing starts the next draft; the number counts releases, while the v1 in
gold.sales.v1 changes only with another topic.
Refuses: a release whose files changed; models that break a reader or a writer of any release (see `evolution`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from schemas.publish.asyncapi import asyncapi_document
from schemas.publish.contracts import CONTRACTS
from schemas.publish.evolution import Difference, differences
from schemas.publish.examples import stored_examples
from schemas.publish.json_schema import compared_schema, published_schema
from schemas.publish.openapi import openapi_document
from schemas.publish.page import EVENTS_PAGE, events_page

PUBLISHED: Final = Path(__file__).parents[1] / "published"
MANIFEST: Final = "release.json"
SUFFIX: Final = ".schema.json"
ASYNCAPI: Final = "asyncapi.json"
LEDGER_API: Final = "ledger-api.openapi.json"


@dataclass(frozen=True)
class Release:
    """One folder vN."""

    folder: Path

    @property
    def number(self) -> int:
        """N."""
        return int(self.folder.name.removeprefix("v"))

    @property
    def is_released(self) -> bool:
        """Whether it must not change any more."""
        return (self.folder / MANIFEST).is_file()

    @cached_property
    def schemas(self) -> dict[str, dict[str, Any]]:
        """Its schemas by contract."""
        files = sorted(self.folder.glob(f"*{SUFFIX}"))
        return {file.name.removesuffix(SUFFIX): json.loads(file.read_text(encoding="utf-8")) for file in files}

    def contents(self) -> dict[str, str]:
        """Its files but for the manifest."""
        if not self.folder.is_dir():
            return {}
        files = (file for file in sorted(self.folder.iterdir()) if file.name != MANIFEST)
        return {file.name: file.read_text(encoding="utf-8") for file in files}

    def changed_files(self) -> list[str]:
        """Files that are not as they were released."""
        wanted: dict[str, str] = json.loads((self.folder / MANIFEST).read_text(encoding="utf-8"))["files"]
        found = _hashes(self.contents())
        return sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))


def releases(published: Path = PUBLISHED) -> list[Release]:
    """All folders, oldest first."""
    return sorted((Release(folder) for folder in published.glob("v[0-9]*")), key=lambda release: release.number)


def present_schemas() -> dict[str, dict[str, Any]]:
    """The schemas of the models as they are now, by contract, for comparing."""
    return {contract.name: compared_schema(contract) for contract in CONTRACTS}


def present_contents(number: int) -> tuple[dict[str, str], str]:
    """What the files of release `number` would be now, and the page for people. Raises UndescribedFieldError."""
    examples = {contract.name: stored_examples(contract.name) for contract in CONTRACTS}
    schemas = {
        contract.name: published_schema(contract, [example.value for example in examples[contract.name]])
        for contract in CONTRACTS
    }
    files = {f"{name}{SUFFIX}": _text(schema) for name, schema in schemas.items()}
    files[ASYNCAPI] = _text(asyncapi_document(number, schemas, examples))
    files[LEDGER_API] = _text(openapi_document(number))
    return files, events_page(number, schemas, examples)


def publish(published: Path = PUBLISHED, page: Path = EVENTS_PAGE) -> Release:
    """Write the draft, the next one if the newest folder is released and differs, and the page. Returns the newest."""
    found = releases(published)
    newest = found[-1] if found else Release(published / "v1")
    files, text = present_contents(newest.number)
    if newest.is_released and newest.contents() != files:
        newest = Release(published / f"v{newest.number + 1}")
        files, text = present_contents(newest.number)
    if not newest.is_released:
        newest.folder.mkdir(parents=True, exist_ok=True)
        for name in newest.contents().keys() - files.keys():
            (newest.folder / name).unlink()
        for name, content in files.items():
            (newest.folder / name).write_text(content, encoding="utf-8")
    page.write_text(text, encoding="utf-8")
    return newest


def release(on: date, published: Path = PUBLISHED) -> Release | None:
    """Make the draft a release. None if there is no draft."""
    newest = releases(published)[-1]
    if newest.is_released:
        return None
    manifest = {"released_on": on.isoformat(), "files": _hashes(newest.contents())}
    (newest.folder / MANIFEST).write_text(_text(manifest), encoding="utf-8")
    return newest


def drift(published: Path = PUBLISHED, page: Path = EVENTS_PAGE) -> list[str]:
    """What is not as it should be, a sentence each: files that differ from the models, releases that were changed."""
    found = releases(published)
    if not found:
        return ["nothing is published yet: run `python -m schemas.publish`"]
    troubles = [
        f"{one.folder.name}/{name} was released and is another now: restore it"
        for one in found
        if one.is_released
        for name in one.changed_files()
    ]
    newest = found[-1]
    files, text = present_contents(newest.number)
    if newest.is_released and newest.contents() != files:
        troubles.append(f"the models differ from {newest.folder.name}: run `python -m schemas.publish` for the next draft")
    elif newest.contents() != files:
        troubles.append(f"{newest.folder.name} is not what the models say: run `python -m schemas.publish`")
    if not page.is_file() or page.read_text(encoding="utf-8") != text:
        troubles.append("docs/events.md is not what the models say: run `python -m schemas.publish`")
    return troubles


def breaking_differences(published: Path = PUBLISHED) -> list[tuple[Release, Difference]]:
    """What the models would break of any release."""
    present = present_schemas()
    return [
        (one, difference)
        for one in releases(published)
        if one.is_released
        for difference in differences(one.schemas, present)
        if difference.breaks
    ]


def _hashes(contents: dict[str, str]) -> dict[str, str]:
    return {name: sha256(content.encode()).hexdigest() for name, content in contents.items()}


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"
