"""Read the story of a lot, a payout or a statement.

Goal: every event, posting and booking of it, from the refiner's record to the bank and back, none twice.
Method: a story is the premium leaves it is about, the payout orders that took them or moved in them, and the statements that
name any of these. The three are found from whichever one the story begins with; then all of each are told.
Who decided about a recalculation is asked of whoever reads that log.
Source: design, sections 6 and 7. A leaf stands in the first statement of its subject that is made at a larger tree and whose
period ends on or after its day (compose_statement).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final, TypeAlias
from uuid import UUID

import orjson

from premia.amounts import grouped, plain, unit_name
from premia.service_session import money
from premia.trace.event import TraceEvent, in_order
from premia.trace.orders import order_events
from premia.trace.recalculations import two_persons
from premia.trace.subject import IssuedStatement, Lot, Payout, Traced
from schemas.identity import derived_id
from schemas.ledger_words import FINE_GOLD
from schemas.statement import statement_number
from services.payout.use_cases.record_statement import ATTESTATION

if TYPE_CHECKING:
    from asyncpg import Record

    from services.premium_calculator.recalculations import Recalculation
    from services.runtime.database import Connection

RecalculationsOf: TypeAlias = "Callable[[Collection[UUID]], Awaitable[Mapping[UUID, Recalculation]]]"
REGISTRY_CHARS_SHOWN: Final = len("sha256:") + 12
LEAVES_OF_LOT: Final = """
    SELECT generate_series(first_leaf, first_leaf + leaves - 1) AS leaf_index FROM ledger.entitlement
    WHERE refiner_id = $1 AND lot_id = $2 AND first_leaf IS NOT NULL"""
LEAVES_OF_ORDER: Final = "SELECT DISTINCT leaf_index FROM payout.order_item WHERE order_id = $1"
ORDERS_OF_LEAVES: Final = "SELECT DISTINCT order_id FROM payout.order_item WHERE leaf_index = ANY($1)"
# A statement's own leaves: in its tree and period, and in no earlier statement of its subject.
OF_STATEMENT: Final = """
    SELECT t.leaf_index, t.kind, t.reservation_id FROM payout.statement AS s
    LEFT JOIN payout.statement AS p
      ON p.subject_kind = s.subject_kind AND p.subject_id = s.subject_id AND p.number = s.number - 1
    JOIN payout.ledger_transaction AS t ON t.subject_kind = s.subject_kind AND t.subject_id = s.subject_id
      AND t.leaf_index < s.tree_size AND t.effective_on <= s.period_to
      AND (p.statement_id IS NULL OR NOT (t.leaf_index < p.tree_size AND t.effective_on <= p.period_to))
    WHERE s.statement_id = $1"""
ORDERS_OF_RESERVATIONS: Final = "SELECT DISTINCT order_id FROM payout.attempt WHERE attempt_id = ANY($1)"
# What makes money to be paid, or less of it.
ITEM_KINDS: Final = frozenset({"premium", "opened", "corrected", "exchanged"})
ENTITLEMENTS_OF_LOT: Final = """
    SELECT refiner_id, lot_id, revision, calculation, entitlement_id, cause, sale_id, origin, effective_on, recorded_at, detail,
        first_leaf, leaves, value
    FROM ledger.entitlement WHERE refiner_id = $1 AND lot_id = $2 ORDER BY recorded_at, revision, calculation"""
ENTITLEMENTS_OF_LEAVES: Final = """
    SELECT DISTINCT e.refiner_id, e.lot_id, e.revision, e.calculation, e.entitlement_id, e.cause, e.sale_id, e.origin,
        e.effective_on, e.recorded_at, e.detail, e.first_leaf, e.leaves, e.value
    FROM unnest($1::bigint[]) AS l (leaf_index)
    CROSS JOIN LATERAL (SELECT * FROM ledger.entitlement AS x WHERE x.first_leaf <= l.leaf_index
                        ORDER BY x.first_leaf DESC LIMIT 1) AS e
    ORDER BY e.recorded_at, e.refiner_id, e.lot_id, e.revision, e.calculation"""
REFUSED: Final = """
    SELECT origin, code, revision, sale_id, known_origin, recorded_at FROM ledger.quarantine
    WHERE refiner_id = $1 AND lot_id = $2 ORDER BY recorded_at, origin"""
JOURNAL: Final = """
    SELECT leaf_index, transaction_id, subject_kind, subject_id, kind, effective_on, recorded_at FROM ledger.journal
    WHERE leaf_index = ANY($1) ORDER BY leaf_index"""
TRANSFERS: Final = """
    SELECT t.leaf_index, t.amount, t.unit, t.lot_id, t.scheme_id,
        d.owner_kind || ':' || d.owner_id || ':' || d.purpose AS debit,
        c.owner_kind || ':' || c.owner_id || ':' || c.purpose AS credit
    FROM ledger.transfer AS t
    JOIN ledger.account AS d ON d.account_id = t.debit_account_id
    JOIN ledger.account AS c ON c.account_id = t.credit_account_id
    WHERE t.leaf_index = ANY($1) ORDER BY t.leaf_index, t.number"""
# Cycles that passed the items by, until one took them.
WAITED: Final = """
    SELECT DISTINCT c.settles_on, c.prepared_at, r.subject_kind, r.subject_id, r.currency, r.outcome, r.code, c.cycle_id
    FROM payout.open_item AS i
    JOIN payout.cycle AS c ON c.tree_size > i.leaf_index AND c.settles_on >= i.effective_on
    JOIN payout.cycle_result AS r ON r.cycle_id = c.cycle_id AND r.subject_kind = i.subject_kind
      AND r.subject_id = i.subject_id AND r.currency = i.currency AND r.outcome <> 'ordered'
    WHERE i.leaf_index = ANY($1) AND NOT EXISTS (
        SELECT FROM payout.order_item AS x JOIN payout.payout_order AS o USING (order_id)
        JOIN payout.cycle AS y ON y.cycle_id = o.cycle_id
        WHERE x.leaf_index = i.leaf_index AND x.position = i.position AND y.prepared_at <= c.prepared_at)
    ORDER BY c.prepared_at, r.subject_id, r.currency"""
OPEN: Final = """
    SELECT leaf_index, currency, amount_minor, order_id FROM payout.open_item
    WHERE leaf_index = ANY($1) ORDER BY leaf_index, position"""
STATEMENTS_OF_LEAVES: Final = """
    SELECT DISTINCT ON (t.leaf_index) t.leaf_index, s.statement_id FROM payout.ledger_transaction AS t
    JOIN payout.statement AS s ON s.subject_kind = t.subject_kind AND s.subject_id = t.subject_id
      AND t.leaf_index < s.tree_size AND t.effective_on <= s.period_to
    WHERE t.leaf_index = ANY($1) ORDER BY t.leaf_index, s.number"""
STATEMENTS: Final = """
    SELECT statement_id, subject_kind, subject_id, number, period_from, period_to, tree_size, json_sha256, pdf_sha256,
        issued_by, issued_at
    FROM payout.statement WHERE statement_id = ANY($1) ORDER BY subject_id, number"""
ATTESTED: Final = """
    SELECT j.leaf_index, j.effective_on FROM ledger.command AS c JOIN ledger.journal AS j ON j.leaf_index = c.first_leaf
    WHERE c.command_id = $1"""


@dataclass(frozen=True, slots=True)
class _Scope:
    """What a story is about. `statement_ids`: those that must be told in any case."""

    item_leaves: tuple[int, ...]
    order_ids: tuple[UUID, ...]
    statement_ids: tuple[UUID, ...] = ()


async def story_of(conn: Connection, about: Traced, recalculations_of: RecalculationsOf) -> list[TraceEvent]:
    """All events, by business day. `recalculations_of`: asked only if the story has an entitlement of one."""
    scope = await _scope(conn, about)
    events: list[TraceEvent] = []
    if isinstance(about, Lot):
        entitlements = await conn.fetch(ENTITLEMENTS_OF_LOT, about.refiner_id, about.lot_id)
        events += [_refused(row) for row in await conn.fetch(REFUSED, about.refiner_id, about.lot_id)]
    else:
        entitlements = await conn.fetch(ENTITLEMENTS_OF_LEAVES, scope.item_leaves)
    recalculated = {row["entitlement_id"] for row in entitlements if row["cause"] == "recalculation"}
    recalculations = await recalculations_of(recalculated) if recalculated else {}
    for row in entitlements:
        events += _sale(row, recalculations.get(row["entitlement_id"]))
    orders = await order_events(conn, scope.order_ids)
    leaves = tuple(sorted({*scope.item_leaves, *orders.leaves}))
    events += await _postings(conn, leaves)
    events += await _waiting(conn, scope.item_leaves)
    events += orders.events
    events += await _statements(conn, leaves, scope.statement_ids)
    return in_order(events)


async def _scope(conn: Connection, about: Traced) -> _Scope:
    match about:
        case Lot(refiner_id, lot_id):
            leaves = [row["leaf_index"] for row in await conn.fetch(LEAVES_OF_LOT, refiner_id, lot_id)]
            orders = [row["order_id"] for row in await conn.fetch(ORDERS_OF_LEAVES, leaves)]
            return _Scope(tuple(leaves), tuple(orders))
        case Payout(order_id):
            leaves = [row["leaf_index"] for row in await conn.fetch(LEAVES_OF_ORDER, order_id)]
            return _Scope(tuple(leaves), (order_id,))
        case IssuedStatement(statement_id):
            rows = await conn.fetch(OF_STATEMENT, statement_id)
            reservations = [row["reservation_id"] for row in rows if row["reservation_id"] is not None]
            orders = [row["order_id"] for row in await conn.fetch(ORDERS_OF_RESERVATIONS, reservations)]
            leaves = [row["leaf_index"] for row in rows if row["kind"] in ITEM_KINDS]
            return _Scope(tuple(leaves), tuple(orders), (statement_id,))


# --- the sale ---------------------------------------------------------------------------------------------------------


def _sale(row: Record, recalculation: Recalculation | None) -> list[TraceEvent]:
    lot = f"{row['refiner_id']}/{row['lot_id']}"
    entitlement = orjson.loads(row["value"])
    decided, persons = ("", {}) if recalculation is None else two_persons(recalculation)
    said = TraceEvent(
        on=row["effective_on"],
        at=row["recorded_at"],
        what=row["cause"],
        text=f"{lot} revision {row['revision']} ({entitlement['stage']}), sale {row['sale_id']} at {row['origin']}{decided}",
        details={
            "refiner_id": row["refiner_id"],
            "lot_id": row["lot_id"],
            "revision": row["revision"],
            "stage": entitlement["stage"],
            "sale_id": row["sale_id"],
            "origin": row["origin"],
            **persons,
        },
    )
    totals = ", ".join(
        f"{premium['scheme_id']} {premium['scheme_version']} {money(premium['total'], premium['currency'])}"
        for premium in entitlement["premiums"]
    )
    registry = entitlement["registry_version"][:REGISTRY_CHARS_SHOWN]
    leaves = "" if row["first_leaf"] is None else f" as leaf {_span(row['first_leaf'], row['leaves'])}"
    number = f" calculation {row['calculation']}" if row["calculation"] else ""
    entitled = TraceEvent(
        on=row["effective_on"],
        at=row["recorded_at"],
        what="entitlement",
        text=f"{row['entitlement_id']}{number} ({entitlement['status']}): {totals}; registry {registry}…; "
        f"{row['detail']}{leaves}",
        details={
            "entitlement_id": str(row["entitlement_id"]),
            "calculation": row["calculation"],
            "status": entitlement["status"],
            "registry_version": entitlement["registry_version"],
            "outcome": row["detail"],
        },
    )
    return [said, entitled]


def _span(first: int, count: int) -> str:
    return str(first) if count == 1 else f"{first} to {first + count - 1}"


def _refused(row: Record) -> TraceEvent:
    against = "" if row["known_origin"] is None else f", against {row['known_origin']}"
    return TraceEvent(
        on=row["recorded_at"].date(),
        at=row["recorded_at"],
        what="refused",
        text=f"revision {row['revision']}: {row['code']}, sale {row['sale_id']} at {row['origin']}{against}",
        details={"code": row["code"], "revision": row["revision"], "sale_id": row["sale_id"], "origin": row["origin"]},
    )


# --- postings and what became of them ---------------------------------------------------------------------------------


async def _postings(conn: Connection, leaves: Sequence[int]) -> list[TraceEvent]:
    transfers: defaultdict[int, list[Record]] = defaultdict(list)
    for row in await conn.fetch(TRANSFERS, leaves):
        transfers[row["leaf_index"]].append(row)
    items: defaultdict[int, list[Record]] = defaultdict(list)
    for row in await conn.fetch(OPEN, leaves):
        items[row["leaf_index"]].append(row)
    return [_posting(row, transfers[row["leaf_index"]], items[row["leaf_index"]]) for row in await conn.fetch(JOURNAL, leaves)]


def _posting(row: Record, transfers: Sequence[Record], items: Sequence[Record]) -> TraceEvent:
    moved = "; ".join(
        f"{_figure(transfer['amount'], transfer['unit'])} from {transfer['debit']} to {transfer['credit']}"
        for transfer in transfers
    )
    still_open = any(item["order_id"] is None for item in items)
    return TraceEvent(
        on=row["effective_on"],
        at=row["recorded_at"],
        what="posting",
        text=f"{row['kind']}: {moved}{'; an open item' if still_open else ''}",
        subject=f"{row['subject_kind']}:{row['subject_id']}",
        leaf_index=row["leaf_index"],
        details={
            "kind": row["kind"],
            "transaction_id": str(row["transaction_id"]),
            "transfers": [
                {
                    "debit": transfer["debit"],
                    "credit": transfer["credit"],
                    "amount": plain(transfer["amount"], transfer["unit"]),
                    "unit": transfer["unit"],
                    "lot_id": transfer["lot_id"],
                    "scheme_id": transfer["scheme_id"],
                }
                for transfer in transfers
            ],
            "open_items": [
                {
                    "amount": plain(item["amount_minor"], item["currency"]),
                    "currency": item["currency"],
                    "order_id": None if item["order_id"] is None else str(item["order_id"]),
                }
                for item in items
            ],
        },
    )


def _figure(amount: int, unit: str) -> str:
    written = grouped(amount, unit)
    return f"{written} {unit_name(unit)}" if unit == FINE_GOLD else f"{unit} {written}"


async def _waiting(conn: Connection, leaves: Sequence[int]) -> list[TraceEvent]:
    return [
        TraceEvent(
            on=row["settles_on"],
            at=row["prepared_at"],
            what="waited",
            text=f"{row['currency']} was {row['outcome'].replace('_', ' ')} in the cycle of {row['settles_on']}: {row['code']}",
            subject=f"{row['subject_kind']}:{row['subject_id']}",
            details={"cycle_id": str(row["cycle_id"]), "outcome": row["outcome"], "code": row["code"]},
        )
        for row in await conn.fetch(WAITED, leaves)
    ]


# --- statements -------------------------------------------------------------------------------------------------------


async def _statements(conn: Connection, leaves: Sequence[int], always: Sequence[UUID]) -> list[TraceEvent]:
    named: defaultdict[UUID, list[int]] = defaultdict(list)
    for row in await conn.fetch(STATEMENTS_OF_LEAVES, leaves):
        named[row["statement_id"]].append(row["leaf_index"])
    events = []
    for row in await conn.fetch(STATEMENTS, sorted({*named, *always})):
        command_id = derived_id("command", "attest", ATTESTATION, str(row["statement_id"]))
        attested = await conn.fetchrow(ATTESTED, command_id)
        events.append(_statement(row, named[row["statement_id"]], attested))
    return events


def _statement(row: Record, leaves: Sequence[int], attested: Record | None) -> TraceEvent:
    number = statement_number(row["number"], row["period_from"], row["period_to"])
    issued_on: date = row["issued_at"].date() if attested is None else attested["effective_on"]
    what = (
        f"names {'leaf' if len(leaves) == 1 else 'leaves'} {', '.join(map(str, leaves))}" if leaves else "names none of these"
    )
    return TraceEvent(
        on=issued_on,
        at=row["issued_at"],
        what="statement",
        text=f"{number} ({row['period_from']} to {row['period_to']}) at tree size {row['tree_size']} {what}; "
        f"JSON sha256 {row['json_sha256']}" + ("; not attested yet" if attested is None else ""),
        subject=f"{row['subject_kind']}:{row['subject_id']}",
        leaf_index=None if attested is None else attested["leaf_index"],
        details={
            "statement_id": str(row["statement_id"]),
            "number": number,
            "tree_size": row["tree_size"],
            "json_sha256": row["json_sha256"],
            "pdf_sha256": row["pdf_sha256"],
            "issued_by": row["issued_by"],
            "names_leaves": list(leaves),
        },
    )
