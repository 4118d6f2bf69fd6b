"""The life of a payout order, and what a payee is told of it.

Goal: one enumeration for code, API, pages and documents; money is never told to be further than it is.
Method: every state names the states that may follow. "Sent" is not "paid": only a booking of the bank, confirmed by the ledger,
makes an order settled. What was answered later and says less than is known (a status after a booking) changes nothing.
Source: design, section 7; the six payee states.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from schemas.payee_state import PayeeState


class OrderState(StrEnum):
    """Where an order is."""

    RESERVING = "reserving"  # the ledger was asked to set the money aside
    RESERVED = "reserved"  # it did; a second person may approve
    APPROVED = "approved"  # waits for its bank file
    SENDING = "sending"  # in a file whose bytes are fixed; whether the bank has it is not known yet
    SENT = "sent"  # the file is in the bank's hands
    ACCEPTED = "accepted"  # the bank answered that it will carry it out, which proves no payment
    BOOKED = "booked"  # the bank's debit was read; the ledger was told
    SETTLED = "settled"  # the ledger posted it: the money left the programme's bank
    REJECTED = "rejected"  # the bank refused it; the ledger was asked to free the money
    VOIDING = "voiding"  # we gave it up before it was sent; the ledger was asked to free the money
    VOIDED = "voided"  # the money is payable again
    RETURNING = "returning"  # it came back; the ledger was told
    RETURNED = "returned"  # the money is payable again


_S = OrderState
# A person may clear a booking in suspense against any payment whose money is set aside, or against one that was made.
NEXT: Final[dict[OrderState, frozenset[OrderState]]] = {
    _S.RESERVING: frozenset({_S.RESERVED, _S.VOIDING, _S.VOIDED, _S.SETTLED}),
    _S.RESERVED: frozenset({_S.APPROVED, _S.VOIDING, _S.SETTLED}),
    _S.APPROVED: frozenset({_S.SENDING, _S.VOIDING, _S.SETTLED}),
    _S.SENDING: frozenset({_S.SENT}),
    _S.SENT: frozenset({_S.ACCEPTED, _S.REJECTED, _S.BOOKED, _S.SETTLED}),
    _S.ACCEPTED: frozenset({_S.REJECTED, _S.BOOKED, _S.SETTLED}),
    _S.BOOKED: frozenset({_S.SETTLED, _S.RETURNING}),
    _S.SETTLED: frozenset({_S.RETURNING, _S.RETURNED}),
    _S.REJECTED: frozenset({_S.VOIDED, _S.SETTLED}),
    _S.VOIDING: frozenset({_S.VOIDED, _S.SETTLED}),
    _S.VOIDED: frozenset(),
    _S.RETURNING: frozenset({_S.RETURNED}),
    _S.RETURNED: frozenset(),
}
assert set(NEXT) == set(OrderState), "every state says what may follow"

UNSENT: Final = frozenset({_S.RESERVING, _S.RESERVED, _S.APPROVED})
WITH_THE_BANK: Final = frozenset({_S.SENT, _S.ACCEPTED})
FINAL: Final = frozenset(state for state, following in NEXT.items() if not following) | {_S.SETTLED}
# In these the order's items are open again, and its money is payable.
FREED: Final = frozenset({_S.VOIDED, _S.RETURNED})


PAYEE_STATE: Final[dict[OrderState, PayeeState]] = {
    _S.RESERVING: PayeeState.SCHEDULED,
    _S.RESERVED: PayeeState.SCHEDULED,
    _S.APPROVED: PayeeState.SCHEDULED,
    _S.SENDING: PayeeState.SCHEDULED,
    _S.SENT: PayeeState.SENT,
    _S.ACCEPTED: PayeeState.SENT,
    _S.BOOKED: PayeeState.SENT,
    _S.SETTLED: PayeeState.TRANSFERRED,
    # Not paid, and payable again in a next cycle.
    _S.REJECTED: PayeeState.CALCULATED,
    _S.VOIDING: PayeeState.CALCULATED,
    _S.VOIDED: PayeeState.CALCULATED,
    _S.RETURNING: PayeeState.RETURNED,
    _S.RETURNED: PayeeState.RETURNED,
}
assert set(PAYEE_STATE) == set(OrderState), "every state is told to the payee"
