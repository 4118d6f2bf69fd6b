"""`python -m verifier` and `premia verify`: words, exit codes, and that nothing else is needed."""

from __future__ import annotations

import ast
import io
import json
import shutil
import subprocess
import sys
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pypdf import PdfWriter

import verifier
from premia.__main__ import main as premia
from premia.statement_pdf import read_statement_pdf
from schemas.note_signing import NoteKey, NoteKind, new_note_key
from services.payout.statement.render_pdf import StatementRenderer
from tests.ledger_story import canonical
from tests.log_files import checkpoint, consistency_proof, write_log
from tests.soak import examples
from tests.unit.payout.statement import example
from tests.unit.verifier.stories import LOG, WITNESS, two_months
from verifier.command_line import PdfCopy, WrongUseError, main

PACKAGE = Path(verifier.__file__).parent
TOLD = two_months()
LEAVES = TOLD.story.leaves()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A log, an earlier checkpoint of it, the keys and a bundle, as an auditor has them."""
    write_log(tmp_path / "log", LEAVES, LOG, WITNESS)
    for name, content in {
        "old": checkpoint(LEAVES[:7], LOG),
        "fork": checkpoint([b"x", *LEAVES[1:7]], LOG),
        "key": f"{LOG.verifier_key()}\n",
        "witness": WITNESS.verifier_key(),
        "statement.pdf": "%PDF-1.7 and so on",
        "proof": "".join(f"{b64encode(one).decode()}\n" for one in consistency_proof(7, LEAVES)),
    }.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    (tmp_path / "bundle").write_bytes(canonical(TOLD.bundle()))
    (tmp_path / "statement.json").write_bytes(canonical(TOLD.april))
    return tmp_path


def run(folder: Path, *arguments: str, key: str = "key", token: str = "") -> tuple[int, str, str]:
    """Run in the folder, as a program of its own that finds nothing but the verifier and cryptography."""
    ran = subprocess.run(
        [sys.executable, "-m", "verifier", *arguments, "--key", key],
        cwd=folder,
        env={"PYTHONPATH": str(PACKAGE.parent), "PREMIA_AUDITOR_TOKEN": token},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return ran.returncode, ran.stdout, ran.stderr


def test_the_package_imports_nothing_but_python_and_cryptography() -> None:
    allowed = sys.stdlib_module_names | {"cryptography", "verifier"}
    for file in PACKAGE.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert {name.partition(".")[0] for name in names} <= allowed, file


def test_the_folder_alone_is_enough_to_check_with(folder: Path) -> None:
    shutil.copytree(PACKAGE, folder / "copied" / "verifier", ignore=shutil.ignore_patterns("__pycache__"))
    blocker = (
        "import runpy, sys\n"
        "class Nothing:\n"
        "    def find_spec(self, name, *_):\n"
        "        allowed = sys.stdlib_module_names | {'cryptography', 'verifier', '_cffi_backend', 'cffi'}\n"
        "        if name.partition('.')[0] not in allowed:\n"
        "            raise ImportError(name)\n"
        "sys.meta_path.insert(0, Nothing())\n"
        "runpy.run_module('verifier', run_name='__main__', alter_sys=True)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", blocker, "statement", str(folder / "bundle"), "--key", str(folder / "key")],
        cwd=folder / "copied",
        env={},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.endswith("\nNothing deviates.\n")


def test_each_kind_of_check_says_what_was_proven_and_what_was_not(folder: Path) -> None:
    for arguments in (
        ("statement", "bundle", "--copy", "statement.json"),
        ("checkpoint", "log/checkpoint"),
        ("checkpoint", "log/checkpoint", "--extends", "old", "--log", "log"),
        ("checkpoint", "log/checkpoint", "--extends", "old", "--proof", "proof"),
        ("log", "log"),
        ("log", "log", "--from", "old", "--witness", "witness", "--require-witnesses", "1"),
    ):
        code, out, err = run(folder, *arguments)
        assert (code, err) == (0, ""), arguments
        assert "\nProven\n- " in out
        assert "\nNot proven by this\n- " in out


def test_json_has_the_same_sentences(folder: Path) -> None:
    code, out, _ = run(folder, "statement", "bundle", "--json")
    told = json.loads(out)
    assert code == 0
    assert set(told) == {"about", "deviation", "not_proven", "proven"}
    assert told["deviation"] is None
    assert len(told["proven"]) > 5


def test_a_file_of_keys_may_hold_the_old_one_and_the_new_one(folder: Path) -> None:
    new = new_note_key(LOG.name, NoteKind.LOG)
    (folder / "key").write_text(f"{new.verifier_key()}\n{LOG.verifier_key()}\n\n", encoding="utf-8")
    assert run(folder, "checkpoint", "log/checkpoint")[0] == 0
    (folder / "key").write_text(f"{new.verifier_key()}\n", encoding="utf-8")
    code, out, _ = run(folder, "checkpoint", "log/checkpoint")
    assert (code, out.partition(" at ")[0]) == (1, "DEVIATION KEY_UNKNOWN")
    assert f"in the name of {LOG.name}+{LOG.hash.hex()}" in out, "two keys of one name are told apart"
    (folder / "key").write_text("\n", encoding="utf-8")
    assert run(folder, "checkpoint", "log/checkpoint") == (2, "", "key: holds no verifier key\n")


def test_a_deviation_is_named_once_with_exit_code_1(folder: Path) -> None:
    code, out, err = run(folder, "log", "log", "--from", "fork")
    assert (code, err) == (1, "")
    assert out.startswith("DEVIATION NOT_AN_EXTENSION at the earlier checkpoint: ")
    code, out, _ = run(folder, "checkpoint", "log/checkpoint", "--extends", "fork", "--log", "log", "--json")
    assert code == 1
    assert json.loads(out)["deviation"]["code"] == "NOT_AN_EXTENSION"
    (folder / "statement.json").write_bytes(canonical(TOLD.april) + b"\n")
    code, out, _ = run(folder, "statement", "bundle", "--copy", "statement.json")
    assert code == 1
    assert "STATEMENT_NOT_ATTESTED at statement.json" in out


def test_an_older_checkpoint_is_not_taken_for_an_extension_of_a_newer_one(folder: Path) -> None:
    code, out, _ = run(folder, "checkpoint", "old", "--extends", "log/checkpoint", "--log", "log")
    assert code == 1
    assert "the tree became smaller" in out
    shutil.copy(folder / "old", folder / "log" / "checkpoint")
    write_log(folder / "newer", LEAVES, LOG)
    code, out, _ = run(folder, "log", "log", "--from", "newer/checkpoint")
    assert code == 1
    assert "it was rolled back" in out


def test_without_entries_only_hashes_are_checked_and_that_is_said(folder: Path) -> None:
    shutil.rmtree(folder / "log" / "tile" / "entries")
    code, out, _ = run(folder, "log", "log")
    assert code == 0
    assert "only their hashes were given" in out
    code, out, _ = run(folder, "log", "log", "--require-entries")
    assert code == 1
    assert "TILE_MISSING at tile/entries/000.p/19" in out


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("statement", "missing"), "cannot be read"),
        (("statement", "statement.pdf"), "give the proof bundle"),
        (("log", "missing"), "is no folder"),
        (("log", "ftp://example.org"), "no http or https address"),
        (("log", "http://example.org/registro-año"), "no http or https address in ASCII"),
        (("log", f"http://{'a' * 64}.example.org"), "no http or https address"),
        (("log", "http://example org"), "no http or https address"),
        (("checkpoint", "old", "--extends", "old"), "needs --log or --proof"),
        (("checkpoint", "old", "--log", "log"), "add --extends"),
        (("checkpoint", "old", "--extends", "old", "--proof", "bundle"), "is no consistency proof"),
        (("log", "log", "--require-witnesses", "1"), "needs as many different --witness"),
        (("log", "log", "--witness", "key"), "is a log's key"),
        (("log", "log", "--witness", "proof"), "is no verifier key"),
        (("log", "log", "--witness", "bundle"), "more than 4096 bytes"),
        (("log", "log", "--witness", "log/tile/0/000.p/19"), "decode"),
    ],
)
def test_wrong_use_is_told_apart_from_a_deviation(folder: Path, arguments: tuple[str, ...], reason: str) -> None:
    code, out, err = run(folder, *arguments)
    assert (code, out) == (2, "")
    assert reason in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("token", ["secret\n", "two words", "clé", "cl\N{EN DASH}"])
def test_a_token_that_no_request_can_carry_is_wrong_use_and_is_not_shown(folder: Path, token: str) -> None:
    code, out, err = run(folder, "log", "http://127.0.0.1:1", token=token)
    assert (code, out) == (2, "")
    assert "the auditor's token" in err
    assert token not in err


@pytest.mark.parametrize("twin", [WITNESS, LOG])
def test_a_key_under_two_names_is_not_two_who_vouch(folder: Path, twin: NoteKey) -> None:
    renamed = NoteKey("second.example.org", NoteKind.WITNESS, twin.private_key)
    text = (folder / "log" / "checkpoint").read_text(encoding="utf-8")
    (folder / "log" / "checkpoint").write_text(text + renamed.cosign(text.partition("\n\n")[0] + "\n", 1), encoding="utf-8")
    witnesses = ("--witness", WITNESS.verifier_key(), "--witness", renamed.verifier_key())
    code, out, err = run(folder, "checkpoint", "log/checkpoint", *witnesses, "--require-witnesses", "2")
    assert (code, out) == (2, "")
    assert "under another name" in err


def test_a_server_that_cannot_be_reached_is_no_deviation(folder: Path) -> None:
    code, out, err = run(folder, "log", "http://127.0.0.1:1")
    assert (code, out) == (3, "")
    assert "127.0.0.1:1/checkpoint" in err


def test_a_terminal_that_lacks_letters_still_gets_the_words(folder: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "verifier", "statement", "bundle", "--key", "key"],
        cwd=folder,
        env={"PYTHONPATH": str(PACKAGE.parent), "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0
    assert "Asociaci\\xf3n Minera Ejemplo" in ran.stdout


# --- premia verify ----------------------------------------------------------------------------------------------------


def verify(*arguments: str) -> Result:
    return CliRunner().invoke(premia, ["verify", *arguments])


def test_premia_verify_is_the_same_command(folder: Path) -> None:
    done = verify("log", str(folder / "log"), "--key", LOG.verifier_key())
    assert (done.exit_code, done.output) == (0, done.stdout)
    assert "Nothing deviates." in done.stdout
    assert verify("log", str(folder / "log"), "--key", LOG.verifier_key(), "--from", str(folder / "fork")).exit_code == 1
    assert verify("log", str(folder / "missing"), "--key", LOG.verifier_key()).exit_code == 2
    assert verify("nothing").exit_code == 2
    assert "statement" in verify("--help").output


PDF = StatementRenderer().render(example.statement()).pdf_bytes


def pdf_of_nothing() -> bytes:
    """A PDF that holds one empty page."""
    written = io.BytesIO()
    writer = PdfWriter()
    writer.add_blank_page(100, 100)
    writer.write(written)
    return written.getvalue()


def test_a_statements_pdf_is_compared_by_what_is_attached_and_by_its_pages() -> None:
    statement = example.statement()
    rendered = StatementRenderer().render(statement)
    assert read_statement_pdf(rendered.pdf_bytes) == PdfCopy(statement.canonical_bytes(), pages_match=True)
    assert read_statement_pdf(rendered.pdf_bytes + b"\n") == PdfCopy(statement.canonical_bytes(), pages_match=False)
    for content, reason in ((b"%PDF-1.7\n", "cannot be read"), (pdf_of_nothing(), "has 0 attachments")):
        with pytest.raises(WrongUseError, match=reason):
            read_statement_pdf(content)


@settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    damage=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=20),
    cut=st.booleans(),
)
def test_a_damaged_pdf_is_read_or_refused_and_never_more(damage: list[tuple[float, int]], *, cut: bool) -> None:
    content = bytearray(PDF)
    for where, byte in damage:
        content[int(where * len(content))] = byte
    try:
        copy = read_statement_pdf(bytes(content[: int(damage[0][0] * len(content))] if cut else content))
    except WrongUseError:
        return
    assert copy.pages_match is not True or bytes(content) == PDF


@pytest.mark.parametrize(
    ("document", "pages_match", "code", "words"),
    [
        (canonical(TOLD.april), True, 0, "are, byte for byte, what Premia prints of it"),
        (canonical(TOLD.april), False, 0, "They may be of another version, or changed"),
        (canonical(TOLD.april), None, 0, "They may be of another version, or changed"),
        (canonical(TOLD.march), True, 1, "holds another statement than the one on record"),
    ],
)
def test_what_a_pdf_holds_decides_and_its_pages_are_told_of(
    folder: Path, capsys: Any, document: bytes, pages_match: bool | None, *, code: int, words: str
) -> None:
    (folder / "statement.pdf").write_bytes(b"%PDF-1.7 and so on")
    arguments = ["statement", str(folder / "bundle"), "--key", str(folder / "key"), "--copy", str(folder / "statement.pdf")]
    assert main(arguments, read_pdf=lambda _: PdfCopy(document, pages_match)) == code
    assert words in capsys.readouterr().out.replace("\n  ", " ")
    assert main(arguments) == 2
    assert "save the JSON that is attached" in capsys.readouterr().err
