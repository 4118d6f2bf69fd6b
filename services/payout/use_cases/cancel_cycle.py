"""Cancel a cycle that was not approved: its orders are voided, its items are open again.

Goal: a proposal that is wrong does not stand in the way of the right one.
Refuses: CYCLE_UNKNOWN, ROLE_MISSING (one of prepare and approve is needed), CYCLE_CLOSED.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

from services.payout.domain.order_state import UNSENT, OrderState
from services.payout.errors import RefusalCode, Refused, VoidReason
from services.payout.registry_view import RegistryView
from services.payout.use_cases.approve_cycle import CYCLE, SET_STATE
from services.payout.use_cases.prepare_cycle import INSERT_CYCLE_EVENT
from services.payout.use_cases.take_turn import take_turn
from services.payout.use_cases.void_orders import void_orders

if TYPE_CHECKING:
    from services.runtime.database import Connection

UNSENT_ORDERS: Final = "SELECT order_id FROM payout.payout_order WHERE cycle_id = $1 AND state = ANY($2)"


@dataclass(frozen=True, slots=True)
class CycleCancelled:
    """Cancelled, now or before."""

    cycle_id: UUID


async def cancel_cycle(
    conn: Connection, *, cycle_id: UUID, actor: str, registry: RegistryView, now: datetime
) -> CycleCancelled | Refused:
    """Cancel inside the caller's SQL transaction."""
    await take_turn(conn)
    cycle = await conn.fetchrow(CYCLE, cycle_id)
    if cycle is None:
        return Refused(RefusalCode.CYCLE_UNKNOWN, f"there is no cycle {cycle_id}: premia payouts list shows them")
    if not (registry.may(actor, "prepare") or registry.may(actor, "approve")):
        return Refused(RefusalCode.ROLE_MISSING, f"{actor} has neither the role prepare nor approve in the programme's list")
    if cycle["state"] == "cancelled":
        return CycleCancelled(cycle_id)
    if cycle["state"] not in {"preparing", "prepared"}:
        return Refused(
            RefusalCode.CYCLE_CLOSED, f"the cycle is {cycle['state']}: only one that waits for its decision is cancelled"
        )
    await conn.execute(SET_STATE, cycle_id, "cancelled")
    await conn.execute(INSERT_CYCLE_EVENT, cycle_id, "cancelled", now, actor, None)
    rows = await conn.fetch(UNSENT_ORDERS, cycle_id, [state.value for state in UNSENT])
    order_ids = [row["order_id"] for row in rows]
    await void_orders(conn, order_ids, to=OrderState.VOIDING, reason=VoidReason.CYCLE_CANCELLED, actor=actor, now=now)
    return CycleCancelled(cycle_id)
