from __future__ import annotations

import re
from pathlib import Path

from services.payout.bank.errors import PaymentFileFault, UnreadableFault
from services.payout.bank.rejection_reasons import RejectionAction, rejection_action

PAGE = Path(__file__).resolve().parents[4] / "docs" / "bank-files.md"
ROW = re.compile(r"^\| `([^`]+)` \| ([^|]+) \|", flags=re.MULTILINE)


def test_every_code_and_action_has_exactly_one_row_in_the_page() -> None:
    named = [name for name, _ in ROW.findall(PAGE.read_text(encoding="utf-8"))]
    defined = [code.value for kind in (PaymentFileFault, UnreadableFault, RejectionAction) for code in kind]
    assert sorted(named) == sorted(defined)


def test_the_codes_named_for_an_action_lead_to_it() -> None:
    for action, codes in ROW.findall(PAGE.read_text(encoding="utf-8")):
        if action in set(RejectionAction):
            for code in re.findall(r"\b[A-Z]{2,4}[0-9]{0,2}\b", codes):
                assert rejection_action(code) is RejectionAction(action), code
