"""Payout's HTTP API and the commands that speak to it, on one programme: what they change, and how they refuse."""

from __future__ import annotations

import asyncio
import hashlib
import json
import socket
from pathlib import Path

import pytest

from tests.integration.payout.listening import Payout


async def test_a_programme_is_settled_over_http(payout: Payout) -> None:
    books = payout.books
    _, claims = await payout.ask("GET", "/v1/accounts/claims", "carla")
    status, proposed = await payout.ask("POST", "/v1/accounts/propose", "carla", {"accounts": claims["claims"]})
    assert (status, [entry["refused"] for entry in proposed["accounts"]]) == (200, [None] * 3)
    checks = [{"account_id": entry["account_id"], "method": "call_back", "on": "2025-03-13"} for entry in proposed["accounts"]]
    _, by_proposer = await payout.ask("POST", "/v1/accounts/verify", "carla", {"accounts": checks})
    assert {entry["refused"]["code"] for entry in by_proposer["accounts"]} == {"SAME_ACTOR"}
    _, verified = await payout.ask("POST", "/v1/accounts/verify", "diego", {"accounts": checks})
    assert [entry["verified_now"] for entry in verified["accounts"]] == [True] * 3

    await books.premium("1498.08")
    await books.premium("60.00", organization_id="ORG-PE-013", lot_id="SMALL")
    await books.carry()
    status, cycle = await payout.ask("POST", "/v1/cycles", "ana", {"on": "2025-03-27"})
    assert (status, cycle["created"], cycle["state"]) == (201, True, "preparing")
    status, _ = await payout.ask("POST", "/v1/cycles", "ana", {"on": "2025-03-27"})
    assert status == 200
    path = f"/v1/cycles/{cycle['cycle_id']}"
    status, refused = await payout.ask("POST", f"{path}/approve", "bruno")
    assert (status, refused["code"]) == (409, "CYCLE_NOT_READY")
    await books.carry()
    status, refused = await payout.ask("POST", f"{path}/approve", "ana")
    assert (status, refused["code"]) == (403, "ROLE_MISSING")
    status, approved = await payout.ask("POST", f"{path}/approve", "bruno")
    assert (status, approved["state"], approved["approved_by"]) == (200, "approved", "bruno")
    await books.carry()
    await books.send()
    await asyncio.to_thread(books.bank.scan)
    await asyncio.to_thread(books.bank.advance_to, "2025-03-31")
    status, scanned = await payout.ask("POST", "/v1/bank/scan", "ana")
    assert status == 200
    assert {file["outcome"] for file in scanned["files"]} == {"read", "quarantined"}
    await books.carry()

    _, shown = await payout.ask("GET", path, "ana")
    assert shown["finished"]
    assert shown["orders"] == {"settled": 1}
    assert [row["outcome"] for row in shown["organizations"]] == ["ordered", "carried_over"]
    _, summary = await payout.ask("GET", "/v1/summary", "ana")
    usd = summary["currencies"]["USD"]
    assert (usd["earned"], usd["transferred"], usd["carried_over"]) == ("1558.08", "1498.08", {"BELOW_MINIMUM": "60.00"})
    _, organization = await payout.ask("GET", "/v1/organizations/ORG-PE-012", "ana")
    assert organization["lots"][0]["state"] == "transferred"
    period = {"from": "2025-03-01", "to": "2025-03-31"}
    _, issued = await payout.ask("POST", "/v1/statements", "carla", {"period": period})
    (statement,) = issued["statements"]
    async with payout.session.get(
        f"{payout.url}/v1/documents/{statement['pdf_sha256']}", headers={"Authorization": "Bearer token of ana"}
    ) as answer:
        assert answer.content_type == "application/pdf"
        assert hashlib.sha256(await answer.read()).hexdigest() == statement["pdf_sha256"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", "/v1/cycles", {}, 400, "SCHEMA_INVALID"),
        ("POST", "/v1/cycles", {"on": "27/03/2025"}, 400, "SCHEMA_INVALID"),
        ("POST", "/v1/cycles", {"on": "2025-03-27", "force": True}, 400, "SCHEMA_INVALID"),
        ("POST", "/v1/cycles/none/approve", None, 400, "SCHEMA_INVALID"),
        ("POST", "/v1/cycles/6f1e1d2c-0000-4000-8000-000000000000/approve", None, 404, "CYCLE_UNKNOWN"),
        ("GET", "/v1/cycles/6f1e1d2c-0000-4000-8000-000000000000", None, 404, "CYCLE_UNKNOWN"),
        ("GET", "/v1/organizations/NOBODY", None, 404, "ORGANIZATION_UNKNOWN"),
        ("GET", f"/v1/documents/{'0' * 64}", None, 404, "DOCUMENT_UNKNOWN"),
        ("POST", "/v1/accounts/verify", {"accounts": []}, 400, "SCHEMA_INVALID"),
    ],
)
async def test_a_wrong_request_is_told_what_is_wrong(  # noqa: PLR0917  one for each column of the table
    payout: Payout, method: str, path: str, body: object, status: int, code: str
) -> None:
    answered, refused = await payout.ask(method, path, "bruno", body)
    assert (answered, refused["code"]) == (status, code)
    assert refused["message"]


async def test_nobody_acts_without_a_token(payout: Payout) -> None:
    async with payout.session.post(f"{payout.url}/v1/cycles", json={"on": "2025-03-27"}) as answer:
        assert (answer.status, (await answer.json())["code"]) == (401, "UNKNOWN_ACTOR")


async def test_the_command_line_tells_what_changed_and_what_comes_next(payout: Payout, tmp_path: Path) -> None:
    books = payout.books
    done = await payout.premia("accounts", "propose", "--all", actor="carla")
    assert (done.exit_code, "ORG-PE-012  USD  proposed" in done.stdout) == (0, True)
    done = await payout.premia("accounts", "verify", "--all", "--method", "call_back", "--on", "2025-03-13", actor="diego")
    assert (done.exit_code, "3 accounts verified." in done.stderr) == (0, True)
    listed = await payout.premia("accounts", "list")
    assert "…3344" in listed.stdout
    await books.premium("1498.08")
    await books.carry()
    done = await payout.premia("settle", "--on", "2025-03-27")
    assert done.exit_code == 0
    assert "to pay" in done.stdout
    assert "USD 1,498.08" in done.stdout
    assert "Next: another person approves it" in done.stderr
    await books.carry()
    refused = await payout.premia("payouts", "approve", "2025-03-27", actor="diego")
    assert refused.exit_code == 0, refused.stderr
    await books.carry()
    await books.send()
    await books.bank_day("2025-03-31")
    shown = await payout.premia("payouts", "show", "2025-03-27")
    assert "settled" in shown.stdout
    assert "Bank file pain001-" in shown.stdout
    issued = await payout.premia("statements", "issue", "--from", "2025-03-01", "--to", "2025-03-31", actor="carla")
    assert (issued.exit_code, "1 statement issued" in issued.stderr) == (0, True)
    saved = await payout.premia("statements", "show", "ORG-PE-012", "--save", str(tmp_path / "saved"))
    assert "closing" in saved.stdout
    names = sorted(path.name for path in (tmp_path / "saved").iterdir())
    assert names == ["ORG-PE-012-0001-2025-03.json", "ORG-PE-012-0001-2025-03.pdf"]
    about = await payout.premia("organization", "ORG-PE-012")
    assert "transferred" in about.stdout
    assert "PE-2025-000123" in about.stdout
    as_json = await payout.premia("organization", "ORG-PE-012", "--json")
    assert json.loads(as_json.stdout)["currencies"]["USD"]["transferred"] == "1498.08"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["settle", "--on", "2025-03-27"], 4, "ROLE_MISSING"),
        (["settle", "--on", "yesterday"], 2, "does not match"),
        (["payouts", "approve", "2025-03-27"], 4, "there is no cycle"),
        (["accounts", "propose"], 2, "name organizations"),
        (["accounts", "propose", "NOBODY"], 4, "ROLE_MISSING"),
        (["accounts", "verify", "NOBODY", "--method", "x", "--on", "2025-03-13"], 4, "no account waits"),
        (["organization", "NOBODY"], 4, "ORGANIZATION_UNKNOWN"),
        (["statements", "show", "NOBODY"], 4, "there is no statement"),
    ],
)
async def test_a_refused_command_says_why_in_one_line(payout: Payout, arguments: list[str], code: int, words: str) -> None:
    done = await payout.premia(*arguments, actor="bruno")
    assert (done.exit_code, words in done.stderr) == (code, True), done.output


async def test_a_payout_that_does_not_answer_is_one_line_and_exit_3(payout: Payout) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        payout.url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    done = await payout.premia("payouts", "list")
    assert done.exit_code == 3
    assert len(done.stderr.strip().splitlines()) == 1
