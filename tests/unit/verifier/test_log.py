"""The whole log from its files: what is proven, and what each kind of damage is called."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.ledger_story import Json, Story, account, canonical
from tests.log_files import checkpoint, consistency_proof, inclusion_proof, tree_hash, write_log
from tests.unit.verifier.stories import KEYS, LOG, ORG, OTHER, WITNESS, two_months
from verifier.audit import Audit
from verifier.checkpoint import Checkpoint, open_checkpoint
from verifier.deviation import Deviation, DeviationCode
from verifier.log import verify_log
from verifier.merkle import HASH_BYTES
from verifier.tiles import TILE_WIDTH, Folder, Server, Tiles, UnreachableError, has_entries, tile_path

SIZES = (0, 1, 2, 255, 256, 257, 512, 513, 700)


def story_of(size: int) -> list[bytes]:
    """So many leaves, of two organizations."""
    story = Story()
    while len(story.told) < size:
        number = len(story.told)
        story.premium((ORG, OTHER)[number % 3 == 0], f"L-{number}", "2025-03-03", amount=100 + number, milligrams=1000 + number)
    return story.leaves()


def opened(leaves: list[bytes]) -> Checkpoint:
    return open_checkpoint(checkpoint(leaves, LOG, WITNESS).encode(), KEYS, "the checkpoint")


def checked(folder: Path, leaves: list[bytes], older: list[bytes] | None = None, *, entries: bool = True) -> Audit | None:
    return verify_log(Folder(folder), opened(leaves), None if older is None else opened(older), entries=entries)


def deviation(check: Callable[[], object]) -> Deviation:
    with pytest.raises(Deviation) as found:
        check()
    return found.value


@pytest.mark.parametrize("size", SIZES)
def test_a_log_of_any_size_verifies_with_its_entries_and_by_its_hashes_alone(tmp_path: Path, size: int) -> None:
    leaves = story_of(size)
    write_log(tmp_path, leaves, LOG, WITNESS)
    audit = checked(tmp_path, leaves)
    assert audit is not None
    assert audit.leaves == size
    assert checked(tmp_path, leaves, entries=False) is None
    assert has_entries(Folder(tmp_path), size) is (size > 0)


@pytest.mark.parametrize("entries", [True, False])
def test_a_checkpoint_that_was_kept_is_extended_or_it_is_said_from_where_not(tmp_path: Path, *, entries: bool) -> None:
    leaves = story_of(513)
    write_log(tmp_path, leaves, LOG)
    for size in (0, 1, 255, 256, 257, 300, 512, 513):
        checked(tmp_path, leaves, leaves[:size], entries=entries)
    fork = [*leaves[:299], b"another", *leaves[300:]]
    found = deviation(lambda: checked(tmp_path, leaves, fork[:300], entries=entries))
    assert (found.code, found.place) == (DeviationCode.NOT_AN_EXTENSION, "the earlier checkpoint")
    checked(tmp_path, leaves, fork[:299], entries=entries)
    longer = story_of(514)
    assert "rolled back" in deviation(lambda: checked(tmp_path, leaves, longer, entries=entries)).message


def test_proofs_made_from_tiles_are_those_of_the_definition(tmp_path: Path) -> None:
    leaves = story_of(700)
    write_log(tmp_path, leaves, LOG)
    tiles = Tiles(Folder(tmp_path), 700)
    for size in (1, 2, 255, 256, 257, 511, 699, 700):
        assert tiles.root(size) == tree_hash(leaves[:size])
        for index in {0, 1, size // 2, size - 1} & set(range(size)):
            assert tiles.inclusion(index, size) == inclusion_proof(index, leaves[:size])
        for old_size in {0, 1, size // 2, size - 1, size}:
            assert tiles.consistency(old_size, size) == consistency_proof(old_size, leaves[:size])


def test_a_partial_tile_that_has_become_full_is_read_from_the_full_one(tmp_path: Path) -> None:
    leaves = story_of(513)
    for size in (300, 513):
        write_log(tmp_path, leaves[:size], LOG)
    for kind in ("0", "entries"):
        (tmp_path / "tile" / kind / "001.p" / "44").unlink()
    checked(tmp_path, leaves[:300])
    checked(tmp_path, leaves[:300], entries=False)


def test_names_of_tiles_are_as_specified() -> None:
    assert tile_path(0, 1_234_067, 256) == "tile/0/x001/x234/067"
    assert tile_path("entries", 5, 44) == "tile/entries/005.p/44"
    assert tile_path(3, 1_000, 1) == "tile/3/x001/000.p/1"


LEAVES = story_of(300)


@pytest.mark.parametrize(
    ("name", "damage", "code", "place"),
    [
        ("tile/0/000", None, DeviationCode.TILE_MISSING, "tile/0/000"),
        ("tile/1/000.p/1", None, DeviationCode.TILE_MISSING, "tile/1/000.p/1"),
        ("tile/entries/001.p/44", None, DeviationCode.TILE_MISSING, "tile/entries/001.p/44"),
        ("tile/0/001.p/44", lambda content: content[:-1], DeviationCode.TILE_WRONG, "tile/0/001.p/44"),
        (
            "tile/0/001.p/44",
            lambda content: content[:64] + b"\0" * 32 + content[96:],
            DeviationCode.TILE_WRONG,
            "tile/0/001.p/44",
        ),
        ("tile/1/000.p/1", lambda _: b"\0" * 32, DeviationCode.TILE_WRONG, "tile/1/000.p/1"),
        ("tile/entries/000", lambda content: content[:-1], DeviationCode.TILE_WRONG, "tile/entries/000"),
        ("tile/entries/000", lambda content: content + b"\0\1x", DeviationCode.TILE_WRONG, "tile/entries/000"),
        ("tile/entries/000", lambda content: content.replace(b"L-0", b"L-X", 1), DeviationCode.TILE_WRONG, "tile/0/000"),
        ("tile/entries/001.p/44", lambda content: b"", DeviationCode.TILE_WRONG, "tile/entries/001.p/44"),
        ("tile/0/000", lambda content: content * 2, DeviationCode.TILE_WRONG, "tile/0/000"),
    ],
)
def test_a_file_that_is_missing_or_damaged_is_named(
    tmp_path: Path, name: str, damage: Callable[[bytes], bytes] | None, code: DeviationCode, place: str
) -> None:
    write_log(tmp_path, LEAVES, LOG)
    file = tmp_path / name
    if damage is None:
        file.unlink()
    else:
        file.write_bytes(damage(file.read_bytes()))
    found = deviation(lambda: checked(tmp_path, LEAVES))
    assert (found.code, found.place) == (code, place)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.data())
def test_no_byte_of_any_file_of_a_log_can_be_changed(tmp_path: Path, data: st.DataObject) -> None:
    leaves = LEAVES[:40]
    if not (tmp_path / "checkpoint").exists():
        write_log(tmp_path, leaves, LOG, WITNESS)
    file = data.draw(st.sampled_from(sorted(path for path in tmp_path.rglob("*") if path.is_file())))
    content = file.read_bytes()
    at = data.draw(st.integers(0, len(content) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda byte: byte != content[at]))
    file.write_bytes(content[:at] + bytes([byte]) + content[at + 1 :])
    try:
        assert deviation(lambda: _whole(tmp_path)).code in set(DeviationCode)
    finally:
        file.write_bytes(content)
    _whole(tmp_path)


def _whole(folder: Path) -> None:
    newest = open_checkpoint((folder / "checkpoint").read_bytes(), KEYS, "the checkpoint")
    verify_log(Folder(folder), newest, None, entries=True)


# --- what leaves say --------------------------------------------------------------------------------------------------


def audited(leaves: list[bytes]) -> Audit:
    audit = Audit()
    for leaf in leaves:
        audit.take(leaf)
    return audit


def test_a_story_of_payments_adds_up() -> None:
    audit = audited(two_months().story.leaves())
    assert audit.totals() == ["4,079.536 g of fine gold", "USD 7,541.04"]
    assert len(audit.numbers) == 2
    assert audit.repeated_nonces() == frozenset()


def _of(kind: str) -> Callable[[list[Json]], Json]:
    return lambda told: next(leaf for leaf in told if leaf["kind"] == kind)


@pytest.mark.parametrize(
    ("kind", "change", "code"),
    [
        ("premium", lambda leaf: leaf.update(leaf_index=1), DeviationCode.LEAF_MISPLACED),
        ("settled", lambda leaf: leaf.update(subject_number=9), DeviationCode.NUMBER_SKIPPED),
        ("settled", lambda leaf: leaf.update(recorded_at="2025-01-01T00:00:00Z"), DeviationCode.TIME_BACKWARDS),
        ("settled", lambda leaf: leaf.update(recorded_at="2025-02-30T00:00:00Z"), DeviationCode.LEAF_MALFORMED),
        ("settled", lambda leaf: leaf.update(recorded_at="2025-03-01T08:00:00+01:00"), DeviationCode.LEAF_MALFORMED),
        ("settled", lambda leaf: leaf.update(nonce="0" * 31), DeviationCode.LEAF_MALFORMED),
        ("settled", lambda leaf: leaf.update(part=2), DeviationCode.LEAF_MALFORMED),
        ("settled", lambda leaf: leaf.pop("cause"), DeviationCode.LEAF_MALFORMED),
        ("settled", lambda leaf: leaf.update(effective_on="20250310"), DeviationCode.LEAF_MALFORMED),
        ("settled", lambda leaf: leaf["transfers"][0].update(amount_minor=0), DeviationCode.TRANSFER_WRONG),
        ("settled", lambda leaf: leaf["transfers"][0].update(amount_minor=-1), DeviationCode.LEAF_MALFORMED),
        ("settled", lambda leaf: leaf["transfers"][0].update(amount_minor=True), DeviationCode.LEAF_MALFORMED),
        ("settled", lambda leaf: leaf["transfers"][0].update(unit="usd"), DeviationCode.LEAF_MALFORMED),
        (
            "settled",
            lambda leaf: leaf["transfers"][0].update(credit=leaf["transfers"][0]["debit"]),
            DeviationCode.TRANSFER_WRONG,
        ),
        ("settled", lambda leaf: leaf["transfers"][0]["debit"].update(owner_id="ORG-X"), DeviationCode.TRANSFER_WRONG),
        ("reserved", lambda leaf: leaf["transfers"][0].update(amount_minor=84_303), DeviationCode.RESERVED_TOO_MUCH),
        ("premium", lambda leaf: leaf["lines"][0].update(amount="843.03"), DeviationCode.LINES_WRONG),
        ("premium", lambda leaf: leaf["lines"][0].update(amount="843.020"), DeviationCode.LEAF_MALFORMED),
        ("premium", lambda leaf: leaf["lines"][0].update(payer_id="PAY-02"), DeviationCode.LINES_WRONG),
        ("premium", lambda leaf: leaf["gold"].update(fine_weight_g="1.000"), DeviationCode.LINES_WRONG),
        ("premium", lambda leaf: leaf.update(transfers=[]), DeviationCode.LINES_WRONG),
        ("attested", lambda leaf: leaf["attestation"].update(sha256="x"), DeviationCode.LEAF_MALFORMED),
    ],
)
def test_a_leaf_that_does_not_fit_is_named(kind: str, change: Callable[[Json], Any], code: DeviationCode) -> None:
    told = two_months().story.told
    leaf = _of(kind)(told)
    index = leaf["leaf_index"]
    change(leaf)
    found = deviation(lambda: audited([canonical(leaf) for leaf in told]))
    assert found.code is code
    assert f"leaf {index}" in found.place


def test_parts_of_one_cause_are_compared_together() -> None:
    story = Story()
    story.premium(ORG, "L-1", "2025-03-03", amount=100, milligrams=1000)
    first, second = (
        story.told[0],
        {**story.told[0], "leaf_index": 1, "subject_number": 2, "part": 2, "parts": 2, "nonce": "0" * 32},
    )
    first["parts"] = 2
    second["transfers"], first["transfers"] = first["transfers"], []
    second["lines"] = []
    del second["gold"]
    assert audited([canonical(first), canonical(second)]).leaves == 2
    second["transfers"] = []
    found = deviation(lambda: audited([canonical(first), canonical(second)]))
    assert (found.code, found.place) == (DeviationCode.LINES_WRONG, "leaf 1")


@pytest.mark.parametrize("follower", ["nothing", "a whole one", "part 3", "another cause", "another subject"])
def test_a_part_that_never_comes_hides_no_difference_between_lines_and_transfers(tmp_path: Path, follower: str) -> None:
    story = Story()
    story.premium(ORG, "L-1", "2025-03-03", amount=100, milligrams=1000)
    story.told[0]["parts"] = 3
    story.told[0]["transfers"][0]["amount_minor"] = 1_000_000
    if follower != "nothing":
        story.premium(OTHER if follower == "another subject" else ORG, "L-2", "2025-03-03", amount=100, milligrams=1000)
        second = story.told[1]
        second |= {} if follower == "a whole one" else {"part": 3 if follower == "part 3" else 2, "parts": 3}
        if follower != "another cause":
            second["cause"] = story.told[0]["cause"]
    leaves = story.leaves()
    write_log(tmp_path, leaves, LOG, WITNESS)
    assert deviation(lambda: checked(tmp_path, leaves)).code is DeviationCode.PART_MISSING


def test_a_premium_moves_nothing_beside_what_its_lines_tell() -> None:
    story = Story()
    story.premium(ORG, "L-1", "2025-03-03", amount=100, milligrams=1000)
    (money, gold) = story.told[0]["transfers"]
    bank, suspense = account("programme:programme", "bank"), account("programme:programme", "suspense")
    for extra in (
        money | {"debit": bank, "credit": suspense},
        money | {"debit": bank},
        money | {"scope": money["scope"] | {"payer_id": "PAY-02"}},
        gold | {"debit": account("payer:PAY-01", "receivable")},
    ):
        changed = deepcopy(story.told[0])
        changed["transfers"].append(extra)
        found = deviation(lambda leaf=changed: audited([canonical(leaf)]))
        assert found.code is DeviationCode.LINES_WRONG
        assert "is a premium of org ORG-PE-012 and moves" in found.message


def test_a_nonce_that_comes_twice_is_named_with_both_leaves(tmp_path: Path) -> None:
    story = two_months().story
    story.told[12]["nonce"] = story.told[3]["nonce"]
    leaves = story.leaves()
    write_log(tmp_path, leaves, LOG)
    found = deviation(lambda: checked(tmp_path, leaves))
    assert (found.code, found.place) == (DeviationCode.NONCE_REPEATED, "leaf 12")
    assert "leaf 3" in found.message


def test_members_that_a_later_version_adds_are_left_alone() -> None:
    told = two_months().story.told
    for leaf in told:
        leaf["added_later"] = {"any": ["thing"]}
        leaf["cause"]["added_later"] = 1
    assert audited([canonical(leaf) for leaf in told]).leaves == len(told)


@given(st.binary(max_size=200) | st.recursive(st.none() | st.integers(0, 9) | st.text(max_size=3), st.lists).map(canonical))
def test_anything_at_all_in_the_place_of_a_leaf_is_answered_with_a_deviation(content: bytes) -> None:
    assert deviation(lambda: audited([content])).code is DeviationCode.LEAF_MALFORMED


# --- over HTTP --------------------------------------------------------------------------------------------------------


class _Files(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    token: str | None = None
    status: int | None = None
    cut = False

    def do_GET(self) -> None:
        """Files, but entries only for who has the token."""
        asked = self.headers.get("Authorization")
        if self.status is not None:
            self.send_error(self.status)
        elif self.cut:
            self.send_response(200)
            self.send_header("Content-Length", str(2 * TILE_WIDTH * HASH_BYTES))
            self.end_headers()
            self.wfile.write(bytes(TILE_WIDTH * HASH_BYTES))
            self.close_connection = True
        elif "/entries/" in self.path and self.token is not None and asked != f"Bearer {self.token}":
            self.send_error(401)
        else:
            super().do_GET()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def served(folder: Path, *, token: str | None = None, status: int | None = None, cut: bool = False) -> Iterator[str]:
    kind = type("Files", (_Files,), {"token": token, "status": status, "cut": cut})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), lambda *args: kind(*args, directory=folder))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_log_is_checked_over_http_with_entries_for_who_has_the_token(tmp_path: Path) -> None:
    leaves = story_of(300)
    write_log(tmp_path, leaves, LOG)
    with served(tmp_path, token="secret") as url:
        with_token, without = Server(url, "secret"), Server(url)
        assert has_entries(with_token, 300)
        assert not has_entries(without, 300)
        assert verify_log(with_token, opened(leaves), None, entries=True) is not None
        assert verify_log(without, opened(leaves), None, entries=False) is None
        with_token.close()
        without.close()


def test_a_server_that_does_not_answer_is_not_taken_for_a_log_without_files(tmp_path: Path) -> None:
    with served(tmp_path, status=500) as url:
        server = Server(url)
        with pytest.raises(UnreachableError, match="answered 500"):
            server.read("checkpoint", 100)
        server.close()
    server = Server(url)
    with pytest.raises(UnreachableError, match="checkpoint"):
        server.read("checkpoint", 100)
    with served(tmp_path, status=302) as url:
        server = Server(url)
        with pytest.raises(UnreachableError, match="answered 302"):
            server.read("checkpoint", 100)
        server.close()


def test_an_answer_that_breaks_off_is_a_bad_line_and_no_deviation(tmp_path: Path) -> None:
    with served(tmp_path, cut=True) as url:
        server = Server(url)
        with pytest.raises(UnreachableError, match=r"tile/0/000: ended in the middle"):
            server.read("tile/0/000", 2 * TILE_WIDTH * HASH_BYTES)
        with pytest.raises(Deviation, match="has more than"):  # whatever comes after it
            server.read("tile/0/000", 100)


def test_a_file_that_is_larger_than_any_of_its_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "checkpoint").write_bytes(b"x" * 1000)
    with served(tmp_path) as url:
        for source in (Folder(tmp_path), server := Server(url)):
            assert source.read("checkpoint", 1000) == b"x" * 1000
            assert "more than 999 bytes" in deviation(lambda source=source: source.read("checkpoint", 999)).message
            assert source.read("checkpoint", 1000) == b"x" * 1000
        server.close()
