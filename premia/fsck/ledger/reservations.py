"""Reservations: each one's steps in the order of the log, and what the table makes of them. Invariants 6 and 10.

Goal: money that was set aside is paid, freed or returned once, part by part as it was reserved, within its scheme and payer.
Method: PostgreSQL sorts the leaves of payments by the reservation that they name; the table is read beside them in that order.
Source: design, section 6.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Final

from premia.fsck.deviation import Checked, Deviation, DeviationCode
from premia.fsck.ledger.leaf import read_leaf
from premia.fsck.streams import Connection, Row, open_stream

PAGE_ROWS: Final = 500  # of leaves of 2 KB: a megabyte; 30 MB at worst

# The reservation is found in the text of the leaf, because a damaged leaf must not end the whole query.
STEPS: Final = """
    SELECT substring(encode(leaf, 'escape') FROM '"reservation_id":"([0-9a-f-]{36})"') COLLATE "C" AS reservation_id,
        leaf_index, kind, subject_kind, subject_id, leaf
    FROM ledger.journal WHERE kind IN ('reserved', 'settled', 'voided', 'returned') ORDER BY 1 NULLS FIRST, leaf_index"""
KEPT: Final = """
    SELECT reservation_id::text COLLATE "C" AS reservation_id, subject_kind, subject_id, unit, state, scheme_ids, payer_ids,
        amounts
    FROM ledger.reservation ORDER BY 1"""
# Which state each step leads to, and from which one.
STEP: Final = {
    "reserved": (None, "reserved"),
    "settled": ("reserved", "settled"),
    "voided": ("reserved", "voided"),
    "returned": ("settled", "returned"),
}

Part = tuple[str, str]  # scheme and payer


@dataclass(slots=True)
class _Reservation:
    """A reservation as the journal has it, step by step. `moved` is what the step read last has moved so far."""

    id: str
    subject: tuple[str, str]
    state: str | None = None
    unit: str = ""
    parts: Counter[Part] = field(default_factory=Counter)
    order: list[tuple[str, str, int]] = field(default_factory=list)
    moved: Counter[Part] = field(default_factory=Counter)
    step_leaf: int = 0

    @property
    def where(self) -> str:
        return f"reservation {self.id}"


async def check_reservations(conn: Connection, checked: Checked) -> AsyncIterator[Deviation]:
    """Yield what is wrong with reservations, in the journal and in the table."""
    steps = await open_stream(conn, STEPS, page_rows=PAGE_ROWS)
    kept = await open_stream(conn, KEPT, page_rows=PAGE_ROWS)
    while steps.row is not None and steps.row["reservation_id"] is None:
        where = f"leaf {steps.row['leaf_index']}"
        yield Deviation(DeviationCode.RESERVATION_OUT_OF_TURN, where, "the reservation that it is about", "none named")
        await steps.advance()
    while steps.row is not None or kept.row is not None:
        id_ = min(row["reservation_id"] for row in (steps.row, kept.row) if row is not None)
        reservation = None
        while steps.row is not None and steps.row["reservation_id"] == id_:
            reservation = reservation or _Reservation(id_, (steps.row["subject_kind"], steps.row["subject_id"]))
            for deviation in _step(reservation, steps.row):
                yield deviation
            await steps.advance()
        row = None
        while kept.row is not None and kept.row["reservation_id"] == id_:
            row = kept.row
            await kept.advance()
        checked.add("reservations")
        for deviation in [*([] if reservation is None else _end_of_step(reservation)), *_check_kept(id_, reservation, row)]:
            yield deviation


def _step(reservation: _Reservation, row: Row) -> list[Deviation]:
    """Take one leaf: the next step, or one more part of the last."""
    try:
        leaf = read_leaf(row["leaf"])
        transfers, part = leaf.get("transfers", []), leaf["part"]
    except (ValueError, KeyError, TypeError):
        return []  # check_journal names it
    deviations = []
    if part == 1:
        deviations += _end_of_step(reservation)
        reservation.step_leaf = row["leaf_index"]
        before, after = STEP[row["kind"]]
        subject = (row["subject_kind"], row["subject_id"])
        if reservation.state != before or reservation.subject != subject:
            expected = f"a step from {before or 'nothing'} to {after}, of {':'.join(reservation.subject)}"
            found = f"it was {reservation.state or 'not reserved'}, and is of {':'.join(subject)}"
            where = f"{reservation.where}, leaf {row['leaf_index']}"
            deviations.append(Deviation(DeviationCode.RESERVATION_OUT_OF_TURN, where, expected, found))
        reservation.state = after
    for transfer in transfers:
        scope = transfer.get("scope", {})
        part_key = (scope.get("scheme_id", ""), scope.get("payer_id", ""))
        reservation.moved[part_key] += transfer["amount_minor"]
        if row["kind"] == "reserved":
            reservation.unit = transfer["unit"]
            reservation.order.append((*part_key, transfer["amount_minor"]))
    return deviations


def _end_of_step(reservation: _Reservation) -> list[Deviation]:
    """Compare what a step moved, all of its parts, with what was reserved."""
    moved, reservation.moved = reservation.moved, Counter()
    if not moved:
        return []
    if not reservation.parts:
        reservation.parts = moved
        return []
    if moved == reservation.parts:
        return []
    where = f"{reservation.where}, leaf {reservation.step_leaf}"
    return [Deviation(DeviationCode.RESERVATION_PARTS_DIFFER, where, _text(reservation.parts), _text(moved))]


def _check_kept(id_: str, reservation: _Reservation | None, row: Row | None) -> list[Deviation]:
    where = f"reservation {id_}"
    if row is None:
        assert reservation is not None, "one of the two has it"
        return [Deviation(DeviationCode.RESERVATION_MISSING, where, f"{reservation.state}", "no row in ledger.reservation")]
    if reservation is None:
        return [Deviation(DeviationCode.RESERVATION_WRONG, where, "nothing, as no leaf tells of it", f"{row['state']}")]
    expected: dict[str, Any] = {
        "state": reservation.state,
        "subject": reservation.subject,
        "unit": reservation.unit,
        "parts": reservation.order,
    }
    found: dict[str, Any] = {
        "state": row["state"],
        "subject": (row["subject_kind"], row["subject_id"]),
        "unit": row["unit"],
        "parts": list(zip(row["scheme_ids"], row["payer_ids"], row["amounts"], strict=True)),
    }
    return [
        Deviation(DeviationCode.RESERVATION_WRONG, f"{where}: {name}", f"{value}", f"{found[name]}")
        for name, value in expected.items()
        if found[name] != value
    ]


def _text(parts: Counter[Part]) -> str:
    return ", ".join(f"{amount} for {scheme} of {payer}" for (scheme, payer), amount in sorted(parts.items()))
