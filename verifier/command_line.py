"""The command line: what is checked, with whose keys, and what the result is told as.

Goal: `python -m verifier` and `premia verify` are the same command.
Method: argparse. The result goes to stdout, as sentences or as JSON; exit codes are 0 nothing deviates, 1 something deviates
(the first deviation is named), 2 wrong use, 3 a server cannot be reached.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import textwrap
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from verifier.bundle import BUNDLE_BYTES_MAX, open_bundle
from verifier.checkpoint import Checkpoint, TrustedKeys, open_checkpoint, require_extension
from verifier.deviation import Deviation, DeviationCode
from verifier.findings import Findings, of
from verifier.log import verify_log
from verifier.lot import verify_lot
from verifier.merkle import HASH_BYTES, PROOF_HASHES_MAX
from verifier.note import LOG_KIND, WITNESS_KIND, KeyTextError, VerifierKey, read_verifier_key
from verifier.payout import verify_payout
from verifier.statement import verify_statement
from verifier.strict import NotStrictError, canonical_json, from_base64
from verifier.tiles import CHECKPOINT_BYTES_MAX, Folder, Server, Source, Tiles, UnreachableError, has_entries

DEVIATES: Final = 1
WRONG_USE: Final = 2
UNREACHABLE: Final = 3
PDF_BEGINS: Final = b"%PDF-"
AUDITOR_VARIABLE: Final = "PREMIA_AUDITOR_TOKEN"
KEY_FILE_BYTES_MAX: Final = 4_096
LINE_CHARS: Final = 100

_BUNDLES: Final[dict[str, Callable[..., Findings]]] = {
    "statement": verify_statement,
    "lot": verify_lot,
    "payout": verify_payout,
}


class WrongUseError(Exception):
    """What was asked cannot be done; one line says why."""


@dataclass(frozen=True, slots=True)
class PdfCopy:
    """A statement as PDF: the JSON that lies inside, and whether its pages are what is printed of that JSON (None: unknown)."""

    document: bytes
    pages_match: bool | None


ReadPdf = Callable[[bytes], PdfCopy]


def main(arguments: Sequence[str], program: str = "python -m verifier", read_pdf: ReadPdf | None = None) -> int:
    """Check what the arguments ask for. Returns the exit code. `read_pdf` raises WrongUseError for what is no such PDF."""
    asked = _parser(program).parse_args(arguments)
    asked.read_pdf = read_pdf
    try:
        found = asked.check(asked)
    except Deviation as deviation:
        _tell_deviation(deviation, as_json=asked.json)
        sys.stdout.flush()  # in one piece, and while it can still be told why it failed
        return DEVIATES
    except WrongUseError as error:
        sys.stderr.write(f"{error}\n")
        return WRONG_USE
    except UnreachableError as error:
        sys.stderr.write(f"{error}\n")
        return UNREACHABLE
    _tell(found, as_json=asked.json)
    sys.stdout.flush()
    return 0


# --- what can be asked ------------------------------------------------------------------------------------------------


def _parser(program: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=program, description="Check offline what Premia's ledger put on record.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name in _BUNDLES:
        command = commands.add_parser(name, help=f"check a {name} from its proof bundle")
        command.add_argument("file", type=Path, metavar="BUNDLE", help=f"the proof bundle, as `premia proof {name}` writes it")
        if name == "statement":
            command.add_argument("--copy", type=Path, metavar="FILE", help="a copy of the statement, JSON or PDF, to compare")
        command.set_defaults(check=_check_bundle, kind=name)
        _add_common(command)
    command = commands.add_parser("checkpoint", help="check a checkpoint, and that it extends an earlier one")
    command.add_argument("file", type=Path, metavar="FILE", help="the checkpoint")
    command.add_argument("--extends", type=Path, metavar="OLD", help="a checkpoint that was kept earlier")
    how = command.add_mutually_exclusive_group()
    how.add_argument("--log", metavar="DIR|URL", help="the log's files, to make the proof from")
    how.add_argument("--proof", type=Path, metavar="FILE", help="the consistency proof: one hash a line, in base64")
    command.set_defaults(check=_check_checkpoint)
    _add_common(command)
    command = commands.add_parser("log", help="check the whole log")
    command.add_argument("log", metavar="DIR|URL", help="the log's files: checkpoint, tile/…")
    command.add_argument("--from", type=Path, dest="older", metavar="OLD", help="a checkpoint that was kept earlier")
    command.add_argument("--checkpoint", type=Path, metavar="FILE", help="check against this one, not the log's own newest")
    command.add_argument("--require-entries", action="store_true", help="without the leaves themselves, fail")
    command.set_defaults(check=_check_log)
    _add_common(command)
    return parser


def _add_common(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--key",
        action="append",
        required=True,
        metavar="VKEY",
        help="the log's verifier key, or a file of them; repeatable",
    )
    command.add_argument("--witness", action="append", default=[], metavar="VKEY", help="a witness's verifier key; repeatable")
    command.add_argument(
        "--require-witnesses", type=int, default=0, metavar="N", help="how many of the witnesses must have signed"
    )
    command.add_argument("--json", action="store_true", help="one JSON object")


def _keys(asked: argparse.Namespace) -> TrustedKeys:
    log, witnesses = _keys_of(asked.key, LOG_KIND), _keys_of(asked.witness, WITNESS_KIND)
    holders = {key.public_key: key for key in log}
    for key in witnesses:
        holder = holders.setdefault(key.public_key, key)
        if holder is not key:
            raise WrongUseError(f"--witness {key}: is the key of {holder} under another name, and vouches for nothing more")
    if not 0 <= asked.require_witnesses <= len(witnesses):
        raise WrongUseError(
            f"--require-witnesses {asked.require_witnesses} needs as many different --witness, {len(witnesses)} are given"
        )
    return TrustedKeys(log, witnesses, asked.require_witnesses)


def _keys_of(texts: Sequence[str], kind: int) -> tuple[VerifierKey, ...]:
    """Keys, each once, from texts that are verifier keys or name files with one on each line."""
    keys: dict[VerifierKey, None] = {}
    for text in texts:
        is_key = text.count("+") >= 2
        try:
            lines = [text] if is_key else _read(Path(text), KEY_FILE_BYTES_MAX).decode("utf-8").split("\n")
            found = [read_verifier_key(line, kind) for line in lines if line.strip() or is_key]
        except (KeyTextError, UnicodeDecodeError) as error:
            raise WrongUseError(f"{text}: {error}") from error
        if not found:
            raise WrongUseError(f"{text}: holds no verifier key")
        keys.update(dict.fromkeys(found))
    return tuple(keys)


# --- checks -----------------------------------------------------------------------------------------------------------


def _check_bundle(asked: argparse.Namespace) -> Findings:
    content = _read(asked.file, BUNDLE_BYTES_MAX)
    if content.startswith(PDF_BEGINS):
        raise WrongUseError(f"{asked.file}: is a PDF; give the proof bundle, and a statement's PDF with --copy")
    bundle = open_bundle(content, _keys(asked), asked.kind)
    found = _BUNDLES[asked.kind](bundle)
    if asked.kind == "statement" and asked.copy is not None:
        _check_copy(asked, canonical_json(bundle.statement), found)
    return found


def _check_copy(asked: argparse.Namespace, statement: bytes, found: Findings) -> None:
    name, content = str(asked.copy), _read(asked.copy, BUNDLE_BYTES_MAX)
    pages_match = None
    is_pdf = content.startswith(PDF_BEGINS)
    if is_pdf:
        if asked.read_pdf is None:
            raise WrongUseError(
                f"{name}: is a PDF: save the JSON that is attached to it, and compare that (`premia verify` does)"
            )
        copy = asked.read_pdf(content)
        content, pages_match = copy.document, copy.pages_match
    if content != statement:
        what = "holds another statement than" if is_pdf else "is not byte for byte"
        raise Deviation(DeviationCode.STATEMENT_NOT_ATTESTED, name, f"{what} the one on record")
    found.proven.append(f"{name} {'holds' if is_pdf else 'is'}, byte for byte, the statement on record.")
    if pages_match:
        found.proven.append(f"The pages of {name} are, byte for byte, what Premia prints of it.")
    elif is_pdf:
        found.not_proven.append(
            f"That the pages of {name} show the same figures: they are not what this version of Premia prints of it."
            " They may be of another version, or changed; believe what the JSON says."
        )


def _check_checkpoint(asked: argparse.Namespace) -> Findings:
    keys = _keys(asked)
    checkpoint = open_checkpoint(_read(asked.file, CHECKPOINT_BYTES_MAX), keys, str(asked.file))
    found = Findings(f"Checkpoint {asked.file}", checkpoint.words(), checkpoint.open_words())
    if asked.extends is None:
        if asked.log or asked.proof:
            raise WrongUseError("--log and --proof show that the checkpoint extends another: add --extends")
        found.not_proven.append("That the log only grew: nothing was given to compare with (--extends).")
        return found
    if not asked.log and not asked.proof:
        raise WrongUseError("--extends needs --log or --proof")
    old = _older(asked.extends, keys)
    if asked.proof:
        proof = _read_proof(asked.proof)
    else:
        with closing(source_of(asked.log)) as source:
            proof = _proof_from_tiles(source, old, checkpoint)
    require_extension(old, checkpoint, proof, str(asked.file))
    found.proven.append(_extends(old))
    return found


def _check_log(asked: argparse.Namespace) -> Findings:
    keys = _keys(asked)
    older = None if asked.older is None else _older(asked.older, keys)
    with closing(source_of(asked.log)) as source:
        content = (
            source.read("checkpoint", CHECKPOINT_BYTES_MAX)
            if asked.checkpoint is None
            else _read(asked.checkpoint, CHECKPOINT_BYTES_MAX)
        )
        if content is None:
            raise Deviation(DeviationCode.TILE_MISSING, "checkpoint", f"{asked.log} has none")
        checkpoint = open_checkpoint(content, keys, "the checkpoint")
        entries = asked.require_entries or checkpoint.tree_size == 0 or has_entries(source, checkpoint.tree_size)
        audit = verify_log(source, checkpoint, older, entries=entries)
    found = Findings(f"Log {checkpoint.origin} at {asked.log}", checkpoint.words(), checkpoint.open_words())
    found.proven.append("Every hash tile is what lies below it, and all together they make the root that was signed.")
    if audit is None:
        found.not_proven.append(
            f"What the leaves say: only their hashes were given. With an auditor's token in {AUDITOR_VARIABLE}, or a copy of"
            " the entries, they are checked too."
        )
    else:
        found.proven += [
            "Every leaf is in canonical form and in its place, and no time goes backwards.",
            f"{of(len(audit.numbers), 'subject has its leaves', 'subjects have their leaves')} numbered without a gap; no two"
            " leaves share a nonce.",
            f"Every premium moves what its lines say, nobody's account is moved by a leaf of somebody else, and nothing was"
            f" set aside that was not owed. Debits and credits: {'; '.join(audit.totals()) or 'none'}.",
        ]
        found.not_proven.append(
            "That what was posted is what was sold and paid: sales, documents and the bank's statements say so."
        )
    if older is not None:
        found.proven.append(_extends(older))
    else:
        found.not_proven.append("That the log only grew: keep this checkpoint, and give it next time (--from).")
    return found


def _older(file: Path, keys: TrustedKeys) -> Checkpoint:
    # Witnesses sign what is new; what was kept earlier may be from before they began.
    return open_checkpoint(_read(file, CHECKPOINT_BYTES_MAX), TrustedKeys(keys.log, keys.witnesses), "the earlier checkpoint")


def _extends(old: Checkpoint) -> str:
    return (
        f"It begins with all {of(old.tree_size, 'leaf', 'leaves')} of the earlier checkpoint: none was changed or taken away."
    )


def _proof_from_tiles(source: Source, old: Checkpoint, new: Checkpoint) -> list[bytes]:
    if old.tree_size > new.tree_size:
        return []  # require_extension says so
    return Tiles(source, new.tree_size).consistency(old.tree_size, new.tree_size)


def _read_proof(file: Path) -> list[bytes]:
    try:
        lines = _read(file, CHECKPOINT_BYTES_MAX).decode("ascii").splitlines()
        proof = [from_base64(line) for line in lines]
    except (UnicodeDecodeError, NotStrictError) as error:
        raise WrongUseError(f"{file}: is no consistency proof of one base64 hash a line: {error}") from error
    if len(proof) > PROOF_HASHES_MAX or any(len(one) != HASH_BYTES for one in proof):
        raise WrongUseError(f"{file}: is no consistency proof of at most {PROOF_HASHES_MAX} hashes of {HASH_BYTES} bytes")
    return proof


def source_of(name: str) -> Source:
    """The files of a log: a folder, or a web server that is shown the auditor's token. Raises WrongUseError."""
    if "://" in name:
        try:
            return Server(name, os.environ.get(AUDITOR_VARIABLE))
        except ValueError as error:
            raise WrongUseError(str(error)) from error
    if not Path(name).is_dir():
        raise WrongUseError(f"{name}: is no folder, and no http or https address")
    return Folder(Path(name))


def _read(file: Path, bytes_max: int) -> bytes:
    try:
        with file.open("rb") as stream:
            content = stream.read(bytes_max + 1)
    except OSError as error:
        raise WrongUseError(f"{file}: cannot be read: {error.strerror}") from error
    if len(content) > bytes_max:
        raise WrongUseError(f"{file}: has more than {bytes_max} bytes")
    return content


# --- how it is told ---------------------------------------------------------------------------------------------------


def _tell(found: Findings, *, as_json: bool) -> None:
    if as_json:
        _write_json({"about": found.about, "deviation": None, "not_proven": found.not_proven, "proven": found.proven})
        return
    _write(found.about)
    for heading, sentences in (("Proven", found.proven), ("Not proven by this", found.not_proven)):
        _write(f"\n{heading}")
        for sentence in sentences:
            _write(textwrap.fill(sentence, LINE_CHARS, initial_indent="- ", subsequent_indent="  ", break_long_words=False))
    _write("\nNothing deviates.")


def _tell_deviation(deviation: Deviation, *, as_json: bool) -> None:
    if as_json:
        told = {"code": deviation.code.value, "place": deviation.place, "message": deviation.message}
        _write_json({"about": None, "deviation": told, "not_proven": [], "proven": []})
    else:
        _write(f"DEVIATION {deviation.code} at {deviation.place}: {deviation.message}")
        _write("Nothing that was given can be relied on until this is explained: docs/errors.md says what the code means.")


def _write_json(value: object) -> None:
    _write(json.dumps(value, indent=2, sort_keys=True))


def _write(line: str) -> None:
    # A terminal that lacks a letter still gets the line.
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
