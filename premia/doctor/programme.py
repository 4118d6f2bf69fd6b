"""Checks of what runs: servers that answer, schemas, topics, registry, tokens, clocks, services.

Method: each is asked as its users ask it, by the addresses that commands use; what lies behind something that does not answer
is not asked at all. Nothing is changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import aiohttp
import asyncpg
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

import services
from premia.commands.migrate import SCHEMAS
from premia.database import CONNECT_TIMEOUT_S, place
from premia.doctor.finding import Finding
from premia.local.environment import ACTOR_HASHES_FILE
from premia.local.programs import PROGRAMS, SERVICES
from premia.local.tokens import read_tokens
from premia.published_registry import published_registry
from schemas.topics import TOPICS
from services.runtime.migrations import MigrationError, pending_of, read_migrations

if TYPE_CHECKING:
    from schemas.registry_snapshot import RegistrySnapshot
    from services.runtime.database import Connection

CLOCKS_APART_MAX: Final = timedelta(seconds=5)  # statements and bookings are by the day; a night's drift is not seconds.
APPLIED: Final = "SELECT number, sha256 FROM public.premia_migration WHERE schema_name = $1"
REQUEST_TIMEOUT_MS: Final = 5_000
SERVICE_TIMEOUT_S: Final = 5.0


async def check_kafka(known: Mapping[str, str], *, premia: str) -> AsyncIterator[Finding]:
    """Whether brokers answer, topics are there and a registry is in force."""
    servers = known.get("KAFKA_BOOTSTRAP_SERVERS", "")
    if not servers:
        yield _unknown("Kafka", "KAFKA_BOOTSTRAP_SERVERS", premia=premia)
        return
    admin = AIOKafkaAdminClient(bootstrap_servers=servers, request_timeout_ms=REQUEST_TIMEOUT_MS)
    try:
        await admin.start()
        brokers = len((await admin.describe_cluster())["brokers"])
        there = set(await admin.list_topics())
    except (KafkaError, OSError) as error:
        yield Finding("Kafka", ok=False, message=f"{servers} does not answer ({error})", fix=f"{premia} up")
        return
    finally:
        await admin.close()
    yield Finding("Kafka", ok=True, message=f"{servers} answers, {brokers} broker{'s' if brokers > 1 else ''}")
    missing = [topic.name for topic in TOPICS if topic.name not in there]
    if missing:
        yield Finding("Topics", ok=False, message=f"not there: {', '.join(missing)}", fix=f"{premia} topics apply")
        return
    yield Finding("Topics", ok=True, message=f"all {len(TOPICS)} are there")
    registry = (await published_registry(servers)).in_force
    if registry is None:
        yield Finding(
            "Registry",
            ok=False,
            message="none was applied: sales wait",
            fix=f"{premia} registry apply FILE --schemes DIR",
        )
        return
    count = len(registry.organizations)
    yield Finding("Registry", ok=True, message=f"version {registry.version[:16]}… of {count} organizations is in force")
    if known.get("PREMIA_DATA_DIR"):
        yield _tokens(Path(known["PREMIA_DATA_DIR"]), registry, premia=premia)


def _unknown(what: str, variable: str, *, premia: str) -> Finding:
    return Finding(what, ok=False, message=f"{variable} is not set, and there is no local stack", fix=f"{premia} up")


def _tokens(data_dir: Path, registry: RegistrySnapshot, *, premia: str) -> Finding:
    """Whether the programme's actors can act on this machine: a token for each, and its hash where the services look."""
    actors = {actor.id for actor in registry.programme.actors} if registry.programme else set()
    tokens = read_tokens(data_dir)
    try:
        hashes = json.loads((data_dir / ACTOR_HASHES_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        hashes = {}
    cannot = [
        actor
        for actor in sorted(actors)
        if actor not in tokens or hashes.get(actor) != hashlib.sha256(tokens[actor].encode()).hexdigest()
    ]
    if cannot:
        fix = f"{premia} registry apply FILE --schemes DIR gives them new ones"
        return Finding("Tokens", ok=False, message=f"cannot act here: {', '.join(cannot)}", fix=fix)
    return Finding("Tokens", ok=True, message=f"{len(actors)} actors of the programme can act here")


async def check_postgres(known: Mapping[str, str], *, premia: str) -> AsyncIterator[Finding]:
    """Whether the database answers, is at this code's version, and agrees about the time."""
    url = known.get("DATABASE_URL", "")
    if not url:
        yield _unknown("PostgreSQL", "DATABASE_URL", premia=premia)
        return
    try:
        conn = await asyncpg.connect(url, timeout=CONNECT_TIMEOUT_S)
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        yield Finding("PostgreSQL", ok=False, message=f"{place(url)} cannot be used ({error})", fix=f"{premia} up")
        return
    try:
        yield Finding("PostgreSQL", ok=True, message=f"{place(url)} answers, version {conn.get_server_version().major}")
        migrations = await _migrations(conn, premia=premia)
        yield migrations
        yield await _clock(conn, migrated=migrations.ok)
    finally:
        await conn.close()


async def _migrations(conn: Connection, *, premia: str) -> Finding:
    pending = []
    if await conn.fetchval("SELECT to_regclass('public.premia_migration')") is None:
        return Finding("Schemas", ok=False, message="the database was never migrated", fix=f"{premia} migrate")
    for schema in SCHEMAS:
        applied = {row["number"]: row["sha256"] for row in await conn.fetch(APPLIED, schema)}
        migrations = read_migrations(Path(services.__path__[0]) / schema / "migrations")
        try:
            pending += [f"{schema} {one.number:04d}_{one.name}" for one in pending_of(migrations, applied, schema=schema)]
        except MigrationError as error:
            return Finding("Schemas", ok=False, message=str(error), fix="use the code that made this database")
    if pending:
        return Finding("Schemas", ok=False, message=f"not applied: {', '.join(pending)}", fix=f"{premia} migrate")
    return Finding("Schemas", ok=True, message=f"{', '.join(SCHEMAS)} are up to date")


async def _clock(conn: Connection, *, migrated: bool) -> Finding:
    """Whether this machine and the database agree about the time, and nothing was recorded in the future."""
    theirs = await conn.fetchval("SELECT clock_timestamp()")
    apart = abs(datetime.now(UTC) - theirs)
    if apart > CLOCKS_APART_MAX:
        message = f"this machine and the database are {apart.total_seconds():.0f} s apart"
        return Finding("Clock", ok=False, message=message, fix="set the time by NTP on both")
    recorded_at = await conn.fetchval("SELECT recorded_at FROM ledger.log_head") if migrated else None
    if recorded_at is not None and recorded_at - theirs > CLOCKS_APART_MAX:
        message = f"the ledger's newest record is of {recorded_at:%Y-%m-%d %H:%M:%S} UTC, which is to come: the clock went back"
        return Finding("Clock", ok=False, message=message, fix="set the time by NTP; records keep their order meanwhile")
    return Finding("Clock", ok=True, message="this machine and the database agree")


async def check_services(known: Mapping[str, str], *, premia: str) -> AsyncIterator[Finding]:
    """Whether each service can be used, in its own words where it cannot."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SERVICE_TIMEOUT_S)) as session:
        for name in SERVICES:
            url = known.get(f"PREMIA_{name.upper()}_URL", "")
            if not url:
                continue
            title = PROGRAMS[name].title.capitalize()
            try:
                async with session.get(f"{url}/healthz/ready") as answer:
                    trouble = (await answer.json())["trouble"]
            except (aiohttp.ClientError, TimeoutError, ValueError, KeyError):
                yield Finding(title, ok=False, message=f"{url} does not answer", fix=f"{premia} up, or {premia} logs {name}")
                continue
            yield Finding(title, ok=trouble is None, message=trouble or f"{url} is ready")
