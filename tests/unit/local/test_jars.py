"""Kafka's jars: locked, verified, fetched once."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import click
import pytest

from premia.local.jars import KAFKA_VERSION, Jar, JarCache, locked_jars

CONTENT = b"not really a jar"


class QuietHandler(SimpleHTTPRequestHandler):
    """A repository that does not talk."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name that the base class has
        """Quiet."""


def jar_of(content: bytes, artifact: str = "thing") -> Jar:
    return Jar(hashlib.sha256(content).hexdigest(), len(content), "org.example", artifact, "1.0")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A Maven repository on loopback, named in jgo's settings as a mirror is; returns its folder."""
    folder = tmp_path / "repository"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    use_repository(tmp_path, monkeypatch, f"http://127.0.0.1:{server.server_port}")
    yield folder
    server.shutdown()
    server.server_close()
    thread.join()


def use_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    settings = tmp_path / "jgo.conf"
    settings.write_text(f"[settings]\nrepo_cache = {tmp_path / 'm2'}\n[repositories]\ncentral = {url}\n", encoding="utf-8")
    monkeypatch.setenv("JGO_CONFIG_FILE", str(settings))
    monkeypatch.delenv("M2_REPO", raising=False)


def publish(repository: Path, jar: Jar, content: bytes) -> None:
    folder = repository / "org" / "example" / jar.artifact / jar.version
    folder.mkdir(parents=True)
    (folder / jar.file_name).write_bytes(content)


def test_every_locked_jar_has_a_checksum_a_size_and_a_version() -> None:
    jars = locked_jars()
    assert any(jar.coordinate == f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}" for jar in jars)
    assert all(len(bytes.fromhex(jar.sha256)) == 32 and jar.size_bytes > 0 for jar in jars)
    assert len({jar.file_name for jar in jars}) == len(jars)


def test_what_is_missing_is_fetched_and_kept(repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    jars = [jar_of(CONTENT, "one"), jar_of(b"another", "two")]
    publish(repository, jars[0], CONTENT)
    publish(repository, jars[1], b"another")
    cache = JarCache(tmp_path / "cache", jars)
    cache.fetch_missing()
    assert [path.read_bytes() for path in cache.class_path()] == [CONTENT, b"another"]
    assert "First run: fetching Apache Kafka" in capsys.readouterr().err
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == ["one-1.0.jar", "two-1.0.jar", "verified.json"]


def test_a_second_run_needs_no_network(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jar = jar_of(CONTENT)
    publish(repository, jar, CONTENT)
    JarCache(tmp_path / "cache", [jar]).fetch_missing()
    use_repository(tmp_path, monkeypatch, "http://127.0.0.1:1")
    JarCache(tmp_path / "cache", [jar]).fetch_missing()


def test_a_jar_with_another_checksum_is_refused_and_not_kept(repository: Path, tmp_path: Path) -> None:
    jar = jar_of(CONTENT)
    publish(repository, jar, b"something else")
    with pytest.raises(click.ClickException, match=r"thing:1\.0 has the wrong checksum") as refusal:
        JarCache(tmp_path / "cache", [jar]).fetch_missing()
    assert refusal.value.exit_code == 2
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_jar_changed_after_it_was_verified_is_refused(repository: Path, tmp_path: Path) -> None:
    jar = jar_of(CONTENT)
    publish(repository, jar, CONTENT)
    cache = JarCache(tmp_path / "cache", [jar])
    cache.fetch_missing()
    cache.class_path()[0].write_bytes(b"NOT really a jar")
    with pytest.raises(click.ClickException, match="wrong checksum"):
        cache.fetch_missing()


def test_an_unreachable_repository_is_one_line_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_repository(tmp_path, monkeypatch, "http://127.0.0.1:1")
    with pytest.raises(click.ClickException) as refusal:
        JarCache(tmp_path / "cache", [jar_of(CONTENT)]).fetch_missing()
    assert refusal.value.exit_code == 3
    assert "could not fetch org.example:thing:1.0" in refusal.value.message
    assert "Check the network and any proxy" in refusal.value.message
    assert "\n" not in refusal.value.message
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_repository_without_the_jar_is_one_line(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(click.ClickException, match=r"could not fetch org\.example:thing:1\.0"):
        JarCache(tmp_path / "cache", [jar_of(CONTENT)]).fetch_missing()


def test_a_copy_that_maven_keeps_is_used_if_it_is_the_locked_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_repository(tmp_path, monkeypatch, "http://127.0.0.1:1")
    jar = jar_of(CONTENT)
    publish(tmp_path / "m2", jar, CONTENT)
    JarCache(tmp_path / "cache", [jar]).fetch_missing()


def test_a_cache_that_cannot_be_written_is_one_line_and_exit_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(_path: Path, _target: Path) -> Path:  # root may write everywhere
        raise PermissionError(13, "Permission denied")

    jar = jar_of(CONTENT)
    (tmp_path / jar.file_name).write_bytes(CONTENT)
    monkeypatch.setattr(Path, "replace", closed)
    with pytest.raises(click.ClickException, match="Permission denied; set XDG_CACHE_HOME to another folder") as refusal:
        JarCache(tmp_path, [jar]).missing()
    assert refusal.value.exit_code == 2
