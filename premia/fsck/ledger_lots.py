"""Ledger, invariant 3: what is posted for a lot is what its latest entitlement says, by the bytes that were stored.

Goal: a trial balance of zero is true by construction and proves nothing; this proves that the right amounts were posted.
Method: four streams in the same order of lots are read side by side: stored entitlements, posted transfers summed up by line,
kept lines, kept heads. The entitlement with the highest (revision, calculation) is the latest, whatever the head says; its
amounts are read from its bytes with code of its own.
Source: design, section 9.3.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from premia.fsck.deviation import Checked, Deviation
from schemas.currencies import minor_digits

if TYPE_CHECKING:
    from asyncpg import Record

    from services.runtime.database import Connection

FETCH_ROWS: Final = 200  # an entitlement of 200 sources has 100 KB: 20 MB in memory at worst.

# All four backwards, so that a lot's latest entitlement comes first out of the primary key's index.
ENTITLEMENTS: Final = """
    SELECT refiner_id, lot_id, revision, calculation, entitlement_id::text, sale_source, sale_id, sale_hash, value
    FROM ledger.entitlement ORDER BY refiner_id DESC, lot_id DESC, revision DESC, calculation DESC"""
POSTED: Final = """
    WITH side AS (
        SELECT t.refiner_id, t.lot_id, t.scheme_id, t.payer_id, t.role, t.unit, t.amount, t.credit_account_id AS account_id
        FROM ledger.transfer AS t WHERE t.lot_id IS NOT NULL
        UNION ALL
        SELECT t.refiner_id, t.lot_id, t.scheme_id, t.payer_id, t.role, t.unit, -t.amount, t.debit_account_id
        FROM ledger.transfer AS t WHERE t.lot_id IS NOT NULL)
    SELECT refiner_id, lot_id, a.owner_id AS organization_id, coalesce(side.role, 'source') AS role, side.unit,
        coalesce(scheme_id, '') AS scheme_id, coalesce(payer_id, '') AS payer_id, sum(amount)::text AS amount
    FROM side JOIN ledger.account AS a USING (account_id) WHERE a.owner_kind IN ('org', 'fund')
    GROUP BY refiner_id, lot_id, a.owner_id, side.role, side.unit, scheme_id, payer_id
    ORDER BY refiner_id DESC, lot_id DESC"""
LINES: Final = """
    SELECT refiner_id, lot_id, organization_id, role, unit, scheme_id, payer_id, amount::text
    FROM ledger.lot_line ORDER BY refiner_id DESC, lot_id DESC"""
HEADS: Final = """
    SELECT refiner_id, lot_id, revision, calculation, entitlement_id::text, registry_version, stage, status, sold_on::text,
        fine_weight_mg FROM ledger.lot_head ORDER BY refiner_id DESC, lot_id DESC"""
LOST_LEAVES: Final = """
    SELECT place, leaves, found FROM (
        SELECT 'entitlement ' || e.entitlement_id AS place, e.leaves, (
            SELECT count(*) FROM ledger.journal AS j WHERE j.cause_id = e.entitlement_id
                AND j.leaf_index >= e.first_leaf AND j.leaf_index < e.first_leaf + e.leaves) AS found
        FROM ledger.entitlement AS e WHERE e.first_leaf IS NOT NULL
        UNION ALL
        SELECT 'command ' || c.command_id, c.leaves, (
            SELECT count(*) FROM ledger.journal AS j WHERE j.cause_id = c.command_id
                AND j.leaf_index >= c.first_leaf AND j.leaf_index < c.first_leaf + c.leaves)
        FROM ledger.command AS c WHERE c.first_leaf IS NOT NULL) AS caused
    WHERE found <> leaves"""
UNCAUSED_LEAVES: Final = """
    SELECT (SELECT count(*) FROM ledger.journal) - (SELECT coalesce(sum(leaves), 0) FROM ledger.entitlement)
        - (SELECT coalesce(sum(leaves), 0) FROM ledger.command)"""

LotKey = tuple[str, str]


class _LineKey(NamedTuple):
    organization_id: str
    role: str
    unit: str
    scheme_id: str
    payer_id: str

    def __str__(self) -> str:
        return ", ".join(part for part in self if part)


@dataclass(slots=True)
class _Lot:
    key: LotKey
    latest: Record | None = None
    entitlements: int = 0
    deviations: list[Deviation] = field(default_factory=list)
    posted: dict[_LineKey, int] = field(default_factory=dict)
    kept: dict[_LineKey, int] = field(default_factory=dict)
    head: Record | None = None


class _Stream:
    """One of the four, with its next row at hand. A lot that only one of them knows is not lost."""

    def __init__(self, conn: Connection, query: str) -> None:
        self._rows = aiter(conn.cursor(query, prefetch=FETCH_ROWS))
        self.row: Record | None = None

    async def advance(self) -> None:
        self.row = await anext(self._rows, None)

    def key(self) -> LotKey | None:
        return None if self.row is None else (self.row["refiner_id"], self.row["lot_id"])


async def check_lots(conn: Connection, checked: Checked) -> AsyncIterator[Deviation]:
    """Yield what is wrong with lots, their heads and lines, and the leaves that entitlements and commands name."""
    async for lot in _lots(conn):
        checked.add("lots")
        checked.add("entitlements", lot.entitlements)
        for deviation in _check_lot(lot):
            yield deviation
    async for row in conn.cursor(LOST_LEAVES, prefetch=FETCH_ROWS):
        yield Deviation(3, "CAUSE_WITHOUT_LEAVES", row["place"], f"caused {row['leaves']} leaves, {row['found']} are there")
    if uncaused := await conn.fetchval(UNCAUSED_LEAVES):
        yield Deviation(3, "LEAVES_WITHOUT_CAUSE", "journal", f"{uncaused} leaves more than entitlements and commands caused")


async def _lots(conn: Connection) -> AsyncIterator[_Lot]:
    entitlements, posted, lines, heads = (_Stream(conn, query) for query in (ENTITLEMENTS, POSTED, LINES, HEADS))
    streams = (entitlements, posted, lines, heads)
    for stream in streams:
        await stream.advance()
    while keys := [key for key in (stream.key() for stream in streams) if key is not None]:
        lot = _Lot(max(keys))
        while entitlements.row is not None and entitlements.key() == lot.key:
            lot.latest = lot.latest or entitlements.row
            lot.entitlements += 1
            lot.deviations += _check_stored(entitlements.row)
            await entitlements.advance()
        while posted.row is not None and posted.key() == lot.key:
            lot.posted[_line_key(posted.row)] = int(posted.row["amount"])
            await posted.advance()
        while lines.row is not None and lines.key() == lot.key:
            lot.kept[_line_key(lines.row)] = int(lines.row["amount"])
            await lines.advance()
        while heads.row is not None and heads.key() == lot.key:
            lot.head = heads.row
            await heads.advance()
        yield lot


def _line_key(row: Record) -> _LineKey:
    return _LineKey(row["organization_id"], row["role"], row["unit"], row["scheme_id"], row["payer_id"])


def _check_lot(lot: _Lot) -> list[Deviation]:
    place = "/".join(lot.key)
    if lot.latest is None:
        return [Deviation(3, "LOT_WITHOUT_ENTITLEMENT", place, "has postings, lines or a head, but no entitlement")]
    deviations = lot.deviations
    try:
        latest = orjson.loads(lot.latest["value"])
        owed = _lines_of(latest)
        head = _head_of(latest)
    except (ValueError, ArithmeticError, KeyError, TypeError) as error:
        return [*deviations, Deviation(3, "ENTITLEMENT_UNREADABLE", place, f"cannot be read: {error!r}")]
    deviations += _compare(place, "POSTED_NOT_OWED", "posted", lot.posted, owed)
    deviations += _compare(place, "LINE_NOT_OWED", "kept", lot.kept, owed)
    if lot.head is None:
        deviations.append(Deviation(3, "HEAD_MISSING", place, "has entitlements, but no head"))
    else:
        deviations += [
            Deviation(3, "HEAD_WRONG", place, f"{name} is {lot.head[name]}, the latest entitlement says {value}")
            for name, value in head.items()
            if lot.head[name] != value
        ]
    return deviations


def _check_stored(row: Record) -> list[Deviation]:
    place = f"{row['refiner_id']}/{row['lot_id']}, revision {row['revision']}, calculation {row['calculation']}"
    try:
        value = orjson.loads(row["value"])
        told = {
            "refiner_id": value["refiner_id"],
            "lot_id": value["lot_id"],
            "revision": value["revision"],
            "calculation": value["calculation"],
            "entitlement_id": value["entitlement_id"],
            "sale_source": value["sale"]["source"],
            "sale_id": value["sale"]["id"],
            "sale_hash": value["sale"]["hash"],
        }
    except (ValueError, KeyError, TypeError) as error:
        return [Deviation(3, "ENTITLEMENT_UNREADABLE", place, f"cannot be read: {error!r}")]
    return [
        Deviation(3, "ENTITLEMENT_NOT_ITS_ROW", place, f"says {name} is {value}, its row says {row[name]}")
        for name, value in told.items()
        if value != row[name]
    ]


def _lines_of(entitlement: dict[str, Any]) -> dict[_LineKey, int]:
    """What the lot is entitled to, without lines of nothing. Premiums in minor units, fine gold in milligrams."""
    owed: dict[_LineKey, int] = {}
    for premium in entitlement["premiums"]:
        for line in premium["lines"]:
            key = _LineKey(
                line["organization_id"],
                line["role"],
                premium["currency"],
                premium["scheme_id"],
                entitlement["payer_id"],
            )
            owed[key] = owed.get(key, 0) + _whole(line["amount"], minor_digits(premium["currency"]))
    for source in entitlement["sources"]:
        key = _LineKey(source["organization_id"], "source", "AU-MG", "", "")
        owed[key] = owed.get(key, 0) + _whole(source["fine_weight_g"], 3)
    return {key: amount for key, amount in owed.items() if amount}


def _head_of(entitlement: dict[str, Any]) -> dict[str, object]:
    weight = entitlement["fine_weight_g"]
    return {
        "revision": entitlement["revision"],
        "calculation": entitlement["calculation"],
        "entitlement_id": entitlement["entitlement_id"],
        "registry_version": entitlement["registry_version"],
        "stage": entitlement["stage"],
        "status": entitlement["status"],
        "sold_on": entitlement["sold_on"],
        "fine_weight_mg": 0 if weight is None else _whole(weight, 3),
    }


def _whole(text: str, digits: int) -> int:
    scaled = Decimal(text).scaleb(digits)
    if scaled != int(scaled):
        raise ValueError(f"{text} has more than {digits} digits after the point")
    return int(scaled)


def _compare(place: str, code: str, what: str, found: dict[_LineKey, int], owed: dict[_LineKey, int]) -> list[Deviation]:
    return [
        Deviation(3, code, f"{place}: {key}", f"{what}: {found.get(key, 0)}; owed: {owed.get(key, 0)}")
        for key in sorted(found.keys() | owed.keys())
        if found.get(key, 0) != owed.get(key, 0)
    ]
