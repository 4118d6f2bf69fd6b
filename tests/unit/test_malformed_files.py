"""Files of any content: sales, tables, registries and schemes are read, or what is wrong is told in a line; nothing raises.

Method: a good file of each kind, of which some characters or bytes are replaced, most of them by such as mean something there.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from premia.publishing.check import SaleCheck
from premia.publishing.files import UnreadableFileError, sales_of
from premia.publishing.sale_event import SaleEvent
from premia.scheme_lint import lint_schemes
from schemas.registry_file import RegistryFileError, load_registry
from tests.soak import examples
from tests.unit.commands.test_publish_table import NOW, ROW, table
from tests.unit.premium_calculator.broken_json import WHOLE
from tests.unit.premium_calculator.programme import registry
from tests.unit.schemas.test_registry_file import REGISTRY, SCHEME

TABLE: Final = table(ROW | {"source_melt_weight": "2450.60"}, ROW | {"lot_id": "LOT-2", "refiner_reference": 'of "7"'})
EVENT: Final = {"at": "2025-03-14T10:00:00Z", "id": "e-1", "source": "/refiners/REF", "key": "REF/LOT-1"}
LINES: Final = b"\n".join(
    json.dumps(line, ensure_ascii=False).encode()
    for line in (WHOLE, EVENT | {"value": WHOLE}, EVENT | {"raw": "e30="})
)  # fmt: skip
# What structures a table, JSON or YAML, and what may stand for something else in it.
MEANING: Final = "\";,\r\n\t|{}[]:-#&*!%@`'\\\u2028\ufeff\x00 0123456789.eE+~nul<"
ONE_LINE_CHARS_MAX: Final = 10_000

changes = st.lists(
    st.tuples(
        st.floats(0, 1),
        st.integers(0, 12),
        st.text(MEANING, max_size=6).map(str.encode) | st.text(max_size=3).map(lambda text: text.encode(errors="replace"))
        | st.binary(max_size=3),
    ),
    min_size=1,
    max_size=4,
)  # fmt: skip


def changed(content: bytes, replaced: list[tuple[float, int, bytes]]) -> bytes:
    for place, length, new in replaced:
        at = int(place * len(content))
        content = content[:at] + new + content[at + length :]
    return content


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("files")
    (found / "schemes").mkdir()
    return found


@settings(max_examples=examples(200), deadline=None)
@given(replaced=changes, kind=st.sampled_from(("sales.csv", "sales.jsonl", "sale.json")))
def test_a_file_of_sales_is_read_or_told_of(folder: Path, replaced: list[tuple[float, int, bytes]], kind: str) -> None:
    file = folder / kind
    file.write_bytes(changed(TABLE if kind.endswith("csv") else LINES, replaced))
    checks = SaleCheck(registry())
    told: list[str] = []
    try:
        for found in sales_of([file], NOW):
            fault = checks.fault(found) if isinstance(found, SaleEvent) else found
            if fault is not None:
                told.append(str(fault))
                assert json.dumps(fault.as_json())
    except UnreadableFileError as error:
        told.append(str(error))
    assert all(is_one_line(text) and text.isprintable() for text in told), told


@settings(max_examples=examples(100), deadline=None)
@given(in_registry=st.booleans(), replaced=changes)
def test_a_registry_or_a_scheme_is_read_or_told_of(
    folder: Path, *, in_registry: bool, replaced: list[tuple[float, int, bytes]]
) -> None:
    contents = {"registry.yaml": REGISTRY.encode(), "schemes/gram.yaml": SCHEME.encode()}
    name = "registry.yaml" if in_registry else "schemes/gram.yaml"
    contents[name] = changed(contents[name], replaced)
    for path, content in contents.items():
        (folder / path).write_bytes(content)
    told: list[str] = []
    try:
        load_registry(folder / "registry.yaml", folder / "schemes")
    except RegistryFileError as error:
        told.append(str(error))
    assert all(name in text for text in told), told
    told += [finding.message for finding in lint_schemes(folder / "schemes", folder / "registry.yaml")]
    assert all(is_one_line(text) for text in told), told


def is_one_line(text: str) -> bool:
    return 0 < len(text) <= ONE_LINE_CHARS_MAX and len(text.splitlines()) == 1
