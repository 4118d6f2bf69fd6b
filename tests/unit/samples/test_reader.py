"""The sample's files are read byte for byte, and a damaged one is told in one line by file, line and field."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path

import pytest

from samples.reader import ACCOUNTS_FILE, CYCLES_FILE, SampleFileError, read_accounts, read_cycles, read_sales
from schemas.cloudevents import CloudEventAttributes, from_headers
from schemas.topics import SALES

GOOD = b'{"synthetic":true,"at":"2025-03-14T09:12:37Z","id":"a","source":"/refiners/R","key":"R/L","value":{"lot_id":"L"}}'


def _file(folder: Path, *lines: bytes) -> Path:
    file = folder / "sales.jsonl.gz"
    file.write_bytes(gzip.compress(b"".join(line + b"\n" for line in lines), mtime=0))
    return file


def test_an_event_becomes_the_message_that_goes_to_kafka(tmp_path: Path) -> None:
    (sale,) = read_sales(_file(tmp_path, GOOD))
    assert sale.at == datetime(2025, 3, 14, 9, 12, 37, tzinfo=UTC)
    assert (sale.message.topic, sale.message.key, sale.message.value) == (SALES, b"R/L", b'{"lot_id":"L"}')
    attributes = from_headers(sale.message.headers)
    assert isinstance(attributes, CloudEventAttributes)
    assert (attributes.id, attributes.source, attributes.type) == ("a", "/refiners/R", "gold.sales.v1")
    assert attributes.time == sale.at


def test_bytes_that_are_no_json_are_kept_as_they_are(tmp_path: Path) -> None:
    line = GOOD.replace(b'"value":{"lot_id":"L"}', b'"raw":"AP/+"')
    (sale,) = read_sales(_file(tmp_path, line))
    assert sale.message.value == b"\x00\xff\xfe"
    (empty,) = read_sales(_file(tmp_path, GOOD.replace(b'"value":{"lot_id":"L"}', b'"raw":""')))
    assert empty.message.value == b""


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"{", "2: is not JSON"),
        (GOOD.replace(b'"id":"a",', b""), "2: id: is required and missing"),
        (GOOD.replace(b'"id":"a"', b'"id":"a","typo":1'), "2: typo: is not a field of this format"),
        (GOOD.replace(b'"synthetic":true', b'"synthetic":false'), "2: synthetic: must be one of True"),
        (GOOD.replace(b"2025-03-14T09", b"2025-03-14 09"), "2: at: not an RFC 3339 time"),
        (GOOD.replace(b"2025-03-14", b"2025-03-13"), "2: at: is earlier than the event before"),
        (GOOD.replace(b',"value":{"lot_id":"L"}', b""), "2: value: give either value or raw"),
        (GOOD.replace(b'"value":{"lot_id":"L"}', b'"raw":"?"'), "2: raw: is not base64"),
        (GOOD.replace(b'"value":{"lot_id":"L"}', b'"raw":"\\u0080"'), "2: raw: is not base64"),
    ],
)
def test_a_damaged_line_is_told_by_number_and_field(tmp_path: Path, line: bytes, told: str) -> None:
    file = _file(tmp_path, GOOD, line)
    with pytest.raises(SampleFileError) as refused:
        list(read_sales(file))
    assert str(refused.value).startswith(f"{file}:{told}")
    assert "\n" not in str(refused.value)


def test_events_before_a_damaged_line_are_read(tmp_path: Path) -> None:
    sales = read_sales(_file(tmp_path, GOOD, b"{"))
    assert next(sales).message.key == b"R/L"


def test_a_missing_file_and_one_that_is_cut_off_are_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(SampleFileError, match=r"nowhere\.gz: cannot be read: No such file or directory"):
        list(read_sales(tmp_path / "nowhere.gz"))
    file = _file(tmp_path, GOOD)
    for damaged in (file.read_bytes()[:-12], b"not packed"):
        file.write_bytes(damaged)
        with pytest.raises(SampleFileError, match=r"sales\.jsonl\.gz: cannot be read: "):
            list(read_sales(file))


def test_a_mistake_in_accounts_or_cycles_is_told_by_line_and_field(tmp_path: Path) -> None:
    cycles = tmp_path / "cycles.yaml"
    cycles.write_text(CYCLES_FILE.read_text(encoding="utf-8").replace("2014-12-18", "someday"), encoding="utf-8")
    with pytest.raises(SampleFileError, match=r"cycles\.yaml:4: cycles\.0\.settles_on: must be a day"):
        read_cycles(cycles)
    accounts = tmp_path / "accounts.yaml"
    accounts.write_text(ACCOUNTS_FILE.read_text(encoding="utf-8").replace("verified_by", "verifed_by", 1), encoding="utf-8")
    with pytest.raises(SampleFileError, match=r"accounts\.yaml:\d+: accounts\.0\.verif"):
        read_accounts(accounts)
