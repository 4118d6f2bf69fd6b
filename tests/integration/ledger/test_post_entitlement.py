"""What becomes of entitlements, against a real PostgreSQL."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import asyncpg
import orjson
import pytest

from schemas.canonical_json import canonical_json
from schemas.dead_letter import DeadLetter
from schemas.identifiers import ID_CHARS_MAX, REGISTERED_ID_BYTES_MAX
from schemas.ledger_transaction import LEAF_BYTES_MAX, EntitlementCause
from schemas.topics import ENTITLEMENTS, ENTITLEMENTS_DEAD, LEDGER_TRANSACTIONS, SALE_OUTCOMES, SALES
from services.ledger.errors import UnreadableEntitlementError
from services.ledger.use_cases.post_batch import post_batch
from tests.integration.ledger.conftest import Ledger
from tests.integration.ledger.records import entitlement, entitlement_record, entitlement_value, record


class CrashError(Exception):
    """Something that nobody expects."""


PROVISIONAL = (("ORG-1", "producer", 134858),)
FINAL = (("ORG-1", "producer", 149808),)


async def test_a_final_assay_posts_the_difference_to_the_provisional_one(ledger: Ledger) -> None:
    await ledger.post(entitlement(stage="provisional", lines=PROVISIONAL, gold_mg={"ORG-1": 2140599}))
    await ledger.post(entitlement(revision=2, lines=FINAL, gold_mg={"ORG-1": 2140109}))
    first, second = await ledger.leaves()
    assert [(t.amount_minor, t.unit, t.debit.purpose, t.credit.purpose) for t in first.transfers] == [
        (134858, "USD", "receivable", "payable"),
        (2140599, "AU-MG", "gold", "gold"),
    ]
    assert [(t.amount_minor, t.debit.owner_id, t.credit.owner_id) for t in second.transfers] == [
        (14950, "PAY-1", "ORG-1"),
        (490, "ORG-1", "REF-1"),  # less gold than stated: debit and credit are swapped
    ]
    assert await ledger.balances() == {
        "org:ORG-1:gold:AU-MG": -2140109,
        "org:ORG-1:payable:USD": -149808,
        "payer:PAY-1:receivable:USD": 149808,
        "refiner:REF-1:gold:AU-MG": 2140109,
    }


async def test_a_leaf_tells_before_and_after_and_where_it_stands(ledger: Ledger) -> None:
    await ledger.post(entitlement(stage="provisional", lines=PROVISIONAL), entitlement(revision=2, lines=FINAL))
    first, second = await ledger.leaves()
    assert (first.leaf_index, first.subject.id, first.subject_number) == (0, "ORG-1", 1)
    assert (second.leaf_index, second.subject.id, second.subject_number) == (1, "ORG-1", 2)
    (line,) = second.lines
    assert (line.previous_amount, line.amount, line.scheme_id, line.role) == ("1348.58", "1498.08", "sbg", "producer")
    assert isinstance(second.cause, EntitlementCause)
    assert (second.cause.revision, second.cause.stage, second.cause.registry_version[:7]) == (2, "final", "sha256:")
    scope = second.transfers[0].scope
    assert scope is not None
    assert (scope.lot_id, scope.revision, scope.stage, scope.scheme_id, scope.payer_id, scope.role) == (
        "LOT-1",
        2,
        "final",
        "sbg",
        "PAY-1",
        "producer",
    )
    assert first.nonce != second.nonce


async def test_the_message_is_the_leaf_byte_for_byte_and_canonical(ledger: Ledger) -> None:
    await ledger.post(entitlement(lot='LOT "ñ" \\1'))
    (row,) = await ledger.rows("journal", "leaf_index")
    message = (await ledger.messages(LEDGER_TRANSACTIONS))[0]
    headers = dict(message.headers)
    assert message.value == row["leaf"] == canonical_json(orjson.loads(row["leaf"]))
    assert message.key == b"ORG-1"
    assert headers["ce_id"].decode() == str(row["transaction_id"])
    assert (headers["ce_source"], headers["ce_type"]) == (b"/ledger", b"ledger.transaction.v1")


async def test_effective_on_is_the_utc_day_of_the_sales_time(ledger: Ledger) -> None:
    await ledger.post(entitlement_record(entitlement_value(), sale_time="2025-03-14T23:30:00-05:00"))
    (leaf,) = await ledger.leaves()
    assert leaf.effective_on.isoformat() == "2025-03-15"


async def test_each_source_and_each_fund_gets_its_own_transaction_and_sees_only_its_own_lines(ledger: Ledger) -> None:
    lines = (("ORG-1", "producer", 500), ("ORG-2", "producer", 300), ("FUND-1", "community_fund", 200))
    result = await ledger.post(entitlement(lines=lines))
    leaves = await ledger.leaves()
    assert result.leaves == 3
    assert [(leaf.subject.kind.value, leaf.subject.id) for leaf in leaves] == [
        ("fund", "FUND-1"),
        ("org", "ORG-1"),
        ("org", "ORG-2"),
    ]
    assert [[line.amount for line in leaf.lines] for leaf in leaves] == [["2.00"], ["5.00"], ["3.00"]]
    assert [leaf.gold is not None for leaf in leaves] == [False, True, True]
    for leaf in leaves:
        assert isinstance(leaf.cause, EntitlementCause)
        assert [step.step for step in leaf.cause.explanation] == ["melt_weight", "documents"]  # sharing tells of others
    assert "ORG-2" not in (await ledger.rows("journal", "leaf_index"))[1]["leaf"].decode()


async def test_the_outcome_of_a_posted_sale_follows_its_transaction(ledger: Ledger) -> None:
    await ledger.post(entitlement(origin_offset=7))
    assert [message.topic for message in await ledger.messages(LEDGER_TRANSACTIONS)] == [LEDGER_TRANSACTIONS]
    (outcome,) = await ledger.values(SALE_OUTCOMES)
    assert outcome["origin"] == "gold.sales.v1/0/7"
    assert (outcome["outcome"], outcome["detail"], outcome["sequence"], outcome["revision"]) == ("accepted", "posted", 17, 1)
    assert (await ledger.messages(SALE_OUTCOMES))[0].key == b"REF-1/LOT-1"


async def test_a_revision_that_changes_nothing_makes_no_transaction_and_becomes_the_head(ledger: Ledger) -> None:
    await ledger.post(entitlement(), entitlement(revision=2))
    assert len(await ledger.leaves()) == 1
    assert [value["detail"] for value in await ledger.values(SALE_OUTCOMES)] == ["posted", "unchanged"]
    (head,) = await ledger.rows("lot_head", "lot_id")
    assert head["revision"] == 2


async def test_a_revision_below_the_head_is_superseded_and_posts_nothing(ledger: Ledger) -> None:
    await ledger.post(entitlement(revision=3, lines=FINAL))
    await ledger.post(entitlement(revision=2, lines=PROVISIONAL))
    assert len(await ledger.leaves()) == 1
    assert [value["detail"] for value in await ledger.values(SALE_OUTCOMES)] == ["posted", "superseded"]
    assert (await ledger.balances())["org:ORG-1:payable:USD"] == -149808


async def test_a_changed_payer_moves_the_whole_amount_to_the_new_one(ledger: Ledger) -> None:
    await ledger.post(entitlement(), entitlement(revision=2, payer="PAY-2"))
    assert await ledger.balances() == {
        "org:ORG-1:gold:AU-MG": -1000,
        "org:ORG-1:payable:USD": -149808,
        "payer:PAY-2:receivable:USD": 149808,
        "refiner:REF-1:gold:AU-MG": 1000,
    }
    leaf = (await ledger.leaves())[1]
    assert [(line.payer_id, line.previous_amount, line.amount, line.scheme_version) for line in leaf.lines] == [
        ("PAY-2", "0.00", "1498.08", "2019-07"),
        ("PAY-1", "1498.08", "0.00", None),
    ]


async def test_a_changed_source_takes_everything_back_from_the_one_that_left(ledger: Ledger) -> None:
    await ledger.post(entitlement(), entitlement(revision=2, lines=(("ORG-2", "producer", 149808),)))
    balances = await ledger.balances()
    assert "org:ORG-1:payable:USD" not in balances
    assert "org:ORG-1:gold:AU-MG" not in balances
    assert balances["org:ORG-2:payable:USD"] == -149808


async def test_a_changed_scheme_is_a_line_that_ends_and_one_that_starts(ledger: Ledger) -> None:
    await ledger.post(entitlement(), entitlement(revision=2, scheme="fairmined"))
    leaf = (await ledger.leaves())[1]
    assert sorted((t.scope.scheme_id, t.amount_minor) for t in leaf.transfers if t.scope) == [
        ("fairmined", 149808),
        ("sbg", 149808),
    ]
    assert (await ledger.balances())["org:ORG-1:payable:USD"] == -149808


async def test_a_cancelled_lot_gives_everything_back_and_may_return(ledger: Ledger) -> None:
    await ledger.post(entitlement())
    await ledger.post(entitlement(revision=2, stage="cancelled", status="cancelled", lines=(), gold_mg={}))
    assert await ledger.balances() == {}
    assert await ledger.rows("lot_line", "lot_id") == []
    await ledger.post(entitlement(revision=3))
    assert (await ledger.balances())["org:ORG-1:payable:USD"] == -149808


async def test_an_ineligible_source_has_its_gold_recorded_and_no_premium(ledger: Ledger) -> None:
    await ledger.post(entitlement(status="ineligible", lines=(("ORG-1", "producer", 0),)))
    (leaf,) = await ledger.leaves()
    assert [transfer.unit for transfer in leaf.transfers] == ["AU-MG"]
    assert [(line.amount, line.eligible, line.reason) for line in leaf.lines] == [("0.00", False, "no_status")]


async def test_payable_may_go_below_zero_by_a_correction_and_marks_older_views_stale(ledger: Ledger) -> None:
    await ledger.post(entitlement(lines=(("ORG-1", "producer", 500),)))
    await ledger.post(entitlement(revision=2, lines=(("ORG-1", "producer", 200),)))
    (subject,) = await ledger.rows("subject", "id")
    assert (subject["last_number"], subject["last_negative_number"]) == (2, 2)
    await ledger.post(entitlement(revision=3, lines=(("ORG-1", "producer", 900),)))
    (subject,) = await ledger.rows("subject", "id")
    assert (subject["last_number"], subject["last_negative_number"]) == (3, 2)


async def test_another_record_of_the_same_event_is_a_duplicate(ledger: Ledger) -> None:
    await ledger.post(entitlement(origin_offset=1), entitlement(origin_offset=2))
    result = await ledger.post(entitlement(origin_offset=3))
    assert result.entitlements == {"duplicate": 1}
    assert len(await ledger.leaves()) == 1
    outcomes = {value["origin"][-1]: value["outcome"] for value in await ledger.values(SALE_OUTCOMES)}
    assert outcomes == {"1": "accepted", "2": "duplicate", "3": "duplicate"}
    messages = {value["message"] for value in await ledger.values(SALE_OUTCOMES) if value["outcome"] == "duplicate"}
    (row,) = await ledger.rows("entitlement", "sale_id")
    first = f"event {row['sale_id']} of {row['recorded_at']:%Y-%m-%d %H:%M} UTC"
    assert messages == {f"is the same as {first}, which counts: nothing is counted twice"}


async def test_the_same_revision_under_another_id_is_a_duplicate_if_its_content_is_equal(ledger: Ledger) -> None:
    result = await ledger.post(entitlement(), entitlement(sale_id="another"))
    assert result.entitlements == {"posted": 1, "duplicate": 1}


@pytest.mark.parametrize(
    ("members", "field"), [({"content": "changed"}, "ce_id"), ({"content": "changed", "sale_id": "another"}, "revision")]
)
async def test_other_content_under_a_known_id_or_revision_is_quarantined_with_both_origins(
    ledger: Ledger, members: dict[str, str], field: str
) -> None:
    await ledger.post(entitlement(origin_offset=1))
    conflicting = entitlement(origin_offset=2, lines=(("ORG-1", "producer", 1),), **members)
    result = await ledger.post(conflicting, entitlement(lot="LOT-2"))
    assert result.entitlements == {"CONFLICTING_PAYLOAD": 1, "posted": 1}, "its neighbour is posted"
    outcome = (await ledger.values(SALE_OUTCOMES))[-1]
    assert (outcome["outcome"], outcome["detail"], outcome["field"]) == ("rejected", "CONFLICTING_PAYLOAD", field)
    (quarantined,) = await ledger.rows("quarantine", "origin")
    assert (quarantined["origin"], quarantined["known_origin"]) == ("gold.sales.v1/0/2", "gold.sales.v1/0/1")
    (letter,) = await ledger.messages(ENTITLEMENTS_DEAD)
    assert letter.value == conflicting.value
    told = DeadLetter.from_headers(letter.headers)
    assert (told.code, told.field, str(told.origin)) == ("CONFLICTING_PAYLOAD", field, "gold.sales.v1/0/2")
    assert (await ledger.balances())["org:ORG-1:payable:USD"] == -2 * 149808


async def test_a_redelivered_entitlement_gets_the_outcome_of_its_origin_again_and_has_no_effect(ledger: Ledger) -> None:
    revisions = [
        entitlement(revision=2, origin_offset=1),
        entitlement(revision=1, origin_offset=2),
        entitlement(revision=3, origin_offset=3),
        entitlement(revision=3, origin_offset=4),
        entitlement(revision=3, origin_offset=5, content="changed"),
    ]
    await ledger.post(*revisions)
    before = await _state(ledger)
    told = {(dict(message.headers)["ce_id"], message.value) for message in await ledger.messages(SALE_OUTCOMES)}
    assert len(told) == 5
    await ledger.post(*revisions, *revisions)
    assert await _state(ledger) == before
    again = {(dict(message.headers)["ce_id"], message.value) for message in await ledger.messages(SALE_OUTCOMES)}
    assert again == told
    assert len(await ledger.messages(ENTITLEMENTS_DEAD)) == 1, "its bytes lie in the dead letters already"


async def test_a_redelivery_in_the_same_batch_is_a_repeat_too(ledger: Ledger) -> None:
    result = await ledger.post(entitlement(origin_offset=1), entitlement(origin_offset=1))
    assert result.entitlements == {"posted": 1, "repeated": 1}


async def test_a_redelivery_that_was_calculated_under_a_newer_registry_changes_nothing(ledger: Ledger) -> None:
    await ledger.post(entitlement(origin_offset=1))
    newer = entitlement_value(lines=(("ORG-1", "producer", 999),))
    newer["registry_version"] = "sha256:" + "c" * 64
    result = await ledger.post(entitlement_record(newer, origin_offset=1))
    assert result.entitlements == {"repeated": 1}
    assert (await ledger.balances())["org:ORG-1:payable:USD"] == -149808


async def test_a_refused_sale_is_not_remembered_so_that_a_mended_one_works(ledger: Ledger) -> None:
    too_much = entitlement(sale_id="event", lines=(("ORG-1", "producer", 2**53),))
    result = await ledger.post(too_much, entitlement(sale_id="event", content="mended"))
    assert result.entitlements == {"AMOUNT_OVERFLOW": 1, "posted": 1}
    assert [value["detail"] for value in await ledger.values(SALE_OUTCOMES)] == ["posted", "AMOUNT_OVERFLOW"]


async def test_the_largest_amount_is_posted_and_one_more_is_refused(ledger: Ledger) -> None:
    result = await ledger.post(
        entitlement(lines=(("ORG-1", "producer", 2**53 - 1),)),
        entitlement(lot="LOT-2", gold_mg={"ORG-1": 2**53}),
    )
    assert result.entitlements == {"posted": 1, "AMOUNT_OVERFLOW": 1}


async def test_the_longest_ids_fit_every_index(ledger: Ledger) -> None:
    """Of characters that PostgreSQL cannot compress: it may not refuse a line for what its sender or the registry wrote."""
    drawn = Random(0)

    def longest(chars: int) -> str:
        return "".join(chr(drawn.randrange(0x20000, 0x2A000)) for _ in range(chars))

    registered = REGISTERED_ID_BYTES_MAX // 4
    lines = ((longest(registered), "producer", 100), (longest(registered), "community_fund", 50))
    members: dict[str, Any] = {"refiner": longest(registered), "payer": longest(registered), "scheme": longest(registered)}
    result = await ledger.post(entitlement(lot=longest(ID_CHARS_MAX), sale_id=longest(ID_CHARS_MAX), **members, lines=lines))
    assert result.entitlements == {"posted": 1}
    assert await ledger.deviations() == []


async def test_a_balance_that_would_overflow_is_refused(ledger: Ledger) -> None:
    await ledger.post(entitlement())
    await ledger.as_administrator("UPDATE ledger.balance SET debits = 9223372036854775806, credits = 9223372036854775806")
    result = await ledger.post(entitlement(revision=2, lines=(("ORG-1", "producer", 149810),)))
    assert result.entitlements == {"AMOUNT_OVERFLOW": 1}


async def test_a_recalculation_replaces_exactly_the_head(ledger: Ledger) -> None:
    await ledger.post(entitlement())
    again: dict[str, Any] = {"calculation": 1, "cause": "recalculation", "replaces": (1, 0)}
    result = await ledger.post(entitlement(lines=(("ORG-1", "producer", 5),), **again))
    assert result.entitlements == {"posted": 1}
    assert (await ledger.balances())["org:ORG-1:payable:USD"] == -5
    assert len(await ledger.values(SALE_OUTCOMES)) == 1, "a recalculation answers no sale"
    assert (await ledger.post(entitlement(lines=(("ORG-1", "producer", 5),), **again))).entitlements == {"repeated": 1}


@pytest.mark.parametrize(
    "members",
    [
        {"calculation": 2, "replaces": (1, 1)},
        {"calculation": 0, "replaces": (1, 0), "lines": (("ORG-1", "producer", 1),)},
        {"calculation": 2, "replaces": (1, 0)},
        {"revision": 2, "calculation": 0, "replaces": (1, 0)},
        {"lot": "LOT-9", "calculation": 1, "replaces": (1, 0)},
    ],
)
async def test_a_recalculation_of_anything_else_is_stale(ledger: Ledger, members: dict[str, Any]) -> None:
    await ledger.post(entitlement())
    stale = entitlement(cause="recalculation", **members)
    result = await ledger.post(stale)
    assert result.entitlements == {"STALE_RECALCULATION": 1}
    (letter,) = await ledger.messages(ENTITLEMENTS_DEAD)
    assert str(DeadLetter.from_headers(letter.headers).origin) == f"{ENTITLEMENTS}/0/{stale.offset}"


@pytest.mark.parametrize("members", [{"content": "other"}, {"origin_offset": 7}])
async def test_a_recalculation_from_another_sale_than_the_accepted_one_is_a_conflict(
    ledger: Ledger, members: dict[str, Any]
) -> None:
    accepted = entitlement(origin_offset=6)
    await ledger.post(accepted, entitlement(content="other", origin_offset=7))
    other = entitlement(calculation=1, cause="recalculation", replaces=(1, 0), **({"origin_offset": 6} | members))
    assert (await ledger.post(other)).entitlements == {"CONFLICTING_PAYLOAD": 1}
    of_sale, of_recalculation = await ledger.messages(ENTITLEMENTS_DEAD)
    assert str(DeadLetter.from_headers(of_sale.headers).origin) == f"{SALES}/0/7"
    assert str(DeadLetter.from_headers(of_recalculation.headers).origin) == f"{ENTITLEMENTS}/0/{other.offset}"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda value: value.pop("stage"),
        lambda value: value.update(revision="1"),
        lambda value: value["premiums"][0]["lines"][0].update(amount="1.234"),
        lambda value: value["premiums"][0]["lines"].append(value["premiums"][0]["lines"][0]),
        lambda value: value["premiums"][0].update(total=1498.08),
    ],
)
async def test_an_unreadable_entitlement_stops_the_consumer_and_nothing_of_its_batch_is_written(
    ledger: Ledger, spoil: object
) -> None:
    value = entitlement_value()
    spoil(value)  # type: ignore[operator]
    bad = record(ENTITLEMENTS, b"k", orjson.dumps(value), entitlement_record(entitlement_value()).headers)
    with pytest.raises(UnreadableEntitlementError, match=f"{ENTITLEMENTS}/0/{bad.offset}"):
        await ledger.post(entitlement(lot="LOT-2"), bad)
    assert await ledger.rows("entitlement", "lot_id") == []


@pytest.mark.parametrize("missing", ["ce_origin", "ce_saletime"])
async def test_an_entitlement_without_its_sales_headers_stops_the_consumer(ledger: Ledger, missing: str) -> None:
    good = entitlement()
    headers = [(name, value) for name, value in good.headers if name != missing]
    with pytest.raises(UnreadableEntitlementError, match=missing):
        await ledger.post(record(ENTITLEMENTS, good.key, good.value, headers))


async def test_a_transaction_too_large_for_one_leaf_becomes_several_of_one_subject(ledger: Ledger) -> None:
    value = entitlement_value()
    long = "S" * 200
    premium = value["premiums"][0]
    value["premiums"] = [premium | {"scheme_id": f"{long}-{row}"} for row in range(16)]
    value["payer_id"] = "ñ" * 256
    value["refiner_id"] = "é" * 256
    value["lot_id"] = "ü" * 256
    value["premiums"][0]["lines"] = [{**premium["lines"][0], "organization_id": "ORG-1"}]
    for row in value["premiums"]:
        row["lines"] = [
            {**premium["lines"][0], "role": role, "organization_id": "á" * 256} for role in ("producer", "community_fund")
        ]
    value["sources"] = [{"organization_id": "á" * 256, "fine_weight_g": "1.000"}]
    value["explanation"][2]["values"] = {f"number.{row}": "9" * 100 for row in range(200)}
    result = await ledger.post(entitlement_record(value))
    leaves = await ledger.leaves()
    rows = await ledger.rows("journal", "leaf_index")
    assert result.entitlements == {"posted": 1}
    assert max(len(row["leaf"]) for row in rows) <= LEAF_BYTES_MAX
    producer = [leaf for leaf in leaves if leaf.subject.kind.value == "org"]
    assert len(producer) > 1
    assert [(leaf.part, leaf.parts, leaf.subject_number) for leaf in producer] == [
        (number, len(producer), number) for number in range(1, len(producer) + 1)
    ]
    assert sum(len(leaf.transfers) for leaf in producer) == 17
    assert len({leaf.transaction_id for leaf in leaves}) == len(leaves)
    assert await ledger.deviations() == []


async def test_leaf_indices_subject_numbers_and_times_run_without_gaps_over_batches(ledger: Ledger) -> None:
    for batch in range(3):
        await ledger.post(*[entitlement(lot=f"LOT-{batch}-{row}") for row in range(4)])
    leaves = await ledger.leaves()
    assert [leaf.leaf_index for leaf in leaves] == list(range(12))
    assert [leaf.subject_number for leaf in leaves] == list(range(1, 13))
    times = [leaf.recorded_at for leaf in leaves]
    assert times == sorted(times)
    assert len(set(times)) == 3, "a batch is recorded at one moment"


async def test_a_crash_before_the_commit_leaves_nothing_and_the_batch_posts_when_it_comes_again(ledger: Ledger) -> None:
    batch = [entitlement(), entitlement(revision=2, lines=FINAL)]

    async def crash() -> None:
        async with ledger.conn.transaction():
            await post_batch(ledger.conn, batch)
            raise CrashError

    with pytest.raises(CrashError):
        await crash()
    assert await ledger.leaves() == []
    assert await ledger.messages(SALE_OUTCOMES) == []
    await ledger.post(*batch)
    assert [leaf.leaf_index for leaf in await ledger.leaves()] == [0]


async def test_a_crash_between_commit_and_acknowledgement_posts_the_premium_once(ledger: Ledger) -> None:
    batch = [entitlement(stage="provisional", lines=PROVISIONAL), entitlement(revision=2, lines=FINAL)]
    await ledger.post(*batch)
    before = await _state(ledger)
    await ledger.post(*batch)
    assert await _state(ledger) == before


async def test_two_writers_post_in_one_order(ledger: Ledger) -> None:
    other = await asyncpg.connect(ledger.environment["PREMIA_LEDGER_DATABASE_URL"])

    async def post(conn: asyncpg.Connection[asyncpg.Record], name: str) -> None:
        for row in range(20):
            async with conn.transaction():
                await post_batch(conn, [entitlement(lot=f"{name}-{row}-{lot}") for lot in range(3)])

    try:
        await asyncio.gather(post(ledger.conn, "A"), post(other, "B"))
    finally:
        await other.close()
    assert [leaf.leaf_index for leaf in await ledger.leaves()] == list(range(120))
    assert await ledger.deviations() == []


async def _state(ledger: Ledger) -> list[object]:
    return [
        await ledger.balances(),
        await ledger.leaves(),
        await ledger.rows("lot_head", "lot_id"),
        await ledger.rows("lot_line", "lot_id"),
        await ledger.rows("quarantine", "origin"),
    ]
