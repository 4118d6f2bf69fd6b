"""What may be asked over HTTP. Unknown fields are refused; the first fault is named by its path."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from schemas.contract import Contract
from schemas.currencies import Currency
from schemas.identifiers import Country, Id, IsoDate, Text
from schemas.registry import Address, TaxId
from services.payout.limits import BULK_ENTRIES_MAX, METHOD_CHARS_MAX


class CycleRequest(Contract):
    """Settle what is due on a business date."""

    on: IsoDate


class ProposedDetails(Contract):
    """An account as a person gives it. Address and tax id are the registry's unless they are given."""

    holder: Text
    account: Text
    kind: Literal["current", "savings"] | None = None
    bic: Text
    bank_name: Text | None = None
    bank_town: Text | None = None
    bank_country: Country | None = None
    address: Address | None = None
    tax_id: TaxId | None = None


class AccountProposal(Contract):
    """An account to pay to: its details, or "registry" for what the registry claims."""

    organization_id: Id
    currency: Currency
    details: ProposedDetails | Literal["registry"] = "registry"


class AccountProposals(Contract):
    """Proposals of one person."""

    accounts: Annotated[tuple[AccountProposal, ...], Field(min_length=1, max_length=BULK_ENTRIES_MAX)]


class AccountVerification(Contract):
    """How and when an account was checked, and the reference of the document that shows it."""

    account_id: UUID
    method: Annotated[Text, Field(max_length=METHOD_CHARS_MAX)]
    on: IsoDate
    evidence: Text | None = None


class AccountVerifications(Contract):
    """Verifications by one person."""

    accounts: Annotated[tuple[AccountVerification, ...], Field(min_length=1, max_length=BULK_ENTRIES_MAX)]


class StatementPeriod(Contract):
    """Both days included."""

    first: IsoDate = Field(alias="from")
    last: IsoDate = Field(alias="to")


class StatementRequest(Contract):
    """Statements of a period: for the organizations that were paid in it, for all that have postings, or for those named."""

    period: StatementPeriod
    issued_on: IsoDate | None = None  # the business day of issue; today where it is left out
    organizations: Literal["paid", "all"] | Annotated[tuple[Id, ...], Field(min_length=1, max_length=BULK_ENTRIES_MAX)] = "paid"
