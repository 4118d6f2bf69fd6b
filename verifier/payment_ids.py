"""Ids of payments, as Premia derives them.

Goal: the reference that a bank shows leads to one leaf of the log and to no other.
Method: an order's attempt has a reservation id, which its leaves carry, and an EndToEndId, which the bank file carries; both
are derived from the order's id and the number of the attempt.
Source: design, section 7; RFC 9562 (UUID version 5).
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final
from uuid import UUID, uuid5

NAMESPACE: Final = UUID("8d3f5c1e-6a42-5b9e-9a57-0c7d2f4b8e16")
ATTEMPTS_MAX: Final = 100  # a payment that a bank refuses so often is no longer tried.


def reservation_id(order_id: str, attempt: int) -> str:
    """The id under which an attempt of an order is reserved, settled, voided and returned."""
    return str(uuid5(NAMESPACE, f"payout-attempt\n{order_id}\n{attempt}"))


def end_to_end_id(order_id: str, attempt: int) -> str:
    """The reference that the bank shows beside an attempt's payment."""
    return sha256(f"premia/end-to-end-id/v1\n{order_id}\n{attempt}".encode()).hexdigest()[:32]


def attempt_of(order_id: str, reserved_as: str) -> int | None:
    """Which attempt of an order a reservation id belongs to, if any."""
    return next((n for n in range(1, ATTEMPTS_MAX + 1) if reservation_id(order_id, n) == reserved_as), None)
