"""What the bank is told of a payee: proposed by one person, verified by another, stored as it was verified.

Goal: what was verified is what is paid; a change of address or account in the registry changes no payment by itself.
Method: a contract, stored as JSON with the account; turned into the bank's own types when a file is written.
"""

from __future__ import annotations

from datetime import date
from typing import Literal
from uuid import UUID

from schemas.contract import Contract
from schemas.identifiers import Country, Text
from schemas.registry import Address, TaxId
from services.payout.bank.character_set import shortened_name
from services.payout.bank.credit_transfer import BankByBic, CreditTransfer, PostalAddress, account_number


class PayeeDetails(Contract):
    """Holder, account and bank. The address is the holder's."""

    holder: Text
    account: Text
    kind: Literal["current", "savings"] | None = None
    bic: Text
    bank_name: Text | None = None
    bank_town: Text | None = None
    bank_country: Country | None = None
    address: Address
    tax_id: TaxId | None = None


def credit_transfer(
    details: PayeeDetails, *, end_to_end_id: str, uetr: UUID, amount_minor: int, currency: str, remittance: str
) -> CreditTransfer:
    """One payment to these details."""
    address = details.address
    return CreditTransfer(
        end_to_end_id=end_to_end_id,
        uetr=uetr,
        amount_minor=amount_minor,
        currency=currency,
        # Correspondent banks carry 70 characters of a name; the account decides where the money goes.
        creditor_name=shortened_name(details.holder),
        creditor_account=account_number(details.account),
        creditor_bank=BankByBic(details.bic),
        creditor_address=PostalAddress(
            town=address.town,
            country=address.country,
            street=address.street,
            building_number=address.building_number,
            postal_code=address.post_code,
        ),
        remittance=remittance,
        creditor_tax_id=None if details.tax_id is None else details.tax_id.value,
    )


def remittance_text(programme: str, settles_on: date, organization_id: str) -> str:
    """What the payee reads on its own statement: the programme, the day, and its id, in words its treasurer knows."""
    return f"Prima {programme} {settles_on.isoformat()} {organization_id}"
