"""Approve a prepared cycle, by another person than the one who prepared it.

Goal: no one person moves money; who decided what is on record for ever.
Method: the orders that are reserved become approved. The decision, with every order and both persons, is written as canonical
JSON; its hash goes to the ledger as an attestation. A repeat by the same person answers as the first time.
Refuses: CYCLE_UNKNOWN, ROLE_MISSING, SAME_ACTOR, CYCLE_NOT_READY (reserves not answered yet), CYCLE_CLOSED.
Source: design, section 7.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Final
from uuid import UUID

from schemas.canonical_json import canonical_json
from schemas.cloudevents import time_text
from schemas.identity import derived_id
from schemas.ledger_command import Attest, Subject
from schemas.ledger_words import OwnerKind
from services.payout.bank.amount import amount_text
from services.payout.domain.order_state import OrderState
from services.payout.errors import RefusalCode, Refused
from services.payout.registry_view import RegistryView
from services.payout.use_cases.change_orders import OrderChange, change_orders
from services.payout.use_cases.prepare_cycle import INSERT_CYCLE_EVENT
from services.payout.use_cases.send_ledger_commands import CommandToSend, send_ledger_commands
from services.payout.use_cases.take_turn import take_turn

if TYPE_CHECKING:
    from asyncpg import Record

    from services.runtime.database import Connection

ATTESTATION: Final = "cycle.approved"
CYCLE: Final = "SELECT cycle_id, settles_on, state, prepared_by, prepared_at FROM payout.cycle WHERE cycle_id = $1"
APPROVED_BY: Final = "SELECT actor FROM payout.cycle_event WHERE cycle_id = $1 AND state = 'approved'"
ORDERS: Final = """
    SELECT o.order_id, o.subject_id, o.currency, o.amount_minor, o.account_id, a.last_four
    FROM payout.payout_order AS o JOIN payout.account AS a USING (account_id)
    WHERE o.cycle_id = $1 AND o.state = 'reserved' ORDER BY o.order_id"""
SET_STATE: Final = "UPDATE payout.cycle SET state = $2 WHERE cycle_id = $1"


@dataclass(frozen=True, slots=True)
class CycleApproved:
    """Approved. `approved_now` is false for a repeat, which changes nothing."""

    cycle_id: UUID
    approved_now: bool


async def approve_cycle(
    conn: Connection, *, cycle_id: UUID, actor: str, registry: RegistryView, now: datetime
) -> CycleApproved | Refused:
    """Approve inside the caller's SQL transaction."""
    await take_turn(conn)
    cycle = await conn.fetchrow(CYCLE, cycle_id)
    if cycle is None:
        return Refused(RefusalCode.CYCLE_UNKNOWN, f"there is no cycle {cycle_id}: premia payouts list shows them")
    if cycle["state"] == "approved" and await conn.fetchval(APPROVED_BY, cycle_id) == actor:
        return CycleApproved(cycle_id, approved_now=False)
    refused = _allowed(cycle, actor, registry)
    if refused is not None:
        return refused
    orders = await conn.fetch(ORDERS, cycle_id)
    decision = _decision(cycle, orders, actor, now)
    await conn.execute(SET_STATE, cycle_id, "approved")
    await conn.execute(INSERT_CYCLE_EVENT, cycle_id, "approved", now, actor, decision)
    await change_orders(conn, [OrderChange(order["order_id"], OrderState.APPROVED, actor) for order in orders], now)
    assert registry.programme is not None, "somebody has the role approve, so there is a programme"
    attest = Attest(
        command_id=derived_id("command", "attest", ATTESTATION, str(cycle_id)),
        subject=Subject(kind=OwnerKind.PROGRAMME, id=registry.programme.id),
        effective_on=cycle["settles_on"],
        attestation=ATTESTATION,
        sha256=sha256(decision).hexdigest(),
    )
    await send_ledger_commands(conn, [CommandToSend(attest)], now)
    return CycleApproved(cycle_id, approved_now=True)


def _allowed(cycle: Record, actor: str, registry: RegistryView) -> Refused | None:
    if not registry.may(actor, "approve"):
        return Refused(RefusalCode.ROLE_MISSING, f"{actor} does not have the role approve in the programme's list of actors")
    if cycle["prepared_by"] == actor:
        return Refused(RefusalCode.SAME_ACTOR, f"{actor} prepared this cycle: another person must approve it")
    if cycle["state"] == "preparing":
        return Refused(RefusalCode.CYCLE_NOT_READY, "the ledger has not answered every reservation yet: try again in a moment")
    if cycle["state"] != "prepared":
        return Refused(RefusalCode.CYCLE_CLOSED, f"the cycle is {cycle['state']} already: nothing is left to approve")
    return None


def _decision(cycle: Record, orders: list[Record], actor: str, now: datetime) -> bytes:
    return canonical_json(
        {
            "decision": ATTESTATION,
            "cycle_id": str(cycle["cycle_id"]),
            "settles_on": cycle["settles_on"].isoformat(),
            "prepared_by": cycle["prepared_by"],
            "prepared_at": time_text(cycle["prepared_at"]),
            "approved_by": actor,
            "approved_at": time_text(now),
            "orders": [
                {
                    "order_id": str(order["order_id"]),
                    "organization_id": order["subject_id"],
                    "currency": order["currency"],
                    "amount": amount_text(order["amount_minor"], order["currency"]),
                    "account_id": str(order["account_id"]),
                    "account_last_four": order["last_four"],
                }
                for order in orders
            ],
        }
    )
