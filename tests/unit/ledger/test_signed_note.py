"""Notes, public keys and checkpoints are read as C2SP writes them; what has not their form is refused."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Final

import pytest

from schemas.note_signing import NoteKind, new_note_key
from services.ledger.adapters.checkpoint import Checkpoint, read_checkpoint
from services.ledger.adapters.log_keys import FILE, TEXT, LogKeys, keys_of, log_keys
from services.ledger.adapters.signed_note import (
    Note,
    NoteError,
    Signature,
    read_note,
    read_signatures,
    read_verifier_key,
)
from services.ledger.domain.merkle import EMPTY_ROOT
from services.runtime.settings import SettingError

# The example of Go's package golang.org/x/mod/sumdb/note.
PUBLIC: Final = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
SIGNED_TEXT: Final = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
SIGNATURE: Final = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
ORIGIN: Final = "demo.premia.example/ledger"


def test_a_note_is_read_back_and_only_its_own_text_is_verified() -> None:
    note = read_note(f"{SIGNED_TEXT}\n{SIGNATURE}".encode())
    (signature,) = note.signatures
    key = read_verifier_key(PUBLIC)
    assert key.verifies(note.text, signature)
    assert not key.verifies(note.text.upper(), signature)
    assert not read_verifier_key(new_note_key("PeterNeumann", NoteKind.LOG).verifier_key()).verifies(note.text, signature)
    assert note.to_text() == f"{SIGNED_TEXT}\n{SIGNATURE}"


def test_a_witness_is_believed_for_the_time_and_the_text_that_it_signed() -> None:
    witness = new_note_key("witness.example/w1", NoteKind.WITNESS)
    key = read_verifier_key(witness.verifier_key())
    text = Checkpoint(ORIGIN, 3, EMPTY_ROOT).text
    (signature,) = read_signatures(witness.cosign(text, 1_679_315_147))
    assert key.verifies(text, signature)
    later = Signature(signature.name, signature.key_hash, (1_679_315_148).to_bytes(8, "big") + signature.content[8:])
    assert not key.verifies(text, later)
    assert not key.verifies(text, Signature(signature.name, signature.key_hash, b"short"))
    assert not key.verifies(Checkpoint(ORIGIN, 4, EMPTY_ROOT).text, signature)


@pytest.mark.parametrize("seen_at_unix_s", [0, 2**63])
def test_a_cosignature_without_a_time_is_not_taken_because_who_checks_would_refuse_the_checkpoint(seen_at_unix_s: int) -> None:
    witness = new_note_key("witness.example/w1", NoteKind.WITNESS)
    text = Checkpoint(ORIGIN, 3, EMPTY_ROOT).text
    (signature,) = read_signatures(witness.cosign(text, seen_at_unix_s))
    assert not read_verifier_key(witness.verifier_key()).verifies(text, signature)


@pytest.mark.parametrize("text", ["", "a+b", PUBLIC.replace("c74f", "c74e"), PUBLIC.replace("+ARpc", "+Bhpc"), "a b+" + PUBLIC])
def test_what_is_no_public_key_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        read_verifier_key(text)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\n\n",
        SIGNED_TEXT.encode(),
        f"{SIGNED_TEXT}\n".encode(),
        f"{SIGNED_TEXT}\n{SIGNATURE}".encode()[:-1],
        f"{SIGNED_TEXT}\n{SIGNATURE}more\n".encode(),
        f"{SIGNED_TEXT}\n— PeterNeumann x08g\n".encode(),
        f"{SIGNED_TEXT}\n{SIGNATURE.replace('— ', '- ')}".encode(),
        f"{SIGNED_TEXT}\n{SIGNATURE.replace('PeterNeumann', 'Peter+Neumann')}".encode(),
        f"{SIGNED_TEXT}\n{SIGNATURE * 65}".encode(),
    ],
)
def test_what_is_no_note_is_refused(content: bytes) -> None:
    with pytest.raises(NoteError):
        read_note(content)


def test_a_checkpoint_is_read_back() -> None:
    checkpoint = Checkpoint(ORIGIN, 20_852_163, EMPTY_ROOT)
    assert checkpoint.text == f"{ORIGIN}\n20852163\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
    assert read_checkpoint(checkpoint.text) == checkpoint


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"{ORIGIN}\n1\n",
        "\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        f"{ORIGIN}\n01\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        f"{ORIGIN}\n-1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        f"{ORIGIN}\none\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        f"{ORIGIN}\n1\n{b64encode(b'short').decode()}\n",
        f"{ORIGIN}\n1\nnot base64\n",
        f"{ORIGIN}\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\nextension\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        read_checkpoint(text)


def test_each_key_of_the_log_signs_and_any_of_them_is_enough_to_know_it_again() -> None:
    old, new = (new_note_key(ORIGIN, NoteKind.LOG) for _ in range(2))
    both = keys_of(f"{old.text()}\n\n{new.text()}\n", FILE)
    text = Checkpoint(ORIGIN, 3, EMPTY_ROOT).text
    note = both.signed(text)
    assert [signature.name for signature in note.signatures] == [ORIGIN, ORIGIN]
    assert all(LogKeys(keys).have_signed(note) for keys in ((old,), (new,), (old, new)))
    assert both.have_signed(LogKeys((old,)).signed(text))
    assert not LogKeys((new_note_key(ORIGIN, NoteKind.LOG),)).have_signed(note)
    forged = LogKeys((new,)).signed(text.replace("3", "4")).signatures
    assert not both.have_signed(Note(text, (*LogKeys((old,)).signed(text).signatures, *forged)))


def test_keys_come_from_a_file_that_others_may_not_read_or_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = new_note_key(ORIGIN, NoteKind.LOG)
    file = tmp_path / "log.key"
    monkeypatch.delenv(TEXT, raising=False)
    monkeypatch.setenv(FILE, str(file))
    with pytest.raises(SettingError, match="cannot be read"):
        log_keys()
    file.write_text(f"{key.text()}\n")
    file.chmod(0o644)
    with pytest.raises(SettingError, match="others may read it"):
        log_keys()
    file.chmod(0o600)
    assert log_keys().origin == ORIGIN
    monkeypatch.setenv(FILE, "")
    with pytest.raises(SettingError, match="is not set"):
        log_keys()
    monkeypatch.setenv(TEXT, key.text())
    assert log_keys().keys[0].verifier_key() == key.verifier_key()


def test_keys_that_cannot_be_one_logs_are_refused_without_showing_them() -> None:
    key, other = new_note_key(ORIGIN, NoteKind.LOG), new_note_key("other.example", NoteKind.LOG)
    witness = new_note_key(ORIGIN, NoteKind.WITNESS)
    for lines, reason in (
        ([], "one to 4 keys"),
        ([new_note_key(ORIGIN, NoteKind.LOG) for _ in range(5)], "one to 4 keys"),
        ([key, other], "the log's origin as their name"),
        ([key, key], "each is there once"),
        ([witness], "a witness's key"),
    ):
        with pytest.raises(SettingError, match=reason) as refused:
            keys_of("\n".join(made.text() for made in lines), FILE)
        assert "PRIVATE" not in str(refused.value)
