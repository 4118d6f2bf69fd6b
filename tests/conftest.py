"""Real servers for tests that need them: one Kafka and one PostgreSQL a session, started by the users' own code.

Goal: a test asks for `kafka` or `database_url` and gets a broker without topics, a database of its own module.
Method: premia.local, lazily, in a folder of its own. Topics are deleted after use, which takes 0.05 s (measured; a new broker
takes 3 s); databases are created for each module and dropped after it.
KAFKA_BOOTSTRAP_SERVERS and DATABASE_URL are honoured: what they name is used instead, and must hold no topics.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from premia.local.environment import with_login
from premia.local.stack import LocalStack

DEADLINE_S: Final = 20.0
Result = TypeVar("Result")
ROLE_VARIABLES: Final = {
    "PREMIA_LEDGER_DATABASE_URL": "premia_ledger",
    "PREMIA_PAYOUT_DATABASE_URL": "premia_payout",
    "PREMIA_READER_DATABASE_URL": "premia_reader",
}


def pytest_configure() -> None:
    """Have children take signals by default, and commands find no stack but the test's own.

    nohup and a shell's background jobs ignore some signals, which is inherited. A stack that a demo left in the checkout
    would be asked for what a test does not name.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    os.environ["PREMIA_DATA_DIR"] = str(Path(tempfile.gettempdir()) / "premia-tests-no-stack")


@pytest.fixture(scope="session")
def servers() -> Iterator[LocalStack]:
    """Kafka and PostgreSQL for the whole session. Stopped, and their folder removed, at its end."""
    folder = Path(tempfile.mkdtemp(prefix="premia-tests-"))
    folder.chmod(0o711)  # as root, PostgreSQL runs as another account that has to pass through
    stack = LocalStack(folder / "stack", ends_with_caller=True)
    try:
        stack.start_infrastructure(("kafka", "postgres"))
        yield stack
    finally:
        stack.remove()
        shutil.rmtree(folder)


@pytest.fixture
def kafka(servers: LocalStack) -> Iterator[str]:
    """Bootstrap servers of a broker without topics. What the test creates is deleted after it."""
    yield from _broker_without_topics(servers)


@pytest.fixture(scope="module")
def module_kafka(servers: LocalStack) -> Iterator[str]:
    """As `kafka`, for all tests of a module together."""
    yield from _broker_without_topics(servers)


@pytest.fixture(scope="session")
def new_database(servers: LocalStack) -> Iterator[Callable[[], str]]:
    """A function that makes an empty database and returns its administrator's URL. All are dropped at the end."""
    server_url = servers.environment()["DATABASE_URL"]
    made: list[str] = []

    def make() -> str:
        name = f"premia_test_{secrets.token_hex(6)}"
        _run(_execute(server_url, f"CREATE DATABASE {name}"))
        made.append(name)
        return urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))

    yield make
    for name in made:
        _run(_execute(server_url, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(scope="module")
def database_url(new_database: Callable[[], str]) -> str:
    """Administrator's URL of an empty database for this module."""
    return new_database()


@pytest.fixture(scope="module")
def premia_environment(servers: LocalStack, module_kafka: str, database_url: str) -> dict[str, str]:
    """All of Premia's variables for the module's broker and database: for `premia migrate`, services and commands."""
    return environment_with_database(servers, database_url) | {"KAFKA_BOOTSTRAP_SERVERS": module_kafka}


def environment_with_database(servers: LocalStack, database_url: str) -> dict[str, str]:
    """The session's variables, with every database URL pointing to another database of the same server, and its own log."""
    log = servers.data_dir / f"log-of-{urlsplit(database_url).path.removeprefix('/')}"
    log.mkdir(exist_ok=True)
    environment = servers.environment() | {"DATABASE_URL": database_url, "PREMIA_LEDGER_LOG": str(log)}
    for variable, role in ROLE_VARIABLES.items():
        environment[variable] = with_login(database_url, role, servers.state.passwords[role])
    return environment


def _broker_without_topics(servers: LocalStack) -> Iterator[str]:
    bootstrap_servers = servers.environment()["KAFKA_BOOTSTRAP_SERVERS"]
    assert _run(_topics(bootstrap_servers)) == [], "tests delete topics: give them a Kafka that holds none"
    yield bootstrap_servers
    _run(delete_topics(bootstrap_servers))


async def _topics(bootstrap_servers: str) -> list[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        return [topic for topic in await admin.list_topics() if not topic.startswith("__")]
    finally:
        await admin.close()


async def delete_topics(bootstrap_servers: str) -> None:
    """Delete all topics, and wait until they and the offsets that groups hold in them are gone."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    deadline = time.monotonic() + DEADLINE_S
    try:
        topics = [topic for topic in await admin.list_topics() if not topic.startswith("__")]
        if not topics:
            return
        await admin.delete_topics(topics)
        groups = [group[0] for group in await admin.list_consumer_groups()]
        while not set(topics).isdisjoint(await admin.list_topics()) or await _offsets_held(admin, groups):
            assert time.monotonic() < deadline, "topics or offsets are still there"
            await asyncio.sleep(0.02)
    finally:
        await admin.close()


async def _offsets_held(admin: AIOKafkaAdminClient, groups: list[str]) -> int:
    return sum([len(await admin.list_consumer_group_offsets(group)) for group in groups])


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def _run(work: Coroutine[None, None, Result]) -> Result:
    """Run a coroutine to its end in a thread of its own: a fixture may be asked for while a loop runs."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()
