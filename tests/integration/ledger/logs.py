"""What tests do with logs: fill a journal, seal it, and look at the files as an auditor who shares no code with the ledger."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from asyncpg import Connection, Record
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from schemas.note_signing import NoteKind, new_note_key
from services.ledger.adapters.growing_log import resumed
from services.ledger.adapters.log_folder import LogFolder
from services.ledger.adapters.log_keys import LogKeys
from services.ledger.use_cases.compare_log import compare_log
from services.ledger.use_cases.seal_log import seal_log
from tests.unit.ledger.domain.proof_checks import hash_of_leaf

ORIGIN: Final = "demo.premia.example/ledger"
KEYS: Final = LogKeys((new_note_key(ORIGIN, NoteKind.LOG),))
# Leaves as short as they come: what is in them matters to nobody here.
FILL: Final = """
    INSERT INTO ledger.journal (leaf_index, transaction_id, subject_kind, subject_id, subject_number, kind, part, parts,
        effective_on, recorded_at, cause_id, leaf)
    SELECT n, gen_random_uuid(), 'org', 'ORG-' || n % 7, n / 7 + 1, 'attested', 1, 1, '2025-03-14', clock_timestamp(),
        gen_random_uuid(), convert_to('{"leaf_index":' || n || ',"nonce":"' || md5(n::text) || '"}', 'UTF8')
    FROM generate_series($1::bigint, $2::bigint - 1) AS n"""
MOVE: Final = "UPDATE ledger.log_head SET tree_size = $1, recorded_at = clock_timestamp()"


async def fill(conn: Connection[Record], size: int) -> None:
    """Give the journal `size` leaves."""
    async with conn.transaction():
        await conn.execute(FILL, await conn.fetchval("SELECT tree_size FROM ledger.log_head"), size)
        await conn.execute(MOVE, size)


async def seal(conn: Connection[Record], path: Path, keys: LogKeys = KEYS) -> None:
    """Seal as a process does that has just started."""
    folder = LogFolder(path)
    compared = await compare_log(conn, folder, keys)
    log = resumed(folder, keys, compared.sealed_size)
    if await seal_log(conn, log) is None and compared.stored is None:
        log.seal()


@dataclass(frozen=True)
class Audited:
    """A log that was found whole."""

    size: int
    root: bytes
    leaves: list[bytes]

    def extends(self, earlier: Audited) -> bool:
        """Whether it begins with the earlier one, leaf by leaf and by root."""
        return (
            self.leaves[: earlier.size] == earlier.leaves
            and root_of([hash_of_leaf(leaf) for leaf in self.leaves[: earlier.size]]) == earlier.root
        )


def audit(path: Path, verifier_key: str) -> Audited:
    """Read the checkpoint and all tiles that it needs, and check each against the entries. Asserts that all is right."""
    text, _, signatures = (path / "checkpoint").read_text(encoding="utf-8").rpartition("\n\n")
    origin, size_text, root_text = text.split("\n")
    name, key_hash, key = verifier_key.split("+", 2)
    assert origin == name
    signed = [b64decode(line.split()[2]) for line in signatures.splitlines() if line.startswith(f"\N{EM DASH} {name} ")]
    (signature,) = [content[4:] for content in signed if content[:4].hex() == key_hash]
    Ed25519PublicKey.from_public_bytes(b64decode(key)[1:]).verify(signature, f"{text}\n".encode())
    size = int(size_text)
    leaves = [leaf for width, content in tiles(path, "entries", size) for leaf in _entries(content)[:width]]
    assert len(leaves) == size
    hashes = level = [hash_of_leaf(leaf) for leaf in leaves]
    number = 0
    while level:
        for place, (width, content) in enumerate(tiles(path, str(number), len(level))):
            assert content[: width * 32] == b"".join(level[place * 256 : place * 256 + width]), f"tile {number}/{place}"
        level = [root_of(level[place : place + 256]) for place in range(0, len(level) // 256 * 256, 256)]
        number += 1
    assert b64decode(root_text) == root_of(hashes)
    return Audited(size, b64decode(root_text), leaves)


def tiles(path: Path, kind: str, count: int) -> list[tuple[int, bytes]]:
    """Width and bytes of the tiles of one kind that a log of `count` hashes or entries has.

    A partial one may be gone where the full one is there, which begins with it (tlog-tiles).
    """
    found = []
    for number in range((count + 255) // 256):
        assert number < 1000, "longer names are not made here"
        full = path / "tile" / kind / f"{number:03}"
        width = min(256, count - number * 256)
        partial = full.with_name(f"{full.name}.p") / str(width)
        found.append((width, (partial if partial.exists() else full).read_bytes()))
    return found


def root_of(hashes: list[bytes]) -> bytes:
    """Root over leaf hashes, by the definition."""
    if len(hashes) < 2:
        return hashes[0] if hashes else sha256().digest()
    left = 1
    while left * 2 < len(hashes):
        left *= 2
    return sha256(b"\1" + root_of(hashes[:left]) + root_of(hashes[left:])).digest()


def _entries(bundle: bytes) -> list[bytes]:
    entries = []
    while bundle:
        end = 2 + int.from_bytes(bundle[:2], "big")
        entries.append(bundle[2:end])
        bundle = bundle[end:]
    return entries
