"""In which country's figures a lot is explained."""

from __future__ import annotations

import pytest

from premia.commands.explain import figures_for
from schemas.entitlement import Entitlement
from schemas.registry_snapshot import RegistrySnapshot, registry_snapshot
from tests.unit.premium_calculator import programme
from tests.unit.premium_calculator.programme import calculated, sale, sources

TWO = sale(sources=sources(("ORG-A", "1450.60"), ("ORG-B", "1000.00")))


def entitlement(fields: dict[str, object]) -> Entitlement:
    value = calculated(fields) | {"entitlement_id": "00000000-0000-4000-8000-000000000001"}
    return Entitlement.model_validate(value | {"sale": value["sale"] | {"id": "event-1"}})


def in_countries(**countries: str) -> RegistrySnapshot:
    """The registry, with two organizations elsewhere."""
    known = programme.snapshot()
    moved = {
        f"ORG-{letter}": known.organizations[f"ORG-{letter}"].model_copy(update={"country": country})
        for letter, country in countries.items()
    }
    return registry_snapshot(None, known.organizations | moved, known.schemes)


@pytest.mark.parametrize(
    ("asked", "registry", "locale"),
    [
        ("es", in_countries(A="CO", B="CO"), "es_CO"),
        ("es", in_countries(A="BO", B="BO"), "es_BO"),
        ("es_PE", in_countries(A="CO", B="CO"), "es_PE"),
        ("es", in_countries(A="CO", B="BO"), "es_PE"),
        ("fr", in_countries(A="CO", B="CO"), "fr_FR"),
        ("en", in_countries(A="TZ", B="TZ"), "en_TZ"),
        ("es", None, "es_PE"),
    ],
)
def test_a_language_without_country_is_written_as_where_the_gold_is_from(
    asked: str, registry: RegistrySnapshot | None, locale: str
) -> None:
    assert figures_for(asked, entitlement(TWO), registry).locale == locale
