"""JSON with something broken in it: what fuzzing of sales starts from."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.unit.premium_calculator.programme import USD_BENCHMARK, sale

# A sale with every field there is.
WHOLE = sale(
    sources=[{"organization_id": "ORG-A", "melt_weight": {"value": "2450.60", "unit": "GRM"}, "fineness_permille": "871.8"}],
    benchmark=USD_BENCHMARK,
    price_share_of_benchmark="0.935",
    stated_fine_weight={"value": "2136.433", "unit": "GRM"},
    documents=[{"kind": "waybill", "number": "7", "issuer": "SUNAT", "sha256": "9f" * 32}],
    refiner_reference="our 7",
    schemes=["fund", "share"],
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["0", "-1", "1e3", "٣", "NaN"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) below a JSON value."""
    found: list[tuple[Any, Any]] = []
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in members:
        found.append((value, key))
        found.extend(places(member))
    return found


def broken(draw: st.DrawFn, value: dict[str, Any]) -> dict[str, Any]:
    """The value, with one or two of its members replaced, removed, or given a neighbour that nobody knows."""
    for _ in range(draw(st.integers(1, 2))):
        container, key = draw(st.sampled_from(places(value)))
        change = draw(st.sampled_from(["replace", "remove", "add"]))
        if change == "replace":
            container[key] = draw(json_values)
        elif change == "remove":
            del container[key]
        elif isinstance(container, dict):
            container[draw(st.text(max_size=5))] = draw(json_values)
    return value
