"""What to do about a reason that a bank gives, for a rejection (pain.002) or a return (camt).

Goal: each code leads to one action and one person, and only what is certainly harmless is tried again by itself.
Method: a table over ISO's external codes; what is not in it, the bank's own codes and no code at all go to a person.
Source: ISO 20022 external status and return reason codes, 2Q2026; the actions are ours.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class RejectionAction(StrEnum):
    """Who acts, and on what."""

    MEND_OUR_FILE = "mend_our_file"  # our bug: no more files until it is fixed, then a new file
    RECONCILE_DUPLICATE = "reconcile_duplicate"  # never resend: an earlier one may have been paid
    VERIFY_ACCOUNT = "verify_account"  # hold the payee's account until two persons verified a new one
    CORRECT_PAYEE_DATA = "correct_payee_data"  # hold until address, tax id or purpose are corrected
    COMPLIANCE = "compliance"  # final hold; compliance only, no details to outsiders
    TREASURY = "treasury"  # our funds, limits or signatures: hold the cycle
    RETRY_NEXT_DAY = "retry_next_day"  # the only one tried again by itself: a new attempt on the next business day
    PERSON_DECIDES = "person_decides"


RETRIES_MAX: Final = 3  # technical rejections that repeat three business days in a row are not technical.

_CODES: Final = {
    RejectionAction.MEND_OUR_FILE: "FF01 FF02 FF03 FF04 FF05 FF06 FF08 CH03 CH04 CH07 CH16 CH17 CH20 CH21 AM10 AM18 AM19 AM20 "
    "DT01 RR10",
    RejectionAction.RECONCILE_DUPLICATE: "DU01 DU02 DU03 DU04 DU05 AM05 DUPL",
    RejectionAction.VERIFY_ACCOUNT: "AC01 AC03 AC04 AC06 AC07 AC11 AC14 AG01 AG03 AGNT BE01 BE06 BE22 CNOR CURR MD07 RC01 "
    "RC04 RC07 RC08",
    RejectionAction.CORRECT_PAYEE_DATA: "BE04 BE09 BE11 BE17 FF07 RR03 RR05 RR06 RR07 RR12",
    RejectionAction.COMPLIANCE: "AM07 FR01 NOCM RR01 RR02 RR04",
    RejectionAction.TREASURY: "AM02 AM03 AM04 AM14 AM21 AG07",
    RejectionAction.RETRY_NEXT_DAY: "AB01 AB02 AB03 AB04 AB05 AB06 AB07 AB08 AB09 AB10 DT05 ED05 FF10 TM01",
}
_ACTIONS: Final = {code: action for action, codes in _CODES.items() for code in codes.split()}


def rejection_action(reason_code: str | None) -> RejectionAction:
    """What to do about a reason code. DS.. are signatures; anything unknown is a person's to decide."""
    if reason_code is None:
        return RejectionAction.PERSON_DECIDES
    if reason_code.startswith("DS"):
        return RejectionAction.TREASURY
    return _ACTIONS.get(reason_code, RejectionAction.PERSON_DECIDES)
