"""The state of the whole: does anything wait, does the ledger balance, is money stuck. For `premia status`.

Method: the services' own metrics, as docs/metrics.md explains them; no database and no token is needed, and whoever has an
alert on one of them sees the same figure. A service that does not answer says nothing: its figures are None.
"""

from __future__ import annotations

import http.client
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from premia.local.environment import LOOPBACK
from premia.local.limits import PROBE_TIMEOUT_S

METRICS_BYTES_MAX: Final = 4 * 1024 * 1024  # a service's page has about 20 KB.
BANK_ANSWERS_WITHIN_S: Final = 3 * 24 * 3600  # docs/metrics.md: below three days.


@dataclass(frozen=True, slots=True)
class Whole:
    """Figures of the whole programme. Counts; money in minor units by currency, then code. None: nobody could be asked."""

    sales_waiting: int | None
    entitlements_waiting: int | None
    transactions_waiting: int | None
    unbalanced_units: list[str] | None
    sequence_gaps: int | None
    held_minor: dict[str, dict[str, int]] | None
    carried_over_minor: dict[str, dict[str, int]] | None
    orders: dict[str, int] | None
    oldest_order_at_bank_s: int | None
    suspended_bookings: int | None
    quarantined_files: int | None

    @property
    def at_bank(self) -> int:
        """Orders that went out and were neither booked nor refused."""
        return sum((self.orders or {}).get(state, 0) for state in ("sending", "sent", "accepted"))

    @property
    def to_approve(self) -> int:
        """Orders that are reserved and wait for a second person."""
        return (self.orders or {}).get("reserved", 0)


def whole(ports: Mapping[str, int]) -> Whole:
    """Ask every service once. `ports` names them as the stack does."""
    calculator, ledger, payout = (_samples(ports[name]) for name in ("calculator", "ledger", "payout"))
    balances = _of(ledger or (), "premia_ledger_trial_balance_minor")
    orders = (
        None if payout is None else {s.labels["state"]: int(s.value) for s in _of(payout, "premia_payout_orders") if s.value}
    )
    return Whole(
        sales_waiting=_total(calculator, "premia_calculator_lag_records"),
        entitlements_waiting=_total(ledger, "premia_consumer_lag_records"),
        transactions_waiting=_total(payout, "premia_consumer_lag_records"),
        unbalanced_units=[balance.labels["unit"] for balance in balances if balance.value] if balances else None,
        sequence_gaps=_total(ledger, "premia_ledger_sequence_gaps"),
        held_minor=_money(payout, "premia_payout_held_minor"),
        carried_over_minor=_money(payout, "premia_payout_carried_over_minor"),
        orders=orders,
        oldest_order_at_bank_s=_total(payout, "premia_payout_oldest_order_at_bank_seconds"),
        suspended_bookings=_total(payout, "premia_payout_suspended_bookings"),
        quarantined_files=_total(payout, "premia_payout_quarantined_files"),
    )


def _samples(port: int) -> list[Sample] | None:
    """Everything on a service's /metrics; None if it does not answer, or something else listens there."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=PROBE_TIMEOUT_S)
    try:
        connection.request("GET", "/metrics")
        text = connection.getresponse().read(METRICS_BYTES_MAX).decode("utf-8", "replace")
        return [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()


def _of(samples: Iterable[Sample], name: str) -> list[Sample]:
    return [sample for sample in samples if sample.name == name]


def _total(samples: Iterable[Sample] | None, name: str) -> int | None:
    """Sum over all labels. None if it is not there, or not known to the service itself (NaN)."""
    found = [] if samples is None else _of(samples, name)
    if not found or any(math.isnan(sample.value) for sample in found):
        return None
    return int(sum(sample.value for sample in found))


def _money(samples: Iterable[Sample] | None, name: str) -> dict[str, dict[str, int]] | None:
    if samples is None:
        return None
    amounts: dict[str, Counter[str]] = {}
    for sample in _of(samples, name):
        if sample.value:
            amounts.setdefault(sample.labels["currency"], Counter())[sample.labels["code"]] += int(sample.value)
    return {currency: dict(by_code) for currency, by_code in amounts.items()}
