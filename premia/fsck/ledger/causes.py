"""Which entitlement or command caused each leaf.

Goal: every leaf has one cause, and every cause exactly the leaves that it names.
Method: the tables are read in order of their first leaf, beside the journal.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from premia.fsck.deviation import Deviation, DeviationCode
from premia.fsck.ledger.entitlement import Entitlement, read_entitlement
from premia.fsck.ledger.leaf import Leaf
from premia.fsck.ledger.postings import KINDS_OF_COMMAND
from premia.fsck.streams import Connection, Row, Stream, open_stream

ENTITLEMENT_PAGE_ROWS: Final = 200  # an entitlement of 200 sources has 100 KB: 20 MB at worst.
COMMAND_PAGE_ROWS: Final = 2_000
EXPLANATION_BYTES_MAX: Final = 40_000  # a cause beyond this is told without its explanation

ENTITLEMENTS: Final = """
    SELECT first_leaf, leaves, entitlement_id::text AS id, recorded_at, effective_on::text, value
    FROM ledger.entitlement WHERE first_leaf IS NOT NULL ORDER BY first_leaf"""
# Leaves that a restore took away and the log gave back, until their entitlements were read again.
RECOVERED: Final = """
    SELECT r.first_leaf, r.leaves, r.entitlement_id::text AS id, r.recorded_at
    FROM ledger.recovered_posting AS r
    WHERE NOT EXISTS (SELECT FROM ledger.entitlement AS e WHERE e.entitlement_id = r.entitlement_id) ORDER BY r.first_leaf"""
COMMANDS: Final = """
    SELECT c.first_leaf, c.leaves, c.command_id::text AS id, c.recorded_at, c.command_hash, c.kind, c.subject_id, c.code,
        c.transaction_id::text, b.booking_key, b.kind AS booking_kind
    FROM ledger.command AS c LEFT JOIN ledger.booking AS b USING (command_id)
    WHERE c.first_leaf IS NOT NULL ORDER BY c.first_leaf, b.booking_key"""


@dataclass(slots=True)
class Cause:
    """One of them. `entitlement` is None for a command, and where its bytes cannot be read or are not there yet."""

    row: Row
    is_command: bool
    entitlement: Entitlement | None
    leaves: int = 0

    @property
    def where(self) -> str:
        """How it is named to a person."""
        return f"{'command' if self.is_command else 'entitlement'} {self.row['id']}"

    def covers(self, leaf_index: int) -> bool:
        """Whether it names this leaf as one of its own."""
        return bool(self.row["first_leaf"] <= leaf_index < self.row["first_leaf"] + self.row["leaves"])


class Causes:
    """All of them, side by side with the journal."""

    def __init__(self, entitlements: Stream, recovered: Stream, commands: Stream) -> None:
        """Use `open_causes`."""
        self._entitlements = entitlements
        self._recovered = recovered
        self._commands = commands
        self._current: Cause | None = None

    async def of_leaf(self, leaf_index: int, found: list[Deviation]) -> Cause | None:
        """The cause that names this leaf, or None. What lies before it and had too few leaves is added to `found`."""
        while True:
            if self._current is not None:
                if self._current.covers(leaf_index):
                    self._current.leaves += 1
                    return self._current
                found += _lost_leaves(self._current)
                self._current = None
            following = self._first()
            if following is None or following.next_row["first_leaf"] > leaf_index:
                return None
            self._current = await self._take(following)

    async def rest(self) -> list[Deviation]:
        """What is wrong with the causes that lie beyond the journal."""
        found: list[Deviation] = []
        while self._current is not None or self._first() is not None:
            if self._current is not None:
                found += _lost_leaves(self._current)
                self._current = None
            if (following := self._first()) is not None:
                self._current = await self._take(following)
        return found

    def _first(self) -> Stream | None:
        """The stream whose next row names the earlier leaf."""
        streams = (self._entitlements, self._recovered, self._commands)
        waiting = [stream for stream in streams if stream.row is not None]
        return min(waiting, key=lambda stream: stream.next_row["first_leaf"], default=None)

    async def _take(self, stream: Stream) -> Cause:
        row = stream.next_row
        read = read_entitlement(row["value"]) if stream is self._entitlements else None
        await stream.advance()
        # check_lots names what cannot be read
        return Cause(row, stream is self._commands, None if isinstance(read, str) else read)


async def open_causes(conn: Connection) -> Causes:
    """Begin to read."""
    return Causes(
        await open_stream(conn, ENTITLEMENTS, page_rows=ENTITLEMENT_PAGE_ROWS),
        await open_stream(conn, RECOVERED, page_rows=COMMAND_PAGE_ROWS),
        await open_stream(conn, COMMANDS, page_rows=COMMAND_PAGE_ROWS),
    )


def check_cause(leaf: Leaf, row: Row, cause: Cause) -> list[Deviation]:
    """What is wrong between a leaf and its cause."""
    expected = _told_of_command(cause) if cause.is_command else _told_of_entitlement(cause, leaf)
    told = leaf["cause"]
    found = {name: told.get(name) for name in expected}
    if cause.is_command:
        kinds = KINDS_OF_COMMAND.get(cause.row["kind"], frozenset())
        expected |= {"kind": " or ".join(sorted(kinds)), "subject": cause.row["subject_id"]}
        found |= {"kind": expected["kind"] if leaf["kind"] in kinds else leaf["kind"], "subject": leaf["subject"]["id"]}
        if leaf["part"] == 1:
            expected["transaction_id"], found["transaction_id"] = cause.row["transaction_id"], leaf["transaction_id"]
    elif cause.entitlement is not None:
        expected["effective_on"], found["effective_on"] = cause.row["effective_on"], leaf["effective_on"]
    expected["recorded_at"], found["recorded_at"] = str(cause.row["recorded_at"]), str(row["recorded_at"])
    deviations = [
        Deviation(DeviationCode.LEAF_NOT_ITS_CAUSE, f"leaf {row['leaf_index']}: {name}", f"{value}", f"{found[name]}")
        for name, value in expected.items()
        if found[name] != value
    ]
    return [*deviations, *_check_booking(row, told, cause)] if cause.is_command else deviations


def _told_of_entitlement(cause: Cause, leaf: Leaf) -> dict[str, object]:
    told: dict[str, object] = {"kind": "entitlement", "entitlement_id": cause.row["id"]}
    if cause.entitlement is None:
        return told
    told |= cause.entitlement.cause
    # The explanation stands in the first part only, and nowhere if it is too large for a leaf.
    if leaf["cause"].get("explanation") == [] and (leaf["part"] > 1 or len(cause.row["value"]) > EXPLANATION_BYTES_MAX):
        told["explanation"] = []
    return told


def _told_of_command(cause: Cause) -> dict[str, object]:
    row = cause.row
    return {"kind": "command", "command_id": row["id"], "command": row["kind"], "command_hash": row["command_hash"]}


def _check_booking(row: Row, told: dict[str, object], cause: Cause) -> list[Deviation]:
    """Booking keys are posted once: the table that guards it must have the key that the leaf tells, by this command."""
    kept = (cause.row["booking_key"], cause.row["booking_kind"])
    key = told.get("booking_key")
    expected = (None, None) if key is None else (key, cause.row["kind"])
    if kept == expected:
        return []
    return [Deviation(DeviationCode.BOOKING_WRONG, f"leaf {row['leaf_index']}", _booking(*expected), _booking(*kept))]


def _booking(key: object, kind: object) -> str:
    return "no booking" if key is None else f"booking {key}, {kind}"


def _lost_leaves(cause: Cause) -> Iterator[Deviation]:
    row = cause.row
    if cause.leaves != row["leaves"]:
        expected = f"{row['leaves']} leaves from leaf {row['first_leaf']} on"
        yield Deviation(DeviationCode.CAUSE_WITHOUT_LEAVES, cause.where, expected, f"{cause.leaves}")
    elif cause.is_command and row["code"] != "POSTED":
        yield Deviation(DeviationCode.CAUSE_WITHOUT_LEAVES, cause.where, "code POSTED, as it has leaves", f"{row['code']}")
