"""`premia keys new`, and the files it makes."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from premia.__main__ import main
from premia.signing import read_key
from schemas.base64url import base64url
from schemas.note_signing import NoteKind, read_note_key
from schemas.registry import Organization
from services.ledger.adapters.log_keys import keys_of
from services.runtime.key_file import KeyFileError
from tests.unit.premium_calculator.programme import encoded, sale


def keys_new(file: Path, key_id: str = "ref-2025") -> Result:
    return CliRunner().invoke(main, ["keys", "new", "--id", key_id, "--out", str(file)])


def test_the_private_key_is_its_owners_alone_and_the_printed_lines_go_into_the_registry(tmp_path: Path) -> None:
    file = tmp_path / "ref.pem"
    made = keys_new(file)
    assert made.exit_code == 0, made.output
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    lines = yaml.load(made.stdout, yaml.BaseLoader)
    lines["signature_required"] = lines["signature_required"] == "true"
    refiner = Organization.model_validate({"id": "REF", "name": "Refiner", "country": "CH", "kind": "refiner"} | lines)
    assert refiner.signature_required
    assert refiner.signing_keys[0].public_key == base64url(read_key(file).public_key().public_bytes_raw())
    assert file.read_text() not in made.output


def test_a_key_is_never_written_over_nor_through_a_link(tmp_path: Path) -> None:
    file = tmp_path / "ref.pem"
    assert keys_new(file).exit_code == 0
    content = file.read_bytes()
    again = keys_new(file)
    assert (again.exit_code, again.stdout) == (2, "")
    assert file.read_bytes() == content
    link = tmp_path / "link.pem"
    link.symlink_to(tmp_path / "elsewhere.pem")
    assert keys_new(link).exit_code == 2
    assert not (tmp_path / "elsewhere.pem").exists()
    assert keys_new(tmp_path / "none" / "ref.pem").exit_code == 2


@pytest.mark.parametrize("key_id", ["", "a/b", "a b", "x" * 65])
def test_an_id_that_cannot_stand_in_headers_is_refused(tmp_path: Path, key_id: str) -> None:
    assert keys_new(tmp_path / "ref.pem", key_id).exit_code == 2
    assert not (tmp_path / "ref.pem").exists()


def test_a_file_that_others_may_read_or_that_is_another_kind_of_key_is_not_used(tmp_path: Path) -> None:
    file = tmp_path / "ref.pem"
    keys_new(file)
    file.chmod(0o640)
    with pytest.raises(KeyFileError, match="others may read it"):
        read_key(file)
    other = generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for content, reason in ((other, "of another kind"), (b"nonsense", "is no unencrypted private key")):
        wrong = tmp_path / "wrong.pem"
        wrong.touch(mode=0o600)
        wrong.write_bytes(content)
        with pytest.raises(KeyFileError, match=reason):
            read_key(wrong)


def test_a_sale_that_cannot_be_signed_is_told_by_its_field_as_without_a_key(tmp_path: Path) -> None:
    keys_new(tmp_path / "ref.pem")
    sales = tmp_path / "sales.jsonl"
    sales.write_bytes(encoded(sale(melt_weight={"value": 2450.6, "unit": "GRM"})) + b"\n" + encoded(sale()) + b"\n")
    signed = ("--key", str(tmp_path / "ref.pem"), "--key-id", "ref")
    plain, told = (CliRunner().invoke(main, ["publish", "--check", *key, str(sales)]).stdout for key in ((), signed))
    assert plain.startswith(f"{sales}:1, melt_weight.value = 2450.6: SCHEMA_INVALID, must be a text in quotes")
    assert told == f"{plain.rstrip()}; so it cannot be signed either\n"


def test_a_witness_keeps_its_private_key_and_hands_out_the_printed_one(tmp_path: Path) -> None:
    file = tmp_path / "witness.key"
    made = CliRunner().invoke(main, ["keys", "witness", "witness.example.org/premia", "--out", str(file)])
    assert made.exit_code == 0, made.output
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    key = read_note_key(file.read_text(), NoteKind.WITNESS)
    assert made.stdout == f"{key.verifier_key()}\n"
    assert key.text() not in made.output
    again = CliRunner().invoke(main, ["keys", "witness", "witness.example.org/premia", "--out", str(file)])
    assert (again.exit_code, again.stdout) == (2, "")
    assert CliRunner().invoke(main, ["keys", "witness", "two words", "--out", str(tmp_path / "other")]).exit_code == 2
    assert not (tmp_path / "other").exists()


def test_the_logs_key_signs_for_its_origin_and_one_that_follows_goes_into_the_same_file(tmp_path: Path) -> None:
    made = []
    for name in ("log.key", "next.key"):
        printed = CliRunner().invoke(main, ["keys", "log", "ledger.example.org/premia", "--out", str(tmp_path / name)])
        assert printed.exit_code == 0, printed.output
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
        made.append(printed.stdout.strip())
    both = (tmp_path / "log.key").read_text() + (tmp_path / "next.key").read_text()
    keys = keys_of(both, "PREMIA_LEDGER_LOG_KEY")
    assert keys.origin == "ledger.example.org/premia"
    assert [key.verifier_key() for key in keys.keys] == made
    assert CliRunner().invoke(main, ["keys", "log", "two words", "--out", str(tmp_path / "other")]).exit_code == 2
    assert not (tmp_path / "other").exists()
