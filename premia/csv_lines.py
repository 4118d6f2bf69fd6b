"""Lines of CSV for people who open them in a spreadsheet.

Goal: an id or a name that somebody else chose is a text there, also one that reads like a formula.
Method: RFC 4180. A text that begins as a formula does gets an apostrophe in front, by which spreadsheets know it for a text; so
does what follows a semicolon, which separates cells wherever the comma is the decimal mark. Numbers stay numbers, with sign.
Source: OWASP, CSV Injection; CWE-1236.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from io import StringIO
from typing import Final, TypeAlias
from uuid import UUID

Cell: TypeAlias = str | int | Decimal | date | UUID | None

# Spaces, quotes and apostrophes before such a character do not keep every program from seeing it. An apostrophe that is there
# already gets another one, so that who reads the file back by program takes one away and has what was there.
# The last four are "=", "+", "-" and "@" at full width.
BEGINS_A_FORMULA: Final = re.compile(r"""(?:^|(?<=;))(?=[\s'"]*[=+\-@\uFF1D\uFF0B\uFF0D\uFF20]|'*[\t\r\n])""")
END: Final = "\r\n"  # a text with one of the two is quoted only if the line ends with it


def csv_line(cells: Sequence[Cell]) -> str:
    """One line, without its end. Texts are made harmless; give figures as numbers."""
    line = StringIO()
    csv.writer(line, lineterminator=END).writerow(
        [BEGINS_A_FORMULA.sub("'", cell) if isinstance(cell, str) else cell for cell in cells]
    )
    return line.getvalue().removesuffix(END)
