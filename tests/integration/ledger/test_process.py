"""The ledger's process between a real Kafka and a real PostgreSQL: posting, relaying, being killed, stopping."""

from __future__ import annotations

import asyncio
import hashlib
import json
import signal
from pathlib import Path
from typing import Any, Final

import aiohttp
import orjson
import pytest

import schemes
from premia.local.ports import choose_ports
from schemas.topics import ENTITLEMENTS, LEDGER_TRANSACTIONS, SALE_OUTCOMES
from tests.integration.command import Finished, premia, premia_with
from tests.integration.ledger.conftest import Ledger
from tests.integration.ledger.records import entitlement, record, reserve, settle
from tests.integration.ledger.service import DEADLINE_S, EXIT_UNEXPECTED, posted, running, send, told, until
from tests.integration.premium_calculator.programme import header

STOP_S_MAX: Final = 5.0  # what every service promises


@pytest.fixture
def ledger(service: Ledger) -> Ledger:
    """Here it is the ledger of a process."""
    return service


async def test_what_is_published_is_posted_and_told_in_the_order_of_the_log(ledger: Ledger) -> None:
    lots = [entitlement(lot=f"LOT-{number}", lines=(("ORG-1", "producer", 100),)) for number in range(50)]
    async with running(ledger):
        await send(ledger, [*lots, entitlement(lot="LOT-1", lines=(("ORG-1", "producer", 100),), origin_offset=77)])

        async def sales_are_told() -> bool:
            return len(await told(ledger, SALE_OUTCOMES)) == 51

        await until(sales_are_told)
        await send(ledger, [reserve("R", ["50.00"]), settle("R", "B-1")])

        async def payment_is_told() -> bool:
            return len(await told(ledger, LEDGER_TRANSACTIONS)) == 50 + 2 * 2

        await until(payment_is_told)
    outcomes = [orjson.loads(found.value) for found in await told(ledger, SALE_OUTCOMES)]
    assert sorted(value["detail"] for value in outcomes) == ["duplicate", *["posted"] * 50]
    messages = sorted(await told(ledger, LEDGER_TRANSACTIONS), key=lambda found: found.offset)
    kinds = [header(found, "ce_type").split(".")[1] for found in messages]
    assert kinds == ["transaction"] * 51 + ["command-outcome", "transaction", "command-outcome"]
    leaves = [orjson.loads(found.value) for found in messages if "leaf_index" in orjson.loads(found.value)]
    assert [leaf["leaf_index"] for leaf in leaves] == list(range(52))
    assert [row["leaf"] for row in await ledger.rows("journal", "leaf_index")] == [
        found.value for found in messages if b'"leaf_index"' in found.value
    ]
    assert await ledger.deviations() == []


async def test_a_ledger_that_is_killed_again_and_again_posts_everything_once(ledger: Ledger) -> None:
    lots = [entitlement(lot=f"LOT-{number}") for number in range(4_000)]
    await send(ledger, lots)
    kills = 0
    while await posted(ledger) < len(lots):
        async with running(ledger) as process:
            before = await posted(ledger)

            async def moved(before: int = before) -> bool:
                return await posted(ledger) > before

            await until(moved)
            process.send_signal(signal.SIGKILL)
            kills += 1
    assert kills >= 2, "one kill at least hit a ledger with records waiting for it"
    async with running(ledger):

        async def all_told() -> bool:
            return len({header(found, "ce_id") for found in await told(ledger, SALE_OUTCOMES)}) == len(lots)

        await until(all_told)
    indices = [orjson.loads(found.value)["leaf_index"] for found in await told(ledger, LEDGER_TRANSACTIONS)]
    assert set(indices) == set(range(len(lots)))
    assert (await ledger.balances())["org:ORG-1:payable:USD"] == -149808 * len(lots)
    assert await ledger.deviations() == []


async def test_an_unreadable_entitlement_ends_the_process_and_nothing_after_it_is_lost(ledger: Ledger) -> None:
    await send(ledger, [record(ENTITLEMENTS, b"REF-1/LOT-1", b"{", ())])
    async with running(ledger) as process:
        assert process.stderr is not None
        said = (await asyncio.wait_for(process.stderr.read(), DEADLINE_S)).decode()
        assert await process.wait() == EXIT_UNEXPECTED
    assert "UnreadableEntitlementError" in said
    assert f"{ENTITLEMENTS}/" in said
    assert await ledger.conn.fetchval("SELECT sum(next_offset) FROM ledger.consumer_offset") == 0


async def test_it_stops_within_five_seconds_and_tells_how_it_is(ledger: Ledger) -> None:
    address = f"http://{ledger.environment['PREMIA_LEDGER_HTTP']}"
    await send(ledger, [entitlement(), reserve("R", ["9999.99"])])
    async with running(ledger) as process, aiohttp.ClientSession() as session:

        async def is_ready() -> bool:
            try:
                async with session.get(f"{address}/healthz/ready") as answer:
                    return answer.status == 200
            except aiohttp.ClientConnectionError:
                return False

        async def is_counted() -> bool:
            async with session.get(f"{address}/metrics") as answer:
                lines = (await answer.text()).splitlines()
            return {
                'premia_ledger_entitlements_total{outcome="posted"} 1.0',
                "premia_ledger_tree_size_leaves 1.0",
                'premia_ledger_commands_total{outcome="INSUFFICIENT_PAYABLE"} 1.0',
            } <= set(lines)

        await until(is_ready)
        await until(is_counted)
        async with session.get(f"{address}/healthz/live") as answer:
            assert answer.status == 200
        process.terminate()
        assert await asyncio.wait_for(process.wait(), STOP_S_MAX) == 0


async def test_a_second_process_waits_for_the_first_and_takes_over(ledger: Ledger) -> None:
    async with running(ledger) as first:
        await send(ledger, [entitlement(lot="LOT-1")])

        async def one_posted() -> bool:
            return await posted(ledger) >= 1

        await until(one_posted)
        other = Ledger(
            ledger.conn,
            ledger.environment
            | {"PREMIA_INSTANCE": "1", "PREMIA_LEDGER_HTTP": f"127.0.0.1:{choose_ports(['ledger'])['ledger']}"},
        )
        async with running(other):
            first.send_signal(signal.SIGKILL)
            await send(ledger, [entitlement(lot=f"LOT-{number}") for number in range(2, 10)])

            async def all_told() -> bool:
                return len({header(found, "ce_id") for found in await told(ledger, SALE_OUTCOMES)}) == 9

            await until(all_told)
    assert await ledger.deviations() == []


async def test_two_persons_correct_a_running_ledger_and_everybody_is_told(ledger: Ledger, tmp_path: Path) -> None:
    brokers, url = ledger.environment["KAFKA_BOOTSTRAP_SERVERS"], f"http://{ledger.environment['PREMIA_LEDGER_HTTP']}"
    actors = {"persona-1": "token-of-1", "persona-2": "token-of-2"}
    hashes = {actor: hashlib.sha256(token.encode()).hexdigest() for actor, token in actors.items()}
    (tmp_path / "tokens.json").write_text(json.dumps(hashes))
    terms: dict[str, Any] = {"id": "demo", "name": "Demo"}
    file = tmp_path / "programme.json"
    async with running(ledger):

        async def corrections(actor: str, *arguments: str) -> Finished:
            known = {"PREMIA_LEDGER_URL": url, "PREMIA_TOKEN": actors[actor]}
            return await premia_with(known, "corrections", *arguments)

        proposal = (
            "propose", "--subject", "payer:PAY-1", "--credit", "receivable:USD:5.00", "--open", "--on", "2025-01-01",
            "--reason", "OPENING", "--text", "Saldo de antes del libro.",
        )  # fmt: skip

        async def is_up() -> bool:
            return "REGISTRY_MISSING" in (await corrections("persona-1", *proposal)).stderr

        await until(is_up)
        # The service follows the registry: first nobody approves, then somebody does.
        for second in (["accounts"], ["approve"]):
            roles = {"persona-1": ["prepare"], "persona-2": second}
            terms["actors"] = [{"id": actor, "name": actor.title(), "roles": granted} for actor, granted in roles.items()]
            file.write_text(json.dumps({"programme": terms, "organizations": []}))
            applied = await premia(brokers, "registry", "apply", file, "--schemes", schemes.__path__[0])
            assert applied.exit_code == 0, applied

        async def is_proposed() -> bool:
            return (await corrections("persona-1", *proposal)).exit_code == 0

        await until(is_proposed)
        (proposed, *_) = json.loads((await corrections("persona-2", "list", "--json")).stdout)

        async def is_approved() -> bool:
            return (await corrections("persona-2", "approve", proposed["correction_id"])).exit_code == 0

        await until(is_approved)

        async def is_told() -> bool:
            return len(await told(ledger, LEDGER_TRANSACTIONS)) == 2

        await until(is_told)
    transaction, outcome = [orjson.loads(found.value) for found in await told(ledger, LEDGER_TRANSACTIONS)]
    assert (transaction["kind"], transaction["cause"]["approved_by"]) == ("opened", "persona-2")
    assert (outcome["command_id"], outcome["code"]) == (proposed["correction_id"], "POSTED")
    assert await ledger.balances() == {"payer:PAY-1:receivable:USD": -500, "programme:programme:suspense:USD": 500}
