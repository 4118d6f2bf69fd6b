"""Note keys and signatures, beside the documented example of golang.org/x/mod/sumdb/note."""

from __future__ import annotations

import pytest

from schemas.note_signing import NoteKey, NoteKeyError, NoteKind, is_note_key_name, new_note_key, read_note_key

PRIVATE = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
PUBLIC = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
SIGNATURE = (
    "\N{EM DASH} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)


def test_the_documented_key_signs_the_documented_text() -> None:
    key = read_note_key(PRIVATE, NoteKind.LOG)
    assert key.verifier_key() == PUBLIC
    assert key.text() == PRIVATE
    assert key.sign(TEXT) == SIGNATURE


@pytest.mark.parametrize("kind", NoteKind)
def test_a_new_key_is_read_again_as_it_was_written(kind: NoteKind) -> None:
    key = new_note_key("log.example.org/premia", kind)
    read = read_note_key(key.text() + "\n", kind)
    assert (read.verifier_key(), read.text()) == (key.verifier_key(), key.text())
    assert key.text() not in repr(key)


def test_a_key_for_something_else_is_refused_and_never_shown() -> None:
    witness = new_note_key("witness.example.org", NoteKind.WITNESS).text()
    other_name = PRIVATE.replace("PeterNeumann", "PeterNeuman")
    for text, reason in (
        (witness, "is a witness's key, where a log's is needed"),
        (PUBLIC, "is no private note key"),
        ("", "is no private note key"),
        (PRIVATE[:-4], "another kind"),
        (PRIVATE + "=", "no base64"),
        (PRIVATE + "\x80", "no base64"),
        (other_name, "do not belong together"),
    ):
        with pytest.raises(NoteKeyError, match=reason) as refused:
            read_note_key(text, NoteKind.LOG)
        assert "AYEK" not in str(refused.value)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\u2003b", "a\u0000", "x" * 256])
def test_a_name_that_no_note_could_carry_makes_no_key(name: str) -> None:
    assert not is_note_key_name(name)
    with pytest.raises(NoteKeyError, match="cannot be a key's name"):
        new_note_key(name, NoteKind.WITNESS)


def test_a_cosignature_carries_its_time_and_a_hash_of_its_own_kind() -> None:
    private_key = read_note_key(PRIVATE, NoteKind.LOG).private_key
    log, witness = (NoteKey("PeterNeumann", kind, private_key) for kind in NoteKind)
    assert log.hash != witness.hash
    first, second = (witness.cosign("origin\n0\nroot\n", at) for at in (1_700_000_000, 1_700_000_001))
    assert first != second
