"""Identifiers of payments and payment files: derived, so that the same attempt has the same ones for ever.

Goal: a crash, a replay or a second run never gives one attempt of a payout order two identities at the bank.
Method: SHA-256 over a purpose, the order's id and the number of the attempt. A retry after a rejection is a new attempt with
identifiers of its own, so that a late booking of the first cannot be taken for the second.
Refuses: attempts below 1.
Source: design, section 7; ISO 20022 (35 characters at most); UETR as UUID version 4, lower case.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final
from uuid import UUID

_END_TO_END: Final = "premia/end-to-end-id/v1"
_UETR: Final = "premia/uetr/v1"


def end_to_end_id(order_id: UUID, attempt: int) -> str:
    """32 lower-case hexadecimal digits for one attempt (from 1) of a payout order."""
    return _digest(_END_TO_END, order_id, attempt).hex()[:32]


def uetr(order_id: UUID, attempt: int) -> UUID:
    """The payment's unique end-to-end transaction reference, with the version and variant bits of a UUID v4.

    The bits are set because schemas and networks accept no other version; nothing else about it is random.
    """
    return UUID(bytes=_digest(_UETR, order_id, attempt)[:16], version=4)


def message_id(payment_file_id: UUID) -> str:
    """The MsgId of a payment file: unique for ever, because the file's id is."""
    return payment_file_id.hex


def payment_information_id(payment_file_id: UUID) -> str:
    """The PmtInfId of the file's only payment information block; the key in status reports."""
    return f"{payment_file_id.hex}-1"


def file_name(payment_file_id: UUID) -> str:
    """The name in the drop folder: it starts with no dot and names the message, so that answers can be told apart."""
    return f"pain001-{message_id(payment_file_id)}.xml"


def _digest(purpose: str, order_id: UUID, attempt: int) -> bytes:
    if attempt < 1:
        raise ValueError(f"attempts of an order count from 1, not {attempt}")
    # The parts hold no newline, so they cannot run together.
    return sha256(f"{purpose}\n{order_id}\n{attempt}".encode()).digest()
