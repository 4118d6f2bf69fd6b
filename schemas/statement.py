"""A premium statement: what one organization or fund was owed, and what became of it, in one period.

Goal: a treasurer can redo every sum with a pencil, and every figure leads to what explains it: total, line, lot, assay, rate,
leaf of the ledger. This JSON is stored, hashed, put on record, attached to the PDF, and what all other forms are made from.
Method: one posting for each leaf of the ledger that moved the payee's premiums, with the calculation as data; one balance for
each currency. Amounts are decimal strings with exactly the currency's minor digits, weights in grams with three decimals.
Refuses: a statement whose sums do not redo. Postings and corrections must sum to premiums and adjustments; opening + premiums +
adjustments + exchanged - deductions - transferred + returned must be the closing balance, which its breakdown and the ledger
must both give.
Source: design, section 7 and invariant 9.
"""

from __future__ import annotations

import calendar
from collections.abc import Callable, Iterable
from datetime import date
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from schemas.canonical_json import canonical_json
from schemas.contract import Contract, refuse_member
from schemas.currencies import Currency, minor_digits
from schemas.decimals import Amount, ComputedFineness, NonNegativeDecimal, PriceShare, Share, WeightGrams
from schemas.entitlement import EntitlementStatus, Role, Step
from schemas.gold_sale import Stage
from schemas.identifiers import Counting, CountingFromZero, Country, Id, IsoDate, SchemeVersion, Text
from schemas.ledger_command import ExchangeRate
from schemas.payee_state import PayeeState
from schemas.registry import Contact, TaxId
from schemas.scheme import Rate

STATEMENT_TYPE: Final = "premium.statement.v1"

# The sample's busiest producer has some 60 postings a year. At 2 KB each, 2,000 stay within the 4 MiB of a derived topic,
# and a PDF of 150 pages is the last that anybody would leaf through.
POSTINGS_MAX: Final = 2_000
LINES_PER_POSTING_MAX: Final = 64
ENTRIES_MAX: Final = 1_000  # transfers, returns, deductions or holds of a period: a few, with one cycle a day at most 366.
CURRENCIES_MAX: Final = 16
TERMS_MAX: Final = 64
NUMBER_DIGITS: Final = 4  # 0012; larger numbers take the digits they need.

AccountEnd = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{1,4}$")]
EndToEndId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
Code = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{1,63}$")]
# Language and country together: numbers differ between Peru, Bolivia and Colombia, so a language alone is not enough.
Locale = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}_[A-Z]{2}$")]
CountsAs = Literal["premium", "adjustment"]


class StatementPayee(Contract):
    """Whose statement it is."""

    kind: Literal["org", "fund"]
    id: Id
    name: Text
    country: Country
    town: Text | None = None
    tax_id: TaxId | None = None


class StatementProgramme(Contract):
    """Who owes the premiums. `complaints`: whom a payee may turn to, and how soon it is answered where that is promised."""

    id: Id
    name: Text
    synthetic: bool = Field(strict=True)
    complaints: Contact | None = None
    answer_within_business_days: Counting | None = None


class SchemeTerms(Contract):
    """The terms of a scheme version that a line was calculated by, and the payee's status in the scheme."""

    scheme_id: Id
    scheme_version: SchemeVersion
    name: Text | None = None
    currency: Currency
    rate: Rate
    floor_min_share_of_benchmark: PriceShare | None = None
    provisional_share: Share
    community_fund_share: Share | None = None
    community_fund_name: Text | None = None
    status: Id | None = None
    status_since: IsoDate | None = None


class StatementDocument(Contract):
    """A paper of the lot."""

    kind: Text
    number: Text
    issuer: Text | None = None


class StatementLine(Contract):
    """What one posting moved under one scheme: `amount` is the lot's new total for this payee, `posted` the difference.

    `counts_as`: premium of the period, or adjustment of what an earlier statement had settled. `state`: what the payee is
    told of this money; null where nothing was posted.
    """

    scheme_id: Id
    scheme_version: SchemeVersion | None
    payer_id: Id
    role: Role
    currency: Currency
    fine_weight_g: WeightGrams | None
    amount: Amount
    previous_amount: Amount
    posted: Amount
    counts_as: CountsAs
    eligible: bool = Field(strict=True)
    reason: str | None
    state: PayeeState | None

    @model_validator(mode="after")
    def _posts_the_difference(self) -> StatementLine:
        minor = _minor_of(self.currency)
        if minor(self.amount) - minor(self.previous_amount) != minor(self.posted):
            refuse_member("sum", "must be the amount less the previous amount", "posted")
        return self


class StatementPosting(Contract):
    """One leaf of the ledger: what one revision of a lot moved for this payee.

    Weights and fineness are the lot's, `own_fine_weight_g` is the payee's share. All are null for a cancelled lot.
    """

    leaf_index: CountingFromZero
    transaction_id: UUID
    effective_on: IsoDate
    refiner_id: Id
    lot_id: Id
    revision: Counting
    calculation: CountingFromZero
    stage: Stage
    status: EntitlementStatus
    sold_on: IsoDate
    fineness_permille: ComputedFineness | None
    lot_fine_weight_g: WeightGrams | None
    own_fine_weight_g: WeightGrams | None
    previous_own_fine_weight_g: WeightGrams | None
    documents: tuple[StatementDocument, ...] = ()
    explanation: tuple[Step, ...]
    lines: Annotated[tuple[StatementLine, ...], Field(max_length=LINES_PER_POSTING_MAX)]


class LedgerEntry(Contract):
    """Money that moved on a day, and the leaf that records it. The list it stands in tells the direction."""

    on: IsoDate
    amount: Amount
    leaf_index: CountingFromZero


class TransferredEntry(LedgerEntry):
    """A payment that left the programme's bank on `on`."""

    order_id: UUID
    end_to_end_id: EndToEndId
    account_last_four: AccountEnd
    bank_name: Text | None = None


class ReturnedEntry(LedgerEntry):
    """A payment that came back on `on`. `amount` is payable again, whole; `charges` is what the banks kept of it."""

    charges: Amount
    order_id: UUID
    end_to_end_id: EndToEndId
    transferred_on: IsoDate
    account_last_four: AccountEnd
    reason_code: Text | None = None
    paid_again_on: IsoDate | None = None


class DeductionEntry(LedgerEntry):
    """Money withheld with the payee's knowledge."""

    reason: Text


class CorrectionEntry(Contract):
    """What the programme corrected or opened by the decision of two persons: signed, in the currency of its balance."""

    on: IsoDate
    amount: Amount
    leaf_index: CountingFromZero
    kind: Literal["opened", "corrected"]
    reason_code: Code
    scheme_id: Id
    payer_id: Id


class ExchangedEntry(Contract):
    """Money that was changed into the balance's currency (above zero) or out of it, and what it was on the other side.

    `rate` is the price of one unit of the sold currency in the bought one.
    """

    on: IsoDate
    amount: Amount
    leaf_index: CountingFromZero
    other_currency: Currency
    other_amount: Amount
    rate: ExchangeRate


class HoldEntry(Contract):
    """Money on hold, and what it waits for. `values` fill the code's sentence (a document's number, a date)."""

    code: Code
    amount: Amount
    since: IsoDate | None = None
    until: IsoDate | None = None
    lot_ids: tuple[Id, ...] = ()
    values: dict[str, str] = Field(default_factory=dict)


class ClosingBreakdown(Contract):
    """Where the closing balance is. Sent is not paid: `in_transit` was handed to the bank and is not booked yet.

    `available` may be negative: what is recovered from later premiums. `carried_over` is below the minimum payout.
    """

    available: Amount
    on_hold: Amount
    carried_over: Amount
    scheduled: Amount
    in_transit: Amount


class StatementBalance(Contract):
    """The period in one currency. Totals are stated and checked against their entries."""

    currency: Currency
    opening: Amount
    premiums: Amount
    adjustments: Amount
    deducted: Amount
    transferred: Amount
    returned: Amount
    closing: Amount
    breakdown: ClosingBreakdown
    ledger_payable: Amount
    ledger_in_transit: Amount
    premiums_year_to_date: Amount
    transferred_year_to_date: Amount
    minimum_payout: NonNegativeDecimal | None = None
    exchanged: Amount | None = None
    corrections: Annotated[tuple[CorrectionEntry, ...], Field(max_length=ENTRIES_MAX)] = ()
    exchanges: Annotated[tuple[ExchangedEntry, ...], Field(max_length=ENTRIES_MAX)] = ()
    deductions: Annotated[tuple[DeductionEntry, ...], Field(max_length=ENTRIES_MAX)] = ()
    transfers: Annotated[tuple[TransferredEntry, ...], Field(max_length=ENTRIES_MAX)] = ()
    returns: Annotated[tuple[ReturnedEntry, ...], Field(max_length=ENTRIES_MAX)] = ()
    holds: Annotated[tuple[HoldEntry, ...], Field(max_length=ENTRIES_MAX)] = ()

    @model_validator(mode="after")
    def _sums_redo(self) -> StatementBalance:
        minor = _minor_of(self.currency)
        stated_totals: tuple[tuple[str, tuple[LedgerEntry, ...]], ...] = (
            ("deducted", self.deductions),
            ("transferred", self.transfers),
            ("returned", self.returns),
        )
        for total, entries in stated_totals:
            stated: str = getattr(self, total)
            if minor(stated) != sum(minor(entry.amount) for entry in entries):
                refuse_member("sum", f"is not the sum of its entries: {stated}", total)
        exchanged = 0 if self.exchanged is None else minor(self.exchanged)
        if exchanged != sum(minor(entry.amount) for entry in self.exchanges):
            refuse_member("sum", f"is not the sum of its entries: {self.exchanged}", "exchanged")
        moved = minor(self.premiums) + minor(self.adjustments) + exchanged - minor(self.deducted)
        closing = minor(self.opening) + moved - minor(self.transferred) + minor(self.returned)
        if minor(self.closing) != closing:
            refuse_member(
                "sum", "is not opening + premiums + adjustments + exchanged - deducted - transferred + returned", "closing"
            )
        _require_breakdown(self)
        return self


class Statement(Contract):
    """One statement, as issued. It never changes; what is found out later stands in a later one."""

    statement_number: Text
    number: Counting
    payee: StatementPayee
    programme: StatementProgramme
    locale: Locale
    period_from: IsoDate
    period_to: IsoDate
    issued_on: IsoDate
    tree_size: CountingFromZero
    year: Counting
    fine_weight_year_to_date_g: WeightGrams
    schemes: Annotated[tuple[SchemeTerms, ...], Field(max_length=TERMS_MAX)]
    postings: Annotated[tuple[StatementPosting, ...], Field(max_length=POSTINGS_MAX)]
    balances: Annotated[tuple[StatementBalance, ...], Field(min_length=1, max_length=CURRENCIES_MAX)]

    @model_validator(mode="after")
    def _is_consistent(self) -> Statement:
        if self.period_to < self.period_from:
            refuse_member("range", "must not lie before period_from", "period_to")
        if self.year != self.period_to.year:
            refuse_member("range", "must be the year in which the period ends", "year")
        expected = statement_number(self.number, self.period_from, self.period_to)
        if self.statement_number != expected:
            refuse_member("number", f"must be {expected}", "statement_number")
        _require_unique((balance.currency for balance in self.balances), "balances", "currency")
        _require_unique((posting.leaf_index for posting in self.postings), "postings", "leaf_index")
        _require_leaves_below(self)
        _require_known_terms(self)
        _require_postings_sum_up(self)
        return self

    def canonical_bytes(self) -> bytes:
        """The JSON that is stored, attached and hashed: RFC 8785, so that anybody's tool gives the same hash."""
        return canonical_json(self.model_dump(mode="json", by_alias=True))


def statement_number(number: int, period_from: date, period_to: date) -> str:
    """`0012-2025-03`: the payee's running number, then the period: a month, a quarter (T1), a year, else both days."""
    return f"{number:0{NUMBER_DIGITS}d}-{_period_label(period_from, period_to)}"


def _period_label(start: date, end: date) -> str:
    whole_months = start.day == 1 and end.day == calendar.monthrange(end.year, end.month)[1] and start.year == end.year
    if whole_months and start.month == end.month:
        return f"{start:%Y-%m}"
    if whole_months and start.month % 3 == 1 and end.month == start.month + 2:
        return f"{start.year}-T{(start.month + 2) // 3}"
    if whole_months and (start.month, end.month) == (1, 12):
        return f"{start.year}"
    return f"{start:%Y%m%d}-{end:%Y%m%d}"


def _minor_of(currency: str) -> Callable[[str], int]:
    """Reads amounts of one currency as minor units. Refuses any but exactly the currency's digits."""
    digits = minor_digits(currency)

    def minor(text: str) -> int:
        whole, _, fraction = text.partition(".")
        if len(fraction) != digits:
            refuse_member("digits", f"must have exactly {digits} digits after the point: {text}")
        return int(whole + fraction)

    return minor


def _entries(balance: StatementBalance) -> tuple[LedgerEntry, ...]:
    return (*balance.transfers, *balance.returns, *balance.deductions)


def _all_entries(balance: StatementBalance) -> tuple[LedgerEntry | CorrectionEntry | ExchangedEntry, ...]:
    return (*_entries(balance), *balance.corrections, *balance.exchanges)


def _require_breakdown(balance: StatementBalance) -> None:
    minor = _minor_of(balance.currency)
    parts = balance.breakdown
    payable = minor(parts.available) + minor(parts.on_hold) + minor(parts.carried_over)
    in_transit = minor(parts.scheduled) + minor(parts.in_transit)
    if payable != minor(balance.ledger_payable):
        refuse_member("sum", "available, on hold and carried over are not what the ledger has as payable", "ledger_payable")
    if in_transit != minor(balance.ledger_in_transit):
        refuse_member("sum", "scheduled and in transit are not what the ledger has in transit", "ledger_in_transit")
    if payable + in_transit != minor(balance.closing):
        refuse_member("sum", "does not sum to the closing balance", "breakdown")
    if sum(minor(hold.amount) for hold in balance.holds) != minor(parts.on_hold):
        refuse_member("sum", "is not the sum of the holds", "breakdown", "on_hold")
    if any(minor(entry.amount) <= 0 for entry in _entries(balance)):
        refuse_member("sum", "has an entry of nothing or less: direction is told by the list", "transfers")


def _require_unique(values: Iterable[object], *path: str) -> None:
    seen: set[object] = set()
    for row, value in enumerate(values):
        if value in seen:
            refuse_member("repeated", f"{value} is there twice", path[0], row, *path[1:])
        seen.add(value)


def _require_leaves_below(statement: Statement) -> None:
    for row, posting in enumerate(statement.postings):
        if posting.leaf_index >= statement.tree_size:
            refuse_member("leaf", "lies beyond the tree that the statement was made at", "postings", row, "leaf_index")
    for row, balance in enumerate(statement.balances):
        for entry in _all_entries(balance):
            if entry.leaf_index >= statement.tree_size:
                refuse_member("leaf", "has a leaf beyond the tree that the statement was made at", "balances", row)


def _require_known_terms(statement: Statement) -> None:
    terms = {(scheme.scheme_id, scheme.scheme_version) for scheme in statement.schemes}
    currencies = {balance.currency for balance in statement.balances}
    for row, posting in enumerate(statement.postings):
        for position, line in enumerate(posting.lines):
            path = ("postings", row, "lines", position)
            if line.currency not in currencies:
                refuse_member("currency", f"{line.currency} has no balance", *path, "currency")
            if line.scheme_version is not None and (line.scheme_id, line.scheme_version) not in terms:
                refuse_member("scheme", "its terms are not among the schemes", *path, "scheme_version")


def _require_postings_sum_up(statement: Statement) -> None:
    for row, balance in enumerate(statement.balances):
        minor = _minor_of(balance.currency)
        for counts_as, field in (("premium", "premiums"), ("adjustment", "adjustments")):
            total = sum(
                minor(line.posted)
                for posting in statement.postings
                for line in posting.lines
                if line.currency == balance.currency and line.counts_as == counts_as
            )
            if counts_as == "adjustment":
                total += sum(minor(entry.amount) for entry in balance.corrections)
            if total != minor(getattr(balance, field)):
                refuse_member("sum", "is not the sum of its lines", "balances", row, field)
