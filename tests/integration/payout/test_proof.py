"""`premia proof` and `premia verify` on real books: what was issued and paid is saved, and proven without them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from tests.integration.payout.books import Books
from tests.integration.payout.listening import Payout
from tests.integration.proofs import LOG, prove_all
from tests.log_files import write_log

LOT = "REF-CH-01/PE-2025-000123"


@pytest.fixture
async def paid(payout: Payout) -> Payout:
    """March is paid, returned, paid again and stated; April is stated too."""
    books = payout.books
    await books.account("ORG-PE-012")
    await books.premium("1498.08")
    await books.settle()
    await books.bank_day("2025-03-31")
    books.now = datetime(2025, 6, 15, 9, 0, tzinfo=UTC)
    for first, last in ((date(2025, 3, 1), date(2025, 3, 31)), (date(2025, 4, 1), date(2025, 4, 30))):
        await books.statements(first, last, ["ORG-PE-012"])
        await books.carry()
    return payout


async def leaves(books: Books) -> list[bytes]:
    async with books.admin() as conn:
        return [bytes(row["leaf"]) for row in await conn.fetch("SELECT leaf FROM ledger.journal ORDER BY leaf_index")]


async def test_a_statement_a_lot_and_a_payout_are_saved_and_proven_offline(paid: Payout, tmp_path: Path) -> None:
    log = write_log(tmp_path / "files", await leaves(paid.books), LOG)
    reference = await paid.books.value("SELECT end_to_end_id FROM payout.attempt")
    saved = await paid.premia("statements", "show", "ORG-PE-012", "--save", str(tmp_path / "saved"))
    assert saved.exit_code == 0, saved.output
    (pdf,) = (tmp_path / "saved").glob("*.pdf")
    words: dict[str, str] = {}
    for kind, name, more in (
        ("statement", "ORG-PE-012/0002-2025-04", ["--copy", str(pdf)]),
        ("lot", LOT, []),
        ("payout", reference, []),
    ):
        file = str(tmp_path / f"{kind}.proof.json")
        made = await paid.premia("proof", kind, name, "--save", file, "--log", str(log))
        assert (made.exit_code, made.stdout) == (0, f"{file}\n"), made.output
        assert f"premia verify {kind} {file}" in made.stderr
        checked = await paid.premia("verify", kind, file, "--key", LOG.verifier_key(), *more)
        assert checked.exit_code == 0, checked.output
        words[kind] = " ".join(checked.stdout.split())
    assert "are, byte for byte, what Premia prints of it" in words["statement"]
    assert "Posted for org ORG-PE-012 as of the newest of these leaves: 2,140.109 g of fine gold, USD 1,498.08" in words["lot"]
    assert reference in words["payout"]


async def test_what_cannot_be_proven_yet_or_at_all_says_why_in_one_line(paid: Payout, tmp_path: Path) -> None:
    all_leaves = await leaves(paid.books)
    log = write_log(tmp_path / "files", all_leaves[:3], LOG)
    file = str(tmp_path / "new")
    for arguments, code, words in (
        (("statement", "0002-2025-04"), 3, "it is sealed in a moment, try again"),
        (("statement", "NOBODY"), 2, "there is no statement NOBODY"),
        (("lot", "0002-2025-04"), 2, "there is no lot"),
        (("payout", "0" * 32), 2, "there is no payout"),
    ):
        refused = await paid.premia("proof", *arguments, "--save", file, "--log", str(log))
        assert (refused.exit_code, refused.stdout) == (code, ""), refused.output
        assert words in refused.stderr
    for place, code, words in (
        (tmp_path / "empty", 3, "has no checkpoint yet"),
        ("http://127.0.0.1:1", 3, "the log cannot be used"),
        (tmp_path / "missing", 2, "is no folder"),
    ):
        (tmp_path / "empty").mkdir(exist_ok=True)
        refused = await paid.premia("proof", "lot", LOT, "--save", file, "--log", str(place))
        assert (refused.exit_code, words in refused.stderr) == (code, True), refused.output
    await paid.books.statements(date(2025, 5, 1), date(2025, 5, 31), ["ORG-PE-012"])
    refused = await paid.premia("proof", "statement", "0003-2025-05", "--save", file, "--log", str(log))
    assert (refused.exit_code, "is not on record yet" in refused.stderr) == (4, True), refused.output
    assert not (tmp_path / "new").exists()
    refused = await paid.premia("proof", "lot", LOT, "--save", str(log / "checkpoint"), "--log", str(log))
    assert (refused.exit_code, "is there already" in refused.stderr) == (2, True)


async def test_an_auditor_finds_all_of_it(paid: Payout, tmp_path: Path) -> None:
    async with paid.books.admin() as conn:
        assert await prove_all(conn, tmp_path / "files", paid.books.document) == {"statement": 2, "lot": 1, "payout": 1}
