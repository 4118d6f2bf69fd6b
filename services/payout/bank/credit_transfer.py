"""What a payment file says, before it is XML.

Goal: one value for everything that the bank will read, so that it can be approved, stored and compared before it is written.
Units: amounts in minor units of their currency. Names, towns and remittance text are any text; pain001 maps and checks them.
Source: ISO 20022 pain.001.001.09; Swiss Payment Standards, payment type X (cross-border).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

_IBAN: Final = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{1,30}")


class AccountScheme(StrEnum):
    """How an account is numbered."""

    IBAN = "IBAN"
    OTHER = "OTHER"  # Peru's CCI, Colombian and Bolivian account numbers


@dataclass(frozen=True, slots=True)
class AccountNumber:
    """An account as the bank knows it; never shown whole to anybody."""

    scheme: AccountScheme
    number: str

    @property
    def last_four(self) -> str:
        """What statements and logs may show."""
        return self.number[-4:]


def account_number(text: str) -> AccountNumber:
    """The account written as `text`: an IBAN where it begins like one, spaces and hyphens between digits left out.

    What begins like an IBAN is one, so that a mistyped IBAN fails its check digits instead of passing as some other number.
    """
    number = re.sub(r"[\s\-]", "", text).upper()
    return AccountNumber(AccountScheme.IBAN if _IBAN.fullmatch(number) else AccountScheme.OTHER, number)


@dataclass(frozen=True, slots=True)
class PostalAddress:
    """A structured address. Town and country are what banks insist on; unstructured lines are rejected since 2026."""

    town: str
    country: str
    street: str | None = None
    building_number: str | None = None
    postal_code: str | None = None


@dataclass(frozen=True, slots=True)
class BankByBic:
    """The payee's bank by BIC, the recommended way; then no name is sent, which could contradict it."""

    bic: str


@dataclass(frozen=True, slots=True)
class BankByClearingNumber:
    """The payee's bank by its number in a national clearing system (`USABA`, …), with name and address."""

    clearing_system: str
    clearing_number: str
    name: str
    address: PostalAddress


class Purpose(StrEnum):
    """ISO 20022 external purpose codes that fit a premium. Not every bank forwards one."""

    PRECIOUS_METAL = "PRME"
    SUPPLIER_PAYMENT = "SUPP"
    COMMODITY_TRANSFER = "CMDT"
    CHARITY_PAYMENT = "CHAR"


class ChargeBearer(StrEnum):
    """Who pays the banks on the way."""

    DEBTOR = "DEBT"
    SHARED = "SHAR"
    CREDITOR = "CRED"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditTransfer:
    """One attempt of one payout order. `end_to_end_id` and `uetr` come from identifiers.py."""

    end_to_end_id: str
    uetr: UUID
    amount_minor: int
    currency: str
    creditor_name: str
    creditor_account: AccountNumber
    creditor_bank: BankByBic | BankByClearingNumber
    creditor_address: PostalAddress
    remittance: str
    creditor_tax_id: str | None = None
    purpose: Purpose | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Debtor:
    """The programme's account that pays. The bank takes everything else about the debtor from the account."""

    name: str
    account: AccountNumber
    account_currency: str
    bic: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFile:
    """One payment file: one debtor account, one execution date, one currency.

    `created_at` is aware and is stored with the file, because the same value must give the same bytes.
    """

    message_id: str
    payment_information_id: str
    created_at: datetime
    requested_execution_on: date
    debtor: Debtor
    transfers: tuple[CreditTransfer, ...]
    # The payee's statement names an amount; charges that reduced it on the way would be a shortfall to explain.
    charge_bearer: ChargeBearer = ChargeBearer.DEBTOR

    @property
    def total_minor(self) -> int:
        """Sum of the transfers in minor units of their one currency."""
        return sum(transfer.amount_minor for transfer in self.transfers)
