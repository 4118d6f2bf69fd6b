"""Whoever opens a file of Premia's in a spreadsheet runs nothing that somebody wrote into an id or a name."""

from __future__ import annotations

import csv
import re
from datetime import date
from decimal import Decimal
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from premia.csv_lines import csv_line

BEGINS_A_FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")


def cells(line: str, delimiter: str = ",") -> list[str]:
    """The cells of a line, as a program reads them that takes this for the separator."""
    return next(csv.reader(StringIO(line, newline=""), delimiter=delimiter))


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("=1+1", "'=1+1"),
        ("+41 44 000 00 00", "'+41 44 000 00 00"),
        ("-5", "'-5"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("  =1", "'  =1"),
        ("\uff1d1", "'\uff1d1"),
        ("'=1", "''=1"),
        ("'\t1", "''\t1"),
        ("LOT;=1", "LOT;'=1"),
        ("'t Hooft", "'t Hooft"),
        ("PE-2025-000123", "PE-2025-000123"),
        ("a = b", "a = b"),
        ("", ""),
    ],
)
def test_a_text_that_would_be_a_formula_is_a_text(text: str, written: str) -> None:
    assert cells(csv_line([text, 1])) == [written, "1"]


def test_figures_stay_figures() -> None:
    line = csv_line([Decimal("-12.50"), -3, Decimal("0.00"), date(2025, 3, 14), None, "a,b", 'c"d'])
    assert line == '-12.50,-3,0.00,2025-03-14,,"a,b","c""d"'


@given(texts=st.lists(st.text("=+-@'\"; ,\ta1\uff1d", max_size=8), min_size=1, max_size=4))
def test_no_text_begins_a_formula_and_each_can_be_read_back(texts: list[str]) -> None:
    line = csv_line(["first", *texts])
    written = cells(line)[1:]
    assert not any(cell.startswith(BEGINS_A_FORMULA) for cell in written)
    assert not any(cell.strip(" '\"").startswith("=") and not cell.startswith("'") for cell in cells(line, ";"))
    assert [_read_back(cell) for cell in written] == texts


def _read_back(cell: str) -> str:
    """What docs/ledger.md says: of several apostrophes before such a character the first is ours."""
    return re.sub(r"(^|;)'(?=[\s'\"]*[=+\-@\uff1d\uff0b\uff0d\uff20]|'*[\t\r\n])", r"\1", cell)
