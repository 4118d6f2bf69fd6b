"""CloudEvents 1.0 in Kafka's binary mode: the attributes are headers, the value is the data alone.

Goal: every event names its source, id, type and time, in the form that any CloudEvents library reads.
Method: `ce_` headers in UTF-8; the content type is the header `content-type`, as the Kafka binding says.
Refuses: a missing, repeated, empty or unreadable attribute; the first one is named.
Source: CloudEvents 1.0.2 and its Kafka protocol binding 1.0.2, sections 3.2.1 and 3.2.3.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from schemas.identifiers import is_business_day
from schemas.message import Headers

SPEC_VERSION: Final = "1.0"
CONTENT_TYPE: Final = "application/json"
ATTRIBUTE_CHARS_MAX: Final = 1024  # ids have 256 characters at most; a source is one id and a few words
ID_CHARS_MAX: Final = 256

_REQUIRED: Final = ("ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time")
_STANDARD: Final = frozenset((*_REQUIRED, "ce_subject"))
_NAME: Final = re.compile(r"[a-z0-9]{1,20}")  # CloudEvents 1.0, "Attribute Naming Convention"
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})")
_CONTROL: Final = re.compile(r"[\x00-\x1F\x7F-\x9F]")


@dataclass(frozen=True, slots=True)
class HeaderFault:
    """The first header that is missing or unusable, and what to do."""

    name: str
    message: str


@dataclass(frozen=True, slots=True)
class CloudEventAttributes:
    """The attributes of one event. `time` is aware; `extensions` have lower-case names of letters and digits."""

    id: str
    source: str
    type: str
    time: datetime
    subject: str | None = None
    extensions: Mapping[str, str] = field(default_factory=dict)

    def to_headers(self) -> Headers:
        """Kafka headers, in a fixed order."""
        headers = [
            ("ce_specversion", SPEC_VERSION.encode()),
            ("ce_id", self.id.encode()),
            ("ce_source", self.source.encode()),
            ("ce_type", self.type.encode()),
            ("ce_time", time_text(self.time).encode()),
        ]
        if self.subject is not None:
            headers.append(("ce_subject", self.subject.encode()))
        for name in sorted(self.extensions):
            if _NAME.fullmatch(name) is None or f"ce_{name}" in _STANDARD:
                raise ValueError(f"{name!r} cannot be the name of a CloudEvents extension")
            headers.append((f"ce_{name}", self.extensions[name].encode()))
        headers.append(("content-type", CONTENT_TYPE.encode()))
        return tuple(headers)


def time_text(moment: datetime) -> str:
    """RFC 3339 in UTC with `Z`, and microseconds only where there are any."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def time_from_text(text: str) -> datetime:
    """Return the moment of an RFC 3339 text, in UTC. Raises ValueError when it is none, or on no day of business."""
    if _TIME.fullmatch(text) is None:
        raise ValueError("not an RFC 3339 time with seconds and zone")
    try:
        moment = datetime.fromisoformat(text).astimezone(UTC)
    except OverflowError as error:  # year 1 or 9999, and a zone that leads beyond
        raise ValueError("beyond the calendar") from error
    if not is_business_day(moment.date()):  # it becomes the day on which a sale takes effect
        raise ValueError("at an end of the calendar")
    return moment


def from_headers(headers: Iterable[tuple[str, bytes | None]]) -> CloudEventAttributes | HeaderFault:
    """Read the attributes of an event, or name the first header at fault: missing ones in the order of the standard."""
    texts: dict[str, str] = {}
    for name, value in headers:
        if name == "content-type" and not _is_json(value):
            return HeaderFault(name, f"must be {CONTENT_TYPE}")
        if not name.startswith("ce_") or _NAME.fullmatch(name[3:]) is None:
            continue  # not a CloudEvents attribute, whatever put it there
        if name in texts:
            return HeaderFault(name, "is there twice: send each attribute once")
        text = _text(value)
        if text is None:
            return HeaderFault(name, f"must have 1 to {ATTRIBUTE_CHARS_MAX} characters in UTF-8 and no control characters")
        texts[name] = text
    fault = _fault(texts)
    if fault is not None:
        return fault
    try:
        time = time_from_text(texts["ce_time"])
    except ValueError:
        return HeaderFault("ce_time", "must be a time of RFC 3339 such as 2025-03-14T10:00:00Z")
    return CloudEventAttributes(
        id=texts["ce_id"],
        source=texts["ce_source"],
        type=texts["ce_type"],
        time=time,
        subject=texts.get("ce_subject"),
        extensions={name[3:]: text for name, text in texts.items() if name not in _STANDARD},
    )


def _fault(texts: Mapping[str, str]) -> HeaderFault | None:
    for name in _REQUIRED:
        if name not in texts:
            return HeaderFault(name, "is required and missing: send the CloudEvents attributes as Kafka headers")
    if texts["ce_specversion"] != SPEC_VERSION:
        return HeaderFault("ce_specversion", f"must be {SPEC_VERSION}")
    if len(texts["ce_id"]) > ID_CHARS_MAX:
        return HeaderFault("ce_id", f"must have at most {ID_CHARS_MAX} characters")
    return None


def _is_json(value: bytes | None) -> bool:
    return value is not None and value.split(b";", 1)[0].strip().lower() == CONTENT_TYPE.encode()


def _text(value: bytes | None) -> str | None:
    try:
        text = (value or b"").decode()
    except UnicodeDecodeError:
        return None
    return text if 0 < len(text) <= ATTRIBUTE_CHARS_MAX and _CONTROL.search(text) is None else None
