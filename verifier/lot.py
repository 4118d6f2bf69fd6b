"""A lot, from its leaves.

Goal: prove what was posted for a lot, revision by revision, for every party whose leaves are given; and that these are all
parties, where weights and totals add up.
Method: a party's line begins with what it had before, so its leaves form a chain from nothing to now. The newest revision
says the lot's fine weight, and its explanation each scheme's total; the parties' newest figures must make them up.
Refuses: LOT_WRONG for a leaf of another lot, a broken chain or sums above the lot's; PART_MISSING, LINES_WRONG.
Limits: a lot has no numbers of its own, so a later revision cannot be ruled out by these leaves.
Source: design, sections 4 and 6.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from verifier.bundle import Bundle
from verifier.deviation import Deviation, DeviationCode
from verifier.findings import Findings, of
from verifier.leaf import Leaf, LinesAgainstTransfers, Part, Subject, amount_of, require_own_accounts
from verifier.strict import shown
from verifier.units import FINE_GOLD, amount_text

CANCELLED: Final = "cancelled"
GOLD: Final = Part(FINE_GOLD, "", "", "")

_Key = tuple[Subject, Part]


def verify_lot(bundle: Bundle) -> Findings:
    """Check a lot's leaves. Raises Deviation."""
    bundle.about.only("kind", "refiner_id", "lot_id")
    lot = (bundle.about.text("refiner_id"), bundle.about.text("lot_id"))
    now = _chain(bundle.leaves, lot)
    newest = max(bundle.leaves, key=_position)
    found = Findings(f"Lot {shown('/'.join(lot))}, to revision {newest.cause.count('revision')} ({newest.cause.text('stage')})")
    found.proven += bundle.checkpoint.words()
    found.proven.append(
        f"In the log: {of(len(bundle.leaves), 'leaf', 'leaves')} of the lot. Each posts the difference to what the one before"
        " it had posted for the same party."
    )
    for subject in sorted({subject for subject, _ in now}):
        figures = [_figure(part, amount) for (owner, part), amount in sorted(now.items()) if owner == subject]
        found.proven.append(f"Posted for {subject} as of the newest of these leaves: {', '.join(figures)}.")
    _check_totals(bundle.leaves, newest, now, found)
    found.not_proven += bundle.checkpoint.open_words()
    found.not_proven += [
        "That no later revision of the lot was posted: ask again, or check the whole log.",
        "That weights and assays are true: the lot's documents vouch for them, the log only keeps what was stated.",
        "That rates and rounding are the scheme's: the explanation in the leaves says how each amount was computed.",
    ]
    return found


def _chain(leaves: Sequence[Leaf], lot: tuple[str, str]) -> dict[_Key, int]:
    """Follow every party's lines. Returns what each has at the end."""
    lines = LinesAgainstTransfers()
    now: dict[_Key, int] = {}
    position = (0, 0)
    for leaf in leaves:
        if leaf.kind != "premium" or leaf.lot() != lot:
            raise Deviation(DeviationCode.LOT_WRONG, leaf.place, f"posts nothing of lot {shown('/'.join(lot))}")
        if _position(leaf) < position:
            message = f"is of revision {leaf.cause.count('revision')}, but a later one was posted before"
            raise Deviation(DeviationCode.LOT_WRONG, leaf.place, message)
        position = _position(leaf)
        require_own_accounts(leaf)
        lines.take(leaf)
        changes = [(line.part, line.previous, line.amount) for line in leaf.lines]
        if leaf.gold is not None:
            changes.append((GOLD, leaf.gold.previous, leaf.gold.amount))
        for part, previous, amount in changes:
            key = (leaf.subject, part)
            if previous != now.get(key, 0):
                before = _figure(part, now.get(key, 0))
                message = f"says that {leaf.subject} had {_figure(part, previous)}; by the leaves before it had {before}"
                raise Deviation(DeviationCode.LOT_WRONG, leaf.place, message)
            now[key] = amount
    lines.finish()
    return now


def _check_totals(leaves: Sequence[Leaf], newest: Leaf, now: dict[_Key, int], found: Findings) -> None:
    """Compare the parties' figures with the lot's own: equal, all are here; below, some are missing; above, it is wrong."""
    is_cancelled = newest.cause.text("stage") == CANCELLED
    if is_cancelled or newest.cause.value.get("fine_weight_g") is not None:
        weight = 0 if is_cancelled else amount_of(newest.cause, "fine_weight_g", FINE_GOLD)
        gold = sum(amount for (_, part), amount in now.items() if part == GOLD)
        _compare(newest, found, "fine weight", FINE_GOLD, total=weight, posted=gold)
    totals = _scheme_totals(leaves, newest)
    posted: defaultdict[tuple[str, str], int] = defaultdict(int)
    for (_, part), amount in now.items():
        posted[part.scheme_id, part.unit] += amount
    if totals or is_cancelled:
        # A scheme that the newest revision tells nothing of has no premium any more: who still has some lacks a leaf.
        totals |= {key: 0 for key, amount in posted.items() if amount and key not in totals and key[1] != FINE_GOLD}
    if not totals:
        found.not_proven.append("That these are all parties who were paid for it: its newest revision tells no totals.")
    for (scheme, currency), total in sorted(totals.items()):
        _compare(newest, found, f"premium under {shown(scheme)}", currency, total=total, posted=posted[scheme, currency])


def _compare(newest: Leaf, found: Findings, what: str, unit: str, *, total: int, posted: int) -> None:
    if posted > total:
        message = f"says that the lot's {what} is {amount_text(total, unit)}, its leaves make {amount_text(posted, unit)}"
        raise Deviation(DeviationCode.LOT_WRONG, newest.place, message)
    if posted == total:
        found.proven.append(
            f"The lot's {what}, {amount_text(total, unit)}, is the sum of these parties' shares: none is missing."
        )
    else:
        found.not_proven.append(
            f"Who has the rest of the lot's {what}: {amount_text(posted, unit)} of {amount_text(total, unit)} are here."
        )


def _scheme_totals(leaves: Sequence[Leaf], newest: Leaf) -> dict[tuple[str, str], int]:
    """Each scheme's total by the newest revision's explanation, which stands in a first part."""
    told = next((leaf for leaf in reversed(leaves) if leaf.part == 1 and _position(leaf) == _position(newest)), newest)
    totals: dict[tuple[str, str], int] = {}
    for step in told.cause.objects("explanation"):
        if step.text("step") == "premium":
            values = step.member("values")
            if "total" in values.value:
                currency = values.text("currency")
                totals[values.text("scheme_id"), currency] = amount_of(values, "total", currency)
    return totals


def _position(leaf: Leaf) -> tuple[int, int]:
    return leaf.cause.count("revision"), leaf.cause.count("calculation")


def _figure(part: Part, amount: int) -> str:
    details = ", ".join(shown(detail) for detail in (part.scheme_id, part.payer_id, part.role) if detail)
    return amount_text(amount, part.unit) + (f" ({details})" if details else "")
