"""Kafka's jars: which ones, where they are kept, and the proof that they are the locked ones.

Goal: a broker without an installation; the second start needs no network.
Method: kafka.jars.lock names every jar with size and sha256. jgo fetches what is missing into a folder beside the cache; a jar
enters the cache only after its checksum was right, by rename, so an interrupted download leaves nothing half done there. What
was verified is remembered by size and time of change, and hashed again if either differs.
Refuses: a jar with another checksum; an unreachable or incomplete repository. Both in one line.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from premia.local.errors import MachineNotReady, StackUnreachable
from premia.local.limits import DISK_FREE_MB_MIN, DOWNLOAD_TIMEOUT_S, DOWNLOADS_AT_ONCE, MEMORY_AVAILABLE_MB_MIN
from premia.local.talk import progress, say

KAFKA_VERSION: Final = "4.3.1"
LOCK_FILE: Final = Path(__file__).with_name("kafka.jars.lock")
REMEMBERED: Final = "verified.json"


@dataclass(frozen=True, slots=True)
class Jar:
    """One line of the lock."""

    sha256: str
    size_bytes: int
    group: str
    artifact: str
    version: str

    @property
    def file_name(self) -> str:
        """As repositories and class paths name it."""
        return f"{self.artifact}-{self.version}.jar"

    @property
    def coordinate(self) -> str:
        """group:artifact:version."""
        return f"{self.group}:{self.artifact}:{self.version}"


def locked_jars(lock_file: Path = LOCK_FILE) -> list[Jar]:
    """The jars of the broker in class path order."""
    jars = []
    for line in lock_file.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            sha256, size_bytes, coordinate = line.split()
            group, artifact, version = coordinate.split(":")
            jars.append(Jar(sha256, int(size_bytes), group, artifact, version))
    return jars


def cache_dir() -> Path:
    """Where verified jars are kept between runs and between checkouts."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "premia" / f"kafka-{KAFKA_VERSION}"


def sha256_of(path: Path) -> str:
    """Checksum of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class JarCache:
    """Verified jars in one folder."""

    def __init__(self, folder: Path, jars: list[Jar]) -> None:
        self._folder = folder
        self._jars = jars

    def class_path(self) -> list[Path]:
        """Where the jars are, in class path order. Call `fetch_missing` first."""
        return [self._folder / jar.file_name for jar in self._jars]

    def missing(self) -> list[Jar]:
        """Jars to be fetched. Raises MachineNotReady if one that is there is not the locked one."""
        remembered = self._remembered()
        missing = []
        changed = False
        for jar in self._jars:
            path = self._folder / jar.file_name
            if not path.is_file():
                missing.append(jar)
            elif remembered.get(jar.file_name) != _fingerprint(path, jar):
                self._check(jar, path)
                changed = True
        if changed:
            self._remember([jar for jar in self._jars if jar not in missing])
        return missing

    def fetch_missing(self) -> None:
        """Fetch and verify what is not there yet, saying so first. Nothing to do, and no network, on later runs."""
        missing = self.missing()
        if not missing:
            return
        total_bytes = sum(jar.size_bytes for jar in missing)
        say(
            f"First run: fetching Apache Kafka {KAFKA_VERSION} ({_jars(len(missing))}, {total_bytes / 1e6:.0f} MB) "
            f"into {self._folder}; it is kept and used again. The stack needs {DISK_FREE_MB_MIN} MB of disk "
            f"and {MEMORY_AVAILABLE_MB_MIN} MB of memory."
        )
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self._folder, prefix="fetching-") as staging:
                self._fetch(missing, Path(staging), total_bytes)
        except OSError as error:  # a closed folder, a full disk; what the network does comes as StackUnreachable
            raise self._unwritable(error) from error
        self._remember(self._jars)

    def _unwritable(self, error: OSError) -> MachineNotReady:
        return MachineNotReady(f"cannot write {self._folder}: {error.strerror}; set XDG_CACHE_HOME to another folder")

    def _fetch(self, missing: list[Jar], staging: Path, total_bytes: int) -> None:
        with (
            progress("Fetching Apache Kafka", total_bytes) as advance,
            ThreadPoolExecutor(DOWNLOADS_AT_ONCE, thread_name_prefix="jars") as pool,
        ):
            for jar, path in pool.map(lambda jar: (jar, _download(jar, staging)), missing):
                self._check(jar, path)
                path.replace(self._folder / jar.file_name)
                advance(jar.size_bytes)

    def _check(self, jar: Jar, path: Path) -> None:
        actual = sha256_of(path)
        if actual != jar.sha256:
            raise MachineNotReady(
                f"{jar.coordinate} has the wrong checksum: {LOCK_FILE.name} wants sha256 {jar.sha256}, {path} has {actual}. "
                "It was not used. Check where your Maven repository points, delete the file if it is there, and run again."
            )

    def _remembered(self) -> dict[str, list[object]]:
        try:
            remembered: dict[str, list[object]] = json.loads((self._folder / REMEMBERED).read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return {}
        return remembered

    def _remember(self, jars: list[Jar]) -> None:
        marks = {jar.file_name: _fingerprint(self._folder / jar.file_name, jar) for jar in jars}
        partial = self._folder / f"{REMEMBERED}.{os.getpid()}"
        try:
            partial.write_text(json.dumps(marks), encoding="utf-8")
            partial.replace(self._folder / REMEMBERED)
        except OSError as error:
            raise self._unwritable(error) from error


def _jars(count: int) -> str:
    return f"{count} jar{'' if count == 1 else 's'}"


def _fingerprint(path: Path, jar: Jar) -> list[object]:
    """What stays the same as long as nobody touches the file, and the checksum that it was verified against."""
    status = path.stat()
    return [status.st_size, status.st_mtime_ns, jar.sha256]


def _download(jar: Jar, staging: Path) -> Path:
    """Fetch one jar with jgo, from the repositories of jgo's own settings (central unless they say otherwise)."""
    from jgo.config import GlobalSettings  # noqa: PLC0415  # 0.4 s of imports that only the first run needs
    from jgo.constants import MAVEN_CENTRAL_URL  # noqa: PLC0415
    from jgo.maven import MavenContext  # noqa: PLC0415

    # jgo warns on its own log about checksums; ours decides, and says so itself.
    logging.getLogger("jgo").setLevel(logging.CRITICAL)
    settings = GlobalSettings.load()
    context = MavenContext(
        repo_cache=staging,
        remote_repos={"central": MAVEN_CENTRAL_URL, **settings.repositories},
        timeout=DOWNLOAD_TIMEOUT_S,
    )
    artifact = context.project(jar.group, jar.artifact).at_version(jar.version).artifact()
    kept = Path(settings.repo_cache) / artifact.component.path_prefix / artifact.filename
    if kept.is_file() and sha256_of(kept) == jar.sha256:  # what Maven already keeps on this machine saves the download
        return Path(shutil.copyfile(kept, staging / jar.file_name))
    try:
        return Path(artifact.resolve())
    except (OSError, RuntimeError) as error:  # requests' errors are OSErrors; jgo raises RuntimeError for "not found"
        raise StackUnreachable(
            f"could not fetch {jar.coordinate} ({_innermost_reason(error)}). Check the network and any proxy; "
            "behind a mirror, name it as 'central' under [repositories] of ~/.config/jgo.conf. Running again is safe."
        ) from error


def _innermost_reason(error: BaseException) -> str:
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return (str(error).splitlines() or [type(error).__name__])[0]


def prepare_kafka() -> list[Path]:
    """The class path of the broker, fetched and verified."""
    cache = JarCache(cache_dir(), locked_jars())
    cache.fetch_missing()
    return cache.class_path()
