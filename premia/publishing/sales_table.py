"""A table of sales (.csv): what a back office without an ERP keeps in a spreadsheet.

Goal: a person fills in rows, and is told row, column, value and what was expected where something is wrong.
Method: the first row names the columns, in any order. A row is one source of a lot; all rows of one refiner, lot and revision
make one sale. What concerns the whole lot stands in the first of them, and in the others again or not at all; the weight of
a lot's only source need not be repeated.
Numbers are taken as the texts that stand there, so that 2450.60 stays 2450.60. Separated by semicolons or commas,
whichever the first row has; UTF-8, with or without a byte order mark.
Refuses: other columns, names twice, rows of another length, two values where a lot has one; and with a row the whole lot,
because half a lot is another lot. A table that cannot be read to its end is refused whole, for the same reason.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from io import TextIOWrapper
from typing import IO, Final

import orjson

from premia.publishing.sale_event import Cell, Fault, SaleEvent, sale_event
from schemas.gold_sale import SOURCES_MAX

# Column -> path in the sale. `+` stands for the row's place in a list.
REQUIRED_COLUMNS: Final = {
    "refiner_id": "refiner_id",
    "lot_id": "lot_id",
    "revision": "revision",
    "sequence": "sequence",
    "stage": "stage",
    "exporter_id": "exporter_id",
    "payer_id": "payer_id",
    "sold_on": "sold_on",
    "melt_weight": "melt_weight.value",
    "melt_weight_unit": "melt_weight.unit",
    "schemes": "schemes",
    "organization_id": "sources.+.organization_id",
}
OPTIONAL_COLUMNS: Final = {
    "source_melt_weight": "sources.+.melt_weight.value",
    "source_fineness_permille": "sources.+.fineness_permille",
    "source_parent_lot_id": "sources.+.parent_lot_id",
    "assay_seller": "assays.seller",
    "assay_buyer": "assays.buyer",
    "assay_umpire": "assays.umpire",
    "assay_agreed": "assays.agreed",
    "stated_fine_weight": "stated_fine_weight.value",
    "stated_fine_weight_unit": "stated_fine_weight.unit",
    "benchmark_price": "benchmark.price",
    "benchmark_currency": "benchmark.currency",
    "benchmark_per": "benchmark.per",
    "benchmark_fixing": "benchmark.fixing",
    "benchmark_on": "benchmark.on",
    "price_share_of_benchmark": "price_share_of_benchmark",
    "refiner_reference": "refiner_reference",
    "document_kind": "documents.+.kind",
    "document_number": "documents.+.number",
    "document_issuer": "documents.+.issuer",
    "document_sha256": "documents.+.sha256",
}
COLUMNS: Final = REQUIRED_COLUMNS | OPTIONAL_COLUMNS
IDENTITY: Final = ("refiner_id", "lot_id", "revision")
DOCUMENT_MEMBERS: Final = ("kind", "number", "issuer", "sha256")
WHOLE_NUMBERS: Final = frozenset({"revision", "sequence"})
SCHEMES_SEPARATOR: Final = "|"  # neither an id of a shipped scheme nor a separator of tables has it
DIGITS_MAX: Final = 16  # 2^53 has as many; longer ones are told by the contract, as texts.
HEADER_CHARS_MAX: Final = 4_096  # all columns together have 500.
CELL_CHARS_MAX: Final = 4_096  # the longest field has 256; a quote that is never closed must not swallow the file.


class UnreadableTableError(Exception):
    """The table cannot be read to its end, so that nobody knows which lots are whole."""


@dataclass(slots=True)
class _Lot:
    """The rows of one sale, each with its number; or what is wrong with one of them."""

    first_number: int
    rows: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    fault: Fault | None = None


def sales_of_table(name: str, stream: IO[bytes], at: datetime) -> Iterator[SaleEvent | Fault]:
    """The sales of a table, in the order of their first rows, or what is wrong with one. Raises UnreadableTableError."""
    try:
        with TextIOWrapper(stream, encoding="utf-8-sig", newline="") as text:
            table = _cells(text)
            columns = [column.strip() for column in next(table)]
            wrong = _wrong_header(columns)
            lots = [] if wrong else _lots(name, columns, table)
    except UnicodeDecodeError as error:
        raise UnreadableTableError("is not UTF-8: save it as CSV UTF-8") from error
    except csv.Error as error:
        raise UnreadableTableError(f"is no table ({error}): is a quote not closed?") from error
    if wrong is not None:
        yield Fault(f"{name}:1", wrong)
    for lot in lots:
        yield lot.fault or _sale(name, lot, at)


def _cells(text: TextIOWrapper) -> Iterator[list[str]]:
    first = text.readline(HEADER_CHARS_MAX)
    delimiter = ";" if first.count(";") >= first.count(",") else ","
    csv.field_size_limit(CELL_CHARS_MAX)
    yield next(csv.reader([first], delimiter=delimiter, strict=True), [])
    yield from csv.reader(text, delimiter=delimiter, strict=True)


def _lots(name: str, columns: Sequence[str], table: Iterator[list[str]]) -> list[_Lot]:
    """All rows by their lots. A row that cannot be used spoils its lot: half a lot must never be published."""
    lots: dict[tuple[str, ...], _Lot] = {}
    above: _Lot | None = None
    for number, cells in enumerate(table, start=2):
        row = {column: cell.strip() for column, cell in zip(columns, cells, strict=False) if cell.strip()}
        if not row:
            continue
        key = tuple(row.get(column, "") for column in IDENTITY)
        if "" in key:  # whose row it is cannot be known: perhaps that of the lot above
            column = IDENTITY[key.index("")]
            fault = Fault(f"{name}:{number}", "is missing: every row names it", cell=Cell(number, column))
            lots[str(number), *key] = _Lot(number, fault=fault)
            if above is not None and above.fault is None:
                above.fault = Fault(
                    f"{name}:{above.first_number}", f"may have another row: row {number} does not say of which lot"
                )
            continue
        above = lots.setdefault(key, _Lot(number))
        if len(cells) != len(columns) and above.fault is None:
            above.fault = Fault(f"{name}:{number}", f"has {len(cells)} cells, and the first row {len(columns)}")
        above.rows.append((number, row))
    return list(lots.values())


def _wrong_header(columns: Sequence[str]) -> str | None:
    unknown = [column for column in columns if column not in COLUMNS]
    missing = [column for column in REQUIRED_COLUMNS if column not in columns]
    twice = sorted({column for column in columns if columns.count(column) > 1})
    if unknown or missing or twice:
        parts = [("unknown", unknown), ("missing", missing), ("twice", twice)]
        told = "; ".join(f"{what}: {', '.join(map(repr, names))}" for what, names in parts if names)
        return f"the first row must name the columns, separated by semicolons or commas ({told}): see docs/publishing.md"
    return None


def _sale(name: str, lot: _Lot, at: datetime) -> SaleEvent | Fault:
    place = f"{name}:{lot.first_number}"
    if len(lot.rows) > SOURCES_MAX:
        return Fault(place, f"has {len(lot.rows)} rows, and a lot at most {SOURCES_MAX} sources: split the lot")
    sale = _Sale(place, lot.first_number)
    for number, row in lot.rows:
        fault = sale.add(number, row)
        if fault is not None:
            return fault
    sent = sale.sent()
    return sale_event(place, orjson.dumps(sent), sent, at, sale.cells)


class _Sale:
    """A sale while its rows are read, and the cell that each of its fields came from."""

    def __init__(self, place: str, first_number: int) -> None:
        self.cells: dict[str, Cell] = {}
        self._place = place
        self._first_number = first_number
        self._lot: dict[str, tuple[int, str]] = {}
        self._sources: list[dict[str, object]] = []
        self._documents: list[dict[str, object]] = []

    def add(self, number: int, row: dict[str, str]) -> Fault | None:
        """Take one row. A fault if it says of the lot something else than a row before."""
        for column, text in row.items():
            if "+" in COLUMNS[column]:
                continue
            before = self._lot.setdefault(column, (number, text))
            if before[1] != text:
                message = f"is {orjson.dumps(before[1]).decode()} in row {before[0]} of the same lot: it has one {column}"
                value = orjson.dumps(text).decode()
                return Fault(self._place, message, field=column, value=value, cell=Cell(number, column))
        self._source(number, row)
        self._document(number, row)
        return None

    def _source(self, number: int, row: dict[str, str]) -> None:
        path = f"sources.{len(self._sources)}"
        source: dict[str, object] = {}
        for column, member in (
            ("organization_id", "organization_id"),
            ("source_fineness_permille", "fineness_permille"),
            ("source_parent_lot_id", "parent_lot_id"),
        ):
            self.cells[f"{path}.{member}"] = Cell(number, column)
            if column in row:
                source[member] = row[column]
        self.cells[f"{path}.melt_weight.value"] = Cell(number, "source_melt_weight")
        self.cells[f"{path}.melt_weight.unit"] = Cell(number, "melt_weight_unit")
        weight = {"value": row.get("source_melt_weight"), "unit": self._of_lot("melt_weight_unit")}
        source["melt_weight"] = {name: text for name, text in weight.items() if text is not None}
        self._sources.append(source)

    def _document(self, number: int, row: dict[str, str]) -> None:
        document: dict[str, object] = {
            member: row[f"document_{member}"]
            for member in ("kind", "number", "issuer", "sha256")
            if f"document_{member}" in row
        }
        if not document or document in self._documents:
            return
        for member in DOCUMENT_MEMBERS:
            self.cells[f"documents.{len(self._documents)}.{member}"] = Cell(number, f"document_{member}")
        self._documents.append(document)

    def _of_lot(self, column: str) -> str | None:
        return self._lot[column][1] if column in self._lot else None

    def sent(self) -> dict[str, object]:
        """The sale as it is sent; what no row says is left out."""
        sale: dict[str, object] = {}
        assays: list[dict[str, str]] = []
        for column, path in COLUMNS.items():
            if "+" in path:
                continue
            number, text = self._lot.get(column, (self._first_number, None))
            outer, _, inner = path.partition(".")
            if outer == "assays":
                if text is not None:
                    self.cells[f"assays.{len(assays)}.fineness_permille"] = Cell(number, column)
                    assays.append({"party": inner, "fineness_permille": text})
                continue
            self.cells[path] = Cell(number, column)
            if text is None:
                continue
            if inner:
                part = sale.setdefault(outer, {})
                assert isinstance(part, dict), "a path has one kind"
                part[inner] = text
            else:
                sale[outer] = _typed(column, text)
        if len(self._sources) == 1 and "melt_weight" in sale and self._weight_is_missing():
            self._sources[0]["melt_weight"] = sale["melt_weight"]
        sale["assays"] = assays
        sale["sources"] = self._sources
        self.cells["sources"] = Cell(self._first_number, "source_melt_weight")  # what is said of all together is their weight
        if self._documents:
            sale["documents"] = self._documents
        return sale

    def _weight_is_missing(self) -> bool:
        weight = self._sources[0]["melt_weight"]
        return isinstance(weight, dict) and "value" not in weight


def _typed(column: str, text: str) -> object:
    if column == "schemes":
        return [scheme.strip() for scheme in text.split(SCHEMES_SEPARATOR)]
    if column in WHOLE_NUMBERS and text.isascii() and text.isdecimal() and len(text) <= DIGITS_MAX:
        return int(text)
    return text
