"""Payout orders in a story: the cycle, every decision, the bank's file, status and bookings, and the ledger's leaves.

Method: the business day of an order is the day its cycle settles on; of a booking and what follows, the day the bank booked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from premia.amounts import grouped, plain
from premia.trace.event import TraceEvent
from schemas.identity import derived_id
from services.payout.use_cases.approve_cycle import ATTESTATION

if TYPE_CHECKING:
    from asyncpg import Record

    from services.runtime.database import Connection

ORDERS: Final = """
    SELECT o.order_id, o.cycle_id, o.subject_kind, o.subject_id, o.currency, o.amount_minor, o.state, c.settles_on,
        a.last_four, (SELECT count(*) FROM payout.order_item AS i WHERE i.order_id = o.order_id) AS items
    FROM payout.payout_order AS o JOIN payout.cycle AS c USING (cycle_id) JOIN payout.account AS a USING (account_id)
    WHERE o.order_id = ANY($1) ORDER BY c.settles_on, o.order_id"""
CYCLE_EVENTS: Final = """
    SELECT cycle_id, state, at, actor, encode(sha256(decision), 'hex') AS decision_sha256 FROM payout.cycle_event
    WHERE cycle_id = ANY($1) ORDER BY cycle_id, number"""
ORDER_EVENTS: Final = """
    SELECT order_id, state, at, actor, code, detail FROM payout.order_event
    WHERE order_id = ANY($1) ORDER BY order_id, number"""
ATTEMPTS: Final = """
    SELECT t.order_id, t.end_to_end_id, t.uetr, f.name, f.message_id, f.executes_on, f.written_at, f.sent_at, f.payments
    FROM payout.attempt AS t LEFT JOIN payout.bank_file AS f USING (file_id)
    WHERE t.order_id = ANY($1) ORDER BY t.order_id, t.number"""
STATUSES: Final = """
    SELECT t.order_id, t.end_to_end_id, s.status, s.outcome, s.reason, s.information, m.name, m.read_at
    FROM payout.payment_status AS s JOIN payout.attempt AS t USING (attempt_id)
    JOIN payout.bank_message AS m ON m.sha256 = s.message_sha256
    WHERE t.order_id = ANY($1) ORDER BY m.read_at"""
BOOKINGS: Final = """
    SELECT b.order_id, b.booking_key, b.direction, b.amount_minor, b.currency, b.booked_on, b.disposition, b.code,
        b.end_to_end_id, b.return_reason, m.name, m.kind, m.read_at
    FROM payout.booking AS b JOIN payout.bank_message AS m ON m.sha256 = b.message_sha256
    WHERE b.order_id = ANY($1) ORDER BY b.booked_on, m.read_at"""
COMMANDS: Final = """
    SELECT p.order_id, p.kind, p.command_id, p.written_at, c.code, c.message, c.first_leaf, c.leaves
    FROM payout.ledger_command AS p LEFT JOIN ledger.command AS c USING (command_id)
    WHERE p.order_id = ANY($1) ORDER BY p.written_at, p.kind"""
# Steps that somebody else asked for: a person cleared a booking in suspense against the payment.
CLEARED: Final = """
    SELECT x.leaf_index FROM payout.attempt AS t
    JOIN payout.ledger_transaction AS x ON x.reservation_id = t.attempt_id
    WHERE t.order_id = ANY($1) AND NOT EXISTS (SELECT FROM payout.ledger_command AS c WHERE c.command_id = x.command_id)"""
ATTESTED: Final = "SELECT command_id, first_leaf FROM ledger.command WHERE command_id = ANY($1)"
# States of an order that follow from a booking, and which one.
_BOOKED_BY: Final[Mapping[str, str]] = {"booked": "settle", "settled": "settle", "returning": "return", "returned": "return"}


@dataclass(slots=True)
class OrderStory:
    """Events of the orders, and the leaves that their steps were posted as."""

    events: list[TraceEvent] = field(default_factory=list)
    leaves: list[int] = field(default_factory=list)


async def order_events(conn: Connection, order_ids: Sequence[UUID]) -> OrderStory:
    """Everything about these orders, but for the postings themselves."""
    story = OrderStory()
    orders = {row["order_id"]: row for row in await conn.fetch(ORDERS, order_ids)}
    bookings = await conn.fetch(BOOKINGS, order_ids)
    booked_on: dict[tuple[UUID, str], date] = {}
    for row in bookings:
        booked_on.setdefault((row["order_id"], row["disposition"]), row["booked_on"])
    story.events += await _cycles(conn, list(orders.values()))
    for row in await conn.fetch(ORDER_EVENTS, order_ids):
        order = orders[row["order_id"]]
        on = booked_on.get((row["order_id"], _BOOKED_BY.get(row["state"], "")), order["settles_on"])
        story.events.append(_step(order, row, on))
    for row in await conn.fetch(ATTEMPTS, order_ids):
        if row["name"] is not None:
            story.events += _files(orders[row["order_id"]], row)
    story.events += [_status(orders[row["order_id"]], row) for row in await conn.fetch(STATUSES, order_ids)]
    story.events += [_booking(orders[row["order_id"]], row) for row in bookings]
    for row in await conn.fetch(COMMANDS, order_ids):
        if row["first_leaf"] is not None:
            story.leaves += range(row["first_leaf"], row["first_leaf"] + row["leaves"])
        else:
            story.events.append(_unposted(orders[row["order_id"]], row))
    story.leaves += [row["leaf_index"] for row in await conn.fetch(CLEARED, order_ids)]
    return story


async def _cycles(conn: Connection, orders: Sequence[Record]) -> list[TraceEvent]:
    settles_on = {row["cycle_id"]: row["settles_on"] for row in orders}
    attestations = {derived_id("command", "attest", ATTESTATION, str(cycle_id)): cycle_id for cycle_id in settles_on}
    leaf = {attestations[row["command_id"]]: row["first_leaf"] for row in await conn.fetch(ATTESTED, list(attestations))}
    events = []
    for row in await conn.fetch(CYCLE_EVENTS, list(settles_on)):
        cycle_id, state = row["cycle_id"], row["state"]
        decided = f", decision sha256 {row['decision_sha256']}" if row["decision_sha256"] else ""
        events.append(
            TraceEvent(
                on=settles_on[cycle_id],
                at=row["at"],
                what="cycle",
                text=f"{cycle_id} {state}{_by(row)}{decided}",
                leaf_index=leaf.get(cycle_id) if state == "approved" else None,
                details={"cycle_id": str(cycle_id), "state": state, "actor": row["actor"]},
            )
        )
    return events


def _by(row: Record) -> str:
    return f" by {row['actor']}" if row["actor"] else ""


def _event(order: Record, at: Any, what: str, text: str, **details: Any) -> TraceEvent:
    return TraceEvent(
        on=details.pop("on", order["settles_on"]),
        at=at,
        what=what,
        text=text,
        subject=f"{order['subject_kind']}:{order['subject_id']}",
        details={"order_id": str(order["order_id"]), **details},
    )


def _step(order: Record, row: Record, on: date) -> TraceEvent:
    why = "".join(f", {part}" for part in (row["code"], row["detail"]) if part)
    text = f"{row['state']}{_by(row)}{why}"
    if row["state"] == "reserving":
        amount = f"{order['currency']} {grouped(order['amount_minor'], order['currency'])}"
        items = f"{order['items']} open item{'' if order['items'] == 1 else 's'}"
        text = f"{order['order_id']} of {amount} for {items}, to account …{order['last_four']}: {text}"
    return _event(
        order, row["at"], "payout", text, on=on, state=row["state"], actor=row["actor"], code=row["code"], detail=row["detail"]
    )


def _files(order: Record, row: Record) -> list[TraceEvent]:
    ids = {
        "end_to_end_id": row["end_to_end_id"],
        "uetr": str(row["uetr"]),
        "file": row["name"],
        "message_id": row["message_id"],
    }
    written = _event(
        order,
        row["written_at"],
        "bank file",
        f"{row['name']} (MsgId {row['message_id']}, {row['payments']} payments, for {row['executes_on']}) written; "
        f"EndToEndId {row['end_to_end_id']}, UETR {row['uetr']}",
        **ids,
    )
    if row["sent_at"] is None:
        return [written]
    return [written, _event(order, row["sent_at"], "bank file", f"{row['name']} handed to the bank", **ids)]


def _status(order: Record, row: Record) -> TraceEvent:
    why = "".join(f", {part}" for part in (row["reason"], row["information"]) if part)
    return _event(
        order,
        row["read_at"],
        "bank status",
        f"{row['status']} ({row['outcome']}{why}) in {row['name']}; proves no payment",
        status=row["status"],
        reason=row["reason"],
        end_to_end_id=row["end_to_end_id"],
        file=row["name"],
    )


def _booking(order: Record, row: Record) -> TraceEvent:
    amount = f"{row['currency']} {grouped(row['amount_minor'], row['currency'])}"
    direction = "left our account" if row["direction"] == "DBIT" else "came in"
    why = "".join(f", {part}" for part in (row["return_reason"], row["code"]) if part)
    return _event(
        order,
        row["read_at"],
        "booking",
        f"{amount} {direction} ({row['disposition']}{why}), {row['kind']} {row['name']}, key {row['booking_key']}",
        on=row["booked_on"],
        booking_key=row["booking_key"],
        amount=plain(row["amount_minor"], row["currency"]),
        currency=row["currency"],
        direction=row["direction"],
        disposition=row["disposition"],
        return_reason=row["return_reason"],
        file=row["name"],
    )


def _unposted(order: Record, row: Record) -> TraceEvent:
    answer = "not answered yet" if row["code"] is None else f"{row['code']}: {row['message']}"
    return _event(
        order,
        row["written_at"],
        "command",
        f"{row['kind']} {row['command_id']}: {answer}",
        command_id=str(row["command_id"]),
        kind=row["kind"],
        code=row["code"],
    )
