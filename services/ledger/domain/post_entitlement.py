"""Decide what becomes of one entitlement.

Goal: the effect of every sale exactly once, and the same outcome for the same origin however often it is delivered.
Method: identity is id and hash (design, section 3.3). A sale known by its id, or by its lot and revision, is a repeat, a
duplicate or a conflict, and its own origin tells a repeat from a duplicate. A new one is compared with the lot's head:
at or below it it is superseded, above it the difference is posted. A recalculation must replace exactly the head, as the next
calculation of the same revision, from the very sale that was accepted as that revision.
Refuses: CONFLICTING_PAYLOAD, STALE_RECALCULATION, AMOUNT_OVERFLOW.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import msgspec

from schemas.ledger_words import AcceptedDetail
from services.ledger.domain.books import Accepted, Books, RecoveredPosting
from services.ledger.domain.difference import cumulative_lines, transactions_of_difference
from services.ledger.domain.entitlement import Cause, Entitlement, LineKey
from services.ledger.domain.transaction import TransactionDraft


class EntitlementRefusal(StrEnum):
    """Why an entitlement is refused. A code is never renamed or reused."""

    CONFLICTING_PAYLOAD = "CONFLICTING_PAYLOAD"  # the event's id, or its lot and revision, came before with other content
    STALE_RECALCULATION = "STALE_RECALCULATION"  # it replaces another entitlement than the one that counts
    AMOUNT_OVERFLOW = "AMOUNT_OVERFLOW"  # an amount or a balance beyond what the ledger can hold


class Advances(msgspec.Struct, frozen=True, gc=False):
    """It becomes the lot's head. No drafts: nothing changes (unchanged). `lines` are all that now count."""

    drafts: tuple[TransactionDraft, ...]
    lines: dict[LineKey, int]

    @property
    def detail(self) -> AcceptedDetail:
        """The outcome's detail."""
        return AcceptedDetail.POSTED if self.drafts else AcceptedDetail.UNCHANGED


class Adopts(NamedTuple):
    """It becomes the lot's head, and its leaves are in the journal already. `lines` are all that now count."""

    posting: RecoveredPosting
    lines: dict[LineKey, int]


@dataclass(frozen=True, slots=True)
class Superseded:
    """Accepted, but a later revision or calculation counts already."""


@dataclass(frozen=True, slots=True)
class Repeated:
    """The same record of the same sale again, or the same recalculation: as before."""

    accepted: Accepted


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Another record with a sale that was accepted before."""

    accepted: Accepted


@dataclass(frozen=True, slots=True)
class ConflictingSale:
    """CONFLICTING_PAYLOAD: `field` (ce_id or revision) came before with other content, which counts."""

    field: str
    accepted: Accepted


@dataclass(frozen=True, slots=True)
class Refused:
    """Refused; `field` and `message` are for its sender, `known_origin` names the record that it conflicts with."""

    code: EntitlementRefusal
    field: str | None
    message: str
    known_origin: str | None = None


EntitlementOutcome = Advances | Adopts | Superseded | Repeated | Duplicate | ConflictingSale | Refused


def post_entitlement(books: Books, entitlement: Entitlement) -> EntitlementOutcome:
    """Decide; the books are not changed."""
    known = _known_sale(books, entitlement) if entitlement.cause is Cause.SALE else _known_recalculation(books, entitlement)
    if known is not None:
        return known
    recovered = books.recovered_postings.get(entitlement.entitlement_id)
    if recovered is not None:
        return Adopts(recovered, cumulative_lines(entitlement))
    head = books.lot_heads.get(entitlement.lot)
    if head is not None and entitlement.position <= head.position:
        return Superseded()
    previous = books.lot_lines.get(entitlement.lot, {})
    lines = cumulative_lines(entitlement)
    drafts = transactions_of_difference(entitlement, previous, lines)
    if drafts is None or books.would_overflow(transfer for draft in drafts for transfer in draft.transfers):
        return Refused(
            EntitlementRefusal.AMOUNT_OVERFLOW,
            None,
            "an amount or weight is larger than the ledger can hold: check the weights and the benchmark",
        )
    return Advances(tuple(drafts), lines)


def accept(books: Books, entitlement: Entitlement, accepted: Accepted) -> None:
    """Enter an accepted entitlement into the books, for the records after it."""
    books.accepted_by_position[entitlement.lot, entitlement.position] = accepted
    if entitlement.cause is Cause.SALE:
        books.accepted_by_sale[entitlement.sale] = accepted
        books.sale_by_revision[entitlement.lot, entitlement.position.revision] = accepted


def _known_sale(books: Books, entitlement: Entitlement) -> Repeated | Duplicate | ConflictingSale | None:
    known = books.accepted_by_sale.get(entitlement.sale)
    if known is not None:
        if known.sale_hash != entitlement.sale_hash:
            return ConflictingSale("ce_id", known)
        return Repeated(known) if known.origin == entitlement.origin else Duplicate(known)
    known = books.sale_by_revision.get((entitlement.lot, entitlement.position.revision))
    if known is None:
        return None
    return Duplicate(known) if known.sale_hash == entitlement.sale_hash else ConflictingSale("revision", known)


def _known_recalculation(books: Books, entitlement: Entitlement) -> Repeated | Refused | None:
    known = books.accepted_by_position.get((entitlement.lot, entitlement.position))
    if known is not None and known.entitlement_id == entitlement.entitlement_id:
        return Repeated(known)
    head = books.lot_heads.get(entitlement.lot)
    if head is None or entitlement.replaces != head.position or entitlement.position != head.position.recalculated():
        return Refused(
            EntitlementRefusal.STALE_RECALCULATION,
            "replaces",
            "the lot moved on after this was calculated: calculate it again from its latest revision",
        )
    # Whoever prepares a recalculation names the sale's record. A refused one of the same lot and revision must not come in so.
    sale = books.sale_by_revision[entitlement.lot, head.position.revision]
    if (entitlement.sale_hash, entitlement.origin) != (sale.sale_hash, sale.origin):
        return Refused(
            EntitlementRefusal.CONFLICTING_PAYLOAD,
            "sale",
            "another sale was accepted as this revision of the lot: calculate that one again",
            sale.origin,
        )
    return None
