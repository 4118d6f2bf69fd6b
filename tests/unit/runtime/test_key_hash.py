"""Keys go to the partitions where other clients put them."""

from __future__ import annotations

from aiokafka.partitioner import murmur2 as slow_murmur2
from hypothesis import given
from hypothesis import strategies as st

from services.runtime.kafka import murmur2


@given(st.binary(max_size=64))
def test_a_key_has_the_hash_that_kafkas_default_partitioner_gives_it(key: bytes) -> None:
    assert murmur2(key) == slow_murmur2(key) & 0xFFFFFFFF
