"""Documents by the hash of their content, in a folder.

Goal: a document that was issued never changes, and two copies of it are one.
Method: written under a temporary name, flushed, renamed to its SHA-256, folder flushed. What is there already is left alone:
its name says that it is the same.
"""

from __future__ import annotations

import os
import secrets
from hashlib import sha256
from pathlib import Path


def document_path(folder: Path, digest: str) -> Path:
    """Where the document with this hash lies, or would lie."""
    return folder / digest[:2] / digest


def store_document(folder: Path, content: bytes) -> str:
    """Store a document and return its SHA-256 in hex. Storing it again changes nothing."""
    digest = sha256(content).hexdigest()
    target = document_path(folder, digest)
    if target.exists():
        return digest
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{digest}.{secrets.token_hex(4)}")
    with partial.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    partial.rename(target)
    descriptor = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return digest


def read_document(folder: Path, digest: str) -> bytes | None:
    """The document with this hash, or None if it is not there. Raises ValueError if its bytes are no longer those."""
    path = document_path(folder, digest)
    if not path.is_file():
        return None
    content = path.read_bytes()
    if sha256(content).hexdigest() != digest:
        raise ValueError(f"the document {digest} was damaged: restore it from a backup")
    return content
