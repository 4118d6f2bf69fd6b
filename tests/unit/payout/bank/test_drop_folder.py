from __future__ import annotations

import os
from pathlib import Path

import pytest

from services.payout.bank import drop_folder
from services.payout.bank.drop_folder import Whereabouts
from services.payout.bank.errors import (
    BankFileConflictError,
    BankFileUnreadableError,
    BankFolderUnusableError,
    UnreadableFault,
)

NAME = "pain001-3f2a.xml"


def test_a_payment_file_appears_whole_and_leaves_nothing_beside(tmp_path: Path) -> None:
    drop_folder.drop_payment_file(tmp_path, NAME, b"<whole/>")
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
    assert (tmp_path / NAME).read_bytes() == b"<whole/>"


def test_dropping_the_same_bytes_again_changes_nothing(tmp_path: Path) -> None:
    drop_folder.drop_payment_file(tmp_path, NAME, b"a")
    before = (tmp_path / NAME).stat()
    drop_folder.drop_payment_file(tmp_path, NAME, b"a")
    assert (tmp_path / NAME).stat().st_ino == before.st_ino


def test_other_bytes_under_the_same_name_are_refused(tmp_path: Path) -> None:
    drop_folder.drop_payment_file(tmp_path, NAME, b"a")
    with pytest.raises(BankFileConflictError):
        drop_folder.drop_payment_file(tmp_path, NAME, b"b")
    assert (tmp_path / NAME).read_bytes() == b"a"


def test_the_rest_of_a_crash_before_the_rename_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / f".{NAME}.part").write_bytes(b"half of something longer")
    drop_folder.drop_payment_file(tmp_path, NAME, b"whole")
    assert (tmp_path / NAME).read_bytes() == b"whole"


@pytest.mark.parametrize("left_by_the_bank", [f"processed/{NAME}", f"failed/{NAME}.findings.txt", f"{NAME}.processing"])
def test_a_file_that_the_bank_took_is_found_as_taken(tmp_path: Path, left_by_the_bank: str) -> None:
    assert drop_folder.whereabouts(tmp_path, NAME) is Whereabouts.ABSENT
    drop_folder.drop_payment_file(tmp_path, NAME, b"a")
    assert drop_folder.whereabouts(tmp_path, NAME) is Whereabouts.WAITING
    target = tmp_path / left_by_the_bank
    target.parent.mkdir(exist_ok=True)
    (tmp_path / NAME).rename(target)
    assert drop_folder.whereabouts(tmp_path, NAME) is Whereabouts.TAKEN


def test_a_half_written_file_is_not_taken_for_a_dropped_one(tmp_path: Path) -> None:
    (tmp_path / f".{NAME}.part").write_bytes(b"half")
    assert drop_folder.whereabouts(tmp_path, NAME) is Whereabouts.ABSENT


def test_incoming_files_come_in_order_of_arrival_and_unfinished_ones_not_at_all(tmp_path: Path) -> None:
    for position, name in enumerate(["z.xml", "a.xml", "b.tmp", "c.PART", ".d.xml"]):
        (tmp_path / name).write_bytes(b"x")
        os.utime(tmp_path / name, ns=(position, position))
    (tmp_path / "0.xml").write_bytes(b"x")
    os.utime(tmp_path / "0.xml", ns=(1, 1))
    (tmp_path / "folder").mkdir()
    (tmp_path / "link.xml").symlink_to(tmp_path / "a.xml")
    assert [path.name for path in drop_folder.list_incoming(tmp_path)] == ["z.xml", "0.xml", "a.xml"]


def test_files_of_one_moment_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ["camt-10.xml", "camt-9.xml", "camt-2.xml", "a.xml"]:
        (tmp_path / name).write_bytes(b"x")
        os.utime(tmp_path / name, ns=(1, 1))
    assert [path.name for path in drop_folder.list_incoming(tmp_path)] == ["a.xml", "camt-2.xml", "camt-9.xml", "camt-10.xml"]


def test_a_crash_between_commit_and_archive_lets_the_same_bytes_be_read_again(tmp_path: Path) -> None:
    (tmp_path / "camt.xml").write_bytes(b"<a/>")
    first = drop_folder.read_incoming(tmp_path / "camt.xml")
    (again,) = [drop_folder.read_incoming(path) for path in drop_folder.list_incoming(tmp_path)]
    assert (again.sha256, again.data) == (first.sha256, b"<a/>")
    kept = drop_folder.archive_incoming(again.path, again.sha256)
    assert drop_folder.list_incoming(tmp_path) == ()
    assert kept.read_bytes() == b"<a/>"
    assert kept.parent.name == "archive"


def test_the_same_name_with_other_bytes_is_archived_beside(tmp_path: Path) -> None:
    kept = []
    for data in (b"1", b"2", b"1"):
        (tmp_path / "camt.xml").write_bytes(data)
        file = drop_folder.read_incoming(tmp_path / "camt.xml")
        kept.append(drop_folder.archive_incoming(file.path, file.sha256))
    assert len(set(kept)) == 2
    assert [path.read_bytes() for path in kept] == [b"1", b"2", b"1"]


def test_a_file_that_grew_after_it_was_read_stays_and_is_read_again(tmp_path: Path) -> None:
    (tmp_path / "camt.xml").write_bytes(b"<a>")
    file = drop_folder.read_incoming(tmp_path / "camt.xml")
    (tmp_path / "camt.xml").write_bytes(b"<a></a>")
    with pytest.raises(BankFileUnreadableError) as caught:
        drop_folder.quarantine_incoming(file.path, file.sha256)
    assert caught.value.fault is UnreadableFault.FILE_CHANGED_WHILE_READ
    assert drop_folder.read_incoming(tmp_path / "camt.xml").data == b"<a></a>"


def test_a_file_above_the_cap_is_not_loaded_but_can_be_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drop_folder, "BANK_FILE_BYTES_MAX", 3)
    (tmp_path / "camt.xml").write_bytes(b"1234")
    with pytest.raises(BankFileUnreadableError) as caught:
        drop_folder.read_incoming(tmp_path / "camt.xml")
    assert caught.value.fault is UnreadableFault.FILE_TOO_LARGE
    digest = drop_folder.file_digest(tmp_path / "camt.xml")
    assert drop_folder.quarantine_incoming(tmp_path / "camt.xml", digest).parent.name == "quarantine"


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(BankFolderUnusableError, match="nowhere"):
        drop_folder.list_incoming(tmp_path / "nowhere")


def test_a_folder_that_nobody_empties_is_not_read_for_hours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drop_folder, "FOLDER_ENTRIES_MAX", 2)
    for number in range(3):
        (tmp_path / f"{number}.xml").write_bytes(b"x")
    with pytest.raises(BankFolderUnusableError, match="more than 2"):
        drop_folder.list_incoming(tmp_path)
