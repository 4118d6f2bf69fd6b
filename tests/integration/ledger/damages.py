"""Ways to damage the ledger of story.py, each with every code that fsck must find and the place that it must name."""

from __future__ import annotations

from typing import Final


def changed(leaf_index: int, text: str, into: str) -> str:
    """A leaf in whose bytes a text is another."""
    return (
        f"UPDATE ledger.journal SET leaf = replace(encode(leaf, 'escape'), '{text}', '{into}')::bytea"
        f" WHERE leaf_index = {leaf_index} AND position('{text}'::bytea IN leaf) > 0"
    )


BALANCE_OF_PAYER: Final = (
    "account_id = (SELECT account_id FROM ledger.account WHERE owner_id = 'PAY-1' AND purpose = 'receivable')"
)
# What was done, and every code that must be found, with the place that must be named. Nothing else may be found.
DAMAGES: Final[dict[str, tuple[str, dict[str, str]]]] = {
    "a transfer's amount": (
        "UPDATE ledger.transfer SET amount = amount + 1 WHERE leaf_index = 3 AND number = 1",
        {
            "TRANSFER_CHANGED": "leaf 3, transfer 1",
            "BALANCE_WRONG": "fund:FUND-1:payable:USD",
            "POSTED_NOT_OWED": "REF-1/LOT-2, revision 2, calculation 0: FUND-1, community_fund, USD, sbg, PAY-1",
        },
    ),
    "a transfer is gone": (
        "DELETE FROM ledger.transfer WHERE leaf_index = 3 AND number = 1",
        {
            "TRANSFER_MISSING": "leaf 3",
            "BALANCE_WRONG": "fund:FUND-1:payable:USD",
            "POSTED_NOT_OWED": "REF-1/LOT-2, revision 2, calculation 0: FUND-1, community_fund, USD, sbg, PAY-1",
        },
    ),
    "a transfer's stage": (
        "UPDATE ledger.transfer SET stage = 'umpire' WHERE leaf_index = 3 AND number = 1",
        {"TRANSFER_CHANGED": "leaf 3, transfer 1"},
    ),
    "a transfer too many": (
        "INSERT INTO ledger.transfer SELECT leaf_index, 9, debit_account_id, credit_account_id, amount, unit FROM"
        " ledger.transfer WHERE leaf_index = 10 AND number = 1",
        {"TRANSFER_ADDED": "leaf 10", "TRANSFER_CHANGED": "leaf 10, transfer 9", "BALANCE_WRONG": "org:ORG-1:payable:USD"},
    ),
    "two transfers are swapped": (
        "UPDATE ledger.transfer AS t SET amount = o.amount FROM ledger.transfer AS o"
        " WHERE t.leaf_index = 10 AND o.leaf_index = 10 AND t.number <> o.number",
        {"TRANSFER_CHANGED": "leaf 10, transfer 2"},
    ),
    "a balance is off by one": (
        f"UPDATE ledger.balance SET debits = debits + 1 WHERE {BALANCE_OF_PAYER}",
        {"UNIT_NOT_ZERO": "USD", "BALANCE_WRONG": "payer:PAY-1:receivable:USD"},
    ),
    "both sides of a balance are off by one": (
        f"UPDATE ledger.balance SET debits = debits + 1, credits = credits + 1 WHERE {BALANCE_OF_PAYER}",
        {"BALANCE_WRONG": "payer:PAY-1:receivable:USD"},
    ),
    "a balance is gone": (
        "DELETE FROM ledger.balance WHERE account_id = (SELECT account_id FROM ledger.account WHERE owner_id = 'FUND-1')",
        {"BALANCE_MISSING": "fund:FUND-1:payable:USD", "UNIT_NOT_ZERO": "USD"},
    ),
    "the sum of a day": (
        "INSERT INTO ledger.account_day VALUES (1, 0, '2025-03-15', 1, 0)",
        {"DAY_SUM_WRONG": "account 1, bucket 0, 2025-03-15"},
    ),
    "days count as summed that are not": (
        "UPDATE ledger.account_day_head SET buckets = 1",
        {"DAY_SUM_WRONG": "summed buckets"},
    ),
    "an account is gone": (
        "DELETE FROM ledger.account WHERE owner_id = 'FUND-1'",
        {
            "ACCOUNT_MISSING": "leaf 0, transfer 1",
            "TRANSFER_CHANGED": "leaf 0, transfer 1",
            "UNIT_NOT_ZERO": "USD",
            "POSTED_NOT_OWED": "REF-1/LOT-1, revision 1, calculation 0: FUND-1",
        },
    ),
    "an account's unit": (
        "UPDATE ledger.account SET unit = 'EUR' WHERE owner_id = 'FUND-1'",
        {"TRANSFER_UNIT": "leaf 0, transfer 1", "UNIT_NOT_ZERO": "EUR"},
    ),
    "money goes where it must not": (
        "UPDATE ledger.account SET purpose = 'suspense' WHERE owner_id = 'FUND-1'",
        {"TRANSFER_CHANGED": "leaf 0, transfer 1"},
    ),
    "a leaf moves what its kind may not": (
        changed(12, '"purpose":"in_transit"', '"purpose":"receivable"'),
        {"TRANSFER_CHANGED": "leaf 12, transfer 1", "POSTING_FORBIDDEN": "leaf 12, transfer 1"},
    ),
    "a kept line": (
        "UPDATE ledger.lot_line AS l SET amount = o.amount FROM ledger.lot_line AS o WHERE l.lot_id = 'LOT-2' AND"
        " o.lot_id = 'LOT-2' AND l.role = 'producer' AND o.role = 'producer' AND l.organization_id <> o.organization_id",
        {"LINE_NOT_OWED": "REF-1/LOT-2: ORG-1, producer, USD, sbg, PAY-1"},
    ),
    "a lot head is lost": ("DELETE FROM ledger.lot_head WHERE lot_id = 'LOT-1'", {"HEAD_MISSING": "REF-1/LOT-1"}),
    "a lot head is an earlier one": (
        "UPDATE ledger.lot_head SET revision = 1 WHERE lot_id = 'LOT-1'",
        {"HEAD_WRONG": "REF-1/LOT-1: revision"},
    ),
    "a lot head's weight": (
        "UPDATE ledger.lot_head SET fine_weight_mg = 1 WHERE lot_id = 'LOT-1'",
        {"HEAD_WRONG": "REF-1/LOT-1: fine_weight_mg"},
    ),
    "a line of a lot that never came": (
        "INSERT INTO ledger.lot_line VALUES ('REF-9', 'LOT-9', 's', 'p', 'o', 'producer', 'USD', 1)",
        {"LOT_WITHOUT_ENTITLEMENT": "REF-9/LOT-9"},
    ),
    "an entitlement is gone": (
        "DELETE FROM ledger.entitlement WHERE lot_id = 'LOT-3' AND revision = 2",
        {
            "LEAF_WITHOUT_CAUSE": "leaf 11",
            "POSTED_NOT_OWED": "REF-1/LOT-3, cause ",
            "LINE_NOT_OWED": "REF-1/LOT-3: ORG-1, producer, USD, sbg, PAY-1",
            "HEAD_WRONG": "REF-1/LOT-3: revision",
        },
    ),
    "all entitlements of a lot are gone": (
        "DELETE FROM ledger.entitlement WHERE lot_id = 'LOT-3'",
        {"LEAF_WITHOUT_CAUSE": "leaf 9", "LOT_WITHOUT_ENTITLEMENT": "REF-1/LOT-3"},
    ),
    "an entitlement's amount": (
        "UPDATE ledger.entitlement SET value = replace(encode(value, 'escape'), '1000.01', '1000.02')::bytea"
        " WHERE lot_id = 'LOT-2' AND calculation = 1",
        {
            "PREMIUM_NOT_ITS_ENTITLEMENT": "leaf 13: ORG-1, producer, USD, sbg, PAY-1",
            "POSTED_NOT_OWED": "REF-1/LOT-2, revision 2, calculation 1: ORG-1, producer, USD, sbg, PAY-1",
            "LINE_NOT_OWED": "REF-1/LOT-2: ORG-1, producer, USD, sbg, PAY-1",
        },
    ),
    "an entitlement's fine gold": (
        "UPDATE ledger.entitlement SET value = replace(encode(value, 'escape'),"
        ' \'"sources":[{"fine_weight_g":"1.000"\', \'"sources":[{"fine_weight_g":"1.001"\')::bytea'
        " WHERE lot_id = 'LOT-2' AND calculation = 1",
        {
            "PREMIUM_NOT_ITS_ENTITLEMENT": "leaf 13: fine gold",
            "POSTED_NOT_OWED": "REF-1/LOT-2, revision 2, calculation 1: ORG-1, source, AU-MG",
            "LINE_NOT_OWED": "REF-1/LOT-2: ORG-1, source, AU-MG",
        },
    ),
    "an entitlement is another lot's": (
        "UPDATE ledger.entitlement AS e SET value = o.value FROM ledger.entitlement AS o WHERE e.lot_id = 'LOT-2'"
        " AND e.revision = 1 AND o.lot_id = 'LOT-1' AND o.revision = 1",
        {"ENTITLEMENT_NOT_ITS_ROW": "REF-1/LOT-2, revision 1, calculation 0: lot_id"},
    ),
    "an entitlement cannot be read": (
        "UPDATE ledger.entitlement SET value = 'x' WHERE lot_id = 'LOT-3' AND revision = 1",
        {"ENTITLEMENT_UNREADABLE": "REF-1/LOT-3, revision 1, calculation 0"},
    ),
    "an entitlement counts as superseded": (
        "UPDATE ledger.entitlement SET detail = 'superseded', first_leaf = NULL, leaves = 0"
        " WHERE lot_id = 'LOT-3' AND revision = 2",
        {
            "LEAF_WITHOUT_CAUSE": "leaf 11",
            "ENTITLEMENT_OUT_OF_TURN": "REF-1/LOT-3, revision 2, calculation 0",
            "POSTED_NOT_OWED": "REF-1/LOT-3, cause ",
            "LINE_NOT_OWED": "REF-1/LOT-3: ORG-1",
            "HEAD_WRONG": "REF-1/LOT-3: revision",
            "OUTCOME_NOT_TOLD": "sale at gold.sales.v1/0/6",
        },
    ),
    "a recalculation replaces another than the head": (
        "UPDATE ledger.entitlement SET value = replace(encode(value, 'escape'),"
        ' \'"replaces":{"calculation":0,"revision":2}\', \'"replaces":{"calculation":0,"revision":1}\')::bytea'
        " WHERE lot_id = 'LOT-2' AND calculation = 1",
        {"ENTITLEMENT_OUT_OF_TURN": "REF-1/LOT-2, revision 2, calculation 1: replaces"},
    ),
    "a reservation is larger than what was payable": (
        "UPDATE ledger.transfer SET amount = 1 WHERE leaf_index < 10 AND credit_account_id ="
        " (SELECT account_id FROM ledger.account WHERE owner_id = 'ORG-1' AND purpose = 'payable' AND unit = 'USD')",
        {
            "PAYABLE_OVERDRAWN": "leaf 10: org:ORG-1",
            "TRANSFER_CHANGED": "leaf 1, transfer 1",
            "BALANCE_WRONG": "org:ORG-1:payable:USD",
            "POSTED_NOT_OWED": "REF-1/LOT-1, revision 1, calculation 0: ORG-1, producer, USD, sbg, PAY-1",
        },
    ),
    "a reservation is settled otherwise than it was reserved": (
        changed(12, '"scheme_id":"sbg"', '"scheme_id":"other"'),
        {"TRANSFER_CHANGED": "leaf 12, transfer 1", "RESERVATION_PARTS_DIFFER": "reservation "},
    ),
    "a leaf's amount": (
        changed(1, '"amount_minor":100000', '"amount_minor":100001'),
        {
            "TRANSFER_CHANGED": "leaf 1, transfer 1",
            "PREMIUM_NOT_ITS_ENTITLEMENT": "leaf 1: ORG-1, producer, USD, sbg, PAY-1",
        },
    ),
    "a leaf's line": (
        changed(7, '"previous_amount":"1000.00"', '"previous_amount":"1000.01"'),
        {"PREMIUM_NOT_ITS_ENTITLEMENT": "leaf 7: ORG-1, producer, USD, sbg, PAY-1"},
    ),
    "a leaf's cause": (
        changed(7, '"fineness_permille":"873.3"', '"fineness_permille":"873.4"'),
        {"LEAF_NOT_ITS_CAUSE": "leaf 7: fineness_permille"},
    ),
    "a leaf's nonce": (changed(7, '"nonce":"', '"nonce":"g'), {"NONCE_INVALID": "leaf 7"}),
    "a leaf is not canonical": (changed(7, '"part":1', '"part": 1'), {"LEAF_NOT_CANONICAL": "leaf 7"}),
    "a leaf has a float": (
        changed(7, '"reason":null', '"reason":1.5'),
        {"LEAF_NOT_CANONICAL": "leaf 7", "PREMIUM_NOT_ITS_ENTITLEMENT": "leaf 7"},
    ),
    "a transaction's id": (
        "UPDATE ledger.journal SET transaction_id = '00000000-0000-4000-8000-000000000000' WHERE leaf_index = 12",
        {"LEAF_NOT_ITS_ROW": "leaf 12: transaction_id"},
    ),
    "a transaction's id everywhere": (
        "WITH t AS (SELECT transaction_id::text AS id FROM ledger.journal WHERE leaf_index = 7) UPDATE ledger.journal SET"
        " transaction_id = '00000000-0000-4000-8000-000000000000', leaf = replace(encode(leaf, 'escape'), t.id,"
        " '00000000-0000-4000-8000-000000000000')::bytea FROM t WHERE leaf_index = 7",
        {"TRANSACTION_ID_WRONG": "leaf 7"},
    ),
    "two leaves are swapped": (
        "UPDATE ledger.journal AS j SET leaf = o.leaf FROM ledger.journal AS o WHERE j.leaf_index + o.leaf_index = 3"
        " AND j.leaf_index IN (1, 2)",
        {
            "LEAF_NOT_ITS_ROW": "leaf 1: leaf_index",
            "TRANSFER_CHANGED": "leaf 1, transfer 1",
            "PREMIUM_NOT_ITS_ENTITLEMENT": "leaf 1: ORG-1, producer, USD, sbg, PAY-1",
            "POSTING_FORBIDDEN": "leaf 1, transfer 1",
        },
    ),
    "a leaf cannot be read": ("UPDATE ledger.journal SET leaf = 'x' WHERE leaf_index = 1", {"LEAF_UNREADABLE": "leaf 1"}),
    "a leaf is gone": (
        "DELETE FROM ledger.journal WHERE leaf_index = 1",
        {
            "LEAF_MISSING": "leaf 1",
            "TRANSFER_WITHOUT_LEAF": "leaf 1, transfer 1",
            "CAUSE_WITHOUT_LEAVES": "entitlement ",
            "SUBJECT_NUMBER_SKIPPED": "leaf 4: org:ORG-1",
            "POSTED_NOT_OWED": "REF-1/LOT-1, ",
        },
    ),
    "the last leaf is gone": (
        "DELETE FROM ledger.journal WHERE leaf_index = 30",
        {
            "TRANSFER_WITHOUT_LEAF": "leaf 30, transfer 1",
            "CAUSE_WITHOUT_LEAVES": "command ",
            "SUBJECT_WRONG": "org:ORG-1",
            "TREE_SIZE_WRONG": "log head",
            "REVERSAL_WRONG": "reversal of transaction ",
        },
    ),
    "a part is gone": (
        "DELETE FROM ledger.journal WHERE leaf_index = 24",
        {
            "LEAF_MISSING": "leaf 24",
            "TRANSFER_WITHOUT_LEAF": "leaf 24, transfer 1",
            "CAUSE_WITHOUT_LEAVES": "command ",
            "PART_MISSING": "leaf 25",
            "SUBJECT_NUMBER_SKIPPED": "leaf 28: org:ORG-1",
            "RESERVATION_WRONG": "reservation ",
        },
    ),
    "a part is another": (
        "UPDATE ledger.journal SET part = 3 WHERE leaf_index = 23",
        {"LEAF_NOT_ITS_ROW": "leaf 23: part", "PART_MISSING": "leaf 23"},
    ),
    "a leaf was recorded before the one before it": (
        "UPDATE ledger.journal SET recorded_at = recorded_at - interval '1 day' WHERE leaf_index = 6",
        {
            "LEAF_OUT_OF_TIME": "leaf 6",
            "LEAF_NOT_ITS_ROW": "leaf 6: recorded_at",
            "LEAF_NOT_ITS_CAUSE": "leaf 6: recorded_at",
        },
    ),
    "a subject number is skipped": (
        "UPDATE ledger.journal SET subject_number = subject_number + 100 WHERE subject_id = 'FUND-1' AND subject_number = 3",
        {
            "SUBJECT_NUMBER_SKIPPED": "leaf 6: fund:FUND-1",
            "LEAF_NOT_ITS_ROW": "leaf 6: subject_number",
            "SUBJECT_WRONG": "fund:FUND-1",
        },
    ),
    "a subject's counter": (
        "UPDATE ledger.subject SET last_number = last_number + 1 WHERE id = 'ORG-2'",
        {"SUBJECT_WRONG": "org:ORG-2"},
    ),
    "what was taken back is forgotten": (
        "UPDATE ledger.subject SET last_negative_number = 0 WHERE id = 'ORG-2'",
        {"SUBJECT_WRONG": "org:ORG-2"},
    ),
    "a subject is gone": ("DELETE FROM ledger.subject WHERE id = 'ORG-2'", {"SUBJECT_WRONG": "org:ORG-2"}),
    "the tree size": ("UPDATE ledger.log_head SET tree_size = tree_size + 1", {"TREE_SIZE_WRONG": "log head"}),
    "the clock of the log head": (
        "UPDATE ledger.log_head SET recorded_at = 'epoch'",
        {"LOG_HEAD_WRONG": "log head: recorded_at"},
    ),
    "the account ids of the log head": (
        "UPDATE ledger.log_head SET last_account_id = 1",
        {"LOG_HEAD_WRONG": "log head: last_account_id"},
    ),
    "a command names another's leaf": (
        "UPDATE ledger.command SET first_leaf = 0 WHERE first_leaf = 12",
        {"CAUSE_WITHOUT_LEAVES": "command ", "LEAF_WITHOUT_CAUSE": "leaf 12"},
    ),
    "a command was another": (
        "UPDATE ledger.command SET command_hash = 'sha256:0' WHERE first_leaf = 12",
        {"LEAF_NOT_ITS_CAUSE": "leaf 12: command_hash"},
    ),
    "a command is of another kind": (
        "UPDATE ledger.command SET kind = 'void' WHERE first_leaf = 12",
        {"LEAF_NOT_ITS_CAUSE": "leaf 12: command", "BOOKING_WRONG": "leaf 12"},
    ),
    "a command's outcome": (
        "UPDATE ledger.command SET code = 'RESERVATION_VOIDED' WHERE code = 'UNKNOWN_RESERVATION'",
        {"OUTCOME_NOT_TOLD": "command ", "OUTCOME_UNFOUNDED": "outbox "},
    ),
    "a reservation's state": (
        "UPDATE ledger.reservation SET state = 'reserved' WHERE state = 'voided'",
        {"RESERVATION_WRONG": "reservation "},
    ),
    "a reservation's amounts": (
        "UPDATE ledger.reservation SET amounts[1] = amounts[1] + 1 WHERE state = 'voided'",
        {"RESERVATION_WRONG": "reservation "},
    ),
    "a reservation is gone": (
        "DELETE FROM ledger.reservation WHERE state = 'voided'",
        {"RESERVATION_MISSING": "reservation "},
    ),
    "a reservation that never was": (
        "INSERT INTO ledger.reservation SELECT gen_random_uuid(), subject_kind, subject_id, unit, state, scheme_ids, payer_ids,"
        " amounts FROM ledger.reservation WHERE state = 'voided'",
        {"RESERVATION_WRONG": "reservation "},
    ),
    "a step of a reservation that cannot follow": (
        "UPDATE ledger.journal SET kind = 'settled' WHERE leaf_index = 15",
        {
            "LEAF_NOT_ITS_ROW": "leaf 15: kind",
            "POSTING_FORBIDDEN": "leaf 15, transfer 1",
            "RESERVATION_WRONG": "reservation ",
        },
    ),
    "a payment belongs to no reservation": (
        changed(12, '"reservation_id":"', '"reservation_id":"0'),
        {"RESERVATION_OUT_OF_TURN": "leaf 12", "RESERVATION_WRONG": "reservation "},
    ),
    "a booking was another's": (
        "UPDATE ledger.booking SET booking_key = 'X' WHERE booking_key = 'B'",
        {"BOOKING_WRONG": "leaf 12"},
    ),
    "a booking is gone": ("DELETE FROM ledger.booking WHERE booking_key = 'B'", {"BOOKING_WRONG": "leaf 12"}),
    "a booking of nothing": (
        "INSERT INTO ledger.booking SELECT 'X', command_id, 'settle' FROM ledger.command WHERE code <> 'POSTED'",
        {"BOOKING_WRONG": "booking X"},
    ),
    "an exchange at another rate": (
        changed(28, '"value":"3.7525"', '"value":"3.7000"'),
        {"EXCHANGE_WRONG": "leaf 28"},
    ),
    "what is open of a booking in suspense": (
        "UPDATE ledger.suspense SET open_amount = amount WHERE booking_key = 'F'",
        {"SUSPENSE_WRONG": "booking F"},
    ),
    "a booking in suspense is gone": (
        "DELETE FROM ledger.suspense WHERE booking_key = 'G'",
        {"SUSPENSE_WRONG": "booking G"},
    ),
    "more is cleared than was booked": (
        changed(25, '"clears":[{"amount_minor":300', '"clears":[{"amount_minor":900'),
        {"CLEARED_TOO_MUCH": "leaf 25: booking F", "CLEARED_OTHERWISE": "leaf 25", "SUSPENSE_WRONG": "booking F"},
    ),
    "less is cleared than was moved": (
        changed(25, '"clears":[{"amount_minor":300', '"clears":[{"amount_minor":200')
        + ";UPDATE ledger.suspense SET open_amount = open_amount + 100 WHERE booking_key = 'F'",
        {"CLEARED_OTHERWISE": "leaf 25"},
    ),
    "one person alone corrected": (
        "UPDATE ledger.correction_decision SET decided_by = 'ana' WHERE decision = 'approved'",
        {"CORRECTION_WRONG": "leaf 29: approved_by"},
    ),
    "a correction was proposed otherwise": (
        "UPDATE ledger.correction SET content = replace(encode(content, 'escape'), 'otra', 'una')::bytea",
        {"CORRECTION_WRONG": "leaf 29: reason_sha256"},
    ),
    "a correction posts more than was decided": (
        ";".join(
            (
                changed(29, '"amount_minor":100', '"amount_minor":900'),
                "UPDATE ledger.balance AS b SET debits = debits + 800 FROM ledger.transfer AS t"
                " WHERE t.leaf_index = 29 AND t.debit_account_id = b.account_id",
                "UPDATE ledger.balance AS b SET credits = credits + 800 FROM ledger.transfer AS t"
                " WHERE t.leaf_index = 29 AND t.credit_account_id = b.account_id",
                "UPDATE ledger.transfer SET amount = 900 WHERE leaf_index = 29",
            )
        ),
        {"CORRECTION_WRONG": "leaf 29: lines"},
    ),
    "a correction counts for another day than was decided": (
        changed(29, '"effective_on":"2025-03-31"', '"effective_on":"2025-03-30"')
        + ";UPDATE ledger.journal SET effective_on = '2025-03-30' WHERE leaf_index = 29",
        {"CORRECTION_WRONG": "leaf 29: effective_on"},
    ),
    "a decision is gone": (
        "DELETE FROM ledger.correction_decision",
        {"CORRECTION_WRONG": "leaf 29: approved_by"},
    ),
    "a proposal is gone": ("DELETE FROM ledger.correction", {"CORRECTION_WRONG": "leaf 29"}),
    "a correction was approved and not posted": (
        "INSERT INTO ledger.correction_decision VALUES (gen_random_uuid(), 'approved', 'bruno', now())",
        {"CORRECTION_WRONG": "correction "},
    ),
    "what was taken back could be taken back again": ("DELETE FROM ledger.reversal", {"REVERSAL_WRONG": "leaf 30"}),
    "a reversal of nothing": (
        "INSERT INTO ledger.reversal SELECT gen_random_uuid(), command_id FROM ledger.command WHERE first_leaf = 12",
        {"REVERSAL_WRONG": "reversal of transaction "},
    ),
    "an origin counts twice": (
        "UPDATE ledger.entitlement SET origin = 'gold.sales.v1/0/1' WHERE lot_id = 'LOT-3' AND revision = 1",
        {"ORIGIN_TWICE": "origin gold.sales.v1/0/1"},
    ),
    "an outcome was never told": (
        "DELETE FROM ledger.outbox WHERE encode(value, 'escape') LIKE '%superseded%'",
        {"OUTCOME_NOT_TOLD": "sale at gold.sales.v1/0/4", "OUTBOX_NUMBER_SKIPPED": "outbox 1"},
    ),
    "an outcome was told otherwise": (
        "UPDATE ledger.outbox SET value = replace(encode(value, 'escape'), 'superseded', 'unchanged')::bytea"
        " WHERE encode(value, 'escape') LIKE '%superseded%'",
        {"OUTCOME_NOT_TOLD": "sale at gold.sales.v1/0/4", "OUTCOME_UNFOUNDED": "outbox "},
    ),
    "a message was changed": (
        "UPDATE ledger.outbox SET value = value || ' '::bytea WHERE number = 1",
        {"MESSAGE_WRONG": "outbox 1"},
    ),
    "a message is another's": (
        "UPDATE ledger.outbox SET key = 'x' WHERE number = 1",
        {"MESSAGE_WRONG": "outbox 1"},
    ),
    "the outbox's head": (
        "UPDATE ledger.outbox_head SET last_number = last_number + 1",
        {"OUTBOX_NUMBER_SKIPPED": "outbox head"},
    ),
    "a quarantined event was another": (
        "UPDATE ledger.quarantine SET revision = 9",
        {"QUARANTINE_WRONG": "quarantine gold.sales.v1/0/7: revision"},
    ),
    "a quarantined event is forgotten": (
        "DELETE FROM ledger.quarantine",
        {"OUTCOME_UNFOUNDED": "outbox "},
    ),
    "a guard is off": (
        "ALTER TABLE ledger.transfer DISABLE TRIGGER append_only_rows",
        {"GUARD_MISSING": "ledger.transfer"},
    ),
    "a guard lets pass": (
        "CREATE OR REPLACE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN IF NEW.amount > 0 THEN RETURN NEW; END IF; RAISE EXCEPTION ''append-only''; END'",
        {"GUARD_MISSING": "ledger.account"},
    ),
    "a guard is for some rows": (
        "CREATE OR REPLACE TRIGGER append_only_rows BEFORE UPDATE OR DELETE ON ledger.transfer FOR EACH ROW"
        " WHEN (OLD.leaf_index > 100) EXECUTE FUNCTION ledger.refuse_change();"
        " ALTER TABLE ledger.transfer ENABLE ALWAYS TRIGGER append_only_rows",
        {"GUARD_MISSING": "ledger.transfer"},
    ),
    "a guard is for some columns": (
        "CREATE OR REPLACE TRIGGER append_only_rows BEFORE UPDATE OF number OR DELETE ON ledger.transfer FOR EACH ROW"
        " EXECUTE FUNCTION ledger.refuse_change(); ALTER TABLE ledger.transfer ENABLE ALWAYS TRIGGER append_only_rows",
        {"GUARD_MISSING": "ledger.transfer"},
    ),
    "a rule stands before a table": (
        "CREATE RULE quiet AS ON INSERT TO ledger.journal DO INSTEAD NOTHING",
        {"GUARD_MISSING": "ledger.journal"},
    ),
    "a table without guards lies below one": (
        "CREATE TABLE public.more () INHERITS (ledger.journal)",
        {"GUARD_MISSING": "ledger.journal"},
    ),
    "a login owns a table": (
        "ALTER TABLE ledger.journal OWNER TO ledger_writer",
        {"GUARD_MISSING": "ledger.journal"},
    ),
    "a login may become the owner": (
        "CREATE ROLE between NOLOGIN; GRANT ledger_owner TO between; CREATE ROLE mallory LOGIN; GRANT between, ledger_writer TO"
        " mallory",
        {"GUARD_MISSING": "mallory"},
    ),
    "a login may write everything": (
        "CREATE ROLE mallory LOGIN; GRANT ledger_reader, pg_write_all_data TO mallory",
        {"GUARD_MISSING": "mallory"},
    ),
    "a login of the service is a superuser": (
        "CREATE ROLE mallory LOGIN SUPERUSER; GRANT payout_writer TO mallory",
        {"GUARD_MISSING": "mallory"},
    ),
    "a login may change the journal": (
        "GRANT UPDATE (amount) ON ledger.transfer TO ledger_writer",
        {"GUARD_MISSING": "ledger.transfer"},
    ),
    "a relay would pass over what comes": (
        "INSERT INTO ledger.relay_cursor VALUES ('journal', 1000)",
        {"RELAY_AHEAD": "relay of journal"},
    ),
}
