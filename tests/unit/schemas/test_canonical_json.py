"""Canonical JSON against another implementation of RFC 8785."""

from __future__ import annotations

import math
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from schemas.canonical_json import (
    DEPTH_MAX,
    NotCanonicalError,
    canonical_json,
    payload_hash,
    payload_hash_of_checked,
)

texts = st.text(st.characters(exclude_categories=["Cs"]))
keys = st.text(st.characters(max_codepoint=127))
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | texts,
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(keys, inner, max_size=6),
    max_leaves=30,
)


@given(value=values)
def test_bytes_are_those_of_rfc_8785(value: Any) -> None:
    assert canonical_json(value) == rfc8785.dumps(value)


@given(value=st.dictionaries(keys, values, max_size=8))
def test_order_of_members_does_not_count(value: dict[str, Any]) -> None:
    assert payload_hash(dict(reversed(value.items()))) == payload_hash(value)


@given(value=values)
def test_quick_hash_is_the_same(value: Any) -> None:
    assert payload_hash_of_checked(value) == payload_hash(value)


class _Text(str):
    __slots__ = ()


@pytest.mark.parametrize(
    "value",
    [1.0, math.nan, 2**53, -(2**53), {"ñ": 1}, {1: 1}, "\ud800", object(), _Text("x"), b"x", {"a": [{"b": 0.5}]}],
    ids=repr,
)
def test_what_other_implementations_might_write_differently_is_refused(value: object) -> None:
    with pytest.raises(NotCanonicalError):
        canonical_json(value)


def test_nesting_has_a_limit() -> None:
    value: object = 1
    for _ in range(DEPTH_MAX):
        value = [value]
    assert canonical_json(value)
    with pytest.raises(NotCanonicalError):
        canonical_json([value])


def test_hash_names_its_algorithm() -> None:
    assert payload_hash({}) == "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
