"""Dead letters: the reason, the origin and the history survive a redrive; what others wrote into headers is not believed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from schemas.dead_letter import ATTEMPTS_MAX, Attempt, DeadLetter, Origin, history_of
from schemas.topics import SALES, SALES_DEAD

ORIGIN = Origin(SALES, 3, 17)
AT = datetime(2025, 3, 14, 10, tzinfo=UTC)
HEADERS = (("ce_id", b"1"), ("premia_dlq_code", b"FORGED"))


def test_a_redriven_event_is_as_it_was_first_and_fails_again_with_its_history() -> None:
    first = DeadLetter("UNKNOWN_SCHEME", "schemes.0", "is unknown", ORIGIN, AT)
    message = first.to_message(service="premium_calculator", key=b"k", value=b"v", headers=HEADERS)
    assert message.topic == SALES_DEAD
    for failures in range(1, 4):
        read = DeadLetter.from_headers(message.headers)
        assert (read.origin, read.code, len(read.history)) == (ORIGIN, "UNKNOWN_SCHEME", failures - 1)
        redriven = read.to_redriven(topic=message.topic, key=message.key, value=message.value, headers=message.headers)
        assert (redriven.topic, redriven.key, redriven.value) == (SALES, b"k", b"v")
        assert [name for name, _ in redriven.headers] == ["ce_id", "premia_dlq_origin", "premia_dlq_history"]
        assert history_of(redriven.headers) == (Attempt("UNKNOWN_SCHEME", AT),) * failures
        message = first.to_message(service="premium_calculator", key=b"k", value=b"v", headers=redriven.headers)


@pytest.mark.parametrize("forged", [b"nonsense", b"[]", b'[{"code": "X"}]', b'[{"code": "X", "at": "2025-01-01"}]', b"7"])
def test_a_history_that_is_none_of_ours_is_not_believed(forged: bytes) -> None:
    assert history_of((("premia_dlq_history", forged),)) == ()


def test_a_history_longer_than_any_of_ours_is_not_believed() -> None:
    one = '{"code": "X", "at": "2025-01-01T00:00:00Z"}'
    forged = f"[{','.join([one] * (ATTEMPTS_MAX + 1))}]".encode()
    assert history_of((("premia_dlq_history", forged),)) == ()
