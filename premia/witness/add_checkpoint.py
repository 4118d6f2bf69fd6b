"""What a log sends to a witness, and the judgement on it.

Goal: a witness signs a checkpoint only if the log still begins with everything that the witness signed before.
Method: pure decisions, in the order of the specification: form (400), log (404), signature (403), sizes (400, 409), trees
(422). Suspicion is a matter of its own: a checkpoint that the log signed and that contradicts, or falls behind, what the log
showed before is evidence, whatever the answer is.
Source: c2sp.org/tlog-witness, as of its pull request 280 (another root of the same size is 422, and every 409 carries the
size).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Final

from verifier.checkpoint import Checkpoint, TrustedKeys, open_checkpoint, read_tree_head
from verifier.deviation import Deviation, DeviationCode
from verifier.merkle import EMPTY_ROOT, HASH_BYTES, PROOF_HASHES_MAX, ProofError, verify_consistency
from verifier.note import NOTE_BYTES_MAX, VerifierKey, read_note
from verifier.strict import NotStrictError, count_from_text, from_base64

# The old size, 63 hashes of 45 characters and a note.
REQUEST_BYTES_MAX: Final = NOTE_BYTES_MAX + 4 * 1024
FORM: Final = "send `old SIZE`, the hashes of the proof, an empty line and the checkpoint: c2sp.org/tlog-witness"


class Suspicion(StrEnum):
    """What a log's own signature says against it."""

    FORK = "fork"  # two trees of one size: proof by itself
    INCONSISTENT = "inconsistent"  # a larger tree, without a proof that it begins with the one before
    ROLLBACK = "rollback"  # a smaller tree than the log showed before; anybody may also send an old checkpoint again


@dataclass(frozen=True, slots=True)
class Asked:
    """A request to sign `checkpoint`, which is said to extend the tree of `old_size` leaves."""

    old_size: int
    proof: Sequence[bytes]
    checkpoint: bytes


@dataclass(frozen=True, slots=True)
class Judgement:
    """The answer: 200 to sign `checkpoint`, else a refusal and why. `suspicion`: what must be kept as evidence."""

    status: HTTPStatus
    why: str
    checkpoint: Checkpoint | None = None
    suspicion: Suspicion | None = None


def read_request(body: bytes) -> Asked | None:
    """The parts of a request, or None if it has another form."""
    if len(body) > REQUEST_BYTES_MAX:
        return None
    head, separator, checkpoint = body.partition(b"\n\n")
    try:
        first, *lines = head.decode("ascii").split("\n")
        old_size = count_from_text(first.removeprefix("old "))
        proof = [from_base64(line) for line in lines]
    except (UnicodeDecodeError, NotStrictError):
        return None
    fits = first.startswith("old ") and bool(separator) and len(proof) <= PROOF_HASHES_MAX
    return Asked(old_size, proof, checkpoint) if fits and all(len(one) == HASH_BYTES for one in proof) else None


def judge(asked: Asked | None, latest: Checkpoint | None, log_keys: Sequence[VerifierKey]) -> Judgement:
    """Judge a request against the latest checkpoint that was signed. `log_keys` all have the log's name."""
    if asked is None:
        return Judgement(HTTPStatus.BAD_REQUEST, FORM)
    opened = _open(asked.checkpoint, log_keys)
    if isinstance(opened, Judgement):
        return opened
    known_size = 0 if latest is None else latest.tree_size
    suspicion = _suspicion(opened, latest)
    if asked.old_size > opened.tree_size:
        return Judgement(HTTPStatus.BAD_REQUEST, "the old size is above the checkpoint's", opened, suspicion)
    if asked.old_size != known_size:
        return Judgement(HTTPStatus.CONFLICT, f"the latest size that was signed is {known_size}", opened, suspicion)
    try:
        known_root = EMPTY_ROOT if latest is None else latest.root
        verify_consistency(known_size, known_root, opened.tree_size, opened.root, asked.proof)
    except ProofError as error:
        if opened.tree_size > known_size > 0:
            suspicion = Suspicion.INCONSISTENT
        return Judgement(HTTPStatus.UNPROCESSABLE_ENTITY, f"the proof {error}", opened, suspicion)
    return Judgement(HTTPStatus.OK, "signed", opened)


def _open(content: bytes, log_keys: Sequence[VerifierKey]) -> Checkpoint | Judgement:
    place = "the checkpoint"
    try:
        head = read_tree_head(read_note(content, place), place)
        if head.origin != log_keys[0].name:
            return Judgement(HTTPStatus.NOT_FOUND, f"this witness signs for {log_keys[0].name} only")
        return open_checkpoint(content, TrustedKeys(tuple(log_keys)), place)
    except Deviation as deviation:
        unsigned = deviation.code in {DeviationCode.KEY_UNKNOWN, DeviationCode.SIGNATURE_WRONG}
        return Judgement(HTTPStatus.FORBIDDEN if unsigned else HTTPStatus.BAD_REQUEST, deviation.message)


def _suspicion(opened: Checkpoint, latest: Checkpoint | None) -> Suspicion | None:
    if latest is None or opened.tree_size > latest.tree_size:
        return None
    if opened.tree_size < latest.tree_size:
        return Suspicion.ROLLBACK
    return Suspicion.FORK if opened.root != latest.root else None
