"""The witness's judgement, memory and evidence, without HTTP."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from premia.witness.add_checkpoint import Asked, Judgement, Suspicion, judge, read_request
from premia.witness.memory import EVIDENCE_MAX, Memory, WitnessStateError
from schemas.note_signing import NoteKey, NoteKind, new_note_key
from tests.log_files import add_checkpoint_request, checkpoint, checkpoint_text, consistency_proof
from verifier.checkpoint import Checkpoint, TrustedKeys, open_checkpoint
from verifier.note import VerifierKey, read_verifier_key

LOG = new_note_key("log.example.org/premia", NoteKind.LOG)
OWN = new_note_key("witness.example.org", NoteKind.WITNESS)
STRANGER = new_note_key("stranger.example.org", NoteKind.LOG)
LEAVES = [f"leaf {number}".encode() for number in range(20)]
FORK = [b"another", *LEAVES[1:]]


def public(key: NoteKey) -> VerifierKey:
    return read_verifier_key(key.verifier_key(), key.kind)


KEYS = [public(LOG)]


def signed(leaves: list[bytes]) -> Checkpoint:
    return open_checkpoint(checkpoint(leaves, LOG, OWN).encode(), TrustedKeys(tuple(KEYS), (public(OWN),), 1), "here")


def judged(body: bytes | str, latest: list[bytes] | None) -> Judgement:
    content = body if isinstance(body, bytes) else body.encode()
    return judge(read_request(content), None if latest is None else signed(latest), KEYS)


def request(old_size: int, leaves: list[bytes], key: NoteKey = LOG) -> str:
    return add_checkpoint_request(old_size, leaves, checkpoint(leaves, key))


def test_the_specified_example_is_read() -> None:
    body = (
        "old 20852014\n"
        "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n"
        "jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=\n"
        "5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=\n"
        "/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=\n"
        "\n"
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
        "\n"
        "\N{EM DASH} example.com/behind-the-sofa "
        "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    )
    asked = read_request(body.encode())
    assert asked is not None
    assert (asked.old_size, len(asked.proof)) == (20852014, 4)
    assert asked.checkpoint.startswith(b"example.com/behind-the-sofa\n20852163\n")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"old 3",
        b"old 3\n\n",
        b"3\n\norigin\n",
        b"old 03\n\norigin\n",
        b"old -1\n\norigin\n",
        b"old  3\n\norigin\n",
        b"old 3 \n\norigin\n",
        b"old 9223372036854775808\n\norigin\n",
        b"old 3\nAAAA\n\norigin\n",
        b"old 3\nnot base64\n\norigin\n",
        b"old 3\r\n\r\norigin\n",
        b"old 3\n" + b"CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n" * 64 + b"\norigin\n",
        b"x" * 1_000_000,
        b"\xff",
    ],
)
def test_what_is_no_request_is_a_bad_one(body: bytes) -> None:
    assert judged(body, LEAVES[:3]).status is HTTPStatus.BAD_REQUEST


@pytest.mark.parametrize(
    ("body", "latest", "status", "suspicion"),
    [
        (request(0, LEAVES[:5]), None, 200, None),
        (request(0, []), None, 200, None),
        (request(0, LEAVES[:5]), [], 200, None),
        (request(5, LEAVES[:9]), LEAVES[:5], 200, None),
        (request(5, LEAVES[:5]), LEAVES[:5], 200, None),
        (request(4, LEAVES[:8]), LEAVES[:4], 200, None),
        (request(5, LEAVES[:9], STRANGER), LEAVES[:5], 404, None),
        (request(9, LEAVES[:5]), LEAVES[:9], 400, Suspicion.ROLLBACK),
        (request(3, LEAVES[:9]), LEAVES[:5], 409, None),
        (request(0, LEAVES[:9]), LEAVES[:5], 409, None),
        (request(5, LEAVES[:9]), None, 409, None),
        (request(3, LEAVES[:4]), LEAVES[:5], 409, Suspicion.ROLLBACK),
        (request(0, FORK[:5]), LEAVES[:5], 409, Suspicion.FORK),
        (request(5, FORK[:5]), LEAVES[:5], 422, Suspicion.FORK),
        (request(5, FORK[:9]), LEAVES[:5], 422, Suspicion.INCONSISTENT),
        (
            request(5, LEAVES[:9]).replace("\n", "\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n", 1),
            LEAVES[:5],
            422,
            "inconsistent",
        ),
        (request(5, LEAVES[:5]).replace("\n", "\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n", 1), LEAVES[:5], 422, None),
        (request(0, LEAVES[:5]).replace("\n", "\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n", 1), None, 422, None),
        (request(5, LEAVES[:9]).replace("\n9\n", "\n10\n"), LEAVES[:5], 403, None),
        (request(5, LEAVES[:9]).replace("\n9\n", "\n09\n"), LEAVES[:5], 400, None),
        (request(5, LEAVES[:9])[:-1], LEAVES[:5], 400, None),
    ],
)
def test_each_request_is_answered_as_specified(
    body: str, latest: list[bytes] | None, status: int, suspicion: Suspicion | None
) -> None:
    answer = judged(body, latest)
    assert (answer.status, answer.suspicion) == (status, suspicion), answer.why


def test_no_leaves_have_one_root_and_a_log_that_signs_another_is_refused() -> None:
    text = f"{LOG.name}\n0\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    assert judged(f"old 0\n\n{text}\n{LOG.sign(text)}", None).status is HTTPStatus.UNPROCESSABLE_ENTITY


def test_signatures_of_unknown_keys_are_ignored_and_a_wrong_one_of_a_known_key_is_not() -> None:
    text = checkpoint_text(LOG.name, LEAVES[:5])
    other = new_note_key(LOG.name, NoteKind.LOG)
    both = f"old 0\n\n{text}\n{other.sign(text)}{LOG.sign(text)}"
    assert judged(both, None).status is HTTPStatus.OK
    assert judged(f"old 0\n\n{text}\n{other.sign(text)}", None).status is HTTPStatus.FORBIDDEN
    wrong = f"old 0\n\n{text}\n{LOG.sign(text)}{LOG.sign('another text' + chr(10))}"
    assert judged(wrong, None).status is HTTPStatus.OK, "one signature by a key is looked at, and this one is right"
    assert judged(f"old 0\n\n{text}\n{LOG.sign('another text' + chr(10))}", None).status is HTTPStatus.FORBIDDEN


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20), st.booleans(), st.booleans()), max_size=12))
def test_whatever_is_sent_what_was_signed_is_one_growing_history(
    sent: list[tuple[int, int, bool, bool]],
) -> None:
    latest: Checkpoint | None = None
    history: list[Checkpoint] = []
    for old_size, size, fork, knows_latest in sent:
        leaves = (FORK if fork else LEAVES)[:size]
        old = (0 if latest is None else latest.tree_size) if knows_latest else old_size
        proof = consistency_proof(old, leaves) if old <= size else []
        answer = judge(Asked(old, proof, checkpoint(leaves, LOG).encode()), latest, KEYS)
        if answer.status is HTTPStatus.OK:
            assert answer.checkpoint is not None
            latest = answer.checkpoint
            history.append(latest)
    for leaves in (LEAVES, FORK):
        if history and history[-1].root == signed(leaves[: history[-1].tree_size]).root:
            assert all(one.root == signed(leaves[: one.tree_size]).root for one in history)
    assert [one.tree_size for one in history] == sorted(one.tree_size for one in history)


# --- memory -----------------------------------------------------------------------------------------------------------


def memory(folder: Path) -> Memory:
    return Memory(folder / "state", KEYS, public(OWN))


def test_what_was_signed_is_remembered_by_the_next_process(tmp_path: Path) -> None:
    first = memory(tmp_path)
    assert first.latest is None
    first.remember(signed(LEAVES[:5]), checkpoint(LEAVES[:5], LOG, OWN))
    first.close()
    again = memory(tmp_path)
    assert again.latest is not None
    assert again.latest.tree_size == 5


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-1],
        lambda content: content.replace(b"\n5\n", b"\n4\n"),
        lambda _: b"",
        lambda _: checkpoint(LEAVES[:5], LOG).encode(),
        lambda _: checkpoint(LEAVES[:5], STRANGER, OWN).encode(),
    ],
)
def test_a_state_that_is_not_ours_stops_the_witness(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    state = tmp_path / "state"
    state.write_bytes(damage(checkpoint(LEAVES[:5], LOG, OWN).encode()))
    with pytest.raises(WitnessStateError, match="restore it, never delete it"):
        memory(tmp_path)


def test_a_state_from_before_the_log_changed_its_key_asks_for_the_old_key(tmp_path: Path) -> None:
    (tmp_path / "state").write_text(checkpoint(LEAVES[:5], LOG, OWN), encoding="utf-8")
    new = new_note_key(LOG.name, NoteKind.LOG)
    with pytest.raises(WitnessStateError, match="name the old one too"):
        Memory(tmp_path / "state", (public(new),), public(OWN))


def test_two_witnesses_never_use_one_state(tmp_path: Path) -> None:
    first = memory(tmp_path)
    with pytest.raises(WitnessStateError, match="another witness uses this state"):
        memory(tmp_path)
    first.close()
    memory(tmp_path).close()


def test_a_state_behind_a_link_is_one_state_and_stays_where_the_link_leads(tmp_path: Path) -> None:
    folder, link = tmp_path / "volume", tmp_path / "state"
    folder.mkdir()
    link.symlink_to(folder / "state")
    by_link = memory(tmp_path)
    with pytest.raises(WitnessStateError, match="another witness uses this state"):
        memory(folder)
    by_link.remember(signed(LEAVES[:5]), checkpoint(LEAVES[:5], LOG, OWN))
    by_link.close()
    assert link.is_symlink()
    latest = memory(folder).latest
    assert latest is not None
    assert latest.tree_size == 5


def test_a_write_that_was_cut_short_leaves_the_state_as_it_was(tmp_path: Path) -> None:
    first = memory(tmp_path)
    first.remember(signed(LEAVES[:5]), checkpoint(LEAVES[:5], LOG, OWN))
    first.close()
    (tmp_path / ".state.new").write_bytes(b"half of a che")
    again = memory(tmp_path)
    assert again.latest is not None
    again.remember(signed(LEAVES[:6]), checkpoint(LEAVES[:6], LOG, OWN))
    again.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["state", "state.lock"]


def test_what_cannot_be_remembered_is_not_the_latest(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    kept = memory(folder)
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    with pytest.raises(FileNotFoundError):
        kept.remember(signed(LEAVES[:5]), checkpoint(LEAVES[:5], LOG, OWN))
    assert kept.latest is None


def test_evidence_is_kept_once_with_both_notes_and_of_each_kind_up_to_a_number(tmp_path: Path) -> None:
    kept = memory(tmp_path)
    ours, theirs = checkpoint(LEAVES[:5], LOG, OWN), checkpoint(FORK[:5], LOG)
    kept.remember(signed(LEAVES[:5]), ours)
    folder = kept.keep_evidence(Suspicion.FORK, theirs.encode(), b"the request")
    assert folder is not None
    assert {file.name: file.read_text() for file in folder.iterdir()} == {
        "signed.note": ours,
        "submitted.note": theirs,
        "request": "the request",
    }
    assert kept.keep_evidence(Suspicion.FORK, theirs.encode(), b"again") is None
    for number in range(EVIDENCE_MAX):
        (tmp_path / "state.evidence" / f"rollback-{number}").mkdir()
    assert kept.keep_evidence(Suspicion.ROLLBACK, b"one more", b"") is None
    assert kept.keep_evidence(Suspicion.FORK, b"a fork has room", b"") is not None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
def test_anything_at_all_is_answered_and_never_signed(body: bytes) -> None:
    assert judged(body, LEAVES[:5]).status in {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN}
