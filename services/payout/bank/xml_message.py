"""A bank's XML, parsed safely, and which message it is.

Goal: every reader gets a tree that is complete and harmless, or an error that sends the original bytes to a person.
Method: a cap on bytes before parsing; lxml without entities, network, DTD, recovery; any DOCTYPE refused, because leaving
entities unresolved silently drops their text and an end-to-end id would become empty. lxml's own limits on depth (256) and
text (10 MB) stay. The message is told by its root's namespace and its first element, which must agree; schema locations in
the file are ignored. Elements are found by local name, so that every version of a message reads the same.
Refuses: BankFileUnreadableError.
Source: measured on 7 attacks and 15 readers; ISO 20022 message names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import cache
from typing import Final

from lxml import etree

from schemas.identifiers import is_business_day
from services.payout.bank.amount import CurrencyUnknownError, amount_minor_from_text
from services.payout.bank.errors import BankFileUnreadableError, UnreadableFault
from services.payout.bank.limits import BANK_FILE_BYTES_MAX


class MessageKind(StrEnum):
    """The messages between us and a bank."""

    PAYMENT_INITIATION = "pain.001"
    STATUS_REPORT = "pain.002"
    INTRADAY_REPORT = "camt.052"
    ACCOUNT_STATEMENT = "camt.053"
    NOTIFICATION = "camt.054"
    # What the banks tell each other; its money comes as a booking in camt.054 and camt.053, so it moves nothing here.
    PAYMENT_RETURN = "pacs.004"


_KIND_BY_ELEMENT: Final = {
    "CstmrCdtTrfInitn": MessageKind.PAYMENT_INITIATION,
    "CstmrPmtStsRpt": MessageKind.STATUS_REPORT,
    "BkToCstmrAcctRpt": MessageKind.INTRADAY_REPORT,
    "BkToCstmrStmt": MessageKind.ACCOUNT_STATEMENT,
    "BkToCstmrDbtCdtNtfctn": MessageKind.NOTIFICATION,
    "PmtRtr": MessageKind.PAYMENT_RETURN,
}
# ISO's namespace, and the older Swiss ones that still occur (…/de/pain.002.001.03.ch.02.xsd).
_NAMESPACE: Final = re.compile(
    r"(?:urn:iso:std:iso:20022:tech:xsd:|http://www\.six-interbank-clearing\.com/de/)"
    r"((?:pain|camt|pacs)\.[0-9]{3})\.[0-9]{3}\.[0-9]{2}(?:\.ch\.[0-9]{2})?(?:\.xsd)?"
)


@dataclass(frozen=True, slots=True)
class XmlMessage:
    """One message: its kind and the element below the root that holds it."""

    kind: MessageKind
    body: etree._Element


def parse_message(data: bytes) -> XmlMessage:
    """Parse one bank file whole. Raises BankFileUnreadableError."""
    root = _parse(data)
    name = etree.QName(root)
    matched = _NAMESPACE.fullmatch(name.namespace or "")
    body = next(root.iterchildren("{*}*"), None)
    if name.localname != "Document" or matched is None or body is None:
        message = f"<{name.localname}> of namespace {name.namespace!r} is no bank message that we know"
        raise BankFileUnreadableError(UnreadableFault.MESSAGE_UNKNOWN, message)
    kind = _KIND_BY_ELEMENT.get(etree.QName(body).localname)
    if kind is None or kind != matched.group(1):
        message = f"<{etree.QName(body).localname}> does not belong to {matched.group(1)}"
        raise BankFileUnreadableError(UnreadableFault.MESSAGE_UNKNOWN, message, location_of(body))
    return XmlMessage(kind, body)


def message_kind(data: bytes) -> MessageKind:
    """Which message the bytes are. Raises BankFileUnreadableError."""
    return parse_message(data).kind


def _parse(data: bytes) -> etree._Element:
    if not data:
        raise BankFileUnreadableError(UnreadableFault.FILE_EMPTY, "the file has no bytes")
    if len(data) > BANK_FILE_BYTES_MAX:
        message = f"{len(data)} bytes, at most {BANK_FILE_BYTES_MAX} are read"
        raise BankFileUnreadableError(UnreadableFault.FILE_TOO_LARGE, message)
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        recover=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise BankFileUnreadableError(UnreadableFault.NOT_XML, str(error)) from error
    if root.getroottree().docinfo.internalDTD is not None:
        message = "a document type could define entities, and no bank message has one"
        raise BankFileUnreadableError(UnreadableFault.DOCTYPE_REFUSED, message)
    return root


def location_of(element: etree._Element) -> str:
    """Path and line of an element, for a person with the file open."""
    steps = [etree.QName(step).localname for step in (*reversed(list(element.iterancestors())), element)]
    return f"/{'/'.join(steps)} (line {element.sourceline})"


@cache
def _any_version(path: str) -> str:
    return "/".join(f"{{*}}{step}" for step in path.split("/"))


def child(element: etree._Element, path: str) -> etree._Element | None:
    """The first element along a path of local names, or None."""
    return element.find(_any_version(path))


def children(element: etree._Element, path: str) -> Iterator[etree._Element]:
    """All elements along a path of local names, in document order."""
    return element.iterfind(_any_version(path))


def text_at(element: etree._Element, *paths: str) -> str | None:
    """The text of the first path that has some; surrounding white space is the bank's layout. None if there is none."""
    for path in paths:
        found = child(element, path)
        if found is not None and found.text is not None and found.text.strip():
            return found.text.strip()
    return None


def required_text_at(element: etree._Element, *paths: str) -> str:
    """As `text_at`, but missing is unreadable."""
    text = text_at(element, *paths)
    if text is None:
        message = f"has no {' or '.join(paths)}"
        raise BankFileUnreadableError(UnreadableFault.FIELD_MISSING, message, location_of(element))
    return text


def amount_minor_of(element: etree._Element) -> tuple[int, str]:
    """Minor units and currency of an amount element (text and attribute Ccy)."""
    currency = element.get("Ccy")
    if currency is None:
        message = "an amount without its currency is no amount"
        raise BankFileUnreadableError(UnreadableFault.FIELD_MISSING, message, location_of(element))
    try:
        return amount_minor_from_text((element.text or "").strip(), currency), currency
    except (CurrencyUnknownError, ValueError) as error:
        raise BankFileUnreadableError(UnreadableFault.FIELD_INVALID, str(error), location_of(element)) from error


def date_at(element: etree._Element, path: str) -> date | None:
    """The date below `path`, given as Dt or DtTm (then the day that the bank wrote, in the bank's own zone)."""
    text = text_at(element, f"{path}/Dt", f"{path}/DtTm", path)
    if text is None:
        return None
    try:
        # A day with a zone ("2025-03-28+01:00", "2025-03-28Z") is the bank's day; the zone is not ours to apply.
        day = date.fromisoformat(text[:10])
    except ValueError as error:
        message = f"{text!r} is not a date"
        raise BankFileUnreadableError(UnreadableFault.FIELD_INVALID, message, location_of(element)) from error
    return _day_of_business(day, element)


def instant_at(element: etree._Element, path: str) -> datetime | None:
    """The date and time at `path`, as written: with a zone where the bank gave one, else without."""
    text = text_at(element, path)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        message = f"{text!r} is not a date and time"
        raise BankFileUnreadableError(UnreadableFault.FIELD_INVALID, message, location_of(element)) from error
    _day_of_business(moment.date(), element)
    return moment


def _day_of_business(day: date, element: etree._Element) -> date:
    if not is_business_day(day):
        message = f"{day} is no day on which a bank did anything"
        raise BankFileUnreadableError(UnreadableFault.FIELD_INVALID, message, location_of(element))
    return day
