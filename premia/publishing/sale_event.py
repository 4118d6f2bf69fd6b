"""One sale event that is ready to be published, and what is told about it.

Goal: whoever sent a file finds the place that is meant: file and line, or row and column, the value there, and what to do.
Method: the id of an event derives from its content (unless told), so publishing a file again makes duplicates that everybody
recognises. A field of the sale is found in the file through `cells`, where the file is a table.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

import orjson
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from premia.printable import printable
from premia.signing import Signer
from schemas.canonical_json import NotCanonicalError, canonical_json
from schemas.cloudevents import CloudEventAttributes
from schemas.contract import FieldFault
from schemas.gold_sale import SALE_TYPE, parse_sale, sale_hash
from schemas.identifiers import is_id
from schemas.identity import derived_id
from schemas.rejection_code import RejectionCode
from schemas.sale_signature import SIGNATURE_EXTENSION

SHOWN_CHARS_MAX: Final = 80  # of a value in a message: it is to be recognised, not read.
_NO_SALE: Final = RejectionCode.SCHEMA_INVALID.value  # the calculator would reject it for that


@dataclass(frozen=True, slots=True)
class Cell:
    """Where a field stands in a table. Rows count as a spreadsheet shows them: the header is row 1."""

    row: int
    column: str


@dataclass(frozen=True, slots=True)
class SaleEvent:
    """One event. `place` is where it came from; `cells` where its fields did, by their paths."""

    place: str
    at: datetime
    id: str
    source: str
    key: bytes
    value: bytes
    extensions: Mapping[str, str] = field(default_factory=dict)
    cells: Mapping[str, Cell] = field(default_factory=dict)

    def headers(self) -> list[tuple[str, bytes]]:
        """Kafka headers."""
        attributes = CloudEventAttributes(
            id=self.id, source=self.source, type=SALE_TYPE, time=self.at, extensions=self.extensions
        )
        return list(attributes.to_headers())

    @property
    def size_bytes(self) -> int:
        """Size of the message as the broker measures it."""
        size: int = DefaultRecordBatchBuilder.estimate_size_in_bytes(self.key, self.value, self.headers())
        return size

    @property
    def key_text(self) -> str:
        """The key as it is shown."""
        return self.key.decode(errors="backslashreplace")

    def fault(self, path: str, message: str, *, code: str) -> Fault:
        """What is wrong with one field of it."""
        return Fault(self.place, message, code, path, _shown_value(self.value, path), self._cell(path))

    def _cell(self, path: str) -> Cell | None:
        # A fault may be below a cell (melt_weight.value) or above some (assays): then the first of those is meant.
        if path in self.cells:
            return self.cells[path]
        near = (known for known in self.cells if known.startswith(f"{path}.") or path.startswith(f"{known}."))
        return next((self.cells[known] for known in near), None)


@dataclass(frozen=True, slots=True)
class Fault:
    """Why something of a file cannot be taken. Without code: a table or a file of events is wrong, not a sale."""

    place: str
    message: str
    code: str | None = None
    field: str | None = None
    value: str | None = None
    cell: Cell | None = None

    def __str__(self) -> str:
        """One line: place, field, value, code, and what was expected."""
        where = self.place if self.cell is None else f"{self.place.rpartition(':')[0]}: row {self.cell.row}, {self.cell.column}"
        name = "" if self.field is None or self.cell is not None else f", {self.field}"
        value = "" if self.value is None else f" = {self.value}"
        code = "" if self.code is None else f"{self.code}, "
        return printable(f"{where}{name}{value}: {code}{self.message}")

    def as_json(self) -> dict[str, object]:
        """The same, for software."""
        return {
            "place": self.place,
            "row": self.cell.row if self.cell else None,
            "column": self.cell.column if self.cell else None,
            "field": self.field,
            "value": self.value,
            "code": self.code,
            "message": self.message,
        }


def signed(event: SaleEvent, signer: Signer) -> SaleEvent | Fault:
    """The event with a signature over its sale, if it has one that can be signed."""
    try:
        canonical_sale = canonical_json(orjson.loads(event.value))
    except (orjson.JSONDecodeError, NotCanonicalError):  # numbers with a fraction, say
        found = parse_sale(event.value)
        assert isinstance(found, FieldFault), "what the contract takes has a canonical form"
        return event.fault(found.field, f"{found.message}; so it cannot be signed either", code=_NO_SALE)
    return replace(event, extensions={**event.extensions, SIGNATURE_EXTENSION: signer.sign(canonical_sale)})


def no_sale(place: str, message: str) -> Fault:
    """What is told of bytes that cannot be read as a sale at all."""
    return Fault(place, message, _NO_SALE, "value")


def sale_event(
    place: str, content: bytes, sent: Mapping[str, object], at: datetime, cells: Mapping[str, Cell] | None = None
) -> SaleEvent | Fault:
    """A sale as an event whose id derives from its content. `sent` is `content`, parsed."""
    refiner_id, lot_id = sent.get("refiner_id"), sent.get("lot_id")
    if not all(isinstance(id_, str) and is_id(id_) for id_ in (refiner_id, lot_id)):  # the event's key is made of them
        found = parse_sale(content)
        assert isinstance(found, FieldFault), "the contract refuses such ids too"
        cell = (cells or {}).get(found.field)
        return Fault(place, found.message, _NO_SALE, found.field, _shown_value(content, found.field), cell)
    source = f"/refiners/{refiner_id}"
    try:
        content_hash = sale_hash(sent)
    except NotCanonicalError:  # numbers with a fraction, say: the calculator will reject it, and tell the field
        content_hash = hashlib.sha256(content).hexdigest()
    id_text = str(derived_id("sale-event", source, content_hash))
    return SaleEvent(place, at, id_text, source, f"{refiner_id}/{lot_id}".encode(), content, cells=cells or {})


def _shown_value(value: bytes, path: str) -> str | None:
    """The value at a path, if it is one that can be shown."""
    try:
        found = orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
    for step in path.split("."):
        if isinstance(found, dict) and step in found:
            found = found[step]
        elif isinstance(found, list) and step.isdecimal() and int(step) < len(found):
            found = found[int(step)]
        else:
            return None
    if not isinstance(found, str | int | float):
        return None
    shown = orjson.dumps(found).decode()
    return shown if len(shown) <= SHOWN_CHARS_MAX else f"{shown[:SHOWN_CHARS_MAX]}…"
