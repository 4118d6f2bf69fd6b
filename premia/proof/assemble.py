"""Put evidence and the log's newest checkpoint together into a bundle.

Method: proofs are made from the log's public hash tiles, by the code that an auditor makes them with. The tree is the newest
checkpoint's, whatever grows meanwhile.
Refuses: Unreachable for a log that does not answer, lacks a file, or has not sealed the leaves yet.
"""

from __future__ import annotations

from premia.connection import Unreachable
from premia.proof.evidence import Evidence
from verifier.bundle import write_bundle
from verifier.checkpoint import read_tree_head
from verifier.deviation import Deviation
from verifier.note import read_note
from verifier.tiles import CHECKPOINT_BYTES_MAX, Source, Tiles, UnreachableError


def assemble(evidence: Evidence, source: Source, *, statement: bytes | None, previous_statement: bytes | None) -> bytes:
    """The bytes of the bundle. Raises Unreachable."""
    try:
        content = source.read("checkpoint", CHECKPOINT_BYTES_MAX)
        if content is None:
            raise Unreachable("the log has no checkpoint yet: is the ledger running?")
        note = read_note(content, "the log's checkpoint")
        tree_size = read_tree_head(note, "the log's checkpoint").tree_size
        last = evidence.leaves[-1][0]
        if tree_size <= last:
            raise Unreachable(f"the log has {tree_size} leaves, and leaf {last} is needed: it is sealed in a moment, try again")
        tiles = Tiles(source, tree_size)
        leaves = [(leaf, tiles.inclusion(index, tree_size)) for index, leaf in evidence.leaves]
    except (UnreachableError, Deviation) as error:
        raise Unreachable(f"the log cannot be used: {error}") from error
    return write_bundle(evidence.about, content.decode(), leaves, statement=statement, previous_statement=previous_statement)
