"""The schemes that ship: they load, and say what they rest on."""

from __future__ import annotations

from pathlib import Path

from schemas.registry_file import load_schemes

FOLDER = Path(__file__).parents[3] / "schemes"


def test_every_file_is_named_after_its_scheme_and_version() -> None:
    schemes = load_schemes(FOLDER)
    assert sorted(file.stem for file in FOLDER.glob("*.yaml")) == sorted(
        f"{scheme.id}-{scheme.version}" for scheme in schemes.values()
    )


def test_terms_are_those_of_the_design() -> None:
    terms = {}
    for scheme in load_schemes(FOLDER).values():
        rate = scheme.rate
        price = f"{rate.amount}/{rate.unit}" if rate.kind == "per_mass" else f"{rate.percent} %"
        floor = scheme.floor.min_share_of_benchmark if scheme.floor else None
        terms[scheme.record_id] = (scheme.currency, price, floor, scheme.verified)
    assert terms == {
        "sbg@2014-01": ("USD", "0.70/GRM", None, "assumed"),
        "sbg@2019-07": ("USD", "0.70/GRM", None, "public"),
        "fairmined@2014-01": ("USD", "4000/KGM", "0.95", "public"),
        "fairmined-ecological@2014-01": ("USD", "6000/KGM", "0.95", "public"),
        "fairtrade@2013-08": ("USD", "2000/KGM", "0.95", "public"),
        "fairtrade-ecological@2013-08": ("USD", "15 %", "0.95", "public"),
    }


def test_history_of_sbg_has_no_gap() -> None:
    schemes = load_schemes(FOLDER)
    assert schemes["sbg@2014-01"].valid.ends_before == schemes["sbg@2019-07"].valid.starts_on
