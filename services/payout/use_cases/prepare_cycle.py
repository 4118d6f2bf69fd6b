"""Prepare a settlement cycle: decide what is paid, and ask the ledger to set it aside.

Goal: every organization's due premiums become an order, or a stated reason why not; nothing leaves before a second one agrees.
Method: the open items due on the business date are settled by the domain's rules; orders, their first attempts, results and
reserve commands are written in one SQL transaction. A reserve carries the parts and the subject number that our view ends at,
so that the ledger refuses it if a premium was taken back meanwhile. The cycle is prepared when every reserve was answered.
A date has one cycle: asking again answers with it; only after a cancelled or empty one a new one begins. While a cycle waits
for its decision no other begins, because two open proposals would have to be weighed against each other by a person.
Refuses: REGISTRY_MISSING, DEBTOR_ACCOUNT_MISSING, ROLE_MISSING, CYCLE_OPEN, CYCLE_DATE_PASSED.
Source: design, section 7.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Final, Literal
from uuid import UUID

from schemas.identity import derived_id
from schemas.ledger_command import Reserve, ReservePart, Subject
from schemas.ledger_words import OwnerKind
from schemas.payout_event import CycleResult
from services.payout.adapters.payout_topic import cycle_result_message
from services.payout.bank.amount import amount_text
from services.payout.bank.identifiers import end_to_end_id, uetr
from services.payout.domain.order_state import OrderState
from services.payout.domain.settlement import CarriedOver, Held, OpenItem, Ordered, Payee, Result, Terms, settle
from services.payout.errors import RefusalCode, Refused
from services.payout.registry_view import RegistryView
from services.payout.use_cases.send_ledger_commands import CommandToSend, send_ledger_commands
from services.payout.use_cases.take_turn import take_turn
from services.runtime.outbox import enqueue

if TYPE_CHECKING:
    from asyncpg import Record

    from services.runtime.database import Connection

FIRST_ATTEMPT: Final = 1

UNDECIDED: Final = "SELECT cycle_id, settles_on FROM payout.cycle WHERE state IN ('preparing', 'prepared')"
OF_DATE: Final = "SELECT cycle_id, number, state FROM payout.cycle WHERE settles_on = $1 ORDER BY number DESC LIMIT 1"
LAST_DATE: Final = "SELECT max(settles_on) FROM payout.cycle WHERE state IN ('preparing', 'prepared', 'approved')"
OPEN_ITEMS: Final = """
    SELECT leaf_index, position, subject_kind, subject_id, currency, scheme_id, payer_id, amount_minor, effective_on
    FROM payout.open_item WHERE order_id IS NULL"""
PAYABLE_ACCOUNTS: Final = "SELECT organization_id, currency, account_id FROM payout.account WHERE state = 'verified'"
SEEN_NUMBERS: Final = "SELECT subject_kind, subject_id, seen_subject_number FROM payout.subject_view"
INSERT_CYCLE: Final = """
    INSERT INTO payout.cycle (cycle_id, settles_on, number, state, prepared_by, prepared_at, tree_size, registry_version)
    SELECT $1, $2, $3, $4, $5, $6, tree_size, $7 FROM payout.ledger_view"""
INSERT_CYCLE_EVENT: Final = """
    INSERT INTO payout.cycle_event (cycle_id, number, state, at, actor, decision)
    SELECT $1, count(*) + 1, $2, $3, $4, $5 FROM payout.cycle_event WHERE cycle_id = $1"""
TAKE_ITEMS: Final = """
    UPDATE payout.open_item AS i SET order_id = t.order_id
    FROM unnest($1::uuid[], $2::bigint[], $3::int[]) AS t (order_id, leaf_index, position)
    WHERE i.leaf_index = t.leaf_index AND i.position = t.position"""


@dataclass(frozen=True, slots=True)
class CyclePrepared:
    """The cycle for the date. `created`: by this call; else it was there already, and nothing was changed."""

    cycle_id: UUID
    created: bool


@dataclass(frozen=True, slots=True)
class _Order:
    order_id: UUID
    attempt_id: UUID
    account_id: UUID
    ordered: Ordered


async def prepare_cycle(
    conn: Connection, *, on: date, actor: str, registry: RegistryView, now: datetime
) -> CyclePrepared | Refused:
    """Prepare the cycle for a business date inside the caller's SQL transaction."""
    await take_turn(conn)
    refused = _allowed(actor, registry)
    if refused is not None:
        return refused
    latest = await conn.fetchrow(OF_DATE, on)
    if latest is not None and latest["state"] not in {"cancelled", "empty"}:
        return CyclePrepared(latest["cycle_id"], created=False)
    undecided = await conn.fetchrow(UNDECIDED)
    if undecided is not None:
        waiting = (
            f"cycle {undecided['cycle_id']} for {undecided['settles_on']} waits for its decision: approve or cancel it first"
        )
        return Refused(RefusalCode.CYCLE_OPEN, waiting)
    last_on = await conn.fetchval(LAST_DATE)
    if last_on is not None and on < last_on:
        return Refused(
            RefusalCode.CYCLE_DATE_PASSED, f"a cycle for {last_on} was settled already: take that day or a later one"
        )
    number = 1 if latest is None else latest["number"] + 1
    cycle_id = derived_id("cycle", on.isoformat(), str(number))
    accounts = await conn.fetch(PAYABLE_ACCOUNTS)
    results = settle(await open_items(conn), on=on, terms=terms_of(registry, accounts))
    account_ids = {(row["organization_id"], row["currency"]): row["account_id"] for row in accounts}
    orders = [_order(cycle_id, result, account_ids) for result in results if isinstance(result, Ordered)]
    state = "preparing" if orders else "empty"
    await conn.execute(INSERT_CYCLE, cycle_id, on, number, state, actor, now, registry.version)
    await conn.execute(INSERT_CYCLE_EVENT, cycle_id, state, now, actor, None)
    await _write_orders(conn, cycle_id, orders, actor, now)
    events = [_event(cycle_id, on, result, orders, actor) for result in results]
    await _write_results(conn, cycle_id, results, events)
    await enqueue(conn, "payout", [cycle_result_message(event, now) for event in events])
    await send_ledger_commands(conn, await _reserves(conn, orders, on), now)
    return CyclePrepared(cycle_id, created=True)


async def open_items(conn: Connection) -> list[OpenItem]:
    """All items that no order has taken."""
    return [
        OpenItem(
            key=(row["leaf_index"], row["position"]),
            payee=Payee(row["subject_kind"], row["subject_id"], row["currency"]),
            scheme_id=row["scheme_id"],
            payer_id=row["payer_id"],
            amount_minor=row["amount_minor"],
            effective_on=row["effective_on"],
        )
        for row in await conn.fetch(OPEN_ITEMS)
    ]


def terms_of(registry: RegistryView, payable_accounts: Sequence[Record]) -> Terms:
    """What a cycle decides by, as of now."""
    debtor = registry.debtor_account()
    return Terms(
        debtor_currency=None if debtor is None else debtor.currency,
        minimum_minor=registry.minimum_minor(),
        payable_to=frozenset((row["organization_id"], row["currency"]) for row in payable_accounts),
    )


def _allowed(actor: str, registry: RegistryView) -> Refused | None:
    if registry.programme is None:
        return Refused(RefusalCode.REGISTRY_MISSING, "the registry names no programme yet: run premia registry apply")
    if not registry.may(actor, "prepare"):
        return Refused(RefusalCode.ROLE_MISSING, f"{actor} does not have the role prepare in the programme's list of actors")
    debtor = registry.debtor_account()
    if debtor is None or debtor.bic is None:
        missing = "its debtor account" if debtor is None else "the BIC of its debtor account"
        return Refused(RefusalCode.DEBTOR_ACCOUNT_MISSING, f"the programme's registry does not say {missing}: add it and apply")
    return None


def _order(cycle_id: UUID, ordered: Ordered, account_ids: dict[tuple[str, str], UUID]) -> _Order:
    payee = ordered.payee
    account_id = account_ids[payee.id, payee.currency]
    order_id = derived_id("payout-order", str(cycle_id), payee.kind, payee.id, payee.currency, str(account_id))
    attempt_id = derived_id("payout-attempt", str(order_id), str(FIRST_ATTEMPT))
    return _Order(order_id, attempt_id, account_id, ordered)


async def _write_orders(conn: Connection, cycle_id: UUID, orders: list[_Order], actor: str, now: datetime) -> None:
    async def copy(table: str, columns: list[str], records: list[tuple[object, ...]]) -> None:
        await conn.copy_records_to_table(table, schema_name="payout", columns=columns, records=records)

    await copy(
        "payout_order",
        ["order_id", "cycle_id", "subject_kind", "subject_id", "currency", "amount_minor", "account_id", "state"],
        [
            (
                order.order_id,
                cycle_id,
                order.ordered.payee.kind,
                order.ordered.payee.id,
                order.ordered.payee.currency,
                order.ordered.amount_minor,
                order.account_id,
                OrderState.RESERVING.value,
            )
            for order in orders
        ],
    )
    await copy(
        "order_part",
        ["order_id", "scheme_id", "payer_id", "amount_minor"],
        [
            (order.order_id, part.scheme_id, part.payer_id, part.amount_minor)
            for order in orders
            for part in order.ordered.parts
        ],
    )
    items = [(order.order_id, *item.key) for order in orders for part in order.ordered.parts for item in part.items]
    await copy("order_item", ["order_id", "leaf_index", "position"], list(items))
    await conn.execute(TAKE_ITEMS, *([item[column] for item in items] for column in range(3)))
    await copy(
        "attempt",
        ["attempt_id", "order_id", "number", "end_to_end_id", "uetr"],
        [
            (
                order.attempt_id,
                order.order_id,
                FIRST_ATTEMPT,
                end_to_end_id(order.order_id, FIRST_ATTEMPT),
                uetr(order.order_id, FIRST_ATTEMPT),
            )
            for order in orders
        ],
    )
    await copy(
        "order_event",
        ["order_id", "number", "state", "at", "actor"],
        [(order.order_id, 1, OrderState.RESERVING.value, now, actor) for order in orders],
    )


def _event(cycle_id: UUID, on: date, result: Result, orders: list[_Order], actor: str) -> CycleResult:
    payee = result.payee
    order_id = next((order.order_id for order in orders if order.ordered is result), None)
    outcome: Literal["ordered", "held", "carried_over"]
    match result:
        case Ordered():
            outcome, code = "ordered", None
        case Held():
            outcome, code = "held", result.code.value
        case CarriedOver():
            outcome, code = "carried_over", result.code.value
    return CycleResult(
        cycle_id=cycle_id,
        settles_on=on,
        organization_id=payee.id,
        currency=payee.currency,
        outcome=outcome,
        amount=amount_text(result.amount_minor, payee.currency),
        code=code,
        order_id=order_id,
        prepared_by=actor,
    )


async def _write_results(conn: Connection, cycle_id: UUID, results: list[Result], events: list[CycleResult]) -> None:
    await conn.copy_records_to_table(
        "cycle_result",
        schema_name="payout",
        columns=[
            "cycle_id", "position", "subject_kind", "subject_id", "currency", "outcome", "amount_minor", "code", "order_id",
        ],
        records=[
            (
                cycle_id, position, result.payee.kind, result.payee.id, result.payee.currency, event.outcome,
                result.amount_minor, event.code, event.order_id,
            )
            for position, (result, event) in enumerate(zip(results, events, strict=True))
        ],
    )  # fmt: skip


async def _reserves(conn: Connection, orders: list[_Order], on: date) -> list[CommandToSend]:
    rows = await conn.fetch(SEEN_NUMBERS)
    seen = {(row["subject_kind"], row["subject_id"]): row["seen_subject_number"] for row in rows}
    return [
        CommandToSend(
            Reserve(
                command_id=derived_id("command", "reserve", str(order.attempt_id)),
                subject=Subject(kind=OwnerKind(payee.kind), id=payee.id),
                effective_on=on,
                reservation_id=order.attempt_id,
                currency=payee.currency,
                parts=tuple(
                    ReservePart(
                        scheme_id=part.scheme_id,
                        payer_id=part.payer_id,
                        amount=amount_text(part.amount_minor, payee.currency),
                    )
                    for part in order.ordered.parts
                ),
                seen_subject_number=seen[payee.kind, payee.id],
            ),
            order_id=order.order_id,
        )
        for order in orders
        for payee in (order.ordered.payee,)
    ]
