"""Days on which a bank carries out payments."""

from __future__ import annotations

from datetime import date

import pytest

from services.payout.domain.business_day import next_business_day


@pytest.mark.parametrize(
    ("on", "expected"),
    [("2025-03-27", "2025-03-27"), ("2025-03-28", "2025-03-28"), ("2025-03-29", "2025-03-31"), ("2025-03-30", "2025-03-31")],
)
def test_a_weekend_moves_to_monday(on: str, expected: str) -> None:
    assert next_business_day(date.fromisoformat(on)) == date.fromisoformat(expected)
