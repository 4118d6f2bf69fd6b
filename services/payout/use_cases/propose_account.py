"""Propose a payment account: the first of the two persons.

Goal: an account is payable only after somebody else checked it; a claim in a file verifies nothing.
Method: the details are given, or taken from what the registry claims; they are tried on a payment file at once, so that nobody
verifies what no bank would take. The same details again answer with the account that is there; after a withdrawal the same
details are a new account, which must be verified anew.
Refuses: ROLE_MISSING, ORGANIZATION_UNKNOWN, ACCOUNT_UNKNOWN (the registry has none in this currency), ACCOUNT_INVALID.
Source: design, section 7.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Final
from uuid import UUID

from pydantic import ValidationError

from schemas.contract import first_fault
from schemas.identity import derived_id
from schemas.payout_event import last_four
from services.payout.bank.credit_transfer import Debtor, PaymentFile, account_number
from services.payout.bank.errors import PaymentFileInvalidError
from services.payout.bank.identifiers import end_to_end_id, uetr
from services.payout.bank.pain001 import render_pain001
from services.payout.errors import RefusalCode, Refused
from services.payout.payee_details import PayeeDetails, credit_transfer
from services.payout.registry_view import RegistryView
from services.payout.use_cases.account_events import change_account
from services.payout.use_cases.take_turn import take_turn

if TYPE_CHECKING:
    from services.runtime.database import Connection

PAYEE_KINDS: Final = frozenset({"producer", "community_fund"})
SAME_DETAILS: Final = """
    SELECT account_id, state FROM payout.account
    WHERE organization_id = $1 AND currency = $2 AND details = $3::jsonb ORDER BY proposed_at"""
INSERT: Final = """
    INSERT INTO payout.account (account_id, organization_id, currency, details, last_four, state, proposed_by, proposed_at)
    VALUES ($1, $2, $3, $4, $5, 'proposed', $6, $7)"""


@dataclass(frozen=True, slots=True)
class AccountProposed:
    """The account as it is now. `created`: by this call; else the same details were there already."""

    account_id: UUID
    state: str
    created: bool


async def propose_account(
    conn: Connection,
    *,
    organization_id: str,
    currency: str,
    details: Mapping[str, object] | None,
    actor: str,
    registry: RegistryView,
    now: datetime,
) -> AccountProposed | Refused:
    """Propose inside the caller's SQL transaction.

    `details`: fields of PayeeDetails; address and tax id may be left to the registry. None: take what the registry claims.
    """
    await take_turn(conn)
    if not registry.may(actor, "accounts"):
        return Refused(RefusalCode.ROLE_MISSING, f"{actor} does not have the role accounts in the programme's list of actors")
    organization = registry.organization(organization_id)
    if organization is None or organization.kind not in PAYEE_KINDS:
        message = f"{organization_id} is not a producer or community fund of the registry"
        return Refused(RefusalCode.ORGANIZATION_UNKNOWN, message)
    chosen = _chosen(registry, organization_id, currency, details)
    if isinstance(chosen, Refused):
        return chosen
    refused = _unpayable(chosen, currency, now.date())
    if refused is not None:
        return refused
    stored = chosen.model_dump_json()
    same = await conn.fetch(SAME_DETAILS, organization_id, currency, stored)
    usable = [row for row in same if row["state"] in {"proposed", "verified"}]
    if usable:
        return AccountProposed(usable[0]["account_id"], usable[0]["state"], created=False)
    digest = sha256(stored.encode()).hexdigest()
    account_id = derived_id("payment-account", organization_id, currency, digest, str(len(same) + 1))
    shown = last_four(account_number(chosen.account).number)
    await conn.execute(INSERT, account_id, organization_id, currency, stored, shown, actor, now)
    await change_account(conn, account_id, "proposed", actor=actor, now=now)
    return AccountProposed(account_id, "proposed", created=True)


def _chosen(
    registry: RegistryView, organization_id: str, currency: str, details: Mapping[str, object] | None
) -> PayeeDetails | Refused:
    private = registry.private(organization_id)
    known: dict[str, object] = {}
    if private.address is not None:
        known["address"] = private.address.model_dump()
    if private.tax_id is not None:
        known["tax_id"] = private.tax_id.model_dump()
    if details is None:
        claimed = [account for account in private.payment_accounts if account.currency == currency]
        if not claimed:
            message = (
                f"the registry has no account in {currency} for {organization_id}: give its details, or apply one that has"
            )
            return Refused(RefusalCode.ACCOUNT_UNKNOWN, message)
        details = claimed[0].model_dump(include=set(PayeeDetails.model_fields), exclude_none=True)
    try:
        return PayeeDetails.model_validate(known | {name: value for name, value in details.items() if value is not None})
    except ValidationError as error:
        fault = first_fault(error)
        return Refused(RefusalCode.ACCOUNT_INVALID, f"{organization_id}: {fault.field}: {fault.message}")


def _unpayable(details: PayeeDetails, currency: str, today: date) -> Refused | None:
    """Try the details on a payment file of one payment that is never sent."""
    order_id = derived_id("payment-account-trial", details.account)
    try:
        trial = credit_transfer(
            details,
            end_to_end_id=end_to_end_id(order_id, 1),
            uetr=uetr(order_id, 1),
            amount_minor=1,
            currency=currency,
            remittance="trial",
        )
        render_pain001(
            PaymentFile(
                message_id="trial",
                payment_information_id="trial",
                created_at=datetime(today.year, today.month, today.day, tzinfo=UTC),
                requested_execution_on=today,
                debtor=Debtor(name="trial", account=account_number("0"), account_currency=currency, bic="XMPLCHZZ"),
                transfers=(trial,),
            )
        )
    except PaymentFileInvalidError as error:
        field = error.field.removeprefix("transfers.0.")
        return Refused(RefusalCode.ACCOUNT_INVALID, f"{field}: {error.message}")
    return None
