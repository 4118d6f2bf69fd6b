"""From a calculated entitlement to the bytes of `premium.entitlements.v1`.

Goal: the same sale under the same registry gives the same bytes.
Method: canonical JSON (sorted keys; all keys are ASCII, there are no floats and integers are small). Amounts get
exactly the currency's digits, weights three decimals.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import orjson

from schemas.entitlement import Replaced
from schemas.fixed_point import fixed_text
from services.premium_calculator.domain.calculate import Entitlement
from services.premium_calculator.domain.explanation import weight_text
from services.premium_calculator.domain.premium import Premium
from services.premium_calculator.domain.registry import Rate
from services.premium_calculator.domain.sale import Sale


@dataclass(frozen=True, slots=True)
class SaleEvent:
    """The event a sale came in, as an entitlement names it. Without headers (`premia calculate`) there is no id."""

    source: str
    id: str | None
    hash: str


def entitlement_bytes(
    sale: Sale,
    entitlement: Entitlement,
    *,
    event: SaleEvent,
    entitlement_id: UUID | None,
    registry_version: str,
    calculation: int,
    replaces: Replaced | None,
) -> bytes:
    """The value of the record. Ids are null where there is no event to derive them from; a recalculation replaces another."""
    fine_weight_mg = entitlement.fine_weight_mg
    replaced = {} if replaces is None else {"replaces": replaces.model_dump()}
    return orjson.dumps(
        {
            "entitlement_id": None if entitlement_id is None else str(entitlement_id),
            "refiner_id": sale.refiner_id,
            "lot_id": sale.lot_id,
            "revision": sale.revision,
            "calculation": calculation,
            "cause": "sale" if replaces is None else "recalculation",
            "sale": {"source": event.source, "id": event.id, "hash": event.hash},
            "stage": sale.stage,
            "sold_on": sale.sold_on.isoformat(),
            "exporter_id": sale.exporter_id,
            "payer_id": sale.payer_id,
            "registry_version": registry_version,
            "status": entitlement.status,
            "fineness_permille": entitlement.fineness_permille,
            "fine_weight_g": None if fine_weight_mg is None else weight_text(fine_weight_mg),
            "sources": [
                {"organization_id": organization_id, "fine_weight_g": weight_text(weight_mg)}
                for organization_id, weight_mg in zip(entitlement.organization_ids, entitlement.fine_weights_mg, strict=True)
            ],
            "premiums": [_premium(premium) for premium in entitlement.premiums],
            "explanation": [{"step": step.step, "rule": step.rule, "values": step.values} for step in entitlement.explanation],
            **replaced,
        },
        option=orjson.OPT_SORT_KEYS,
    )


def _premium(premium: Premium) -> dict[str, object]:
    scheme, digits = premium.scheme, premium.scheme.minor_digits
    return {
        "scheme_id": scheme.id,
        "scheme_version": scheme.version,
        "currency": scheme.currency,
        "rate": _rate(scheme.rate),
        "total": fixed_text(premium.total_minor, digits),
        "lines": [
            {
                "organization_id": line.organization_id,
                "role": line.role,
                "fine_weight_g": weight_text(line.fine_weight_mg),
                "amount": fixed_text(line.amount_minor, digits),
                "eligible": line.reason is None,
                "reason": line.reason,
            }
            for line in premium.lines
        ],
    }


def _rate(rate: Rate) -> dict[str, str | None]:
    if rate.percent is not None:
        return {"kind": rate.kind, "percent": rate.percent}
    return {"kind": rate.kind, "amount": rate.amount, "unit": rate.unit}
