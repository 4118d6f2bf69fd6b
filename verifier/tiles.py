"""A log's files, from a folder or over HTTP, and proofs made from its hash tiles.

Goal: check a log, or make a proof, with nothing but the files that it publishes.
Method: tlog-tiles. A tile at level L holds up to 256 hashes, each of a complete subtree of 256^L leaves; what lies between is
hashed from them. The last tile of a level is partial: its name ends with its width, or it has meanwhile become a full one.
Refuses: TILE_MISSING, and TILE_WRONG for a tile of another length; UnreachableError if a server gives no answer that says
whether the file is there. A proof made from wrong tiles does not verify, so tiles need no trust here.
Limits: no redirects are followed, so that the bearer token goes to the host that was named and to no other.
Source: c2sp.org/tlog-tiles.
"""

from __future__ import annotations

import http.client
import zlib
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

from verifier.deviation import Deviation, DeviationCode
from verifier.merkle import EMPTY_ROOT, HASH_BYTES, node_hash

TILE_WIDTH: Final = 256
TILE_HEIGHT: Final = 8
ENTRY_LENGTH_BYTES: Final = 2
TILE_BYTES_MAX: Final = TILE_WIDTH * HASH_BYTES
ENTRIES_BYTES_MAX: Final = TILE_WIDTH * (ENTRY_LENGTH_BYTES + 65_535)
CHECKPOINT_BYTES_MAX: Final = 128 * 1024  # as verifier.note takes
TIMEOUT_S: Final = 30.0  # the largest file has 17 MB, and lines in the countryside are slow.
HOST_LABEL_CHARS_MAX: Final = 63  # RFC 1035
TILES_KEPT_MAX: Final = 64  # a proof touches two tiles of each level, and neighbours share most of them: 512 KB.
GZIP: Final = 16 + zlib.MAX_WBITS  # what zlib calls a gzip stream

_MISSING: Final = frozenset({401, 403, 404, 410})
_FOUND: Final = 200


class UnreachableError(Exception):
    """A server did not answer; the text says which and how."""


class Source(Protocol):
    """Where a log's files are."""

    def read(self, path: str, bytes_max: int) -> bytes | None:
        """A file, or None if it is not there or not for us. Raises UnreachableError, or Deviation for one that is too large."""

    def close(self) -> None:
        """Nothing more will be read."""


class Folder:
    """A log's files in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, path: str, bytes_max: int) -> bytes | None:
        """See Source."""
        try:
            with (self._folder / path).open("rb") as stream:
                content = stream.read(bytes_max + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise UnreachableError(f"{self._folder / path} cannot be read: {error.strerror}") from error
        return _limited(content, bytes_max, path)

    def close(self) -> None:
        """See Source."""


class Server:
    """A log's files on a web server. `token` is sent as a bearer token; entries need one, hashes do not."""

    def __init__(self, url: str, token: str | None = None) -> None:
        """Raises ValueError for what is no http or https URL in ASCII, and for a token that no request can carry."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        is_sendable = _is_host(host) and _is_sendable(parts.path)
        if parts.scheme not in {"http", "https"} or not is_sendable or parts.query or parts.fragment:
            raise ValueError(f"{url} is no http or https address in ASCII (%XX in a path, xn-- in a name)")
        if token and not _is_sendable(token):
            raise ValueError("the auditor's token holds a space, a line's end or a letter that no token has")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(host, parts.port, timeout=TIMEOUT_S)
        self._prefix = parts.path.rstrip("/")
        self._url = url.rstrip("/")
        self._headers = {"Accept-Encoding": "gzip, identity"} | ({"Authorization": f"Bearer {token}"} if token else {})

    def close(self) -> None:
        """See Source."""
        self._connection.close()

    def read(self, path: str, bytes_max: int) -> bytes | None:
        """See Source."""
        try:
            self._connection.request("GET", f"{self._prefix}/{path}", headers=self._headers)
            answer = self._connection.getresponse()
            content = answer.read(bytes_max + 1)
            if not answer.isclosed():  # more than was asked for: the rest must not be taken for the next answer
                self._connection.close()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise UnreachableError(f"{self._url}/{path}: {str(error) or type(error).__name__}") from error
        if answer.length and len(content) <= bytes_max:  # Python's library lets that pass
            raise UnreachableError(f"{self._url}/{path}: ended in the middle, {answer.length} bytes before its end")
        if answer.status in _MISSING:
            return None
        if answer.status != _FOUND:
            raise UnreachableError(f"{self._url}/{path} answered {answer.status} {answer.reason}")
        if answer.getheader("Content-Encoding", "identity") == "gzip":
            content = _unpacked(content, bytes_max, path)
        return _limited(content, bytes_max, path)


class Tiles:
    """The hash tiles of a log of `tree_size` leaves, and proofs made from them. Keeps the last few tiles."""

    def __init__(self, source: Source, tree_size: int) -> None:
        self._source = source
        self._tree_size = tree_size
        self._kept: OrderedDict[tuple[int, int], list[bytes]] = OrderedDict()

    def hashes(self, level: int, number: int) -> list[bytes]:
        """The hashes of one tile. Raises Deviation: TILE_MISSING or TILE_WRONG."""
        key = (level, number)
        if key not in self._kept:
            width = min(TILE_WIDTH, (self._tree_size >> (TILE_HEIGHT * level)) - number * TILE_WIDTH)
            self._kept[key] = read_tile(self._source, level, number, width)
            if len(self._kept) > TILES_KEPT_MAX:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]

    def root(self, tree_size: int) -> bytes:
        """The root of the first `tree_size` leaves."""
        return self._range(0, tree_size) if tree_size else EMPTY_ROOT

    def inclusion(self, index: int, tree_size: int) -> list[bytes]:
        """The proof that leaf `index` stands in the tree of the first `tree_size` leaves (RFC 6962, section 2.1.1)."""
        assert index < tree_size <= self._tree_size
        start, end, proof = 0, tree_size, []
        while end - start > 1:
            middle = start + _split(end - start)
            if index < middle:
                proof.append(self._range(middle, end))
                end = middle
            else:
                proof.append(self._range(start, middle))
                start = middle
        return proof[::-1]

    def consistency(self, old_size: int, new_size: int) -> list[bytes]:
        """The proof that the tree of `new_size` leaves begins with that of `old_size` (RFC 6962, section 2.1.2)."""
        assert old_size <= new_size <= self._tree_size
        if old_size in {0, new_size}:
            return []
        start, end, proof = 0, new_size, []
        while end != old_size:
            middle = start + _split(end - start)
            if old_size <= middle:
                proof.append(self._range(middle, end))
                end = middle
            else:
                proof.append(self._range(start, middle))
                start = middle
        return ([self._range(start, end)] if start else []) + proof[::-1]

    def _range(self, start: int, end: int) -> bytes:
        """The hash over leaves `start` to `end`, where `start` is a multiple of the smallest power of two that holds them."""
        size = end - start
        if size & (size - 1) == 0:
            return self._subtree(start, size.bit_length() - 1)
        middle = start + _split(size)
        return node_hash(self._range(start, middle), self._range(middle, end))

    def _subtree(self, start: int, height: int) -> bytes:
        """The hash of a complete subtree of 2^height leaves."""
        level, rest = divmod(height, TILE_HEIGHT)
        number, first = divmod(start >> (TILE_HEIGHT * level), TILE_WIDTH)
        return subtree_root(self.hashes(level, number)[first : first + (1 << rest)])


def _is_sendable(text: str) -> bool:
    """Whether a request can carry a text as it is."""
    return text.isascii() and text.isprintable() and " " not in text


def _is_host(name: str) -> bool:
    """Whether a name can be looked up, or is an address. Python's library only finds out when it asks, and raises all sorts."""
    labels = name.removesuffix(".").split(".")
    return _is_sendable(name) and all(0 < len(label) <= HOST_LABEL_CHARS_MAX for label in labels)


def subtree_root(hashes: Sequence[bytes]) -> bytes:
    """The root over a number of hashes that is a power of two."""
    row = list(hashes)
    while len(row) > 1:
        row = [node_hash(row[at], row[at + 1]) for at in range(0, len(row), 2)]
    return row[0]


def tile_path(level: int | str, number: int, width: int) -> str:
    """The name of a tile: `tile/0/x001/234.p/5` is the first 5 hashes of tile 1234. Level "entries" holds the leaves."""
    digits = f"{number:03}"
    digits = digits.rjust(-(-len(digits) // 3) * 3, "0")
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    partial = "" if width == TILE_WIDTH else f".p/{width}"
    return f"tile/{level}/{'/'.join([*(f'x{group}' for group in groups[:-1]), groups[-1]])}{partial}"


def read_tile(source: Source, level: int, number: int, width: int) -> list[bytes]:
    """The first `width` hashes of a tile. Raises Deviation: TILE_MISSING or TILE_WRONG."""
    path, content = _read_either(source, level, number, width, TILE_BYTES_MAX)
    full = width if path == tile_path(level, number, width) else TILE_WIDTH
    if len(content) != full * HASH_BYTES:
        message = f"has {len(content)} bytes, {full} hashes have {full * HASH_BYTES}"
        raise Deviation(DeviationCode.TILE_WRONG, path, message)
    return [content[at : at + HASH_BYTES] for at in range(0, width * HASH_BYTES, HASH_BYTES)]


def read_entries(source: Source, number: int, width: int) -> list[bytes]:
    """The first `width` leaves of an entry bundle. Raises Deviation: TILE_MISSING or TILE_WRONG."""
    path, content = _read_either(source, "entries", number, width, ENTRIES_BYTES_MAX)
    full = width if path == tile_path("entries", number, width) else TILE_WIDTH
    entries: list[bytes] = []
    at = 0
    while at < len(content) and len(entries) <= TILE_WIDTH:
        length = int.from_bytes(content[at : at + ENTRY_LENGTH_BYTES], "big")
        at += ENTRY_LENGTH_BYTES
        entries.append(content[at : at + length])
        at += length
    if at != len(content) or len(entries) != full:
        message = f"does not hold {full} leaves with their lengths"
        raise Deviation(DeviationCode.TILE_WRONG, path, message)
    return entries[:width]


def has_entries(source: Source, tree_size: int) -> bool:
    """Tell whether the log's leaves are there at all, or only their hashes."""
    width = min(tree_size, TILE_WIDTH)
    return any(source.read(tile_path("entries", 0, w), ENTRIES_BYTES_MAX) is not None for w in {width, TILE_WIDTH})


def _read_either(source: Source, level: int | str, number: int, width: int, bytes_max: int) -> tuple[str, bytes]:
    """A tile by its width, or the full one that it has become. Returns the name that was found."""
    for found_width in dict.fromkeys((width, TILE_WIDTH)):
        path = tile_path(level, number, found_width)
        content = source.read(path, bytes_max)
        if content is not None:
            return path, content
    raise Deviation(DeviationCode.TILE_MISSING, tile_path(level, number, width), "is not there, or not given to us")


def _split(size: int) -> int:
    """The largest power of two below a size of at least 2."""
    return 1 << ((size - 1).bit_length() - 1)


def _limited(content: bytes, bytes_max: int, path: str) -> bytes:
    if len(content) > bytes_max:
        raise Deviation(DeviationCode.TILE_WRONG, path, f"has more than {bytes_max} bytes")
    return content


def _unpacked(content: bytes, bytes_max: int, path: str) -> bytes:
    try:
        return zlib.decompressobj(GZIP).decompress(content, bytes_max + 1)
    except zlib.error as error:
        raise Deviation(DeviationCode.TILE_WRONG, path, f"is no gzip stream: {error}") from error
