"""Lots, invariants 3 and 8: replayed from the stored bytes of its entitlements, each lot comes to what was posted and is kept.

Goal: a trial balance of zero is true by construction and proves nothing; this proves that the right amounts were posted.
Method: four streams in the same order of lots are read side by side: stored entitlements, posted transfers summed up by cause
and line, kept lines, kept heads. Those of a lot that were not superseded are replayed in order of (revision, calculation),
which is the order that they were accepted in; each one's difference to the one before is what must have been posted for it.
Source: design, sections 6 and 9.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Final

from premia.fsck.deviation import Checked, Deviation, DeviationCode
from premia.fsck.ledger.entitlement import Entitlement, LineKey, head_of, read_entitlement
from premia.fsck.streams import Connection, Row, Stream, open_stream

ENTITLEMENT_PAGE_ROWS: Final = 200  # an entitlement of 200 sources has 100 KB: 20 MB in memory at worst.
PAGE_ROWS: Final = 5_000

ENTITLEMENTS: Final = """
    SELECT e.refiner_id, e.lot_id, e.revision, e.calculation, e.entitlement_id::text, e.cause, e.sale_source, e.sale_id,
        e.sale_hash, e.recorded_at, e.detail, e.first_leaf, e.value, r.entitlement_id IS NOT NULL AS recovered
    FROM ledger.entitlement AS e LEFT JOIN ledger.recovered_posting AS r USING (entitlement_id)
    ORDER BY e.refiner_id, e.lot_id, e.revision, e.calculation"""
POSTED: Final = """
    WITH side AS (
        SELECT leaf_index, refiner_id, lot_id, scheme_id, payer_id, role, unit, amount, credit_account_id AS account_id
        FROM ledger.transfer WHERE lot_id IS NOT NULL
        UNION ALL
        SELECT leaf_index, refiner_id, lot_id, scheme_id, payer_id, role, unit, -amount, debit_account_id
        FROM ledger.transfer WHERE lot_id IS NOT NULL)
    SELECT side.refiner_id, side.lot_id, j.cause_id::text, a.owner_id AS organization_id,
        coalesce(side.role, 'source') AS role, side.unit, coalesce(side.scheme_id, '') AS scheme_id,
        coalesce(side.payer_id, '') AS payer_id, sum(amount)::text AS amount, bool_or(r.entitlement_id IS NOT NULL) AS recovered
    FROM side JOIN ledger.account AS a USING (account_id) LEFT JOIN ledger.journal AS j USING (leaf_index)
    LEFT JOIN ledger.recovered_posting AS r ON r.entitlement_id = j.cause_id
    WHERE a.owner_kind IN ('org', 'fund')
    GROUP BY side.refiner_id, side.lot_id, j.cause_id, a.owner_id, side.role, side.unit, side.scheme_id, side.payer_id
    ORDER BY side.refiner_id, side.lot_id"""
LINES: Final = """
    SELECT refiner_id, lot_id, organization_id, role, unit, scheme_id, payer_id, amount::text
    FROM ledger.lot_line ORDER BY refiner_id, lot_id"""
HEADS: Final = """
    SELECT refiner_id, lot_id, revision, calculation, entitlement_id::text, registry_version, stage, status, sold_on::text,
        fine_weight_mg FROM ledger.lot_head ORDER BY refiner_id, lot_id"""

LotKey = tuple[str, str]
Lines = dict[LineKey, int]


@dataclass(slots=True)
class _Lot:
    """A lot while its entitlements are replayed, in order. `amounts`: what it is entitled to as of the last that counted."""

    key: LotKey
    entitlements: int = 0
    last: Row | None = None
    last_value: dict[str, Any] | None = None
    amounts: Lines = field(default_factory=dict)
    superseded: list[Row] = field(default_factory=list)
    counted: list[Row] = field(default_factory=list)
    posted: dict[str | None, Lines] = field(default_factory=lambda: defaultdict(dict))
    kept: Lines = field(default_factory=dict)
    head: Row | None = None
    readable: bool = True
    # Causes of leaves that a restore took away and the log gave back: their entitlements come again, perhaps in another order.
    recovered: set[str] = field(default_factory=set)

    @property
    def where(self) -> str:
        return "/".join(self.key)


async def check_lots(conn: Connection, checked: Checked) -> AsyncIterator[Deviation]:
    """Yield what is wrong with lots, their heads and lines."""
    entitlements = await open_stream(conn, ENTITLEMENTS, page_rows=ENTITLEMENT_PAGE_ROWS)
    posted, lines, heads = [await open_stream(conn, query, page_rows=PAGE_ROWS) for query in (POSTED, LINES, HEADS)]
    waiting = 0
    while (key := _lowest(entitlements, posted, lines, heads)) is not None:
        lot = _Lot(key)
        while (row := _of(posted, key)) is not None:
            lot.posted[row["cause_id"]][_line_key(row)] = int(row["amount"])
            if row["recovered"]:
                lot.recovered.add(row["cause_id"])
            await posted.advance()
        while (row := _of(lines, key)) is not None:
            lot.kept[_line_key(row)] = int(row["amount"])
            await lines.advance()
        while (row := _of(heads, key)) is not None:
            lot.head = row
            await heads.advance()
        found = []
        while (row := _of(entitlements, key)) is not None:
            found += _replay(lot, row)
            await entitlements.advance()
        checked.add("entitlements", lot.entitlements)
        if lot.recovered & lot.posted.keys():
            waiting += 1
            continue
        checked.add("lots")
        for deviation in [*found, *_check_lot(lot)]:
            yield deviation
    if waiting:
        checked.not_checked["lots"] = f"{waiting:,} wait for entitlements that are read again after a restore"


def _lowest(*streams: Stream) -> LotKey | None:
    return min((_key(stream.row) for stream in streams if stream.row is not None), default=None)


def _key(row: Row) -> LotKey:
    return (row["refiner_id"], row["lot_id"])


def _of(stream: Stream, key: LotKey) -> Row | None:
    return stream.row if stream.row is not None and _key(stream.row) == key else None


def _line_key(row: Row) -> LineKey:
    return LineKey(row["organization_id"], row["role"], row["unit"], row["scheme_id"], row["payer_id"])


def _replay(lot: _Lot, row: Row) -> list[Deviation]:
    """Take the next entitlement of a lot, as the ledger did."""
    lot.entitlements += 1
    if row["recovered"]:
        lot.recovered.add(row["entitlement_id"])
    where = f"{lot.where}, revision {row['revision']}, calculation {row['calculation']}"
    entitlement = read_entitlement(row["value"])
    if isinstance(entitlement, str):
        lot.readable = False
        return [Deviation(DeviationCode.ENTITLEMENT_UNREADABLE, where, "an entitlement", entitlement)]
    deviations = _check_row(where, row, entitlement.value)
    if row["detail"] == "superseded":
        lot.superseded.append(row)
        return deviations
    if lot.readable:  # else nobody knows what it is different from
        deviations += _check_turn(where, lot, row, entitlement)
        difference = {
            key: change
            for key in entitlement.amounts.keys() | lot.amounts.keys()
            if (change := entitlement.amounts.get(key, 0) - lot.amounts.get(key, 0))
        }
        posted = {key: amount for key, amount in lot.posted.pop(row["entitlement_id"], {}).items() if amount}
        deviations += _compare(where, DeviationCode.POSTED_NOT_OWED, posted, difference)
        expected = "posted" if difference else "unchanged"
        if row["detail"] != expected:
            deviations.append(Deviation(DeviationCode.ENTITLEMENT_OUT_OF_TURN, where, expected, f"{row['detail']}"))
    lot.last, lot.last_value, lot.amounts = row, entitlement.value, entitlement.amounts
    lot.counted.append(row)
    return deviations


def _check_row(where: str, row: Row, value: dict[str, Any]) -> list[Deviation]:
    names = ("refiner_id", "lot_id", "revision", "calculation", "entitlement_id", "cause")
    told = {name: value.get(name) for name in names}
    told |= {f"sale_{name}": value["sale"].get(name) for name in ("source", "id", "hash")}
    return [
        Deviation(DeviationCode.ENTITLEMENT_NOT_ITS_ROW, f"{where}: {name}", f"{found}", f"{row[name]}")
        for name, found in told.items()
        if found != row[name]
    ]


def _check_turn(where: str, lot: _Lot, row: Row, entitlement: Entitlement) -> list[Deviation]:
    """Whether it could be accepted after the last one that counted."""
    deviations = []
    last = lot.last
    if last is not None and row["recorded_at"] < last["recorded_at"] and not lot.recovered:
        expected = f"recorded at {last['recorded_at']} or later, or superseded"
        deviations.append(Deviation(DeviationCode.ENTITLEMENT_OUT_OF_TURN, where, expected, f"{row['recorded_at']}"))
    replaced = None if last is None else {"revision": last["revision"], "calculation": last["calculation"]}
    found = entitlement.value.get("replaces")
    if row["cause"] == "recalculation" and found != replaced:
        deviations.append(
            Deviation(DeviationCode.ENTITLEMENT_OUT_OF_TURN, f"{where}: replaces", f"the head, {replaced}", f"{found}")
        )
    return deviations


def _check_lot(lot: _Lot) -> list[Deviation]:
    if lot.entitlements == 0:
        return [Deviation(DeviationCode.LOT_WITHOUT_ENTITLEMENT, lot.where, "an entitlement", "postings, lines or a head only")]
    deviations = [*_check_superseded(lot)]
    if not lot.readable:
        return deviations
    for cause_id, posted in lot.posted.items():
        deviations += _compare(f"{lot.where}, cause {cause_id}", DeviationCode.POSTED_NOT_OWED, posted, {})
    deviations += _compare(lot.where, DeviationCode.LINE_NOT_OWED, lot.kept, lot.amounts)
    if lot.head is None:
        return [*deviations, Deviation(DeviationCode.HEAD_MISSING, lot.where, "a head", "no row in ledger.lot_head")]
    expected = {} if lot.last_value is None else head_of(lot.last_value)
    deviations += [
        Deviation(DeviationCode.HEAD_WRONG, f"{lot.where}: {name}", f"{value}", f"{lot.head[name]}")
        for name, value in expected.items()
        if lot.head[name] != value
    ]
    return deviations


def _check_superseded(lot: _Lot) -> list[Deviation]:
    """What was superseded came when a later one counted already."""
    deviations = []
    for row in lot.superseded:
        later = [
            counted
            for counted in lot.counted
            if (counted["revision"], counted["calculation"]) > (row["revision"], row["calculation"])
            and counted["recorded_at"] <= row["recorded_at"]
        ]
        if not later:
            where = f"{lot.where}, revision {row['revision']}, calculation {row['calculation']}"
            expected = "posted or unchanged, as no later one counted then"
            deviations.append(Deviation(DeviationCode.ENTITLEMENT_OUT_OF_TURN, where, expected, "superseded"))
    return deviations


def _compare(where: str, code: DeviationCode, found: Lines, expected: Lines) -> list[Deviation]:
    return [
        Deviation(code, f"{where}: {key}", f"{expected.get(key, 0)}", f"{found.get(key, 0)}")
        for key in sorted(found.keys() | expected.keys())
        if found.get(key, 0) != expected.get(key, 0)
    ]
