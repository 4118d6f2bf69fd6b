"""Signed notes, verifier keys, checkpoints and witnesses' signatures."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.note_signing import NoteKey, NoteKind, new_note_key, read_note_key
from tests.log_files import checkpoint, checkpoint_text
from verifier.checkpoint import Checkpoint, TrustedKeys, open_checkpoint
from verifier.deviation import Deviation, DeviationCode
from verifier.note import LOG_KIND, WITNESS_KIND, KeyTextError, VerifierKey, read_note, read_verifier_key, verified_signatures

# The documented example of golang.org/x/mod/sumdb/note.
DOCUMENTED_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
DOCUMENTED_NOTE = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
    "\N{EM DASH} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
# The signature lines of the example in c2sp.org/tlog-cosignature.
SPECIFIED = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "\N{EM DASH} example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "\N{EM DASH} witness.example.com/w1 "
    "jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
)
LOG = new_note_key("log.example.org/premia", NoteKind.LOG)
WITNESSES = [new_note_key(f"w{number}.example.org", NoteKind.WITNESS) for number in (1, 2)]
LEAVES = [b"a", b"b", b"c"]


def public(key: NoteKey) -> VerifierKey:
    return read_verifier_key(key.verifier_key(), key.kind)


def keys(*witnesses: NoteKey, needed: int = 0, log: NoteKey = LOG) -> TrustedKeys:
    return TrustedKeys((public(log),), tuple(map(public, witnesses)), needed)


def opened(text: str, trusted: TrustedKeys) -> Checkpoint:
    return open_checkpoint(text.encode(), trusted, "here")


def code_of(text: str | bytes, trusted: TrustedKeys) -> DeviationCode:
    with pytest.raises(Deviation) as found:
        open_checkpoint(text if isinstance(text, bytes) else text.encode(), trusted, "here")
    assert found.value.place == "here"
    return found.value.code


def test_the_documented_note_verifies_with_the_documented_key() -> None:
    note = read_note(DOCUMENTED_NOTE.encode(), "here")
    (signed,) = verified_signatures(note, [read_verifier_key(DOCUMENTED_KEY, LOG_KIND)], "here")
    assert (str(signed.key), signed.at_unix_s) == ("PeterNeumann+c74f20a3", None)
    changed = read_note(DOCUMENTED_NOTE.replace("the answer", "an answer").encode(), "here")
    with pytest.raises(Deviation, match="was not made by it"):
        verified_signatures(changed, [read_verifier_key(DOCUMENTED_KEY, LOG_KIND)], "here")


def test_the_specified_example_is_read_line_by_line() -> None:
    note = read_note(SPECIFIED.encode(), "here")
    assert [(one.name, one.key_hash.hex()) for one in note.signatures] == [
        ("example.com/behind-the-sofa", "033de0ae"),
        ("witness.example.com/w1", "8d66cf3f"),
    ]
    assert int.from_bytes(note.signatures[1].content[:8], "big") == 1_679_315_147


def test_a_text_may_hold_empty_lines_and_letters_of_any_language() -> None:
    text = "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n"
    note = read_note(f"{text}\n{LOG.sign(text)}".encode(), "here")
    assert note.text == text
    assert len(verified_signatures(note, [public(LOG)], "here")) == 1


def test_a_checkpoint_says_what_was_signed_and_who_saw_it() -> None:
    read = opened(checkpoint(LEAVES, LOG, *WITNESSES), keys(WITNESSES[0], needed=1))
    assert (read.origin, read.tree_size, read.text) == (LOG.name, 3, checkpoint_text(LOG.name, LEAVES))
    assert [(signed.key.name, signed.at_unix_s) for signed in read.witnessed] == [("w1.example.org", 1_700_000_000)]
    assert read.unknown == (f"w2.example.org+{WITNESSES[1].hash.hex()}",)
    assert "2023-11-14 22:13:20 UTC" in " ".join(read.words())
    assert "w2.example.org" in " ".join(read.open_words())


def test_a_key_that_follows_another_signs_in_the_same_name() -> None:
    new = new_note_key(LOG.name, NoteKind.LOG)
    text = checkpoint_text(LOG.name, LEAVES)
    both = f"{text}\n{LOG.sign(text)}{new.sign(text)}"
    assert len(opened(both, TrustedKeys((public(LOG), public(new)))).signed) == 2
    assert len(opened(both, keys()).signed) == 1
    assert len(opened(both, keys(log=new)).signed) == 1


def test_who_signed_it_and_who_did_not_is_told_apart() -> None:
    good = checkpoint(LEAVES, LOG, *WITNESSES)
    text = checkpoint_text(LOG.name, LEAVES)
    stranger = new_note_key("stranger.example.org", NoteKind.LOG)
    assert code_of(good, keys(log=stranger)) is DeviationCode.KEY_UNKNOWN
    assert code_of(f"{text}\n{stranger.sign(text)}", keys(log=stranger)) is DeviationCode.ORIGIN_WRONG
    assert code_of(good.replace("\n3\n", "\n4\n"), keys()) is DeviationCode.SIGNATURE_WRONG
    other = checkpoint([b"x"], LOG, *WITNESSES).splitlines()
    forged = good.splitlines()
    forged[5] = other[5]  # a witness's signature of another checkpoint
    assert code_of("\n".join(forged) + "\n", keys(*WITNESSES)) is DeviationCode.SIGNATURE_WRONG
    assert code_of(checkpoint(LEAVES, LOG, WITNESSES[0]), keys(*WITNESSES, needed=2)) is DeviationCode.WITNESSES_MISSING
    twice = good + good.splitlines(keepends=True)[5]
    assert len(opened(twice, keys(WITNESSES[0], needed=1)).witnessed) == 1, "a witness counts once"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("origin\n3\n", DeviationCode.CHECKPOINT_MALFORMED),
        ("origin\n03\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n", DeviationCode.CHECKPOINT_MALFORMED),
        ("origin\n-1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n", DeviationCode.CHECKPOINT_MALFORMED),
        ("origin\n9223372036854775808\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n", DeviationCode.CHECKPOINT_MALFORMED),
        ("origin\n\u0663\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n", DeviationCode.CHECKPOINT_MALFORMED),
        ("origin\n3\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2J=\n", DeviationCode.CHECKPOINT_MALFORMED),
        ("origin\n3\nAAAA\n", DeviationCode.CHECKPOINT_MALFORMED),
        ("origin\n3\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\nmore\n", DeviationCode.CHECKPOINT_MALFORMED),
        ("\n3\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n", DeviationCode.CHECKPOINT_MALFORMED),
        ("or\tigin\n3\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n", DeviationCode.NOTE_MALFORMED),
    ],
)
def test_a_signed_text_that_is_no_checkpoint_is_refused(body: str, code: DeviationCode) -> None:
    assert code_of(f"{body}\n{LOG.sign(body)}", keys()) is code


def test_extension_lines_are_part_of_what_is_signed() -> None:
    text = checkpoint_text(LOG.name, LEAVES) + "something more\n"
    assert opened(f"{text}\n{LOG.sign(text)}", keys()).tree_size == 3


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"\n",
        b"text\n",
        b"text\n\n",
        b"\n\n\xe2\x80\x94 name AAAAAAA=\n",
        b"text\n\n\xe2\x80\x94 name AAAAAAA=",
        b"text\n\n\xe2\x80\x94 name AAAAAA==\n",
        b"text\n\n\xe2\x80\x94  AAAAAAA=\n",
        b"text\n\n\xe2\x80\x94 na+me AAAAAAA=\n",
        b"text\n\n\xe2\x80\x94 name AAAAAAB=\n",
        b"text\n\n\xe2\x80\x94 name AAAAAAA\n",
        b"text\n\n\xe2\x80\x94 name AAAAAAA= \n",
        b"text\n\n- name AAAAAAA=\n",
        b"text\xff\n\n\xe2\x80\x94 name AAAAAAA=\n",
        b"text\r\n\n\xe2\x80\x94 name AAAAAAA=\n",
        b"text\n\n" + b"\xe2\x80\x94 name AAAAAAA=\n" * 101,
        b"x" * 200_000,
    ],
)
def test_what_is_no_note_is_refused(note: bytes) -> None:
    assert code_of(note, keys()) is DeviationCode.NOTE_MALFORMED


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is no verifier key"),
        ("name", "is no verifier key"),
        ("PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "hash would be c74f20a3"),
        ("PeterNeuman+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "hash would be"),
        ("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10T", "is no base64"),
        ("PeterNeumann+c74f20a3+AhpcmQ==", "another kind"),
        (WITNESSES[0].verifier_key(), "is a witness's key"),
    ],
)
def test_a_text_that_is_no_key_of_a_log_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(KeyTextError, match=reason):
        read_verifier_key(text, LOG_KIND)
    with pytest.raises(KeyTextError, match="is a log's key"):
        read_verifier_key(DOCUMENTED_KEY, WITNESS_KIND)


def test_what_the_signing_half_writes_the_verifying_half_reads() -> None:
    for key in (LOG, *WITNESSES):
        assert public(key).key_hash == key.hash == read_note_key(key.text(), key.kind).hash


@given(st.data())
def test_no_byte_of_a_witnessed_checkpoint_can_be_changed(data: st.DataObject) -> None:
    good = checkpoint(LEAVES, LOG, *WITNESSES).encode()
    trusted = keys(*WITNESSES, needed=2)
    assert open_checkpoint(good, trusted, "here")
    at = data.draw(st.integers(0, len(good) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda byte: byte != good[at]))
    for changed in (good[:at] + bytes([byte]) + good[at + 1 :], good[:at] + good[at + 1 :], good[:at]):
        code_of(changed, trusted)


@given(st.binary(max_size=400))
def test_anything_at_all_is_answered_with_a_deviation(content: bytes) -> None:
    assert code_of(content, keys()) in set(DeviationCode)
