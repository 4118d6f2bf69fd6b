"""`premia explain` on what was really stored, with the registry of its time."""

from __future__ import annotations

import asyncio
import json

import asyncpg
from aiokafka import ConsumerRecord
from click.testing import CliRunner, Result

from premia.__main__ import main
from premia.commands.migrate import bring_up_to_date
from schemas.registry_snapshot import registry_snapshot
from schemas.topics import ENTITLEMENTS
from services.ledger.use_cases.post_batch import post_batch
from services.premium_calculator.adapters.sale_decision import Calculated, SaleRecord, decide
from tests.integration.ledger.records import record
from tests.integration.premium_calculator.programme import apply_registry, create_topics, sale_message
from tests.unit.premium_calculator import programme
from tests.unit.premium_calculator.programme import assays, scheme


async def premia(environment: dict[str, str], *arguments: str) -> Result:
    result = await asyncio.to_thread(CliRunner().invoke, main, arguments, env=environment)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def entitlement(revision: int, **fields: object) -> ConsumerRecord[bytes, bytes]:
    """What the calculator publishes for a sale."""
    message = sale_message(revision=revision, **fields)
    decided = decide(SaleRecord(message.key, message.value, message.headers), programme.registry())
    assert isinstance(decided, Calculated), decided
    return record(ENTITLEMENTS, decided.key, decided.value, decided.headers(f"gold.sales.v1/0/{revision}"))


async def test_the_stored_calculation_is_told_with_the_sources_of_its_own_registry(
    premia_environment: dict[str, str],
) -> None:
    brokers = premia_environment["KAFKA_BOOTSTRAP_SERVERS"]
    await create_topics(brokers)
    await bring_up_to_date(premia_environment["DATABASE_URL"], premia_environment)
    await apply_registry(brokers)
    later = {**programme.snapshot().schemes, "gram@1": scheme(rate={"kind": "per_mass", "amount": "9", "unit": "GRM"})}
    changed = registry_snapshot(None, programme.snapshot().organizations, later)
    await apply_registry(brokers, changed, programme.snapshot())
    conn = await asyncpg.connect(premia_environment["PREMIA_LEDGER_DATABASE_URL"])
    try:
        async with conn.transaction():
            provisional = entitlement(1, stage="provisional", assays=assays(seller="873.5"))
            final = entitlement(2, assays=assays(seller="873.5", buyer="873.1"))
            await post_batch(conn, [provisional, final])
    finally:
        await conn.close()

    told = await premia(premia_environment, "explain", "REF/LOT-1", "--lang", "es")
    assert told.exit_code == 0, told.output
    assert "promedio del ensaye del vendedor (873.5) y del comprador (873.1)" in told.stdout
    assert "2,140.109 \u00d7 0.70 = 1,498.08" in told.stdout, "the terms of its time, not those of now"
    assert "https://example.org/terms (supuesto sin confirmar)" in told.stdout
    for spelt in ("ES", "es-pe", "es_PE"):
        assert (await premia(premia_environment, "explain", "REF/LOT-1", "--lang", spelt)).stdout == told.stdout
    first = await premia(premia_environment, "explain", "LOT-1", "--lang", "fr", "--revision", "1")
    assert "Titre provisoire" in first.stdout
    answer = json.loads((await premia(premia_environment, "explain", "LOT-1", "--json")).stdout)
    assert (answer["revision"], answer["locale"]) == (2, "en_GB")
    assert [step["step"] for step in answer["steps"]] == ["melt_weight", "assay", "fine_weight", "premium", "line"]

    for arguments, words in (
        (("LOT-2",), "no accepted sale"),
        (("LOT-1", "--revision", "9"), "has no revision 9"),
        (("LOT-1", "--lang", "de"), "there are words in es, en, fr"),
    ):
        wrong = await premia(premia_environment, "explain", *arguments)
        assert (wrong.exit_code, words in wrong.stderr) == (2, True)
