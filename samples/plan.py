"""What should come of the sample: `planned.json`, the tests' expectation and nobody else's.

Goal: whoever publishes the sample can tell whether everything became what it should.
Method: events are walked in the order of publication with the ledger's rules by hand (head of each lot, differences);
no code of the product takes part.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from samples.cast import Producer
from samples.cycles import CYCLES
from samples.events import Fate, SaleEvent
from samples.lot import Lot
from samples.premium import Expectation, expectation
from samples.slots import World


def plan(producers: Sequence[Producer], lots: Sequence[Lot], events: Sequence[SaleEvent], world: World) -> Mapping[str, object]:
    """Return the expectation."""
    fates = Counter(event.fate for event in events)
    return {
        "synthetic": True,
        "events": len(events),
        "lots": len(lots),
        "accepted": fates[Fate.ACCEPTED],
        "duplicates": fates[Fate.DUPLICATE],
        "conflicts": fates[Fate.CONFLICT],
        "rejected": dict(sorted(Counter(event.code for event in events if event.fate is Fate.REJECTED).items())),
        "rejected_total": fates[Fate.REJECTED],
        "details": _details(events, world),
        "latest_stages": dict(sorted(Counter(lot.latest.stage for lot in lots).items())),
        "fine_weight_mg": _fine_weight(lots, world),
        "premiums_minor": _premiums(lots, world),
        "producers_supported": sum(bool(producer.support) for producer in producers),
        "producers_exporting": len(_exporting(lots)),
        "beneficiaries": sum(producer.beneficiaries for producer in producers),
        "events_by_cycle": _by_cycle(events),
    }


def _details(events: Iterable[SaleEvent], world: World) -> Mapping[str, int]:
    """What accepted events come to: posted, unchanged (no difference) or superseded (a later revision was there)."""
    heads: dict[str, tuple[int, object]] = {}
    details: Counter[str] = Counter(posted=0, unchanged=0, superseded=0)
    for event in events:
        if event.fate is not Fate.ACCEPTED:
            continue
        revision, effect = event.revision, _effect(event, world)
        head = heads.get(event.key)
        if head is not None and revision.number <= head[0]:
            details["superseded"] += 1
            continue
        details["unchanged" if effect == (head[1] if head else _NOTHING) else "posted"] += 1
        heads[event.key] = (revision.number, effect)
    return dict(details)


_NOTHING: object = ((), ())


def _effect(event: SaleEvent, world: World) -> object:
    expected = expectation(event.lot, event.revision, world.status_on)
    money = sorted((event.revision.payer_id, who, minor) for who, minor in expected.lines_minor.items() if minor)
    gold = sorted((who, mg) for who, mg in expected.fine_mg_by_organization.items() if mg)
    return tuple(money), tuple(gold)


def _fine_weight(lots: Iterable[Lot], world: World) -> Mapping[str, int]:
    settled: Counter[str] = Counter(final=0, provisional=0, ineligible=0, umpire_pending=0)
    for lot in lots:
        expected = expectation(lot, lot.latest, world.status_on)
        settled["provisional" if lot.latest.stage == "provisional" else "final"] += expected.fine_mg
        settled["ineligible"] += expected.fine_mg - expected.eligible_fine_mg
        settled["umpire_pending"] += expected.fine_mg if expected.umpire_pending else 0
    return dict(settled)


def _premiums(lots: Iterable[Lot], world: World) -> Mapping[str, int]:
    by_scheme: dict[str, int] = defaultdict(int)
    for lot in lots:
        by_scheme[lot.scheme] += _latest(lot, world).premium_minor
    return {"USD": sum(by_scheme.values()), **{f"USD of {scheme}": minor for scheme, minor in sorted(by_scheme.items())}}


def _latest(lot: Lot, world: World) -> Expectation:
    return expectation(lot, lot.latest, world.status_on)


def _exporting(lots: Iterable[Lot]) -> set[str]:
    return {source.organization_id for lot in lots for source in lot.latest.sources}


def _by_cycle(events: Iterable[SaleEvent]) -> Mapping[str, int]:
    """How many events are published before each cycle's day, and after the cycle before."""
    days = [cycle.settles_on for cycle in CYCLES]
    counts = Counter(next(day for day in days if event.at.date() < day) for event in events)
    return {day.isoformat(): counts[day] for day in days}
