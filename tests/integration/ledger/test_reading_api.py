"""Reading the ledger over HTTP: every answer keeps its published contract, pages never shift, and what names its size stays."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openapi_spec_validator import validate

from schemas.base64url import base64url, from_base64url
from schemas.ledger_endpoints import ENDPOINTS
from services.ledger.limits import BUCKET_LEAVES
from services.ledger.use_cases import account_balances, account_postings, read_transactions, sum_account_days
from services.ledger.use_cases.sum_account_days import sum_next_bucket
from tests.integration.ledger.api import LedgerApi, document, fault, running_api
from tests.integration.ledger.conftest import Ledger
from tests.integration.ledger.records import clear, entitlement, reserve, settle, suspend, uuid_of
from tests.integration.ledger.test_corrections import PAYER, line, proposal
from tests.soak import examples

PAYABLE = "/v1/accounts/org/ORG-1/payable/USD"
RECEIVABLE = "/v1/accounts/payer/PAY-1/receivable/USD"


@pytest.fixture
async def api(ledger: Ledger, tmp_path: Path) -> AsyncIterator[LedgerApi]:
    async with running_api(ledger, tmp_path) as api:
        yield api


@pytest.fixture(params=[BUCKET_LEAVES, 3], ids=["added up", "summed"])
def leaves_of_a_bucket(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Buckets as they are, which none of these small ledgers fills, and tiny ones."""
    size: int = request.param
    for module in (account_balances, account_postings, read_transactions, sum_account_days):
        monkeypatch.setattr(module, "BUCKET_LEAVES", size)
    return size


async def filled(ledger: Ledger) -> None:
    """Ten premiums of three organizations, a payment, and two bookings in suspense."""
    for number in range(10):
        owner = f"ORG-{number % 3}"
        await ledger.post(entitlement(lot=f"LOT-{number}", lines=((owner, "producer", 100 + number),)))
    await ledger.post(
        reserve("R", ["1.00"]), settle("R", "B-1"), suspend("B-2", "5.00"), suspend("B-3", "7.00", direction="DBIT")
    )
    while await sum_next_bucket(ledger.conn):
        pass


async def pages(api: LedgerApi, path: str, member: str, *, limit: int) -> list[Any]:
    """All rows of a list, page by page."""
    rows: list[Any] = []
    cursor = ""
    while True:
        answer = await api.get(f"{path}{'&' if '?' in path else '?'}limit={limit}{cursor}")
        assert answer.status == 200, answer.body
        assert len(answer.body[member]) <= limit
        rows += answer.body[member]
        if answer.body["next_cursor"] is None:
            return rows
        cursor = f"&cursor={answer.body['next_cursor']}"


def test_the_published_document_is_valid_openapi() -> None:
    validate(document())


async def test_every_endpoint_answers_as_its_contract_says(ledger: Ledger, api: LedgerApi) -> None:
    await filled(ledger)
    made = await api.post("/v1/corrections", proposal("C", PAYER, line("receivable", "debit", "1.00")), actor="ana")
    correction = f"/v1/corrections/{uuid_of('C')}"
    leaf = (await ledger.leaves())[0]
    asked = {
        "list_accounts": "/v1/accounts",
        "read_account": f"{PAYABLE}?tree_size=5",
        "read_account_statement": f"{RECEIVABLE}/postings?from=2025-01-01&to=2025-12-31",
        "list_transactions_of_account": f"{RECEIVABLE}/transactions",
        "list_transactions_of_lot": "/v1/lots/REF-1/LOT-1/transactions",
        "list_transactions_of_payout": f"/v1/payouts/{uuid_of('R')}/transactions",
        "read_transaction": f"/v1/transactions/{leaf.transaction_id}",
        "read_trial_balance": "/v1/trial-balance?effective_on=2025-03-15",
        "list_suspense": "/v1/suspense",
        "list_corrections": "/v1/corrections?state=proposed",
        "read_correction": correction,
    }
    answers = {name: await api.get(path) for name, path in asked.items()}
    assert {name: answer.status for name, answer in answers.items()} == dict.fromkeys(asked, 200)
    for name, path in asked.items():
        again = await api.get(path, headers={"If-None-Match": answers[name].headers["ETag"]})
        assert (again.status, again.body, fault(path, "get", again)) == (304, None, None), name
    faults = {name: fault(asked[name], "get", answer) for name, answer in answers.items()}
    faults["propose_correction"] = fault("/v1/corrections", "post", made)
    for verb in ("approve", "withdraw"):
        answer = await api.post(f"{correction}/{verb}", actor="bruno")
        faults[f"{verb}_correction"] = fault(f"{correction}/{verb}", "post", answer)
    assert faults == {endpoint.name: None for endpoint in ENDPOINTS}


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/accounts?limit=0", 400, "SCHEMA_INVALID"),
        ("/v1/accounts?limit=1001", 400, "SCHEMA_INVALID"),
        ("/v1/accounts?unknown=1", 400, "SCHEMA_INVALID"),
        ("/v1/accounts?limit=5&limit=6", 400, "SCHEMA_INVALID"),
        ("/v1/accounts?tree_size=-1", 400, "SCHEMA_INVALID"),
        ("/v1/accounts?tree_size=1&recorded_by=2025-01-01T00:00:00Z", 400, "SCHEMA_INVALID"),
        ("/v1/accounts?recorded_by=2025-01-01T00:00:00", 400, "SCHEMA_INVALID"),
        ("/v1/accounts?effective_on=1.3.2025", 400, "SCHEMA_INVALID"),
        (f"{PAYABLE}/postings?from=2025-03-16&to=2025-03-15", 400, "SCHEMA_INVALID"),
        ("/v1/accounts?tree_size=99", 404, "TREE_SIZE_UNKNOWN"),
        ("/v1/accounts?cursor=AAAA", 400, "CURSOR_INVALID"),
        ("/v1/accounts?cursor=%20", 400, "SCHEMA_INVALID"),
        (f"/v1/accounts?cursor={'A' * 3001}", 400, "SCHEMA_INVALID"),
        ("/v1/accounts/org/ORG-9/payable/USD", 404, "UNKNOWN_ACCOUNT"),
        ("/v1/accounts/org/ORG-9/payable/USD/postings", 404, "UNKNOWN_ACCOUNT"),
        ("/v1/accounts/nobody/ORG-1/payable/USD", 400, "SCHEMA_INVALID"),
        ("/v1/lots/REF-1/LOT-99/transactions", 404, "LOT_UNKNOWN"),
        (f"/v1/payouts/{uuid_of('none')}/transactions", 404, "UNKNOWN_RESERVATION"),
        (f"/v1/transactions/{uuid_of('none')}", 404, "UNKNOWN_TRANSACTION"),
        ("/v1/transactions/1", 400, "SCHEMA_INVALID"),
        ("/v1/lots/REF-1/LOT-1/transactions?limit=201", 400, "SCHEMA_INVALID"),
    ],
)
async def test_what_cannot_be_answered_is_refused_with_a_code_and_words(
    ledger: Ledger, api: LedgerApi, path: str, status: int, code: str
) -> None:
    await filled(ledger)
    answer = await api.get(path)
    assert (answer.status, answer.code, fault(path, "get", answer)) == (status, code, None), answer.body
    assert answer.body["message"]


async def test_a_path_or_method_that_is_not_there_is_refused_in_the_same_form(api: LedgerApi) -> None:
    assert (await api.get("/v1/nothing")).code == "PATH_UNKNOWN"
    assert (await api.post("/v1/suspense", {}, actor="ana")).code == "METHOD_UNKNOWN"


async def test_reading_needs_somebodys_token(api: LedgerApi) -> None:
    for endpoint in ENDPOINTS:
        path = endpoint.path.replace("{owner_kind}", "org").replace("{unit}", "USD")
        async with api.session.request(endpoint.method, api.url + path) as answer:
            assert (answer.status, (await answer.json())["code"]) == (401, "UNKNOWN_ACTOR")


async def test_balances_are_those_of_now_of_a_day_and_of_a_tree_size(ledger: Ledger, api: LedgerApi) -> None:
    await filled(ledger)
    now = (await api.get("/v1/accounts?owner_id=ORG-1")).body
    assert [(row["account"], row["balance"]) for row in now["accounts"]] == [
        ("org:ORG-1:gold:AU-MG", "-3.000"),
        ("org:ORG-1:in_transit:USD", "0.00"),
        ("org:ORG-1:payable:USD", "-2.12"),
    ]
    at_five = (await api.get(f"{PAYABLE}?tree_size=5")).body
    assert (at_five["balance_minor"], at_five["tree_size"]) == (-101 - 104, 5)
    before = await api.get(f"{PAYABLE}?effective_on=2025-03-14")
    assert (before.status, before.code) == (404, "UNKNOWN_ACCOUNT")
    totals = (await api.get("/v1/trial-balance?tree_size=10")).body["units"]
    assert [(row["unit"], row["debits_minor"], row["credits_minor"]) for row in totals] == [
        ("AU-MG", 10_000, 10_000),
        ("USD", 1045, 1045),
    ]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
async def test_pages_give_every_row_once_whatever_is_posted_meanwhile(
    ledger: Ledger, api: LedgerApi, leaves_of_a_bucket: int, limit: int
) -> None:
    await filled(ledger)
    whole = {
        (path, member): (await api.get(path)).body[member]
        for path, member in (
            ("/v1/accounts", "accounts"),
            (f"{RECEIVABLE}/postings", "postings"),
            (f"{RECEIVABLE}/transactions", "transactions"),
            ("/v1/suspense", "bookings"),
        )
    }
    assert all(whole.values())
    for (path, member), rows in whole.items():
        assert await pages(api, path, member, limit=limit) == rows
    first = (await api.get(f"{RECEIVABLE}/postings?limit=2")).body
    accounts = (await api.get("/v1/accounts?limit=2")).body
    await ledger.post(
        entitlement(lot="LATER", lines=(("ORG-0", "producer", 9),)), entitlement(lot="LOT-0", revision=2, lines=())
    )
    rest = await pages_after(api, f"{RECEIVABLE}/postings", "postings", first["next_cursor"])
    assert first["postings"] + rest == whole[f"{RECEIVABLE}/postings", "postings"]
    rest = await pages_after(api, "/v1/accounts", "accounts", accounts["next_cursor"])
    assert accounts["accounts"] + rest == whole["/v1/accounts", "accounts"]


async def pages_after(api: LedgerApi, path: str, member: str, cursor: str) -> list[Any]:
    """The rows after a cursor, two at a time."""
    rows: list[Any] = []
    following: str | None = cursor
    while following is not None:
        body = (await api.get(f"{path}?limit=2&cursor={following}")).body
        rows += body[member]
        following = body["next_cursor"]
    return rows


async def test_an_account_statement_adds_up_on_every_page(ledger: Ledger, api: LedgerApi, leaves_of_a_bucket: int) -> None:
    await filled(ledger)
    body = (await api.get(f"{RECEIVABLE}/postings?tree_size=8&from=2025-03-15")).body
    assert (body["opening_minor"], body["closing_minor"], body["from"], body["to"]) == (0, 828, "2025-03-15", None)
    postings = await pages(api, f"{RECEIVABLE}/postings?tree_size=8&from=2025-03-15", "postings", limit=3)
    running = 0
    for posting in postings:
        running += posting["amount_minor"]
        assert posting["balance_minor"] == running
    assert running == body["closing_minor"]
    assert (await api.get(f"{RECEIVABLE}/postings?to=2025-03-14")).body["postings"] == []


async def test_transactions_are_found_by_account_lot_and_payout(
    ledger: Ledger, api: LedgerApi, leaves_of_a_bucket: int
) -> None:
    await filled(ledger)
    await ledger.post(entitlement(lot="LOT-1", revision=2, lines=(("ORG-2", "producer", 5),)))

    async def leaves(path: str) -> list[tuple[int, str]]:
        found = (await api.get(f"{path}/transactions")).body["transactions"]
        return [(row["leaf_index"], row["kind"]) for row in found]

    assert await leaves("/v1/lots/REF-1/LOT-1") == [(1, "premium"), (14, "premium"), (15, "premium")]
    assert await leaves(f"/v1/payouts/{uuid_of('R')}") == [(10, "reserved"), (11, "settled")]
    assert await leaves("/v1/accounts/org/ORG-1/payable/USD") == [
        (1, "premium"),
        (4, "premium"),
        (7, "premium"),
        (10, "reserved"),
        (14, "premium"),
    ]
    assert await leaves("/v1/accounts/programme/programme/bank/USD") == [(11, "settled"), (12, "suspended"), (13, "suspended")]


async def test_a_transaction_comes_with_the_bytes_that_the_log_hashed(ledger: Ledger, api: LedgerApi) -> None:
    await filled(ledger)
    (stored, *_) = await ledger.rows("journal", "leaf_index")
    body = (await api.get(f"/v1/transactions/{stored['transaction_id']}")).body
    leaf = base64.b64decode(body["leaf"])
    assert leaf == stored["leaf"]
    assert body["leaf_hash"] == hashlib.sha256(b"\0" + leaf).hexdigest()
    assert body["transaction"] == json.loads(leaf)


async def test_what_names_its_tree_size_is_kept_for_ever_and_the_rest_is_asked_for_again(
    ledger: Ledger, api: LedgerApi
) -> None:
    await filled(ledger)
    for path, kept in ((f"{PAYABLE}?tree_size=5", True), (PAYABLE, False)):
        answer = await api.get(path)
        assert ("immutable" in answer.headers["Cache-Control"]) is kept
        again = await api.get(path, headers={"If-None-Match": answer.headers["ETag"]})
        assert (again.status, again.body) == (304, None)
        await ledger.post(entitlement(lot=f"NEW-{kept}", lines=(("ORG-1", "producer", 1),)))
        after = await api.get(path, headers={"If-None-Match": answer.headers["ETag"]})
        assert after.status == (304 if kept else 200)


async def test_a_page_of_a_tree_size_is_the_same_to_the_byte_whatever_accounts_came_since(
    ledger: Ledger, api: LedgerApi, leaves_of_a_bucket: int
) -> None:
    await filled(ledger)
    asked = [f"/v1/accounts?tree_size={size}&limit={limit}" for size in (0, 1, 3, 14) for limit in (1, 2, 5, 100)]
    kept = {path: (await api.get(path)).body for path in asked}
    for path in asked:
        if kept[path]["next_cursor"] is not None:
            following = f"{path}&cursor={kept[path]['next_cursor']}"
            kept[following] = (await api.get(following)).body
            assert kept[following]["accounts"], "a page that is told of has something on it"
    await ledger.post(
        *(entitlement(lot=f"NEW-{owner}", lines=((owner, "producer", 9),)) for owner in ("A", "ORG-0a", "ORG-1a", "ORG-9"))
    )
    assert {path: (await api.get(path)).body for path in kept} == kept


async def test_a_cursor_of_a_tree_size_that_is_not_there_yet_is_none(ledger: Ledger, api: LedgerApi) -> None:
    await filled(ledger)
    cursor = (await api.get("/v1/accounts?limit=1")).body["next_cursor"]
    question, tree_size, *place = json.loads(from_base64url(cursor) or b"")
    forged = base64url(json.dumps([question, tree_size + 1, *place]).encode())
    assert (await api.get(f"/v1/accounts?limit=1&cursor={forged}")).code == "CURSOR_INVALID"


async def test_suspense_lists_what_is_open_oldest_first(ledger: Ledger, api: LedgerApi) -> None:
    await filled(ledger)
    await ledger.post(clear("C", "B-2", "2.00", ("payer", "PAY-1"), kind="receivable"))
    await ledger.post(clear("D", "B-3", "7.00", ("programme", "sample"), kind="charges"))
    assert (await api.get("/v1/suspense")).body == {
        "bookings": [
            {
                "booking_key": "B-2",
                "unit": "USD",
                "direction": "CRDT",
                "booked_on": "2025-03-27",
                "amount_minor": 500,
                "open_minor": 300,
            }
        ],
        "next_cursor": None,
    }


async def test_a_cursor_is_for_the_question_that_it_was_given_for(ledger: Ledger, api: LedgerApi) -> None:
    await filled(ledger)
    cursor = (await api.get("/v1/accounts?limit=1")).body["next_cursor"]
    assert (await api.get(f"/v1/accounts?limit=9&cursor={cursor}")).status == 200
    for path in (f"/v1/accounts?owner_kind=org&cursor={cursor}", f"/v1/suspense?cursor={cursor}"):
        assert (await api.get(path)).code == "CURSOR_INVALID"


async def test_ids_with_any_sign_are_found(ledger: Ledger, api: LedgerApi) -> None:
    odd = "Año 50%? :#ñ"
    await ledger.post(entitlement(lot=odd, lines=((odd, "producer", 100),)))
    assert (await api.get(f"/v1/accounts/org/{quote(odd, safe='')}/payable/USD")).body["balance_minor"] == -100
    assert len((await api.get(f"/v1/lots/REF-1/{quote(odd, safe='')}/transactions")).body["transactions"]) == 1


@settings(
    max_examples=examples(60),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    path=st.sampled_from(
        ["/v1/accounts", f"{PAYABLE}/postings", f"{PAYABLE}/transactions", "/v1/suspense", "/v1/trial-balance"]
    ),
    query=st.dictionaries(
        st.sampled_from(["cursor", "limit", "tree_size", "recorded_by", "effective_on", "from", "to", "owner_id", "unit"]),
        st.text(max_size=30)
        | st.sampled_from(["0", "5", "2025-03-15", "0001-01-01", "9999-12-31", "2025-03-15T00:00:00Z", "USD"]),
        max_size=4,
    ),
    forged=st.none() | st.lists(st.integers() | st.text(max_size=5) | st.none() | st.booleans(), max_size=5),
)
async def test_no_question_makes_the_service_fail(
    api: LedgerApi, path: str, query: dict[str, str], forged: list[Any] | None
) -> None:
    if forged is not None:
        query["cursor"] = base64.urlsafe_b64encode(json.dumps(forged).encode()).rstrip(b"=").decode()
    text = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
    answer = await api.get(f"{path}?{text}")
    assert answer.status in {200, 400, 404}
    assert fault(path, "get", answer) is None
