"""Events that cannot be used, as real life has them, and what their senders sent afterwards.

Goal: each way of being rejected is there once or twice, most of them mended by a second event, so that a newcomer can see what
becomes of either.
Method: a fault is made of a good event by one change, and comes before it under the same id; a good event that follows is the
mended one. Four faults are never mended: they belong to no lot of the programme.
Refuses: nothing here is valid; the tests ask the real engine for each code.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

from samples.chance import Chance
from samples.events import Fate, SaleEvent, at_office_hours, in_order, refiner_source
from samples.lot import Stage, fixed_point_text
from samples.sale import Value

MENDED_AFTER_S_MIN: Final = 900
MENDED_AFTER_S_MAX: Final = 4 * 3600

Spoil = Callable[[SaleEvent], SaleEvent]


@dataclass(frozen=True, slots=True)
class _Fault:
    """A fault: which event of which refiner it is made of, and how."""

    code: str
    refiner_id: str
    year: int
    stage: Stage
    spoil: Spoil


def with_faults(events: Sequence[SaleEvent]) -> list[SaleEvent]:
    """Return the events with the bad ones among them, in the order of publication."""
    busy = _busy_lots(events)
    faults: list[SaleEvent] = []
    for nth, fault in enumerate(_FAULTS):
        target = _target(events, fault, busy, nth)
        busy.add(target.lot.lot_id)
        earlier = timedelta(seconds=Chance("mended after", nth).between(MENDED_AFTER_S_MIN, MENDED_AFTER_S_MAX))
        faults.append(replace(fault.spoil(target), at=target.at - earlier, fate=Fate.REJECTED, code=fault.code))
    return in_order([*events, *faults, *_never_mended(events)])


def _busy_lots(events: Iterable[SaleEvent]) -> set[str]:
    """Lots to which something odd already happens."""
    return {event.lot.lot_id for event in events if event.fate is not Fate.ACCEPTED or event.lot.told}


def _target(events: Sequence[SaleEvent], fault: _Fault, busy: set[str], nth: int) -> SaleEvent:
    fitting = [
        event
        for event in events
        if event.lot.refiner_id == fault.refiner_id
        and event.at.year == fault.year
        and event.revision.stage == fault.stage
        and event.lot.lot_id not in busy
        and len(event.revision.sources) == (2 if fault.code == "SOURCE_MASS_MISMATCH" else 1)
        and event.lot.scheme == ("fairmined" if fault.code == "BENCHMARK_REQUIRED" else "sbg")
        and (fault.code != "BENCHMARK_REQUIRED" or event.lot.price_share is not None)
        and (fault.code != "FINE_WEIGHT_MISMATCH" or event.revision.states_fine_weight)
        and (fault.code != "ASSAY_MISSING" or len(event.revision.assays_tenths) > 1)
    ]
    return fitting[Chance("fault", nth).below(len(fitting))]


# --- ways to go wrong --------------------------------------------------------------------------------------------------


def _value(event: SaleEvent) -> Value:
    assert event.value is not None
    return event.value


def _changed(**fields: object) -> Spoil:
    return lambda event: replace(event, value=_value(event) | fields)


def _compact(value: Value) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _raw(event: SaleEvent, raw: bytes) -> SaleEvent:
    return replace(event, value=None, raw=raw)


def _line_of_a_table(event: SaleEvent) -> SaleEvent:
    """The file of REF-CH-02 went out as it was, line by line, instead of through its converter."""
    weight, fineness = event.lot.unit.text(event.revision.melt_steps), event.revision.assays_tenths[0][1]
    row = f"{event.lot.sold_on:%d.%m.%Y};{event.lot.lot_id};{weight.replace('.', ',')};0,{fineness};oz tr\r\n"
    return _raw(event, row.encode("latin-1"))


def _cut_off(event: SaleEvent) -> SaleEvent:
    whole = _compact(_value(event))
    return _raw(event, whole[: len(whole) * 3 // 5])


def _weight_as_number(event: SaleEvent) -> SaleEvent:
    text = event.lot.unit.text(event.revision.melt_steps)
    return _raw(event, _compact(_value(event)).replace(f'"value":"{text}"'.encode(), f'"value":{text}'.encode()))


def _own_field(event: SaleEvent) -> SaleEvent:
    return replace(event, value=_value(event) | {"nota_interna": "MUESTRA"})


def _other_source(event: SaleEvent) -> SaleEvent:
    return replace(event, source=refiner_source("REF-CH-03"))


def _other_key(event: SaleEvent) -> SaleEvent:
    return replace(event, key=event.lot.lot_id)


def _unknown_source(event: SaleEvent) -> SaleEvent:
    source = _value(event)["sources"]
    assert isinstance(source, list)
    typed = source[0]["organization_id"].replace("-0", "-O", 1)  # The letter O for the digit.
    return replace(event, value=_value(event) | {"sources": [source[0] | {"organization_id": typed}]})


def _fineness(write: Callable[[int], str]) -> Spoil:
    def spoil(event: SaleEvent) -> SaleEvent:
        rows = [{"party": party, "fineness_permille": write(tenths)} for party, tenths in event.revision.assays_tenths]
        return replace(event, value=_value(event) | {"assays": rows})

    return spoil


def _sources_in_origin_weight(event: SaleEvent) -> SaleEvent:
    """Sources with the weights of their own scales, before melting: 2.50 g more than the lot."""
    sources = _value(event)["sources"]
    assert isinstance(sources, list)
    more = event.revision.sources[0].melt_steps + 250
    weight = {"value": event.lot.unit.text(more), "unit": event.lot.unit.code}
    return replace(event, value=_value(event) | {"sources": [sources[0] | {"melt_weight": weight}, sources[1]]})


def _one_assay(event: SaleEvent) -> SaleEvent:
    rows = _value(event)["assays"]
    assert isinstance(rows, list)
    return replace(event, value=_value(event) | {"assays": rows[:1]})


def _fine_weight_of_another_lot(event: SaleEvent) -> SaleEvent:
    stated = {"value": fixed_point_text(1_871_345, 3), "unit": "GRM"}
    return replace(event, value=_value(event) | {"stated_fine_weight": stated})


def _without_benchmark(event: SaleEvent) -> SaleEvent:
    return replace(event, value={name: field for name, field in _value(event).items() if name != "benchmark"})


def _next_year(event: SaleEvent) -> SaleEvent:
    sold_on = event.lot.sold_on
    return replace(event, value=_value(event) | {"sold_on": f"{sold_on.year + 1}{sold_on.isoformat()[4:]}"})


_FAULTS: Final = (
    _Fault("SCHEMA_INVALID", "REF-CH-02", 2016, "final", _line_of_a_table),
    _Fault("SCHEMA_INVALID", "REF-CH-01", 2017, "provisional", _cut_off),
    _Fault("SCHEMA_INVALID", "REF-CH-02", 2017, "final", _weight_as_number),
    _Fault("SCHEMA_INVALID", "REF-CH-01", 2019, "final", _own_field),
    _Fault("SCHEMA_INVALID", "REF-CH-01", 2020, "provisional", _other_source),
    _Fault("SCHEMA_INVALID", "REF-CH-03", 2021, "provisional", _other_key),
    _Fault("UNKNOWN_ORGANIZATION", "REF-CH-03", 2018, "provisional", _unknown_source),
    _Fault("UNKNOWN_ORGANIZATION", "REF-CH-01", 2022, "provisional", _changed(exporter_id="EXP-PE-70")),
    _Fault("UNKNOWN_SCHEME", "REF-CH-02", 2021, "provisional", _changed(schemes=["better-gold"])),
    _Fault("FINENESS_OUT_OF_RANGE", "REF-CH-02", 2023, "final", _fineness(lambda tenths: f"0.{tenths}")),
    _Fault("FINENESS_OUT_OF_RANGE", "REF-CH-03", 2024, "provisional", _fineness(lambda tenths: fixed_point_text(tenths, 2))),
    _Fault("SOURCE_MASS_MISMATCH", "REF-CH-01", 2023, "final", _sources_in_origin_weight),
    _Fault("ASSAY_MISSING", "REF-CH-03", 2022, "final", _one_assay),
    _Fault("FINE_WEIGHT_MISMATCH", "REF-CH-01", 2024, "final", _fine_weight_of_another_lot),
    _Fault("BENCHMARK_REQUIRED", "REF-CH-01", 2024, "final", _without_benchmark),
    _Fault("FUTURE_DATED", "REF-CH-01", 2025, "provisional", _next_year),
)  # fmt: skip


# --- what nobody mends -------------------------------------------------------------------------------------------------


def _never_mended(events: Sequence[SaleEvent]) -> list[SaleEvent]:
    """Four events that belong to no lot of the programme: nobody sends them again."""
    model = next(event for event in events if event.lot.lot_id == "PE-2014-000002")
    outsider = next(event for event in events if event.lot.lot_id == "PE-2022-000040")
    sources = [{"organization_id": "ORG-PE-999", "melt_weight": _value(outsider)["melt_weight"]}]
    return [
        _stray(
            model, date(2014, 1, 14), "PE-2013-000914", "NO_SCHEME_VERSION",
            lambda value: value | {"sold_on": "2013-12-27", "documents": []},  # No scheme is that old.
        ),
        _stray(
            outsider, date(2022, 3, 9), "PE-2022-900001", "UNKNOWN_ORGANIZATION",
            lambda value: value | {"sources": sources},
        ),
        _stray_bytes(model, "REF-CH-03", date(2018, 10, 4), "prueba", b"prueba de conexion 123"),
        _stray_bytes(model, "REF-CH-02", date(2025, 4, 9), "PE-2025-900002", b""),
    ]  # fmt: skip


def _stray(model: SaleEvent, day: date, lot_id: str, code: str, change: Callable[[Value], Value]) -> SaleEvent:
    value = change(_value(model) | {"lot_id": lot_id, "sequence": 0, "revision": 1})
    return replace(
        model,
        at=at_office_hours(day, lot_id),
        event_id=f"stray-{lot_id}",
        key=f"{model.lot.refiner_id}/{lot_id}",
        value=value,
        fate=Fate.REJECTED,
        sequence=0,
        code=code,
    )


def _stray_bytes(model: SaleEvent, refiner_id: str, day: date, name: str, raw: bytes) -> SaleEvent:
    return replace(
        model,
        at=at_office_hours(day, refiner_id, name),
        event_id=f"stray-{name}",
        source=refiner_source(refiner_id),
        key=f"{refiner_id}/{name}",
        value=None,
        raw=raw,
        fate=Fate.REJECTED,
        sequence=0,
        code="SCHEMA_INVALID",
    )
