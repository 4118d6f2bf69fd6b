"""Derived ids: the same for the same parts, for ever."""

from __future__ import annotations

from uuid import UUID

import pytest

from schemas.identity import derived_id, entitlement_id

PARTS = {
    "sale_source": "/refiners/REF-CH-01",
    "sale_id": "event-1",
    "sale_hash": "sha256:00",
    "registry_version": "sha256:11",
}


def test_id_of_an_entitlement_never_changes() -> None:
    # Written down, not computed: every stored entitlement, and all that derives from it, hangs on this value.
    id_ = entitlement_id(**PARTS, scheme_versions=["sbg@2019-07", "fairmined@2014-01"], calculation=0)
    assert id_ == UUID("242c1ca9-f1a7-5092-b97e-389abb824105")


def test_every_part_counts() -> None:
    versions = ["sbg@2019-07"]
    ids = {entitlement_id(**PARTS, scheme_versions=versions, calculation=0)}
    ids |= {entitlement_id(**(PARTS | {name: "other"}), scheme_versions=versions, calculation=0) for name in PARTS}
    ids.add(entitlement_id(**PARTS, scheme_versions=versions, calculation=1))
    ids.add(entitlement_id(**PARTS, scheme_versions=[], calculation=0))
    ids.add(entitlement_id(**PARTS, scheme_versions=[*versions, "x@1"], calculation=0))
    ids.add(derived_id("another kind", *PARTS.values(), "0", *versions))
    assert len(ids) == len(PARTS) + 5


@pytest.mark.parametrize("parts", [("a\nb",), ("a", "\n")])
def test_part_with_a_newline_is_refused(parts: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="newline"):
        derived_id("payout", *parts)
