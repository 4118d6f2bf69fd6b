"""Header names that are not UTF-8: made readable in place, and nothing else touched."""

from __future__ import annotations

import inspect
from typing import Any, Final

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import given
from hypothesis import strategies as st

from services.premium_calculator.header_names import _Fetched, _Unpacked, with_readable_header_names

NAME: Final = "n\u00f1\u00f1"
SPOILED: Final = b"n\xf1\xff\x80\xf1"
PARTITION: Final = TopicPartition("gold.sales.v1", 0)

Headers = list[tuple[str, bytes | None]]
Content = tuple[bytes | None, bytes | None, Headers]


def fetched(*records: Content, compression: int = 0) -> bytes:
    builder = BatchBuilder(1 << 20, compression)
    for key, value, headers in records:
        assert builder.append(timestamp=1, key=key, value=value, headers=headers) is not None
    return bytes(builder._build())


def contents(batches: bytes) -> list[Content]:
    memory, found = MemoryRecords(batches), []
    while memory.has_next():
        found += [(record.key, record.value, list(record.headers)) for record in memory.next_batch()]
    return found


def unpacked(batches: bytes, begins: int = 0) -> list[Any]:
    return list(_Unpacked(PARTITION, _Fetched(batches), [], begins, None, None, False, 0))


texts = st.text(max_size=300)
contents_to_send = st.lists(
    st.tuples(
        st.binary(max_size=200), st.none() | st.binary(max_size=20_000), st.lists(st.tuples(texts, st.none() | st.binary()))
    ),
    min_size=1,
    max_size=5,
)


@given(contents_to_send)
def test_names_in_utf_8_stay_as_they_are(records: list[Content]) -> None:
    batch = fetched(*records)
    assert with_readable_header_names(batch) == batch


def test_a_spoiled_name_is_replaced_byte_by_byte_and_all_the_rest_kept() -> None:
    good: Content = (b"k", SPOILED, [("ok", SPOILED), ("año", None)])
    bad: Content = (None, b"v", [("before", b"1"), (NAME, SPOILED), ("after", b"2")])
    batches = fetched(good, bad, good).replace(NAME.encode(), SPOILED) + fetched(good)
    with pytest.raises(UnicodeDecodeError):
        contents(batches)
    mended = with_readable_header_names(batches)
    assert len(mended) == len(batches)
    assert contents(mended) == [good, (None, b"v", [("before", b"1"), ("n????", SPOILED), ("after", b"2")]), good, good]


def test_the_last_batch_of_a_fetch_may_be_cut() -> None:
    whole = fetched((b"k", b"v", [(NAME, b"1")])).replace(NAME.encode(), SPOILED)
    for cut in (1, 30, 62, len(whole) - 1):
        assert contents(with_readable_header_names(whole + whole[:cut])) == [(b"k", b"v", [("n????", b"1")])]


def test_unpacking_goes_on_after_a_spoiled_name_without_repeating_a_record() -> None:
    records: list[Content] = [(b"0", None, []), (b"1", b"", [("a", b"")]), (b"2", b"", [(NAME, b"")]), (b"3", b"", [])]
    batch = fetched(*records).replace(NAME.encode(), SPOILED)
    assert [record.offset for record in unpacked(batch)] == [0, 1, 2, 3]
    assert [record.offset for record in unpacked(batch, begins=2)] == [2, 3]
    assert unpacked(batch)[2].headers == (("n????", b""),)


def test_a_compressed_batch_is_not_guessed_at() -> None:
    batch = fetched((b"k", b"v", [("n", b"1")]), compression=1)
    assert with_readable_header_names(batch) == batch


def test_aiokafka_unpacks_as_this_leans_on() -> None:
    parameters = list(inspect.signature(fetcher.PartitionRecords.__init__).parameters)
    assert parameters[:5] == ["self", "tp", "records", "aborted_transactions", "fetch_offset"]
    assert inspect.isgeneratorfunction(fetcher.PartitionRecords._unpack_records)
    # A command that ran in this process before may have mended it already.
    assert fetcher.MemoryRecords in {MemoryRecords, _Fetched}
    source = inspect.getsource(fetcher.Fetcher)
    assert "MemoryRecords(" in source
    assert "PartitionRecords(" in source
