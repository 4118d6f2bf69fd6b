"""The sample's files as a driver reads them.

Goal: publish, propose, verify and settle in the order that the files tell; a damaged file is told by name, line and field.
Method: sales become the messages that go to Kafka, byte for byte; accounts and cycles are contracts, read as registries are.
Refuses: a line that is no event, events that are not in the order of their time, fields that are missing or unknown.
"""

from __future__ import annotations

import base64
import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

import orjson
from pydantic import Field, ValidationError

from schemas.cloudevents import CloudEventAttributes, time_from_text
from schemas.contract import Contract, first_fault
from schemas.gold_sale import SALE_TYPE
from schemas.identifiers import Id, IsoDate, Text
from schemas.message import Message
from schemas.registry import PaymentAccount
from schemas.registry_file import RegistryFileError, load_contract_file
from schemas.scheme import DateRange
from schemas.topics import SALES

FOLDER: Final = Path(__file__).parent
PROGRAMME_FILE: Final = FOLDER / "programme.yaml"
SALES_FILE: Final = FOLDER / "sales.jsonl.gz"
ACCOUNTS_FILE: Final = FOLDER / "accounts.yaml"
CYCLES_FILE: Final = FOLDER / "cycles.yaml"

_File = TypeVar("_File", bound=Contract)


class SampleFileError(Exception):
    """A file of the sample cannot be used; the text is one line with file, line and field."""


@dataclass(frozen=True, slots=True)
class PublishedSale:
    """A message for `gold.sales.v1`, good or bad, and the moment of its publication (ce_time)."""

    at: datetime
    message: Message


class AccountEvidence(PaymentAccount):
    """An account, who proposed it and who verified it; while nobody has, the four last fields are null."""

    organization_id: Id
    proposed_by: Id
    proposed_on: IsoDate
    verified_by: Id | None
    verified_on: IsoDate | None
    method: Text | None
    evidence: Text | None


class SampleReturn(Contract):
    """A payment of a cycle that comes back, so many of the bank's business days after it was booked."""

    organization_id: Id
    reason: Text
    after_business_days: Annotated[int, Field(ge=1)]


class SampleStatements(Contract):
    """The period that statements cover, and the day on which they are issued."""

    period: DateRange
    issued_on: IsoDate


class SampleCycle(Contract):
    """A settlement cycle: publish what is older than `settles_on`, settle, and issue statements, if any are due."""

    settles_on: IsoDate
    statements: SampleStatements | None = None
    returned: SampleReturn | None = None


class _Accounts(Contract):
    synthetic: Literal[True]
    accounts: tuple[AccountEvidence, ...]


class _Cycles(Contract):
    synthetic: Literal[True]
    cycles: tuple[SampleCycle, ...]


class _Line(Contract):
    """One line of the sales. `value` is the sale as JSON; `raw` is base64 of bytes that are not."""

    synthetic: Literal[True]
    at: Text
    id: Id
    source: Text
    key: Text
    value: dict[str, Any] | None = None
    raw: str | None = None


def read_sales(file: Path = SALES_FILE) -> Iterator[PublishedSale]:
    """Yield all events in the order of their publication. Raises SampleFileError at the first that cannot be used."""
    before: datetime | None = None
    for number, content in enumerate(_lines(file), start=1):
        sale = _sale(file, number, content)
        if before is not None and sale.at < before:
            raise SampleFileError(f"{file}:{number}: at: is earlier than the event before")
        before = sale.at
        yield sale


def read_accounts(file: Path = ACCOUNTS_FILE) -> tuple[AccountEvidence, ...]:
    """Return what is known of the payment accounts. Raises SampleFileError."""
    return _read(file, _Accounts).accounts


def read_cycles(file: Path = CYCLES_FILE) -> tuple[SampleCycle, ...]:
    """Return the settlement cycles in their order. Raises SampleFileError."""
    return _read(file, _Cycles).cycles


def _read(file: Path, contract: type[_File]) -> _File:
    try:
        return load_contract_file(file, contract)
    except RegistryFileError as error:
        raise SampleFileError(str(error)) from error


def _lines(file: Path) -> list[bytes]:
    try:
        return gzip.decompress(file.read_bytes()).splitlines()
    except (OSError, EOFError, zlib.error) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise SampleFileError(f"{file}: cannot be read: {reason}") from error


def _sale(file: Path, number: int, content: bytes) -> PublishedSale:
    try:
        line = _Line.model_validate(orjson.loads(content))
        at = time_from_text(line.at)
    except orjson.JSONDecodeError as error:
        raise SampleFileError(f"{file}:{number}: is not JSON: {error.msg}") from error
    except ValidationError as error:
        fault = first_fault(error)
        raise SampleFileError(f"{file}:{number}: {fault.field}: {fault.message}") from error
    except ValueError as error:
        raise SampleFileError(f"{file}:{number}: at: {error}") from error
    attributes = CloudEventAttributes(id=line.id, source=line.source, type=SALE_TYPE, time=at)
    value = _bytes(file, number, line)
    return PublishedSale(at, Message(SALES, line.key.encode(), value, attributes.to_headers()))


def _bytes(file: Path, number: int, line: _Line) -> bytes:
    if (line.value is None) == (line.raw is None):
        raise SampleFileError(f"{file}:{number}: value: give either value or raw")
    if line.raw is None:
        return orjson.dumps(line.value)
    try:
        return base64.b64decode(line.raw, validate=True)
    except ValueError as error:  # binascii.Error is one, and so is a sign beyond ASCII
        raise SampleFileError(f"{file}:{number}: raw: is not base64: {error}") from error
