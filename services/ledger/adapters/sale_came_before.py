"""A sale that came before, in words: to whoever sent it again, with the same content or with another.

Goal: "you already sent this" shows the first one, and a conflict says in which fields the two differ and what to do.
Method: what the two entitlements say of their sales: weights, assays, parties, documents, prices. Values as they were sent.
Refuses: nothing. What the calculation does not use (a document's hash, the refiner's reference) is in no entitlement: then
it is said that the difference lies there.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

from services.ledger.domain.books import Accepted
from services.ledger.domain.post_entitlement import ConflictingSale

SHOWN_MAX: Final = 3  # differences in one message; more are counted.
VALUE_CHARS_MAX: Final = 60  # of a value: it is to be recognised.
STATED: Final = ("stage", "sold_on", "exporter_id", "payer_id")
ASSAYS: Final = {
    "seller": "assay of the seller",
    "buyer": "assay of the buyer",
    "umpire": "assay of the umpire",
    "agreed": "agreed assay",
}
OF_A_PREMIUM: Final = {"benchmark_price": "benchmark.price", "price_share_of_benchmark": "price_share_of_benchmark"}


def duplicate_message(accepted: Accepted) -> str:
    """What is told of a duplicate."""
    return f"is the same as {_first(accepted)}, which counts: nothing is counted twice"


def conflict_message(conflict: ConflictingSale, value: bytes) -> str:
    """What is told of a conflict; `value` are the bytes of the entitlement that conflicts."""
    found = differences(conflict.accepted.value, value)
    shown = ", ".join(found[:SHOWN_MAX])
    more = f" and {len(found) - SHOWN_MAX} more" if len(found) > SHOWN_MAX else ""
    told = f"{shown}{more}" if found else "a field that the calculation does not use"
    return (
        f"differs from {_first(conflict.accepted)}, which counts: {told}. "
        "To correct the lot send its next revision under a new event id"
    )


def differences(first: bytes, now: bytes) -> list[str]:
    """`field first, now other` for everything that the sales of two entitlements state differently."""
    before, after = orjson.loads(first), orjson.loads(now)
    # Shares of the sources follow from everything else, so they are told where nothing else differs.
    return _differing(_stated(before), _stated(after)) or _differing(_shares(before), _shares(after))


def _differing(before: dict[str, str], after: dict[str, str]) -> list[str]:
    names = [name for name in dict.fromkeys((*before, *after)) if before.get(name) != after.get(name)]
    return [f"{name} {_shown(before.get(name))}, now {_shown(after.get(name))}" for name in names]


def _first(accepted: Accepted) -> str:
    return f"event {_shown(accepted.sale_id)} of {accepted.recorded_at:%Y-%m-%d %H:%M} UTC"


def _shown(value: str | None) -> str:
    if value is None:
        return "nothing"
    return value if len(value) <= VALUE_CHARS_MAX else f"{value[:VALUE_CHARS_MAX]}…"


def _stated(entitlement: dict[str, Any]) -> dict[str, str]:
    """What an entitlement quotes of its sale, by the sale's own fields."""
    stated = {name: str(entitlement[name]) for name in STATED}
    for step in entitlement["explanation"]:
        stated |= _of_step(step["step"], step["values"])
    stated["sources"] = ", ".join(source["organization_id"] for source in entitlement["sources"])
    stated["schemes"] = ", ".join(premium["scheme_id"] for premium in entitlement["premiums"])
    return stated


def _of_step(step: str, values: dict[str, Any]) -> dict[str, str]:
    if step == "melt_weight":
        return {"melt_weight": f"{values['value']} {values['unit']}"}
    if step == "assay":
        return {name: values[party] for party, name in ASSAYS.items() if party in values}
    if step == "documents":
        return {
            f"documents.{name.removeprefix('number.')}": text for name, text in values.items() if name.startswith("number.")
        }
    if step == "premium":
        return {field: values[name] for name, field in OF_A_PREMIUM.items() if name in values}
    return {}


def _shares(entitlement: dict[str, Any]) -> dict[str, str]:
    return {f"share of {source['organization_id']}": f"{source['fine_weight_g']} g" for source in entitlement["sources"]}
