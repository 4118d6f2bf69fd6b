"""A ledger to which everything happened that a ledger does."""

from __future__ import annotations

from typing import Final

from tests.integration.ledger.conftest import APPEND_ONLY, Ledger
from tests.integration.ledger.decisions import decided
from tests.integration.ledger.records import clear, command, entitlement, reserve, settle, suspend, uuid_of

ORG: Final = ("org", "ORG-1")
SUBJECT: Final = {"kind": "org", "id": "ORG-1"}
LINES: Final = (("ORG-1", "producer", 100000), ("ORG-2", "producer", 40000), ("FUND-1", "community_fund", 1000))
RECOVERED: Final = {"recovered_posting", "recovered_outcome"}  # a restore brings them about, and nothing else
MANY_PARTS: Final = 200  # of long ids: more than one leaf holds


async def fill(ledger: Ledger) -> None:
    """Something of everything that the ledger does. Leaves 0 to 5: LOT-1 and LOT-2; 6 to 8: LOT-1 is corrected; 9: LOT-3;
    10: R is reserved; 11: LOT-3 is cancelled; 12: R is settled; 13: LOT-2 is calculated anew; from 14 on: payments; 25 to 28:
    suspense and an exchange; 29 and 30: what two persons decided.
    """
    await ledger.post(
        entitlement(stage="provisional", lines=LINES, origin_offset=1),
        entitlement(lot="LOT-2", revision=2, lines=LINES, origin_offset=2),
    )
    await ledger.post(
        entitlement(revision=2, origin_offset=3),
        entitlement(lot="LOT-2", origin_offset=4),
        entitlement(lot="LOT-3", origin_offset=5),
        reserve("R", ["1.00", "2.00"]),
    )
    await ledger.post(
        entitlement(lot="LOT-3", revision=2, stage="cancelled", lines=(), gold_mg={}, origin_offset=6), settle("R", "B")
    )
    await ledger.post(
        entitlement(
            lot="LOT-2",
            revision=2,
            calculation=1,
            cause="recalculation",
            replaces=(2, 0),
            sale_id="REF-1-LOT-2-2",
            lines=(("ORG-1", "producer", 100001), *LINES[1:]),
            origin_offset=2,
        )
    )
    parts = [{"scheme_id": "s" * 200, "payer_id": f"{row:0200}", "amount": "0.01"} for row in range(MANY_PARTS)]
    await ledger.post(
        reserve("V", ["3.00"]),
        command("void V", "void", ORG, reservation="V", reason="REJECTED"),
        reserve("W", ["4.00"]),
        settle("W", "C"),
        command("return W", "return", ORG, reservation="W", credited="3.00", charges="1.00", booking_key="D"),
        command("receive", "receive", ("payer", "PAY-1"), currency="USD", amount="7.00", booking_key="E"),
        command("suspend", "suspend", ("programme", "P"), currency="USD", amount="8.00", direction="DBIT", booking_key="F"),
        command("attest", "attest", ORG, attestation="premium.statement.v1", sha256="a" * 64),
        command("many", "reserve", ORG, reservation="M", currency="USD", parts=parts, seen_subject_number=1_000),
    )
    await ledger.post(
        entitlement(revision=2, content="other", origin_offset=7),
        entitlement(revision=2, origin_offset=8),
        entitlement(revision=3, origin_offset=9),
        command("unknown", "void", ORG, reservation="U", reason="NO_ONE"),
    )
    payable = {"kind": "payable", "scheme_id": "sbg", "payer_id": "PAY-1", "seen_subject_number": 1_000}
    await ledger.post(
        clear("clear F", "F", "3.00", ("programme", "P"), kind="charges"),
        suspend("G", "5.00"),
        clear("clear G", "G", "5.00", ("payer", "PAY-1"), kind="receivable"),
        command(
            "exchange",
            "exchange",
            ORG,
            sold={"currency": "USD", "amount": "10.00"},
            bought={"currency": "PEN", "amount": "37.52"},
            rate={"value": "3.7525", "source": "SBS", "side": "ask", "on": "2025-03-26"},
            of=payable,
        ),
    )
    exchanged = (await ledger.leaves())[-1]
    line = {"purpose": "receivable", "unit": "USD", "side": "debit", "amount": "1.00"}
    for name, members in {
        "opening": {"kind": "open", "subject": {"kind": "payer", "id": "PAY-1"}, "lines": [line]},
        "taken back": {"kind": "correct", "subject": SUBJECT, "reverses": str(exchanged.transaction_id)},
    }.items():
        reason = {"code": "WRONG_PAYER", "text": "El pago era de otra entidad."}
        content = {"correction_id": str(uuid_of(name)), "effective_on": "2025-03-31", "reason": reason, **members}
        async with ledger.conn.transaction():
            assert (await decided(ledger.conn, content)).code == "POSTED"
    for table in set(APPEND_ONLY) - RECOVERED:
        assert await ledger.conn.fetchval(f"SELECT count(*) FROM ledger.{table}") > 0, table
