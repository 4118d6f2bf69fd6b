"""CloudEvents headers in Kafka's binary mode."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.cloudevents import CloudEventAttributes, HeaderFault, from_headers, time_from_text

SENT = {
    "ce_specversion": b"1.0",
    "ce_id": b"event-1",
    "ce_source": b"/refiners/REF",
    "ce_type": b"gold.sales.v1",
    "ce_time": b"2025-03-14T10:00:00Z",
}


def read(**changes: bytes | None) -> CloudEventAttributes | HeaderFault:
    return from_headers([(name, value) for name, value in (SENT | changes).items() if value is not None])


def test_attributes_come_back_as_they_were_sent() -> None:
    event = CloudEventAttributes(
        id="event-Ñ/1",
        source="/refiners/REF",
        type="gold.sales.v1",
        time=datetime(2025, 3, 14, 5, 0, 0, 250_000, tzinfo=timezone(timedelta(hours=-5))),
        subject="LOT-1",
        extensions={"origin": "gold.sales.v1/0/17", "saletime": "x"},
    )
    headers = event.to_headers()
    assert ("ce_time", b"2025-03-14T10:00:00.250000Z") in headers
    assert ("content-type", b"application/json") in headers
    assert from_headers(headers) == event


@pytest.mark.parametrize("name", SENT)
@pytest.mark.parametrize("value", [None, b"", b"\xff", b"a\nb", b"x" * 1025])
def test_missing_or_unusable_attribute_is_named(name: str, value: bytes | None) -> None:
    fault = read(**{name: value})
    assert isinstance(fault, HeaderFault)
    assert fault.name == name
    assert fault.message


def test_first_missing_attribute_is_named() -> None:
    fault = from_headers([])
    assert isinstance(fault, HeaderFault)
    assert fault.name == "ce_specversion"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ce_specversion", b"0.3"),
        ("ce_id", b"x" * 257),
        ("ce_time", b"2025-03-14"),
        ("ce_time", b"2025-03-14T10:00:00"),
        ("ce_time", b"2025-02-30T10:00:00Z"),
        ("ce_time", b"0001-01-01T00:00:00+14:00"),
        ("ce_time", b"9999-12-31T23:59:59-14:00"),
        ("ce_time", b"0001-01-01T10:00:00Z"),
        ("ce_time", b"9999-12-30T23:00:00-01:00"),
        ("ce_time", "2025-03-1٤T10:00:00Z".encode()),
        ("content-type", b"text/plain"),
        ("ce_origin", b""),
    ],
)
def test_wrong_attribute_is_named(name: str, value: bytes) -> None:
    fault = read(**{name: value})
    assert isinstance(fault, HeaderFault)
    assert fault.name == name


def test_attribute_that_is_there_twice_is_refused() -> None:
    fault = from_headers([*SENT.items(), ("ce_id", b"event-2")])
    assert isinstance(fault, HeaderFault)
    assert fault.name == "ce_id"


def test_headers_of_others_and_parameters_of_the_content_type_do_no_harm() -> None:
    changes = {"traceparent": b"\xff", "ce_NotAName": b"", "content-type": b"application/json; charset=utf-8"}
    event = read(**changes)
    assert isinstance(event, CloudEventAttributes)
    assert event.extensions == {}


@pytest.mark.parametrize("name", ["id", "subject", "Sale", "sale_time", ""])
def test_extension_with_an_impossible_name_cannot_be_sent(name: str) -> None:
    event = CloudEventAttributes("1", "/x", "t", datetime(2025, 1, 1, tzinfo=UTC), extensions={name: "x"})
    with pytest.raises(ValueError, match="extension"):
        event.to_headers()


@given(moment=st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=st.timezones()))  # noqa: DTZ001
def test_times_of_any_zone_are_read_back_in_utc(moment: datetime) -> None:
    event = CloudEventAttributes("1", "/x", "t", moment)
    read_back = from_headers(event.to_headers())
    assert isinstance(read_back, CloudEventAttributes)
    assert read_back.time == moment.astimezone(UTC)  # two zones at once compare unequal in a repeated hour
    assert read_back.time.utcoffset() == timedelta(0)


def test_nanoseconds_are_taken_and_cut() -> None:
    assert time_from_text("2025-03-14T10:00:00.123456789Z").microsecond == 123456
