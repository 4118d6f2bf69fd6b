"""fsck finds what was damaged behind the ledger's back, and names the place. Damage is done as superuser, triggers off."""

from __future__ import annotations

import os
import subprocess
import sys

import orjson
import pytest

from tests.integration.ledger.conftest import Ledger
from tests.integration.ledger.records import entitlement, reserve, settle

A_TRANSFER = "(SELECT min(leaf_index) FROM ledger.transfer WHERE lot_id = 'LOT-2')"


async def filled(ledger: Ledger) -> None:
    """Two lots in two revisions, one superseded, one cancelled, and a payment."""
    lines = (("ORG-1", "producer", 100000), ("ORG-2", "producer", 40000), ("FUND-1", "community_fund", 1000))
    await ledger.post(entitlement(stage="provisional", lines=lines), entitlement(lot="LOT-2", revision=2, lines=lines))
    await ledger.post(
        entitlement(revision=2), entitlement(lot="LOT-2"), entitlement(lot="LOT-3"), reserve("R", ["1.00", "2.00"])
    )
    await ledger.post(entitlement(lot="LOT-3", revision=2, stage="cancelled", lines=(), gold_mg={}), settle("R", "B"))


async def test_a_ledger_that_was_left_alone_has_no_deviation(ledger: Ledger) -> None:
    assert await ledger.deviations() == []
    await filled(ledger)
    assert await ledger.deviations() == []


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (
            f"UPDATE ledger.transfer SET amount = amount + 1 WHERE number = 1 AND leaf_index = {A_TRANSFER}",
            {"TRANSFER_CHANGED": "leaf 3, transfer 1", "BALANCE_WRONG": "", "POSTED_NOT_OWED": "REF-1/LOT-2: FUND-1"},
        ),
        (
            f"DELETE FROM ledger.transfer WHERE number = 1 AND leaf_index = {A_TRANSFER}",
            {"TRANSFER_MISSING": "leaf 3", "BALANCE_WRONG": "", "POSTED_NOT_OWED": "REF-1/LOT-2: FUND-1"},
        ),
        (
            f"UPDATE ledger.transfer SET stage = 'umpire' WHERE number = 1 AND leaf_index = {A_TRANSFER}",
            {"TRANSFER_CHANGED": "leaf 3, transfer 1"},
        ),
        (
            "INSERT INTO ledger.transfer SELECT leaf_index, 9, debit_account_id, credit_account_id, amount, unit FROM"
            f" ledger.transfer WHERE number = 1 AND leaf_index = {A_TRANSFER}",
            {"TRANSFER_ADDED": "leaf 3", "BALANCE_WRONG": ""},
        ),
        (
            "UPDATE ledger.balance SET debits = debits + 1 WHERE account_id = (SELECT account_id FROM ledger.account"
            " WHERE owner_id = 'PAY-1' AND purpose = 'receivable')",
            {"UNIT_NOT_ZERO": "USD", "BALANCE_WRONG": "payer:PAY-1:receivable:USD"},
        ),
        (
            "UPDATE ledger.balance SET debits = debits + 1, credits = credits + 1 WHERE account_id = 1",
            {"BALANCE_WRONG": ""},
        ),
        (
            "DELETE FROM ledger.balance WHERE account_id = (SELECT account_id FROM ledger.account WHERE owner_id = 'FUND-1')",
            {"BALANCE_MISSING": "fund:FUND-1:payable:USD", "UNIT_NOT_ZERO": "USD"},
        ),
        (
            "UPDATE ledger.account SET unit = 'EUR' WHERE owner_id = 'FUND-1'",
            {"TRANSFER_UNIT": "leaf 0, transfer 1", "UNIT_NOT_ZERO": "EUR"},
        ),
        (
            "UPDATE ledger.lot_line AS l SET amount = o.amount FROM ledger.lot_line AS o WHERE l.lot_id = 'LOT-2' AND"
            " o.lot_id = 'LOT-2' AND l.role = 'producer' AND o.role = 'producer' AND l.organization_id <> o.organization_id",
            {"LINE_NOT_OWED": "REF-1/LOT-2: ORG-1, producer, USD, sbg, PAY-1"},
        ),
        ("DELETE FROM ledger.lot_head WHERE lot_id = 'LOT-1'", {"HEAD_MISSING": "REF-1/LOT-1"}),
        ("UPDATE ledger.lot_head SET revision = 1 WHERE lot_id = 'LOT-1'", {"HEAD_WRONG": "REF-1/LOT-1"}),
        ("UPDATE ledger.lot_head SET fine_weight_mg = 1 WHERE lot_id = 'LOT-1'", {"HEAD_WRONG": "REF-1/LOT-1"}),
        (
            "INSERT INTO ledger.lot_line VALUES ('REF-9', 'LOT-9', 's', 'p', 'o', 'producer', 'USD', 1)",
            {"LOT_WITHOUT_ENTITLEMENT": "REF-9/LOT-9"},
        ),
        (
            "DELETE FROM ledger.entitlement WHERE lot_id = 'LOT-2'",
            {"LOT_WITHOUT_ENTITLEMENT": "REF-1/LOT-2", "LEAVES_WITHOUT_CAUSE": "journal"},
        ),
        (
            "UPDATE ledger.entitlement SET value = replace(encode(value, 'escape'), '1000.00', '1000.01')::bytea"
            " WHERE lot_id = 'LOT-2' AND revision = 2",
            {"POSTED_NOT_OWED": "REF-1/LOT-2: ORG-1, producer, USD, sbg, PAY-1", "LINE_NOT_OWED": "REF-1/LOT-2: ORG-1"},
        ),
        (
            "UPDATE ledger.entitlement AS e SET value = o.value FROM ledger.entitlement AS o WHERE e.lot_id = 'LOT-2'"
            " AND e.revision = 1 AND o.lot_id = 'LOT-1' AND o.revision = 1",
            {"ENTITLEMENT_NOT_ITS_ROW": "REF-1/LOT-2, revision 1"},
        ),
        ("UPDATE ledger.entitlement SET value = 'x' WHERE lot_id = 'LOT-3'", {"ENTITLEMENT_UNREADABLE": "REF-1/LOT-3"}),
        (
            "UPDATE ledger.journal SET leaf = replace(encode(leaf, 'escape'), '\"amount_minor\":100000',"
            " '\"amount_minor\":100001')::bytea WHERE leaf_index = 1",
            {"TRANSFER_CHANGED": "leaf 1, transfer 1"},
        ),
        (
            "UPDATE ledger.journal AS j SET leaf = o.leaf FROM ledger.journal AS o WHERE j.leaf_index + o.leaf_index = 3"
            " AND j.leaf_index IN (1, 2)",
            {"LEAF_NOT_ITS_ROW": "leaf 1"},
        ),
        ("UPDATE ledger.journal SET leaf = 'x' WHERE leaf_index = 1", {"LEAF_UNREADABLE": "leaf 1"}),
        (
            "DELETE FROM ledger.journal WHERE leaf_index = 1",
            {"LEAF_MISSING": "leaf 1", "TRANSFER_WITHOUT_LEAF": "leaf 1, transfer 1", "CAUSE_WITHOUT_LEAVES": "entitlement"},
        ),
        (
            "UPDATE ledger.journal SET recorded_at = recorded_at - interval '1 day' WHERE leaf_index = 6",
            {"LEAF_OUT_OF_TIME": "leaf 6"},
        ),
        (
            "UPDATE ledger.journal SET subject_number = 100 WHERE subject_id = 'ORG-1' AND subject_number = 3",
            {"SUBJECT_NUMBER_SKIPPED": "org:ORG-1"},
        ),
        ("UPDATE ledger.subject SET last_number = last_number + 1 WHERE id = 'ORG-2'", {"SUBJECT_WRONG": "org:ORG-2"}),
        ("UPDATE ledger.log_head SET tree_size = tree_size + 1", {"TREE_SIZE_WRONG": "log head"}),
        ("UPDATE ledger.command SET first_leaf = 0", {"CAUSE_WITHOUT_LEAVES": "command"}),
    ],
)
async def test_damage_is_found_and_named(ledger: Ledger, damage: str, found: dict[str, str]) -> None:
    await filled(ledger)
    if damage.startswith("UPDATE ledger.command"):
        damage += f" WHERE command_id = '{(await ledger.rows('command', 'first_leaf'))[0]['command_id']}'"
    await ledger.as_administrator(damage)
    deviations = await ledger.deviations()
    for code, place in found.items():
        places = [deviation.place for deviation in deviations if deviation.code == code]
        assert any(named.startswith(place) for named in places), (code, place, deviations)


async def test_the_command_names_deviations_on_standard_output_and_exits_1(ledger: Ledger) -> None:
    await filled(ledger)
    sound = _fsck(ledger)
    assert (sound.returncode, sound.stdout) == (0, "")
    assert "no deviation" in sound.stderr
    await ledger.as_administrator("UPDATE ledger.balance SET debits = debits + 1 WHERE account_id = 1")
    broken = _fsck(ledger, "--json")
    assert broken.returncode == 1
    lines = [orjson.loads(line) for line in broken.stdout.splitlines()]
    assert {line["code"] for line in lines} == {"UNIT_NOT_ZERO", "BALANCE_WRONG"}
    assert "2 deviations" in broken.stderr


def _fsck(ledger: Ledger, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "premia", "fsck", *options],
        env={**os.environ, **ledger.environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
