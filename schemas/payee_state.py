"""What a payee is told about money, in six states: the one enumeration for code, API, pages and documents.

Source: design, section 7; words of the programme's glossary.
"""

from __future__ import annotations

from enum import StrEnum


class PayeeState(StrEnum):
    """Sent is not paid; transferred means that the money left the programme's bank."""

    CALCULATED = "calculated"
    ON_HOLD = "on_hold"
    SCHEDULED = "scheduled"
    SENT = "sent_to_the_bank"
    TRANSFERRED = "transferred"
    RETURNED = "returned"
