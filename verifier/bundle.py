"""Proof bundles: one JSON file that holds all that proves a statement, a lot or a payout.

Goal: anybody can keep it, and check it in twenty years without asking anyone for anything.
Method: canonical JSON of `bundle` (this format's name), `about` (what it proves), `checkpoint` (a signed note), `leaves`
(each with the proof that it is in the checkpoint's tree, in order of their places), for a statement also `statement`, and
where there was one before it `previous_statement`. Statements stand in it as they were hashed.
Refuses: BUNDLE_MALFORMED for a file that is not exactly this; LEAF_NOT_INCLUDED for a leaf that its proof does not lead to
the checkpoint's root.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from verifier.checkpoint import Checkpoint, TrustedKeys, open_checkpoint
from verifier.deviation import Deviation, DeviationCode
from verifier.leaf import LEAF_BYTES_MAX, Leaf, leaf_of
from verifier.merkle import HASH_BYTES, PROOF_HASHES_MAX, ProofError, leaf_hash, root_of_inclusion
from verifier.strict import Members, NotStrictError, canonical_json, from_base64, from_canonical_json, shown

FORMAT: Final = "premia.proof.v1"
BUNDLE_BYTES_MAX: Final = 64 * 1024 * 1024  # a payee's 12 years make 2 MB in the sample; all is held in memory several times.
LEAVES_MAX: Final = 100_000  # BUNDLE_BYTES_MAX has room for some 40,000 real ones.
PLACE: Final = "the bundle"
_ALWAYS: Final = ("bundle", "about", "checkpoint", "leaves")
_DOCUMENTS: Final = ("statement", "previous_statement")


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle whose checkpoint is signed and whose leaves are in its tree. Statements are JSON objects, not yet checked."""

    about: Members
    checkpoint: Checkpoint
    leaves: tuple[Leaf, ...]
    statement: Mapping[str, Any] | None
    previous_statement: Mapping[str, Any] | None


def open_bundle(content: bytes, keys: TrustedKeys, kind: str) -> Bundle:
    """Read a bundle about a `kind` of thing, and check its checkpoint and its leaves' places. Raises Deviation."""
    if len(content) > BUNDLE_BYTES_MAX:
        _refuse(f"has {len(content)} bytes, at most {BUNDLE_BYTES_MAX} are looked at")
    try:
        value = from_canonical_json(content)
    except NotStrictError as error:
        _refuse(str(error))
    members = Members.of(value, PLACE, DeviationCode.BUNDLE_MALFORMED)
    if members.text("bundle") != FORMAT:
        members.refuse(f"is of format {shown(members.text('bundle'))}, where {FORMAT} is expected")
    about = members.member("about")
    if about.text("kind") != kind:
        about.refuse(f"it proves a {shown(about.text('kind'))}, not a {kind}")
    members.only(*_ALWAYS, *(_DOCUMENTS if kind == "statement" else ()))
    checkpoint = open_checkpoint(members.text("checkpoint").encode(), keys, "the bundle's checkpoint")
    leaves = _included_leaves(members, checkpoint)
    documents = [members.member(name).value if name in members.value else None for name in _DOCUMENTS]
    return Bundle(about, checkpoint, leaves, *documents)


def write_bundle(
    about: dict[str, Any],
    checkpoint: str,
    leaves: Iterable[tuple[bytes, Sequence[bytes]]],
    *,
    statement: bytes | None = None,
    previous_statement: bytes | None = None,
) -> bytes:
    """The bytes of a bundle. `leaves`: leaves with their proofs, in order. Raises NotStrictError for what is not canonical."""
    value: dict[str, Any] = {
        "bundle": FORMAT,
        "about": about,
        "checkpoint": checkpoint,
        "leaves": [
            {"leaf": from_canonical_json(leaf), "proof": [b64encode(one).decode() for one in proof]} for leaf, proof in leaves
        ],
    }
    for name, document in (("statement", statement), ("previous_statement", previous_statement)):
        if document is not None:
            value[name] = from_canonical_json(document)
    return canonical_json(value)


def _included_leaves(members: Members, checkpoint: Checkpoint) -> tuple[Leaf, ...]:
    given = members.objects("leaves")
    if not given:
        members.refuse("holds no leaves")
    if len(given) > LEAVES_MAX:
        members.refuse(f"holds {len(given)} leaves, at most {LEAVES_MAX} are looked at")
    leaves: list[Leaf] = []
    for entry in given:
        entry.only("leaf", "proof")
        if "leaf" not in entry.value:
            entry.refuse("has no leaf")
        leaf = leaf_of(entry.value["leaf"], entry.place)
        if leaves and leaf.index <= leaves[-1].index:
            entry.refuse(f"leaf {leaf.index} stands after leaf {leaves[-1].index}")
        _require_included(leaf, entry, checkpoint)
        leaves.append(leaf)
    return tuple(leaves)


def _require_included(leaf: Leaf, entry: Members, checkpoint: Checkpoint) -> None:
    content = canonical_json(entry.value["leaf"])
    if len(content) > LEAF_BYTES_MAX:
        raise Deviation(
            DeviationCode.LEAF_MALFORMED, leaf.place, f"has {len(content)} bytes, at most {LEAF_BYTES_MAX} fit a log"
        )
    try:
        root = root_of_inclusion(leaf_hash(content), leaf.index, checkpoint.tree_size, _proof(entry))
    except ProofError as error:
        raise Deviation(DeviationCode.LEAF_NOT_INCLUDED, leaf.place, f"its proof {error}") from error
    if root != checkpoint.root:
        message = f"its proof leads to root {root.hex()}, the checkpoint says {checkpoint.root.hex()}"
        raise Deviation(DeviationCode.LEAF_NOT_INCLUDED, leaf.place, message)


def _proof(entry: Members) -> list[bytes]:
    hashes = entry.items("proof")
    if len(hashes) > PROOF_HASHES_MAX:
        entry.refuse(f"has a proof of {len(hashes)} hashes, none has more than {PROOF_HASHES_MAX}")
    proof = []
    for text in hashes:
        try:
            content = from_base64(text) if isinstance(text, str) else b""
        except NotStrictError as error:
            entry.refuse(f"hash {shown(text)} of its proof {error}")
        if len(content) != HASH_BYTES:
            entry.refuse(f"hash {shown(text)} of its proof has not {HASH_BYTES} bytes")
        proof.append(content)
    return proof


def _refuse(message: str) -> NoReturn:
    raise Deviation(DeviationCode.BUNDLE_MALFORMED, PLACE, message)
