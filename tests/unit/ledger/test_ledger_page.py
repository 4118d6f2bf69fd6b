"""docs/ledger.md shows what the code has: every kind of command, account, transaction and endpoint."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from schemas.ledger_command import LEDGER_COMMAND
from schemas.ledger_endpoints import ENDPOINTS
from schemas.ledger_words import Purpose, TransactionKind
from services.ledger.adapters.command_topic import SUBJECT_KINDS
from services.ledger.limits import BUCKET_LEAVES

PAGE: Final = (Path(__file__).resolve().parents[3] / "docs" / "ledger.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """The text below a heading."""
    return PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]


def test_every_kind_and_use_of_a_command_has_an_example_that_the_contract_takes() -> None:
    found = set()
    for text in re.findall(r"```json\n(.*?)```", PAGE, flags=re.DOTALL):
        command = LEDGER_COMMAND.validate_json(text, strict=True)
        use = getattr(command, "against", None) or getattr(command, "of", None)
        kind = command.kind if use is None else f"{command.kind} {use.kind}"
        owners = SUBJECT_KINDS[kind]
        assert owners is None or command.subject.kind in owners
        found.add(kind)
    assert found == set(SUBJECT_KINDS)


def test_every_purpose_and_every_kind_of_transaction_has_a_row() -> None:
    assert set(re.findall(r"^\| [a-z, ]+ \| `([a-z_]+)` \|", section("Accounts"), flags=re.MULTILINE)) == set(Purpose)
    assert set(re.findall(r"\| `([a-z]+)` \|", section("What is posted"))) == set(TransactionKind)


def test_every_endpoint_has_a_row() -> None:
    table = section("Reading over HTTP")
    account = "/v1/accounts/{owner_kind}/{owner_id}/{purpose}/{unit}"
    for endpoint in ENDPOINTS:
        path = endpoint.path.replace(f"{account}/", "…/")
        path = "/v1/corrections" if path.startswith("/v1/corrections") else path
        assert re.search(rf"^\| `[^|]*{re.escape(path)}`", table, flags=re.MULTILINE), endpoint.path


def test_the_page_says_how_many_leaves_are_summed_together() -> None:
    assert f"{BUCKET_LEAVES:,}" in section("As of when")
