"""Records of any key, headers and value: each gets exactly one answer, and nothing raises or hangs.

Method: a good record, signed or not, of which something is broken: bits of the value or of its JSON, the key, headers that are
gone, twice, empty or anything. It goes the worker's whole way, up to the messages that would be published, which are read back.
"""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any, Final

from aiokafka import ConsumerRecord
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.canonical_json import canonical_json
from schemas.dead_letter import HISTORY, ORIGIN, DeadLetter
from schemas.entitlement import Entitlement
from schemas.rejection_code import RejectionCode
from schemas.sale_outcome import Outcome, SaleOutcome
from schemas.sale_signature import SIGNATURE_FIELD, signature_of
from schemas.topics import ENTITLEMENTS, SALE_OUTCOMES, SALES, SALES_DEAD
from services.premium_calculator.adapters.sale_answer import answer
from tests.soak import examples
from tests.unit.premium_calculator.broken_json import WHOLE, broken
from tests.unit.premium_calculator.programme import registry
from tests.unit.premium_calculator.test_sale_decision import HEADERS
from tests.unit.premium_calculator.test_signed_sales import PRIVATE, demanding

NOW: Final = datetime(2025, 3, 21, 5, tzinfo=UTC)
REGISTRIES: Final = (registry(), demanding())
# What a decoder could stumble over: not UTF-8, control characters, other digits and zones, far too long, another header's form.
ODD: Final = (
    None, b"", b"\xff", b"\x00", b"1.0", b"gold.sales.v1", b"/refiners/REF", b"x" * 5_000, "\u0663\u202e".encode(),
    b"2025-03-21T04:30:00Z", b"0001-01-01T00:00:00+23:59", b"9999-12-31T23:59:59-23:59", b"2025-02-30T00:00:00Z",
    b"2025-03-21T04:30:00.1234567890Z", b"gold.sales.v1/0/0", b"gold.sales.v1/0/-1", b"[]", b'[{"code":1,"at":"x"}]',
    b'{"code":"A"}', b"eyJhbGciOiJub25lIn0..", b".." * 600,
)  # fmt: skip
NAMES: Final = (*HEADERS, SIGNATURE_FIELD, "ce_subject", "ce_", "ce_UPPER", "content-type", ORIGIN, HISTORY, "", "trace\ud7ff")

PARTS: Final = ("members", "bytes", "headers", "key", "signature")

odd_bytes = st.sampled_from(ODD) | st.binary(max_size=40)


def broken_bytes(draw: st.DrawFn, value: bytes) -> bytes | None:
    """Some bytes of a value replaced, or all of it."""
    changed = bytearray(value)
    place = draw(st.integers(0, len(value)))
    changed[place : place + draw(st.integers(0, 8))] = draw(st.binary(max_size=8))
    return draw(st.sampled_from((bytes(changed), bytes(changed), bytes(changed), None, b"", value * 2)))


def broken_headers(draw: st.DrawFn, headers: list[tuple[str, bytes | None]]) -> list[tuple[str, bytes | None]]:
    """Headers of which one is gone, another or new, or all stand in another order."""
    change = draw(st.sampled_from(("remove", "replace", "add", "shuffle")))
    row = draw(st.integers(0, len(headers) - 1))
    if change == "remove":
        return headers[:row] + headers[row + 1 :]
    if change == "replace":
        return [*headers[:row], (headers[row][0], draw(odd_bytes)), *headers[row + 1 :]]
    if change == "add":
        return [*headers, (draw(st.sampled_from(NAMES) | st.text(max_size=8)), draw(odd_bytes))]
    return draw(st.permutations(headers))


@st.composite
def records(draw: st.DrawFn) -> ConsumerRecord[Any, Any]:
    """A record of which up to two parts are broken: the later checks are to be reached too."""
    parts = draw(st.sets(st.sampled_from(PARTS), max_size=2))
    sent = broken(draw, deepcopy(WHOLE)) if "members" in parts else WHOLE
    value: bytes | None = json.dumps(sent, ensure_ascii=draw(st.booleans())).encode(errors="surrogatepass")
    signature = signature_of(canonical_json(WHOLE), PRIVATE, "key-1").encode()
    if "signature" in parts:
        place = draw(st.integers(0, len(signature)))
        rest = signature[place + draw(st.integers(0, 8)) :]
        signature = signature[:place] + draw(st.text("AZaz09-_.= ", max_size=8)).encode() + rest
    headers = [("content-type", b"application/json"), *HEADERS.items(), (SIGNATURE_FIELD, signature)]
    if "headers" in parts:
        headers = broken_headers(draw, headers)
    key: bytes | None = b"REF/LOT-1"
    if "key" in parts:
        key = draw(st.sampled_from((None, b"", b"REF", b"REF/LOT-2", b"REF/LOT-1/", b"\xff/\xff")) | st.binary(max_size=9))
    if "bytes" in parts:
        value = broken_bytes(draw, value or b"")
    size = len(value or b"")
    return ConsumerRecord(SALES, 3, 17, 0, 0, key, value, None, len(key or b""), size, tuple(headers))


@settings(max_examples=examples(400), deadline=None)
@given(record=records(), registry_used=st.sampled_from(REGISTRIES))
def test_any_record_has_exactly_one_answer_that_can_be_read_back(record: ConsumerRecord[Any, Any], registry_used: Any) -> None:
    told = answer(record, registry_used, NOW)
    assert told == answer(record, registry_used, NOW), "the same record, the same answer"
    for message in told:
        for name, content in message.headers:
            name.encode()
            assert isinstance(content, bytes)
    if told[0].topic == ENTITLEMENTS:
        (entitlement,) = told
        Entitlement.model_validate_json(entitlement.value)
        assert entitlement.key == record.key
        return
    dead, outcome = told
    assert (dead.topic, outcome.topic) == (SALES_DEAD, SALE_OUTCOMES)
    assert (dead.key, dead.value) == (record.key, record.value or b"")
    letter = DeadLetter.from_headers(dead.headers)
    assert letter.code in set(RejectionCode)
    assert letter.field
    assert letter.message
    read = SaleOutcome.model_validate_json(outcome.value)
    assert (read.outcome, read.detail, read.field, read.message) == (
        Outcome.REJECTED,
        letter.code,
        letter.field,
        letter.message,
    )
