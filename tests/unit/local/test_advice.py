"""`premia status` says what is most worth doing, from what the services measure."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Final

import pytest

from premia.local import whole as module
from premia.local.advice import Advice, advice, money_by_code
from premia.local.report import ProgramState
from premia.local.whole import Whole, whole
from tests.unit.test_pages_match_code import defined_metric_names

CALM: Final = Whole(
    sales_waiting=0,
    entitlements_waiting=0,
    transactions_waiting=0,
    unbalanced_units=[],
    sequence_gaps=0,
    held_minor={},
    carried_over_minor={},
    orders={"settled": 350},
    oldest_order_at_bank_s=0,
    suspended_bookings=0,
    quarantined_files=0,
)
PAGE: Final = """\
# TYPE premia_calculator_lag_records gauge
premia_calculator_lag_records NaN
# TYPE premia_consumer_lag_records gauge
premia_consumer_lag_records{topic="premium.entitlements.v1"} 3.0
premia_consumer_lag_records{topic="ledger.commands.v1"} 4.0
# TYPE premia_ledger_trial_balance_minor gauge
premia_ledger_trial_balance_minor{unit="AU-MG"} 0.0
premia_ledger_trial_balance_minor{unit="USD"} -1.0
# TYPE premia_payout_held_minor gauge
premia_payout_held_minor{code="HOLD_ACCOUNT_MISSING",currency="USD"} 115641.0
premia_payout_held_minor{code="HOLD_RATE_MISSING",currency="USD"} 0.0
# TYPE premia_payout_orders gauge
premia_payout_orders{state="reserved"} 2.0
premia_payout_orders{state="sent"} 5.0
"""


def program(name: str, **changes: object) -> ProgramState:
    calm = ProgramState(
        name=name, title=name, state="running", ready=True, pid=1, uptime_s=1, memory_mb=1, port=1, log="", trouble=None,
        deaths=0, last_words=[],
    )  # fmt: skip
    return replace(calm, **changes)  # type: ignore[arg-type]


def commands(programs: list[ProgramState], seen: Whole | None) -> list[str]:
    return [one.command.removeprefix("premia ") for one in advice(programs, seen, premia="premia")]


def test_when_all_is_well_there_are_three_things_to_look_at() -> None:
    assert commands([program("ledger")], CALM) == ["dlq list", "balances", "payouts list"]


def test_without_a_stack_it_is_to_be_started() -> None:
    assert advice([], None, premia="bin/premia") == [Advice("nothing runs", "bin/premia up")]


@pytest.mark.parametrize(
    ("changes", "why", "command"),
    [
        ({"unbalanced_units": ["USD"]}, "the ledger does not balance in USD: stop payouts", "fsck"),
        ({"suspended_bookings": 1}, "1 booking of the bank that a person must clear", "logs payout -n 50"),
        ({"quarantined_files": 2}, "2 files of the bank that could not be used", "logs payout -n 50"),
        (
            {"orders": {"sent": 1}, "oldest_order_at_bank_s": 4 * 86_400},
            "the bank has not answered for days: ask it",
            "payouts list",
        ),
        ({"orders": {"reserved": 2}}, "2 payouts prepared, a second person may approve", "payouts list"),
        ({"held_minor": {"USD": {"HELD": 115_641}}}, "held: USD 1,156.41 (HELD)", "accounts list"),
        ({"sequence_gaps": 1}, "1 gap in what refiners numbered", "gaps"),
    ],
)
def test_what_is_stuck_comes_first_with_its_reason(changes: dict[str, object], why: str, command: str) -> None:
    first = advice([program("ledger")], replace(CALM, **changes), premia="premia")[0]  # type: ignore[arg-type]
    assert first == Advice(why, f"premia {command}")


def test_what_does_not_run_comes_before_money_and_there_are_never_more_than_three() -> None:
    programs = [
        program("ledger", state="failed", pid=None, ready=False),
        program("calculator", ready=False, trouble="no registry yet: wait until `premia registry apply` has published one"),
        program("payout", deaths=2),
    ]
    worst = replace(CALM, unbalanced_units=["USD"], suspended_bookings=1, sequence_gaps=1)
    assert commands(programs, worst) == ["logs ledger -n 50", "up", "registry apply FILE --schemes DIR"]


def test_a_service_that_died_and_is_back_is_told_of_after_what_is_stuck() -> None:
    programs = [program("ledger", deaths=1), program("payout", deaths=3)]
    assert commands(programs, replace(CALM, sequence_gaps=1)) == ["gaps", "logs ledger -n 50", "dlq list"]
    assert advice(programs, CALM, premia="premia")[0].why == "ledger, payout died and were started again"


@pytest.fixture
def port() -> Iterator[int]:
    """A service that answers PAGE."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(PAGE.encode())

        def log_message(self, *_arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        yield server.server_port
        server.shutdown()


def test_figures_are_those_of_the_services_pages(port: int) -> None:
    seen = whole({"calculator": port, "ledger": port, "payout": port})
    assert seen.sales_waiting is None  # the calculator itself does not know
    assert (seen.entitlements_waiting, seen.unbalanced_units) == (7, ["USD"])
    assert seen.held_minor == {"USD": {"HOLD_ACCOUNT_MISSING": 115_641}}
    assert (seen.to_approve, seen.at_bank) == (2, 5)
    assert seen.suspended_bookings is None  # not on the page


def test_a_service_that_does_not_answer_says_nothing() -> None:
    seen = whole({"calculator": 1, "ledger": 1, "payout": 1})
    assert (seen.held_minor, seen.unbalanced_units, seen.orders) == (None, None, None)


def test_a_ledger_that_has_measured_nothing_does_not_balance_either(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "PAGE", "")
    assert whole({"calculator": port, "ledger": port, "payout": port}).unbalanced_units is None


def test_every_metric_that_is_read_is_there() -> None:
    named = {word for word in _string_constants(module.whole) if word.startswith("premia_")}
    assert len(named) >= 9
    assert named <= set(defined_metric_names())


def _string_constants(function: object) -> set[str]:
    return {constant for constant in function.__code__.co_consts if isinstance(constant, str)}  # type: ignore[attr-defined]


def test_money_is_shown_with_its_codes() -> None:
    assert money_by_code({"USD": {"B": 11_949, "A": -436}}) == "USD 115.13 (A -4.36, B 119.49)"
    assert money_by_code({"USD": {"A": 100_000}}) == "USD 1,000.00 (A)"
    assert money_by_code({}) == money_by_code(None) == ""
