"""The registry's log: applies come out whole or not at all."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from schemas import registry_log
from schemas.cloudevents import CloudEventAttributes, from_headers
from schemas.registry import Organization, PrivateData, Programme, RegistryMarker, TaxId
from schemas.registry_log import (
    AnyRecord,
    Collected,
    Ignored,
    IgnoredBecause,
    RegistryApply,
    RegistryAssembler,
    Switched,
    UnreadableRegistryError,
    plan_apply,
    read_private_record,
    read_registry_event,
)
from schemas.registry_snapshot import LoadedRegistry, RegistrySnapshot, registry_snapshot
from schemas.topics import REGISTRY, REGISTRY_PRIVATE
from tests.unit.premium_calculator.programme import scheme

AT = datetime(2025, 3, 1, tzinfo=UTC)


def organization(id_: str, **fields: Any) -> Organization:
    return Organization.model_validate({"id": id_, "name": id_, "country": "PE", "kind": "producer"} | fields)


def loaded(*organizations: Organization, programme: str | None = "PROG", versions: tuple[str, ...] = ("1",)) -> LoadedRegistry:
    schemes = [scheme(version=version, id=f"scheme-{version}") for version in versions]
    snapshot = registry_snapshot(
        Programme(id=programme, name="Programme") if programme else None,
        {entry.id: entry for entry in organizations},
        {entry.record_id: entry for entry in schemes},
    )
    return LoadedRegistry(snapshot, {})


def events(apply: RegistryApply) -> list[AnyRecord | RegistryMarker]:
    """What a reader of registry.v1 sees, through bytes and headers."""
    found: list[AnyRecord | RegistryMarker] = []
    for message in apply.messages(AT):
        attributes = from_headers(message.headers)
        assert isinstance(attributes, CloudEventAttributes)
        if message.topic == REGISTRY:
            event = read_registry_event(attributes.type, message.value)
            assert message.key == event.key.encode()
            found.append(event)
    return found


def taken(assembler: RegistryAssembler, apply: RegistryApply) -> Switched | Ignored | Collected | None:
    last = None
    for event in events(apply):
        last = assembler.take(event)
    return last


FIRST = loaded(organization("ORG-1"), organization("ORG-2"))
SECOND = loaded(organization("ORG-1", kind="payer"), organization("ORG-3"), versions=("1", "2"))


def test_what_is_applied_comes_out_equal() -> None:
    assembler = RegistryAssembler()
    assert taken(assembler, plan_apply(None, {}, FIRST)) == Switched(FIRST.snapshot)
    assert taken(assembler, plan_apply(assembler.current, {}, SECOND)) == Switched(SECOND.snapshot)
    assert assembler.current == SECOND.snapshot


def test_only_what_changed_is_written() -> None:
    apply = plan_apply(FIRST.snapshot, {}, SECOND)
    written = {record.key: record.body is not None for record in apply.records}
    assert written == {
        "organization/ORG-1": True,
        "organization/ORG-2": False,
        "organization/ORG-3": True,
        "scheme/scheme-2@2": True,
    }
    assert apply.marker is not None
    assert apply.marker.count == 4


def test_equal_registry_writes_nothing_and_a_first_empty_one_still_sets_a_version() -> None:
    nothing = plan_apply(FIRST.snapshot, {}, FIRST)
    assert (nothing.records, nothing.marker, nothing.private_records) == ((), None, ())
    empty = LoadedRegistry(registry_snapshot(None, {}, {}), {})
    assert isinstance(taken(RegistryAssembler(), plan_apply(None, {}, empty)), Switched)


def test_change_that_the_calculation_does_not_read_is_applied_within_its_version() -> None:
    assembler = RegistryAssembler()
    taken(assembler, plan_apply(None, {}, FIRST))
    renamed = loaded(organization("ORG-1", name="New name"), organization("ORG-2"))
    assert renamed.snapshot.version == FIRST.snapshot.version
    assert isinstance(taken(assembler, plan_apply(assembler.current, {}, renamed)), Switched)
    assert assembler.current == renamed.snapshot


def test_programme_may_be_replaced_and_removed() -> None:
    assembler = RegistryAssembler()
    for wanted in (FIRST, loaded(organization("ORG-1"), programme="OTHER"), loaded(organization("ORG-1"), programme=None)):
        taken(assembler, plan_apply(assembler.current, {}, wanted))
        assert assembler.current == wanted.snapshot


def test_torn_apply_changes_nothing_and_running_it_again_completes_it() -> None:
    assembler = RegistryAssembler()
    taken(assembler, plan_apply(None, {}, FIRST))
    apply = plan_apply(assembler.current, {}, SECOND)
    for event in events(apply)[:2]:
        assert assembler.take(event) == Collected()
    assert assembler.current == FIRST.snapshot
    again = plan_apply(assembler.current, {}, SECOND)
    assert again == apply
    assert isinstance(taken(assembler, again), Switched)
    assert assembler.current == SECOND.snapshot


def test_marker_without_all_of_its_records_is_ignored_and_reported() -> None:
    assembler = RegistryAssembler()
    apply = plan_apply(None, {}, FIRST)
    assert apply.marker is not None
    for event in events(apply)[1:-1]:
        assembler.take(event)
    assert assembler.take(apply.marker) == Ignored(apply.marker, IgnoredBecause.RECORDS_MISSING)
    assert assembler.current is None


def test_of_two_applies_at_once_the_first_marker_wins() -> None:
    assembler = RegistryAssembler()
    taken(assembler, plan_apply(None, {}, FIRST))
    one = plan_apply(assembler.current, {}, SECOND)
    other = plan_apply(assembler.current, {}, loaded(organization("ORG-9")))
    *one_records, one_marker = events(one)
    *other_records, other_marker = events(other)
    for event in (one_records[0], *other_records, *one_records[1:]):
        assert assembler.take(event) == Collected()
    assert isinstance(assembler.take(other_marker), Switched)
    ignored = assembler.take(one_marker)
    assert isinstance(ignored, Ignored)
    assert ignored.because is IgnoredBecause.OTHER_START
    assert assembler.current is not None
    assert set(assembler.current.organizations) == {"ORG-9"}


def test_records_that_make_another_version_than_promised_are_ignored() -> None:
    assembler = RegistryAssembler()
    apply = plan_apply(None, {}, FIRST)
    assert apply.marker is not None
    false_marker = apply.marker.model_copy(update={"version": SECOND.snapshot.version})
    assert taken(assembler, replace(apply, marker=false_marker)) == Ignored(false_marker, IgnoredBecause.OTHER_RESULT)
    assert assembler.current is None


def test_applies_that_never_end_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_log, "COLLECTED_RECORDS_MAX", 5)
    assembler = RegistryAssembler()
    abandoned, apply = plan_apply(None, {}, SECOND), plan_apply(None, {}, FIRST)
    for event in events(abandoned)[:-1]:
        assembler.take(event)
    assert isinstance(taken(assembler, apply), Switched)
    assert abandoned.marker is not None
    assert isinstance(assembler.take(abandoned.marker), Ignored)


def test_private_data_travels_apart_and_only_when_changed() -> None:
    private = {"ORG-1": PrivateData(tax_id=TaxId(scheme="RUC", value="1")), "PROG": PrivateData()}
    wanted = LoadedRegistry(FIRST.snapshot, private)
    apply = plan_apply(FIRST.snapshot, {"PROG": PrivateData(), "GONE": PrivateData()}, wanted)
    assert (apply.records, apply.marker) == ((), None)
    messages = list(apply.messages(AT))
    assert [(message.topic, message.key) for message in messages] == [
        (REGISTRY_PRIVATE, b"GONE"),
        (REGISTRY_PRIVATE, b"ORG-1"),
    ]
    gone, changed = (read_private_record(message.value) for message in messages)
    assert gone.body is None
    assert changed.body == private["ORG-1"]


def test_apply_id_tells_applies_apart() -> None:
    ids = {
        plan_apply(None, {}, FIRST).records[0].apply_id,
        plan_apply(None, {}, SECOND).records[0].apply_id,
        plan_apply(FIRST.snapshot, {}, SECOND).records[0].apply_id,
        plan_apply(None, {}, LoadedRegistry(FIRST.snapshot, {"X": PrivateData()})).records[0].apply_id,
    }
    assert len(ids) == 4
    assert all(isinstance(id_, UUID) for id_ in ids)


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("registry.record.v1", b"{"),
        ("registry.record.v1", b'{"kind":"bank"}'),
        ("registry.marker.v1", b"{}"),
        ("registry.private.v1", b"{}"),
        ("other", b"{}"),
    ],
)
def test_event_that_cannot_be_read_stops_the_reader(type_: str, value: bytes) -> None:
    with pytest.raises(UnreadableRegistryError):
        read_registry_event(type_, value)
    with pytest.raises(UnreadableRegistryError):
        read_private_record(value)


def test_snapshot_taken_earlier_does_not_change_under_its_reader() -> None:
    assembler = RegistryAssembler()
    taken(assembler, plan_apply(None, {}, FIRST))
    earlier = assembler.current
    assert isinstance(earlier, RegistrySnapshot)
    taken(assembler, plan_apply(earlier, {}, SECOND))
    assert earlier == FIRST.snapshot
