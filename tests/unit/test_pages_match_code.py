"""Pages that list what the code defines are compared with the code."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path

from prometheus_client.metrics import MetricWrapperBase

import premia.witness
import services
from premia.__main__ import COMMANDS
from premia.fsck.deviation import MEANINGS
from schemas.ledger_words import OutcomeCode
from schemas.rejection_code import RejectionCode
from services.ledger.domain.post_entitlement import EntitlementRefusal
from services.ledger.errors import RefusalCode as LedgerRefusalCode
from services.ledger.log_errors import LogFault, LogRefusal
from services.payout.bank.errors import UnreadableFault
from services.payout.domain.booking_match import SuspendCode
from services.payout.domain.settlement import CarryCode, HoldCode
from services.payout.errors import QuarantineCode, RefusalCode, VoidReason
from services.premium_calculator import errors as calculator
from services.runtime.http import FRAMEWORK_REFUSALS
from tests.integration.ledger.constraint_damages import CONSTRAINT_DAMAGES
from tests.integration.ledger.damages import DAMAGES as LEDGER_DAMAGES
from tests.integration.ledger.test_fsck_kafka import DAMAGES as KAFKA_DAMAGES
from tests.integration.payout.test_fsck_damage import DAMAGES as PAYOUT_DAMAGES
from tests.integration.payout.test_fsck_payout_events import DAMAGES as TOLD_DAMAGES
from tests.unit.fsck.test_tree import DAMAGES as LOG_DAMAGES
from verifier.deviation import DeviationCode

UNKNOWN_ACTOR = "UNKNOWN_ACTOR"  # every service answers it, to whom no token belongs
ROOT = Path(__file__).resolve().parents[2]


def first_column(page: str) -> list[str]:
    """The names in backticks that start the rows of a page's tables."""
    return re.findall(r"^\| `([^`]+)` \|", (ROOT / "docs" / page).read_text(encoding="utf-8"), flags=re.MULTILINE)


def defined_metric_names() -> list[str]:
    """Names as Prometheus shows them, from every metrics.py of the services and of the witness."""
    names = []
    packages = ((services.__path__, "services."), (premia.witness.__path__, "premia.witness."))
    for module_info in (module for path, prefix in packages for module in pkgutil.walk_packages(path, prefix)):
        if module_info.name.endswith(".metrics"):
            for value in vars(importlib.import_module(module_info.name)).values():
                if isinstance(value, MetricWrapperBase):
                    (family,) = value.describe()
                    names.append(f"{family.name}_total" if family.type == "counter" else family.name)
    return names


def test_every_metric_has_exactly_one_row_in_the_metrics_page() -> None:
    assert sorted(first_column("metrics.md")) == sorted(defined_metric_names())


def test_every_code_has_a_row_in_the_errors_page() -> None:
    of_payout = (*RefusalCode, *VoidReason, *QuarantineCode, *HoldCode, *CarryCode, *SuspendCode, *UnreadableFault)
    of_ledger = (*OutcomeCode, *EntitlementRefusal, *LedgerRefusalCode, *LogFault, *LogRefusal)
    of_calculator = (*RejectionCode, *calculator.RefusalCode, *calculator.LotRefusal)
    of_checkers = (*MEANINGS, *DeviationCode)
    codes = {code.value for code in (*of_calculator, *of_ledger, *of_payout, *of_checkers)}
    assert codes | {UNKNOWN_ACTOR, *(code for code, _ in FRAMEWORK_REFUSALS.values())} == set(first_column("errors.md"))


def test_deviations_mean_on_the_errors_page_what_fsck_says() -> None:
    page = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8").partition("## Deviations")[2]
    assert dict(re.findall(r"^\| `([^`]+)` \| ([^|]+) \|", page, flags=re.MULTILINE)) == {
        code.value: meaning.words for code, meaning in MEANINGS.items()
    }


def test_every_deviation_that_fsck_knows_is_seeded_in_a_test_and_found() -> None:
    seeded = {
        code
        for damages in (LEDGER_DAMAGES, CONSTRAINT_DAMAGES, LOG_DAMAGES, PAYOUT_DAMAGES, TOLD_DAMAGES)
        for _, expected in damages.values()
        for code in expected
    } | {code for _, expected in KAFKA_DAMAGES.values() for code, _ in expected}
    assert seeded == {code.value for code in MEANINGS}


def test_decisions_are_numbered_without_a_gap_and_all_that_are_cited_are_there() -> None:
    decisions = sorted(path.name[:4] for path in (ROOT / "docs" / "adr").glob("*.md"))
    assert decisions == [f"{number:04}" for number in range(1, len(decisions) + 1)]
    cited = {
        number
        for folder in ("premia", "schemas", "services", "docs", "samples")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".md", ".sql"}
        for number in re.findall(r"docs/adr/(\d{4})", path.read_text(encoding="utf-8"))
    }
    assert cited <= set(decisions)


def test_the_readme_links_to_what_is_there_and_holds_no_gap() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "@@" not in text
    linked = re.findall(r"\]\(([^)#]+)\)", text)
    assert [target for target in linked if not (ROOT / target).exists()] == []
    commands = re.findall(r"^\.venv/bin/premia (\w+)", text, flags=re.MULTILINE)
    assert commands
    assert set(commands) <= set(COMMANDS)
