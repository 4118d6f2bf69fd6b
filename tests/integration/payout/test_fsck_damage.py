"""Each way to damage payout's books behind its back is found by fsck, and named with its place; nothing else is."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Final

import pytest

from tests.integration.damage import damage, unseen_columns
from tests.integration.payout.books import Books

MARCH: Final = (date(2025, 3, 1), date(2025, 3, 31))
APRIL: Final = (date(2025, 4, 1), date(2025, 4, 30))


async def fill(books: Books) -> None:
    """Two payments, one of which comes back, and a statement for each of two months."""
    await books.account("ORG-PE-012")
    await books.account("ORG-PE-013")
    await books.premium("1498.08")
    await books.premium("500.00", lot_id="OTHER", payer_id="PAY-02")
    await books.premium("700.00", lot_id="THIRD", organization_id="ORG-PE-013")
    await books.settle()
    await books.bank_day("2025-03-31")
    books.now = datetime(2025, 6, 15, 9, 0, tzinfo=UTC)
    await books.statements(*MARCH)
    await books.premium("60.00", lot_id="SMALL", on=date(2025, 4, 10))
    await books.carry()
    await books.statements(*APRIL, ["ORG-PE-012"])
    await books.carry()


SETTLED: Final = "(SELECT order_id FROM payout.payout_order WHERE subject_id = 'ORG-PE-012')"
DAMAGES: Final[dict[str, tuple[str, dict[str, str]]]] = {
    "a leaf of the view": (
        "UPDATE payout.ledger_transaction SET leaf = leaf || ' ' WHERE leaf_index = 0",
        {"VIEW_NOT_THE_JOURNAL": "leaf 0"},
    ),
    "a leaf is gone from the view": (
        "DELETE FROM payout.ledger_transaction WHERE leaf_index = 0",
        {"VIEW_NOT_THE_JOURNAL": "payout's tree size", "VIEW_POSTING_WRONG": "leaf 0: org:ORG-PE-012:payable:USD"},
    ),
    "the view is ahead": (
        "UPDATE payout.ledger_view SET tree_size = tree_size + 1",
        {"VIEW_NOT_THE_JOURNAL": "payout's tree size"},
    ),
    "a posting": (
        "UPDATE payout.posting SET amount_minor = amount_minor + 1 WHERE leaf_index = 0",
        {"VIEW_POSTING_WRONG": "leaf 0: org:ORG-PE-012:payable:USD"},
    ),
    "an open item": (
        "UPDATE payout.open_item SET amount_minor = amount_minor + 1 WHERE leaf_index = 0",
        {
            "VIEW_POSTING_WRONG": "open item of leaf 0: producer, USD, sbg, PAY-01",
            "ORDER_NOT_ITS_ITEMS": "order ",
        },
    ),
    "one payer's premium pays another's": (
        "UPDATE payout.open_item SET payer_id = 'PAY-01' WHERE lot_id = 'OTHER'",
        {
            "VIEW_POSTING_WRONG": "open item of leaf 1: producer, USD, sbg, PAY-02",
            "ORDER_NOT_ITS_ITEMS": "order ",
        },
    ),
    "an item counts as open again": (
        "UPDATE payout.open_item SET order_id = NULL WHERE leaf_index = 0",
        {"ITEM_TAKEN_WRONG": "open item of leaf 0, 0"},
    ),
    "a command": (
        "UPDATE payout.ledger_command SET body = body || ' ' WHERE kind = 'settle'",
        {"COMMAND_NOT_AS_SENT": "command "},
    ),
    "an answer": (
        "UPDATE payout.command_outcome SET code = 'INSUFFICIENT_PAYABLE' WHERE command_id IN"
        " (SELECT command_id FROM payout.ledger_command WHERE kind = 'settle')",
        {"ANSWER_NOT_THE_LEDGERS": "command "},
    ),
    "an answer that nobody gave": (
        "INSERT INTO payout.command_outcome SELECT gen_random_uuid(), code, NULL, NULL, now() FROM payout.command_outcome"
        " LIMIT 1",
        {"ANSWER_NOT_THE_LEDGERS": "command "},
    ),
    "a payment was booked twice": (
        "INSERT INTO payout.booking SELECT booking_key || 'x', entry_key || 'x', whole_entry, direction, amount_minor,"
        " currency, booked_on, end_to_end_id, 'settle', code, order_id, payer_id, return_reason, message_sha256"
        f" FROM payout.booking WHERE order_id = {SETTLED} AND disposition = 'settle'",
        {"PAID_TWICE": "payment ", "PAID_NOT_BOOKED": "order ", "BOOKING_NOT_THE_BANKS": "booking "},
    ),
    "a payment was not booked": (
        f"DELETE FROM payout.booking WHERE order_id = {SETTLED}",
        {"PAID_NOT_BOOKED": "order ", "BOOKING_NOT_THE_BANKS": "booking "},
    ),
    "a booking's amount": (
        f"UPDATE payout.booking SET amount_minor = amount_minor - 1 WHERE order_id = {SETTLED}",
        {"BOOKING_NOT_THE_BANKS": "booking "},
    ),
    "an order counts as paid": (
        "UPDATE payout.payout_order SET state = 'sent' WHERE subject_id = 'ORG-PE-012'",
        {"ORDER_NOT_ITS_RESERVATION": "order ", "HISTORY_WRONG": "order "},
    ),
    "an order's amount": (
        "UPDATE payout.payout_order SET amount_minor = amount_minor + 1 WHERE subject_id = 'ORG-PE-012'",
        {"ORDER_NOT_ITS_ITEMS": "order "},
    ),
    "an order's part": (
        f"UPDATE payout.order_part SET amount_minor = amount_minor + 1 WHERE order_id = {SETTLED} AND payer_id = 'PAY-01'",
        {"ORDER_NOT_ITS_ITEMS": "order ", "ORDER_NOT_ITS_RESERVATION": "order "},
    ),
    "a statement's closing balance": (
        "UPDATE payout.statement_balance SET closing_minor = closing_minor + 1 WHERE statement_id IN"
        " (SELECT statement_id FROM payout.statement WHERE subject_id = 'ORG-PE-012' AND number = 2)",
        {"STATEMENT_NOT_THE_JOURNAL": "statement ", "DOCUMENT_WRONG": "statement "},
    ),
    "a statement's opening balance": (
        "UPDATE payout.statement_balance SET opening_minor = 1",
        {"STATEMENT_NOT_CONTINUED": "statement "},
    ),
    "a statement of a tree that is not there": (
        "UPDATE payout.statement SET tree_size = 1000",
        {"STATEMENT_NOT_THE_JOURNAL": "statement ", "DOCUMENT_WRONG": "statement "},
    ),
    "a statement's hash": (
        f"UPDATE payout.statement SET json_sha256 = '{'0' * 64}' WHERE subject_id = 'ORG-PE-013'",
        {"STATEMENT_NOT_ON_RECORD": "statement ", "DOCUMENT_WRONG": "statement "},
    ),
    "who approved": (
        "UPDATE payout.cycle_event SET actor = 'mallory' WHERE state = 'approved'",
        {"DECISION_WRONG": "cycle "},
    ),
    "who prepared": (
        "UPDATE payout.cycle SET prepared_by = 'mallory'",
        {"DECISION_WRONG": "cycle ", "HISTORY_WRONG": "cycle "},
    ),
    "when it was approved": (
        "UPDATE payout.cycle_event SET at = at + interval '1 day' WHERE state = 'approved'",
        {"DECISION_WRONG": "cycle "},
    ),
    "what was decided": (
        "UPDATE payout.cycle_event SET decision = replace(encode(decision, 'escape'), '\"bruno\"', '\"mallory\"')::bytea,"
        " actor = 'mallory' WHERE state = 'approved'",
        {"DECISION_WRONG": "command "},
    ),
    "what was decided cannot be read": (
        "UPDATE payout.cycle_event SET decision = NULL WHERE state = 'approved'",
        {"DECISION_WRONG": "cycle "},
    ),
    "an approval is gone": (
        "DELETE FROM payout.cycle_event WHERE state = 'approved'",
        {"DECISION_WRONG": "command ", "HISTORY_WRONG": "cycle "},
    ),
    "an approval and its attestation are gone": (
        "DELETE FROM payout.cycle_event WHERE state = 'approved';"
        " DELETE FROM payout.command_outcome WHERE command_id IN"
        " (SELECT command_id FROM payout.ledger_command WHERE kind = 'attest' AND position('cycle'::bytea IN body) > 0);"
        " DELETE FROM payout.ledger_command WHERE kind = 'attest' AND position('cycle'::bytea IN body) > 0",
        {"HISTORY_WRONG": "cycle "},
    ),
    "a step of an order is gone": (
        "DELETE FROM payout.order_event WHERE state = 'approved'",
        {"HISTORY_WRONG": "order "},
    ),
    "the last step of an account is gone": (
        "DELETE FROM payout.account_event WHERE state = 'verified'",
        {"HISTORY_WRONG": "account "},
    ),
    "one person vouched for an account": (
        "UPDATE payout.account_event SET actor = 'carla'",
        {"HISTORY_WRONG": "account "},
    ),
    "who proposed an account": (
        "UPDATE payout.account SET proposed_by = 'mallory'",
        {"HISTORY_WRONG": "account "},
    ),
    "an order is paid to another account than was approved": (
        "UPDATE payout.payout_order SET account_id = (SELECT account_id FROM payout.account WHERE organization_id ="
        " 'ORG-PE-013') WHERE subject_id = 'ORG-PE-012'",
        {"DECISION_WRONG": "order "},
    ),
    "a guard is off": (
        "ALTER TABLE payout.booking DISABLE TRIGGER append_only",
        {"GUARD_MISSING": "payout.booking"},
    ),
}


async def test_damage_is_found_and_named(books: Books) -> None:
    await fill(books)
    assert await books.deviations() == []
    for name, (statement, expected) in DAMAGES.items():
        async with books.admin() as conn:
            transaction = conn.transaction()
            await transaction.start()
            if expected.keys() == {"GUARD_MISSING"}:
                await conn.execute(statement)
            else:
                await damage(conn, statement)
            deviations = await books.deviations_on(conn)
            await transaction.rollback()
        for code, where in expected.items():
            places = [deviation.where for deviation in deviations if deviation.code == code]
            assert any(place.startswith(where) for place in places), (name, code, where, deviations)
        assert {deviation.code.value for deviation in deviations} == set(expected), (name, deviations)


# What Kafka alone bears out (test_fsck_payout_events), or nobody: docs/operations.md says of what fsck is blind, and why.
BORNE_OUT_ELSEWHERE: Final[dict[str, set[str]]] = {
    "ledger_transaction": set(),
    "posting": {"position"},
    "open_item": set(),
    "account_event": {"at", "actor", "method", "checked_on", "account_id", "number", "state"},
    "cycle_event": {"at", "actor", "state"},
    "order_event": {"at", "actor", "code", "state"},
}


async def test_no_column_can_be_changed_unseen(books: Books) -> None:
    await fill(books)
    async with books.admin() as conn:
        transaction = conn.transaction()
        await transaction.start()
        for table, columns in BORNE_OUT_ELSEWHERE.items():
            assert await unseen_columns(conn, f"payout.{table}", books.deviations_on) <= columns, table
        await transaction.rollback()


async def test_who_approves_what_he_prepared_is_named(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.payout.use_cases.approve_cycle._allowed", lambda *_: None)  # as a fault of ours would
    await books.account("ORG-PE-012")
    await books.premium("1498.08")
    await books.carry()
    prepared = await books.prepare(actor="diego")
    await books.carry()
    await books.approve(prepared.cycle_id, actor="diego")
    await books.carry()
    (found,) = await books.deviations()
    assert (found.code, found.found) == ("DECISION_WRONG", "diego alone")
    books.deviates.add("DECISION_WRONG")


@pytest.mark.parametrize("kind", ["json_sha256", "pdf_sha256"])
async def test_a_document_that_was_changed_or_lost_is_named(books: Books, kind: str) -> None:
    await fill(books)
    digest = await books.value(f"SELECT {kind} FROM payout.statement WHERE subject_id = 'ORG-PE-013'")
    path = books.documents / digest[:2] / digest
    content = path.read_bytes()
    for spoil in (lambda: path.write_bytes(path.read_bytes() + b" "), path.unlink):
        spoil()
        (found,) = await books.deviations()
        assert found.code == "DOCUMENT_WRONG"
        assert found.where.endswith(f"of ORG-PE-013: {kind.removesuffix('_sha256')}")
    path.write_bytes(content)
