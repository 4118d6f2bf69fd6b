"""A payment file to vary in tests. All names, accounts and towns are invented."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any, Final
from uuid import UUID, uuid5

from services.payout.bank import identifiers
from services.payout.bank.credit_transfer import (
    BankByBic,
    CreditTransfer,
    Debtor,
    PaymentFile,
    PostalAddress,
    Purpose,
    account_number,
)

FILE_ID: Final = UUID("3f2a7a54-6f0c-5e0f-9a36-1f5d0f5f7a11")
ORDER_NAMESPACE: Final = UUID("b7f6f0a2-6a5e-4a51-8f7e-2d3c4b5a6978")
PROGRAMME_IBAN: Final = "CH7800000000PREMIA001"


def order_id(number: int) -> UUID:
    """The id of order `number`."""
    return uuid5(ORDER_NAMESPACE, str(number))


def transfer(number: int = 1, **changes: Any) -> CreditTransfer:
    """A transfer to a Peruvian association."""
    fields: dict[str, Any] = {
        "end_to_end_id": identifiers.end_to_end_id(order_id(number), 1),
        "uetr": identifiers.uetr(order_id(number), 1),
        "amount_minor": 247_515,
        "currency": "USD",
        "creditor_name": "Asociación Minera Ejemplo",
        "creditor_account": account_number("001-103-450020011288-90"),
        "creditor_bank": BankByBic("BCPLPEPL"),
        "creditor_address": PostalAddress(town="Chala", country="PE", street="Jr. Comercio 120"),
        "creditor_tax_id": "20601234567",
        "purpose": Purpose.PRECIOUS_METAL,
        "remittance": "Premia: primas 03/2025, estado de cuenta 0012-2025-03",
    }
    return CreditTransfer(**(fields | changes))


def payment_file(*transfers: CreditTransfer, file_id: UUID = FILE_ID, **changes: Any) -> PaymentFile:
    """A file that pays `transfers`, or one transfer."""
    fields: dict[str, Any] = {
        "message_id": identifiers.message_id(file_id),
        "payment_information_id": identifiers.payment_information_id(file_id),
        "created_at": datetime(2025, 3, 27, 9, 30, tzinfo=UTC),
        "requested_execution_on": date(2025, 3, 28),
        "debtor": Debtor(
            name="Programa de Primas",
            account=account_number(PROGRAMME_IBAN),
            account_currency="USD",
            bic="POFICHBEXXX",
        ),
        "transfers": transfers or (transfer(),),
    }
    return PaymentFile(**(fields | changes))
