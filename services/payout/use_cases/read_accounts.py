"""Payment accounts as people may see them: never more than the last four digits of a number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from services.payout.limits import LIST_ROWS_MAX
from services.payout.registry_view import RegistryView

if TYPE_CHECKING:
    from services.runtime.database import Connection

ACCOUNTS: Final = """
    SELECT a.account_id, a.organization_id, a.currency, a.last_four, a.state, a.proposed_by, a.proposed_at,
        a.details ->> 'bank_name' AS bank_name, v.actor AS verified_by, v.at AS verified_at, v.method, v.checked_on, v.evidence,
        CASE WHEN a.state IN ('withdrawn', 'replaced') THEN e.reason END AS reason
    FROM payout.account AS a
    LEFT JOIN payout.account_event AS v ON v.account_id = a.account_id AND v.state = 'verified'
    JOIN LATERAL (SELECT reason FROM payout.account_event AS x WHERE x.account_id = a.account_id
                  ORDER BY x.number DESC LIMIT 1) AS e ON true
    WHERE ($1::text IS NULL OR a.organization_id = $1) AND ($2::text IS NULL OR a.state = $2)
    ORDER BY a.organization_id, a.currency, a.proposed_at LIMIT $3"""
OF_USE: Final = "SELECT organization_id, currency FROM payout.account WHERE state IN ('proposed', 'verified')"


async def read_accounts(
    conn: Connection, *, organization_id: str | None = None, state: str | None = None
) -> list[dict[str, Any]]:
    """Accounts with who proposed and who verified them, by organization."""
    return [dict(row) for row in await conn.fetch(ACCOUNTS, organization_id, state, LIST_ROWS_MAX)]


async def read_claims(conn: Connection, registry: RegistryView) -> list[dict[str, Any]]:
    """Organizations and currencies with an account in the registry, and none that was proposed and is still of use."""
    known = {(row["organization_id"], row["currency"]) for row in await conn.fetch(OF_USE)}
    claims = [
        (organization.id, account.currency)
        for organization in registry.organizations()
        for account in registry.private(organization.id).payment_accounts
    ]
    return [
        {"organization_id": organization_id, "currency": currency}
        for organization_id, currency in dict.fromkeys(claims)
        if (organization_id, currency) not in known
    ]
