"""Consumers that only do inbox, COPY and offset: what the ledger is measured beside.

Goal: what a record costs before anything is posted.
Method: the runtime's consumer, so reading from Kafka and moving offsets is the same code as the ledger's. Two of them:
- `bytes` keeps records as they come, and their events' ids; it never looks at a value.
- `entitlements` reads and checks every value as the ledger has to, keeps the sale's id with its hash, by which a repeat is told
  from a conflict, and copies the entitlement in columns.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, Final

import uvloop
from aiokafka import ConsumerRecord

from schemas.topics import ENTITLEMENTS
from services.ledger.adapters.entitlement_topic import read_entitlement
from services.runtime.batch_consumer import Apply, Subscription, consume
from services.runtime.database import Connection, open_pool
from services.runtime.process import tune_garbage_collection
from services.runtime.settings import required

BARE_TABLES: Final = """
    CREATE SCHEMA bare;
    CREATE TABLE bare.consumer_offset (topic text, partition int, next_offset bigint NOT NULL, cluster_id text NOT NULL,
        last_record_sha256 bytea, updated_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (topic, partition));
    CREATE TABLE bare.inbox (source text, id text, hash text, PRIMARY KEY (source, id));
    CREATE TABLE bare.record (topic text, partition int, record_offset bigint, key bytea, value bytea,
        PRIMARY KEY (topic, partition, record_offset));
    CREATE TABLE bare.entitlement (topic text, partition int, record_offset bigint, refiner_id text, lot_id text,
        revision bigint, calculation bigint, entitlement_id uuid, cause text, sale_source text, sale_id text, sale_hash text,
        origin text, sequence bigint, effective_on date, value bytea, PRIMARY KEY (topic, partition, record_offset))"""
INBOX: Final = """
    INSERT INTO bare.inbox (source, id, hash) SELECT * FROM unnest($1::text[], $2::text[], $3::text[])
    ON CONFLICT DO NOTHING RETURNING source, id"""

Records = Sequence[ConsumerRecord[Any, Any]]


async def keep_bytes(conn: Connection, records: Records) -> None:
    """Inbox and COPY of what nobody looked at."""
    headers = [dict(record.headers) for record in records]
    sources, ids = ([told[name].decode() for told in headers] for name in ("ce_salesource", "ce_id"))
    await conn.fetch(INBOX, sources, ids, [None] * len(ids))
    await conn.copy_records_to_table(
        "record",
        schema_name="bare",
        records=[(record.topic, record.partition, record.offset, record.key, record.value) for record in records],
    )


async def keep_entitlements(conn: Connection, records: Records) -> None:
    """Inbox and COPY of entitlements that were read and checked."""
    read = [(record, read_entitlement(record)) for record in records]
    inbox = zip(*[(*entitlement.sale, entitlement.sale_hash) for _, entitlement in read], strict=True)
    await conn.fetch(INBOX, *inbox)
    await conn.copy_records_to_table(
        "entitlement",
        schema_name="bare",
        records=[
            (
                record.topic,
                record.partition,
                record.offset,
                *entitlement.lot,
                *entitlement.position,
                entitlement.entitlement_id,
                entitlement.cause,
                *entitlement.sale,
                entitlement.sale_hash,
                entitlement.origin,
                entitlement.sequence,
                entitlement.effective_on,
                entitlement.value,
            )
            for record, entitlement in read
        ],
    )


KINDS: Final[dict[str, Apply]] = {"bytes": keep_bytes, "entitlements": keep_entitlements}


async def main(kind: str) -> None:
    """Consume until ended."""
    tune_garbage_collection()
    pool = await open_pool(required("PREMIA_LEDGER_DATABASE_URL"))
    await consume(pool, Subscription("bare", f"bare-{kind}", (ENTITLEMENTS,), KINDS[kind], lambda: None))


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
