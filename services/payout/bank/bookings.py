"""What the bank booked on our account: camt.053 (end of day), camt.054 (advice), camt.052 (intraday), in every version.

Goal: each movement of money once, with everything by which it can be matched, however many messages report it.
Method: only status BOOK moves money. Direction is as the bank writes it; a reversal mark never flips it. The key of a booking
is a hash of account, direction, amount and the bank's reference (the transaction's before the entry's), which is the same in
all messages; without a reference, of all that the entry says. Only where one message holds the same twice does a counter tell
them apart. A batch entry becomes one booking for each of its transactions if they sum to the entry, else one booking for the
whole entry, which no end-to-end id can match, so that it waits in suspense. `entry_key` names the entry either way: a booking
for a whole entry and bookings of its transactions are the same money.
Refuses: BankFileUnreadableError, for the whole file: half a file must not move money.
Source: ISO 20022 camt; Swiss business rules 2.4.5; measured on banks' samples (references, returns with and without marks).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from hashlib import sha256
from typing import Final

from lxml import etree

from services.payout.bank.errors import BankFileUnreadableError, UnreadableFault
from services.payout.bank.xml_message import (
    MessageKind,
    XmlMessage,
    amount_minor_of,
    child,
    children,
    date_at,
    instant_at,
    location_of,
    parse_message,
    required_text_at,
    text_at,
)

_REPORT_ELEMENT: Final = {
    MessageKind.INTRADAY_REPORT: "Rpt",
    MessageKind.ACCOUNT_STATEMENT: "Stmt",
    MessageKind.NOTIFICATION: "Ntfctn",
}
# What banks write where they have no reference.
_NO_REFERENCE: Final = frozenset({"NOTPROVIDED", "NONREF", "NOTREF"})
_RETURN_SUB_FAMILY: Final = "RRTN"
_TRUE: Final = frozenset({"true", "1"})
# How often one report said the same so far.
_Seen = Counter[tuple[str | None, ...]]


class Direction(StrEnum):
    """CdtDbtInd, seen from our account."""

    CREDIT = "CRDT"
    DEBIT = "DBIT"


@dataclass(frozen=True, slots=True)
class Charge:
    """What a bank kept or says it kept. `included` None: the bank does not say whether the amount is after charges."""

    amount_minor: int
    currency: str
    direction: Direction | None
    included: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """One movement on our account, in the account's currency.

    `booking_key` is the same in every message that reports it and shows nothing of the account. `is_return`: a credit that is
    marked as coming back; a credit that is not marked may still be one (known end-to-end id, or only words).
    `instructed_*`: the amount as it was ordered, where the bank repeats it. `reference` is the structured one.
    """

    booking_key: str
    entry_key: str
    whole_entry: bool
    transactions_in_entry: int
    account: str
    direction: Direction
    amount_minor: int
    currency: str
    booked_on: date
    value_on: date | None
    bank_reference: str | None
    end_to_end_id: str | None
    uetr: str | None
    original_message_id: str | None
    payment_information_id: str | None
    is_return: bool
    return_reason: str | None
    return_information: str | None
    counterparty_name: str | None
    counterparty_account: str | None
    remittance: tuple[str, ...]
    reference: str | None
    instructed_amount_minor: int | None
    instructed_currency: str | None
    charges: tuple[Charge, ...]

    def mentions(self, reference: str) -> bool:
        """Whether the payer's text or structured reference names `reference` as a word of its own.

        Banks re-cut remittance text at any character, so the lines are read joined with and without a space.
        """
        word = re.compile(rf"(?<![A-Z0-9]){re.escape(reference.upper())}(?![A-Z0-9])")
        texts = (" ".join(self.remittance), "".join(self.remittance), self.reference or "")
        return any(word.search(text.upper()) for text in texts)


@dataclass(frozen=True, slots=True)
class Balance:
    """A balance of the account: code (OPBD, CLBD, ITBD, …) and signed minor units, credit positive."""

    code: str
    amount_minor: int
    currency: str
    balance_on: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountReport:
    """One statement, advice or intraday report on one account.

    `entries_not_booked` counts what is only announced. `page_number` and `is_last_page` are None where the bank has no pages.
    """

    kind: MessageKind
    message_id: str
    report_id: str
    account: str
    account_currency: str | None
    created_at: datetime | None
    sequence_number: str | None
    page_number: str | None
    is_last_page: bool | None
    is_copy_or_duplicate: bool
    balances: tuple[Balance, ...]
    bookings: tuple[Booking, ...]
    entries_not_booked: int


def read_bookings(data: bytes) -> tuple[AccountReport, ...]:
    """Read one camt.052, camt.053 or camt.054: a file may report on several accounts. Raises BankFileUnreadableError."""
    return account_reports_from(parse_message(data))


def account_reports_from(message: XmlMessage) -> tuple[AccountReport, ...]:
    """As `read_bookings`, of a message that is parsed already."""
    element = _REPORT_ELEMENT.get(message.kind)
    if element is None:
        raise BankFileUnreadableError(UnreadableFault.MESSAGE_UNKNOWN, f"{message.kind} reports no bookings")
    message_id = required_text_at(message.body, "GrpHdr/MsgId")
    return tuple(_report(message.kind, message_id, report) for report in children(message.body, element))


def _report(kind: MessageKind, message_id: str, report: etree._Element) -> AccountReport:
    account = required_text_at(report, "Acct/Id/IBAN", "Acct/Id/Othr/Id")
    created_at = instant_at(report, "CreDtTm")
    booked: list[Booking] = []
    entries_not_booked = 0
    seen: _Seen = Counter()
    for entry in children(report, "Ntry"):
        status = _entry_status(entry)
        if status == "BOOK":
            booked.extend(_bookings(account, created_at, entry, seen))
        else:
            entries_not_booked += 1
    last_page = text_at(report, "StmtPgntn/LastPgInd", "RptPgntn/LastPgInd", "NtfctnPgntn/LastPgInd")
    return AccountReport(
        kind=kind,
        message_id=message_id,
        report_id=required_text_at(report, "Id"),
        account=account,
        account_currency=text_at(report, "Acct/Ccy"),
        created_at=created_at,
        sequence_number=text_at(report, "ElctrncSeqNb"),
        page_number=text_at(report, "StmtPgntn/PgNb", "RptPgntn/PgNb", "NtfctnPgntn/PgNb"),
        is_last_page=None if last_page is None else last_page in _TRUE,
        is_copy_or_duplicate=text_at(report, "CpyDplctInd") is not None,
        balances=tuple(_balance(balance) for balance in children(report, "Bal")),
        bookings=tuple(booked),
        entries_not_booked=entries_not_booked,
    )


def _entry_status(entry: etree._Element) -> str:
    # Version 8 has a choice below Sts; version 2 has the code as its text.
    return required_text_at(entry, "Sts/Cd", "Sts/Prtry", "Sts")


@dataclass(frozen=True, slots=True)
class _Movement:
    """What moved, of an entry or of one transaction in it."""

    account: str
    direction: Direction
    amount_minor: int
    currency: str
    bank_reference: str | None


def _bookings(account: str, created_at: datetime | None, entry: etree._Element, seen: _Seen) -> Iterator[Booking]:
    amount_minor, currency = _amount_under(entry)
    whole = _Movement(account, _direction(entry), amount_minor, currency, _bank_reference(entry))
    details = list(children(entry, "NtryDtls/TxDtls"))
    entry_key = _entry_key(seen, whole, entry, details)
    parts: list[tuple[_Movement, etree._Element]]
    if len(details) > 1 and _sum_to(details, whole):
        parts = [
            (_Movement(account, _direction(detail), _amount_under(detail)[0], currency, _reference_of(detail, entry)), detail)
            for detail in details
        ]
    else:
        # One transaction is the entry itself: the entry's amount is what moved, the transaction's may be before charges.
        # Without one, or with several that do not sum up, an empty element says nothing about a single transaction.
        detail = details[0] if len(details) == 1 else etree.Element("TxDtls")
        parts = [(_Movement(account, whole.direction, amount_minor, currency, _reference_of(detail, entry)), detail)]
    # Looked up once: for each transaction anew, a batch of N would be searched N times.
    batch_message_id = _reference(entry, "NtryDtls/Btch/MsgId")
    batch_payment_information_id = _reference(entry, "NtryDtls/Btch/PmtInfId")
    for movement, detail in parts:
        yield _booking(
            created_at=created_at,
            entry=entry,
            detail=detail,
            movement=movement,
            booking_key=_booking_key(seen, movement, entry, detail, transactions=len(parts)),
            entry_key=entry_key,
            batch_message_id=batch_message_id,
            batch_payment_information_id=batch_payment_information_id,
            whole_entry=len(parts) == 1,
            transactions_in_entry=max(len(details), 1),
        )


def _booking(
    *,
    created_at: datetime | None,
    entry: etree._Element,
    detail: etree._Element,
    movement: _Movement,
    booking_key: str,
    entry_key: str,
    batch_message_id: str | None,
    batch_payment_information_id: str | None,
    whole_entry: bool,
    transactions_in_entry: int,
) -> Booking:
    value_on = date_at(entry, "ValDt")
    booked_on = date_at(entry, "BookgDt") or value_on or (created_at.date() if created_at else None)
    if booked_on is None:
        message = "a booking without any date has no place in the books"
        raise BankFileUnreadableError(UnreadableFault.FIELD_MISSING, message, location_of(entry))
    uetr = text_at(detail, "Refs/UETR")
    instructed = child(detail, "AmtDtls/InstdAmt/Amt")
    instructed_amount_minor, instructed_currency = (None, None) if instructed is None else amount_minor_of(instructed)
    is_return = movement.direction is Direction.CREDIT and _is_marked_as_return(entry, detail)
    # A return names our payee as creditor, money received names its payer as debtor.
    sides = ("Cdtr", "Dbtr") if movement.direction is Direction.DEBIT or is_return else ("Dbtr", "Cdtr")
    return Booking(
        booking_key=booking_key,
        entry_key=entry_key,
        whole_entry=whole_entry,
        transactions_in_entry=transactions_in_entry,
        account=movement.account,
        direction=movement.direction,
        amount_minor=movement.amount_minor,
        currency=movement.currency,
        booked_on=booked_on,
        value_on=value_on,
        bank_reference=movement.bank_reference,
        end_to_end_id=_reference(detail, "Refs/EndToEndId"),
        uetr=None if uetr is None else uetr.lower(),
        original_message_id=_reference(detail, "Refs/MsgId") or batch_message_id,
        payment_information_id=_reference(detail, "Refs/PmtInfId") or batch_payment_information_id,
        is_return=is_return,
        return_reason=text_at(detail, "RtrInf/Rsn/Cd", "RtrInf/Rsn/Prtry"),
        return_information=" ".join(_lines(detail, "RtrInf/AddtlInf")) or None,
        counterparty_name=_first(detail, sides, "RltdPties/{side}/Pty/Nm", "RltdPties/{side}/Nm"),
        counterparty_account=_first(detail, sides, "RltdPties/{side}Acct/Id/IBAN", "RltdPties/{side}Acct/Id/Othr/Id"),
        remittance=_lines(detail, "RmtInf/Ustrd"),
        reference=text_at(detail, "RmtInf/Strd/CdtrRefInf/Ref"),
        instructed_amount_minor=instructed_amount_minor,
        instructed_currency=instructed_currency,
        charges=(*_charges(entry), *_charges(detail)),
    )


def _amount_under(element: etree._Element) -> tuple[int, str]:
    amount = child(element, "Amt")
    if amount is None:
        message = "has no Amt"
        raise BankFileUnreadableError(UnreadableFault.FIELD_MISSING, message, location_of(element))
    return amount_minor_of(amount)


def _direction(element: etree._Element) -> Direction:
    text = required_text_at(element, "CdtDbtInd")
    try:
        return Direction(text)
    except ValueError as error:
        message = f"CdtDbtInd {text!r} is neither CRDT nor DBIT"
        raise BankFileUnreadableError(UnreadableFault.FIELD_INVALID, message, location_of(element)) from error


def _sum_to(details: list[etree._Element], whole: _Movement) -> bool:
    """Whether every transaction states an amount in the account's currency, and together they are the entry."""
    total_minor = 0
    for detail in details:
        if child(detail, "Amt") is None or text_at(detail, "CdtDbtInd") is None:
            return False
        amount_minor, currency = _amount_under(detail)
        if currency != whole.currency:
            return False
        total_minor += amount_minor if _direction(detail) is whole.direction else -amount_minor
    return total_minor == whole.amount_minor


def _is_marked_as_return(entry: etree._Element, detail: etree._Element) -> bool:
    sub_families = (
        text_at(entry, "BkTxCd/Domn/Fmly/SubFmlyCd"),
        text_at(detail, "BkTxCd/Domn/Fmly/SubFmlyCd"),
    )
    return child(detail, "RtrInf") is not None or _RETURN_SUB_FAMILY in sub_families or text_at(entry, "RvslInd") in _TRUE


def _reference(element: etree._Element, path: str) -> str | None:
    text = text_at(element, path)
    return None if text is None or text.upper() in _NO_REFERENCE else text


def _bank_reference(element: etree._Element) -> str | None:
    return _reference(element, "Refs/AcctSvcrRef") or _reference(element, "AcctSvcrRef")


def _reference_of(detail: etree._Element, entry: etree._Element) -> str | None:
    return _bank_reference(detail) or _bank_reference(entry)


def _lines(element: etree._Element, path: str) -> tuple[str, ...]:
    return tuple(line.text.strip() for line in children(element, path) if line.text and line.text.strip())


def _first(detail: etree._Element, sides: tuple[str, str], *paths: str) -> str | None:
    return text_at(detail, *(path.format(side=side) for side in sides for path in paths))


def _charges(element: etree._Element) -> Iterator[Charge]:
    # Version 8 has records below Chrgs, version 2 repeats Chrgs itself.
    for charge in (*children(element, "Chrgs/Rcrd"), *children(element, "Chrgs")):
        amount = child(charge, "Amt")
        if amount is None:
            continue
        amount_minor, currency = amount_minor_of(amount)
        included = text_at(charge, "ChrgInclInd")
        direction = None if text_at(charge, "CdtDbtInd") is None else _direction(charge)
        yield Charge(amount_minor, currency, direction, None if included is None else included in _TRUE)


def _balance(element: etree._Element) -> Balance:
    amount_minor, currency = _amount_under(element)
    signed_minor = amount_minor if _direction(element) is Direction.CREDIT else -amount_minor
    code = required_text_at(element, "Tp/CdOrPrtry/Cd", "Tp/CdOrPrtry/Prtry")
    return Balance(code, signed_minor, currency, date_at(element, "Dt"))


def _entry_key(seen: _Seen, movement: _Movement, entry: etree._Element, details: list[etree._Element]) -> str:
    return _key(seen, "entry", movement, entry, details, shares_reference=False)


def _booking_key(seen: _Seen, movement: _Movement, entry: etree._Element, detail: etree._Element, *, transactions: int) -> str:
    # Where a batch has one reference for all, transactions of one amount are told apart by their end-to-end ids.
    shares_reference = transactions > 1 and _bank_reference(detail) is None
    return _key(seen, "booking", movement, entry, [detail], shares_reference=shares_reference)


def _key(
    seen: _Seen,
    scope: str,
    movement: _Movement,
    entry: etree._Element,
    details: list[etree._Element],
    *,
    shares_reference: bool,
) -> str:
    parts: tuple[str | None, ...] = (
        scope,
        movement.account,
        movement.direction,
        str(movement.amount_minor),
        movement.currency,
        movement.bank_reference,
    )
    if movement.bank_reference is None:
        booked_on = date_at(entry, "BookgDt")
        parts = (*parts, None if booked_on is None else booked_on.isoformat(), text_at(entry, "NtryRef"))
    if movement.bank_reference is None or shares_reference:
        parts = (*parts, ",".join(text_at(detail, "Refs/EndToEndId") or "" for detail in details))
    seen[parts] += 1
    # Lengths before the texts, so that no two lists of parts run together to the same bytes.
    spelled = "".join("-" if part is None else f"{len(part)}:{part}" for part in (*parts, str(seen[parts])))
    return sha256(f"premia/{spelled}".encode()).hexdigest()
