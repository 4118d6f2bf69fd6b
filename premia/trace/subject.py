"""What a name given to `premia trace` means.

Goal: whatever stands on a paper (a lot, an EndToEndId, a statement's number, a payout's id) leads to its story.
Method: the form of a name says where to look; all that fits is found, so that an ambiguous name is told and not guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Literal
from uuid import UUID

import click

from schemas.statement import statement_number
from services.ledger.use_cases.lot_story import find_lots

if TYPE_CHECKING:
    from asyncpg import Record

    from services.runtime.database import Connection

EXIT_UNKNOWN: Final = 2
FOUND_MAX: Final = 20  # enough to show that a name is not unique
END_TO_END: Final = "SELECT DISTINCT order_id FROM payout.attempt WHERE end_to_end_id = $1"
ORDER: Final = "SELECT order_id FROM payout.payout_order WHERE order_id = $1"
STATEMENT: Final = """
    SELECT statement_id, subject_id, number, period_from, period_to FROM payout.statement WHERE statement_id = $1"""
NUMBERED: Final = """
    SELECT statement_id, subject_id, number, period_from, period_to FROM payout.statement
    WHERE number = $1 AND ($2::text IS NULL OR subject_id = $2) ORDER BY subject_id"""
NEWEST: Final = """
    SELECT statement_id, subject_id, number, period_from, period_to FROM payout.statement
    WHERE subject_id = $1 ORDER BY number DESC LIMIT 1"""
NUMBER_DIGITS_MAX: Final = 9  # what an integer column holds for certain; nobody has a billion statements.


@dataclass(frozen=True, slots=True)
class Lot:
    """A lot of a refiner."""

    kind: ClassVar[str] = "lot"
    refiner_id: str
    lot_id: str

    def __str__(self) -> str:
        """As it is typed."""
        return f"lot {self.refiner_id}/{self.lot_id}"


@dataclass(frozen=True, slots=True)
class Payout:
    """A payout order."""

    kind: ClassVar[str] = "payout"
    order_id: UUID

    def __str__(self) -> str:
        """As it is typed."""
        return f"payout {self.order_id}"


@dataclass(frozen=True, slots=True)
class IssuedStatement:
    """A statement of one organization or fund."""

    kind: ClassVar[str] = "statement"
    statement_id: UUID
    subject_id: str
    number: str

    def __str__(self) -> str:
        """As it is typed."""
        return f"statement {self.subject_id}/{self.number}"


Traced = Lot | Payout | IssuedStatement
TracedKind = Literal["lot", "payout", "statement"]


class UnknownName(click.ClickException):
    """Nothing has this name, or several things do."""

    exit_code = EXIT_UNKNOWN


async def the_traced(conn: Connection, name: str, kind: TracedKind | None = None) -> Traced:
    """The one thing, of a kind if one is given, that the name means. Raises UnknownName (exit 2)."""
    found = [one for one in await traced(conn, name) if kind is None or one.kind == kind]
    if not found:
        wanted = "lot, payout, bank reference or statement" if kind is None else kind
        hint = "; rejected sales: `premia dlq list`" if kind in {None, "lot"} else ""
        raise UnknownName(f"there is no {wanted} {name}{hint}")
    if len(found) > 1:
        raise UnknownName(f"{name} may be {', '.join(map(str, found))}: name one of them")
    return found[0]


async def newest_statement(conn: Connection, organization_id: str) -> IssuedStatement | None:
    """The newest statement of an organization or fund, if it has any."""
    row = await conn.fetchrow(NEWEST, organization_id)
    return None if row is None else _issued(row)


async def traced(conn: Connection, name: str) -> list[Traced]:
    """Everything that the name may mean."""
    owner, _, last = name.rpartition("/")
    found: list[Traced] = [Lot(*key) for key in await find_lots(conn, last, owner or None)]
    found += await _numbered(conn, last, owner or None)
    if not owner:
        found += await _by_id(conn, name)
    return found[:FOUND_MAX]


async def _by_id(conn: Connection, name: str) -> list[Traced]:
    found: list[Traced] = [Payout(row["order_id"]) for row in await conn.fetch(END_TO_END, name.lower())]
    try:
        id_ = UUID(name)
    except ValueError:
        return found
    if not found and await conn.fetchval(ORDER, id_) is not None:
        found.append(Payout(id_))
    return found + [_issued(row) for row in await conn.fetch(STATEMENT, id_)]


def _issued(row: Record) -> IssuedStatement:
    number = statement_number(row["number"], row["period_from"], row["period_to"])
    return IssuedStatement(row["statement_id"], row["subject_id"], number)


async def _numbered(conn: Connection, number: str, subject_id: str | None) -> list[Traced]:
    running = number.partition("-")[0]
    if not running.isdecimal() or len(running) > NUMBER_DIGITS_MAX:
        return []
    issued = [_issued(row) for row in await conn.fetch(NUMBERED, int(running), subject_id)]
    return [statement for statement in issued if statement.number == number]
