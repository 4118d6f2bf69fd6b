"""Subjects: each one's transactions are numbered without a gap, and the last that took money back is remembered.

Goal: a subject that misses nothing of its own can prove it, and no reservation is made on a view that is stale.
Method: counters of all subjects are in memory (100 bytes each; a programme has hundreds).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final

from premia.fsck.deviation import Deviation, DeviationCode
from premia.fsck.streams import Connection, Row, open_stream

PAGE_ROWS: Final = 5_000
KEPT: Final = "SELECT kind, id, last_number, last_negative_number FROM ledger.subject ORDER BY kind, id"


@dataclass(slots=True)
class Subjects:
    """Last number and last number that took money back (0: none), by (kind, id)."""

    counters: dict[tuple[str, str], list[int]] = field(default_factory=dict)

    def count(self, row: Row) -> list[Deviation]:
        """Count a leaf of the journal. A gap is told once: counting goes on from what is there."""
        counter = self.counters.setdefault((row["subject_kind"], row["subject_id"]), [0, 0])
        expected, counter[0] = counter[0] + 1, row["subject_number"]
        if counter[0] == expected:
            return []
        where = f"leaf {row['leaf_index']}: {row['subject_kind']}:{row['subject_id']}"
        return [Deviation(DeviationCode.SUBJECT_NUMBER_SKIPPED, where, f"number {expected}", f"number {counter[0]}")]

    def took_back(self, row: Row) -> None:
        """Remember that the transaction that ends with this leaf took money back."""
        self.counters[row["subject_kind"], row["subject_id"]][1] = row["subject_number"]


async def check_subjects(conn: Connection, subjects: Subjects) -> AsyncIterator[Deviation]:
    """Yield where the kept counters differ, once all leaves were counted."""
    missing = set(subjects.counters)
    rows = await open_stream(conn, KEPT, page_rows=PAGE_ROWS)
    while (row := rows.row) is not None:
        key = (row["kind"], row["id"])
        expected = subjects.counters.get(key, [0, 0])
        found = [row["last_number"], row["last_negative_number"]]
        missing.discard(key)
        if found != expected:
            yield Deviation(DeviationCode.SUBJECT_WRONG, ":".join(key), _counters(expected), _counters(found))
        await rows.advance()
    for key in sorted(missing):
        yield Deviation(DeviationCode.SUBJECT_WRONG, ":".join(key), _counters(subjects.counters[key]), "no row")


def _counters(counters: list[int]) -> str:
    return f"last number {counters[0]}, last that took back {counters[1]}"
