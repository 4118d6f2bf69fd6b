"""The ledger in formats of others: Beancount agrees with it to the last digit, and nothing is lost in rows or leaves."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections import Counter
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from premia.ledger_export.beancount import beancount_lines
from premia.ledger_export.heading import Heading
from premia.ledger_export.leaves import json_lines
from premia.ledger_export.rows import csv_lines
from tests.integration.ledger.conftest import Ledger
from tests.integration.ledger.records import clear, command, entitlement, reserve, settle, suspend
from tests.integration.ledger.test_exchange import exchange

BEAN_CHECK = Path(sys.executable).with_name("bean-check")
ODD_IDS = ("lower-case", "Año 50%", 'quote"d\\', "Id-41", "9", "ORG-2")


async def filled(ledger: Ledger) -> None:
    """Every kind of transaction, owners with ids that Beancount would not take, and a correction down."""
    await ledger.post(entitlement(), *(entitlement(lot=f"L {id_}", lines=((id_, "producer", 12345),)) for id_ in ODD_IDS))
    await ledger.post(entitlement(revision=2, lines=(("ORG-1", "producer", 100000), ("FUND", "community_fund", 7))))
    await ledger.post(reserve("R", ["300.00", "112.36"], seen=9), settle("R", "B-1"))
    await ledger.post(
        command("return", "return", ("org", "ORG-1"), reservation="R", credited="387.36", charges="25.00", booking_key="B-2"),
        command("receive", "receive", ("payer", "PAY-1"), currency="USD", amount="2000.00", booking_key="B-3"),
        command("attest", "attest", ("org", "ORG-1"), attestation="statement", sha256="a" * 64),
        suspend("B-4", "5.00"),
        suspend("B-5", "7.00", direction="DBIT"),
        clear("c", "B-4", "1.00", ("programme", "sample"), kind="booking", booking_key="B-5"),
        exchange("X", "100.00", "375.25", "3.7525", of={"kind": "bank"}),
        exchange("Y", "100.00", "95010", "950.1", currencies=("USD", "CLP"), of={"kind": "bank"}),
    )


def heading(tree_size: int, *, synthetic: bool | None = True) -> Heading:
    return Heading("sample", "Programa de primas", synthetic, tree_size)


async def exported(ledger: Ledger, form: Any, tree_size: int | None = None, *, synthetic: bool | None = True) -> str:
    """The whole file."""
    size = len(await ledger.rows("journal", "leaf_index")) if tree_size is None else tree_size
    async with ledger.conn.transaction():
        return "".join([line + "\n" async for line in form(ledger.conn, heading(size, synthetic=synthetic))])


def bean_check(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    """What the tool says of a file."""
    file = folder / "ledger.beancount"
    file.write_text(text, encoding="utf-8")
    return subprocess.run([BEAN_CHECK, file], capture_output=True, text=True, check=False, timeout=60)


async def test_bean_check_finds_the_balances_that_the_ledger_has(ledger: Ledger, tmp_path: Path) -> None:
    await filled(ledger)
    text = await exported(ledger, beancount_lines)
    checked = bean_check(tmp_path, text)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
    assert text.count(" balance ") == len(await ledger.rows("account", "account_id"))
    assert "balance Liabilities:Payable:Org:ORG-1  -1000.00 ~ 0 USD" in text
    assert 'account: "org:Año 50%:payable"' in text


async def test_bean_check_finds_a_balance_that_is_off_by_one_of_the_last_digit(ledger: Ledger, tmp_path: Path) -> None:
    await filled(ledger)
    text = await exported(ledger, beancount_lines)
    assert bean_check(tmp_path, text.replace("ORG-1  -1000.00 ~ 0 USD", "ORG-1  -1000.01 ~ 0 USD")).returncode == 1
    assert bean_check(tmp_path, text.replace("1498.08 USD", "1498.09 USD", 1)).returncode == 1


@pytest.mark.parametrize("tree_size", [0, 1, 7, 12])
async def test_an_earlier_tree_size_is_a_whole_ledger_too(ledger: Ledger, tmp_path: Path, tree_size: int) -> None:
    await filled(ledger)
    forms = (beancount_lines, csv_lines, json_lines)
    before = [await exported(ledger, form, tree_size) for form in forms]
    assert bean_check(tmp_path, before[0]).returncode == 0
    await ledger.post(entitlement(lot="LATER", lines=(("ORG-NEW", "producer", 5),)))
    assert [await exported(ledger, form, tree_size) for form in forms] == before


async def test_rows_add_up_to_the_balances(ledger: Ledger) -> None:
    await filled(ledger)
    rows = list(csv.DictReader(StringIO(await exported(ledger, csv_lines))))
    assert len(rows) == len(await ledger.rows("transfer", "leaf_index"))
    total: Counter[str] = Counter()
    for row in rows:
        digits = {"AU-MG": 3, "CLP": 0}.get(row["unit"], 2)
        amount = int(Decimal(row["amount"]).scaleb(digits))
        total[f"{row['debit']}:{row['unit']}"] += amount
        total[f"{row['credit']}:{row['unit']}"] -= amount
    assert {name: balance for name, balance in total.items() if balance} == await ledger.balances()
    assert {row["synthetic"] for row in rows} == {"yes"}
    odd = next(row for row in rows if row["lot_id"] == 'L quote"d\\')
    assert odd["debit"] in {"payer:PAY-1:receivable", "refiner:REF-1:gold"}


async def test_ids_that_read_like_a_formula_are_texts_in_a_spreadsheet(ledger: Ledger) -> None:
    await ledger.post(entitlement(lot="=1+1", lines=(("@SUM(A1)", "producer", 12345),)))
    rows = list(csv.DictReader(StringIO(await exported(ledger, csv_lines))))
    assert {row["lot_id"] for row in rows} == {"'=1+1"}
    assert {row["credit"] for row in rows} == {"org:@SUM(A1):payable", "org:@SUM(A1):gold"}


async def test_every_leaf_is_a_line_byte_for_byte(ledger: Ledger) -> None:
    await filled(ledger)
    first, *leaves = (await exported(ledger, json_lines)).splitlines()
    assert json.loads(first)["heading"]["synthetic"] is True
    assert [leaf.encode() for leaf in leaves] == [row["leaf"] for row in await ledger.rows("journal", "leaf_index")]


@pytest.mark.parametrize(("synthetic", "told"), [(True, True), (False, False), (None, False)])
async def test_what_is_made_up_says_so_first(ledger: Ledger, synthetic: bool | None, told: bool) -> None:
    await filled(ledger)
    text = await exported(ledger, beancount_lines, synthetic=synthetic)
    assert ("SYNTHETIC DATA" in text.split("option", 1)[0]) is told
