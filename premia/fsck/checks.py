"""All checks of the two schemas, in the order that they are made in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import NamedTuple

from premia.fsck.constraints import check_constraints
from premia.fsck.deviation import Checked, Deviation
from premia.fsck.guards import check_guards
from premia.fsck.kafka.entitlements import check_published
from premia.fsck.kafka.payout_events import check_payout_events
from premia.fsck.kafka.sales import Marks, check_sales
from premia.fsck.ledger.corrections import check_corrections
from premia.fsck.ledger.days import check_days
from premia.fsck.ledger.journal import check_journal
from premia.fsck.ledger.lots import check_lots
from premia.fsck.ledger.outbox import check_outbox
from premia.fsck.ledger.reservations import check_reservations
from premia.fsck.ledger.told import check_told
from premia.fsck.ledger.tree import SealedLog
from premia.fsck.payout.decisions import check_decisions
from premia.fsck.payout.histories import check_histories
from premia.fsck.payout.money import check_money
from premia.fsck.payout.statements import check_documents, check_statements
from premia.fsck.payout.view import check_view
from premia.fsck.streams import Connection


class Check(NamedTuple):
    """`name` is what a person is told while it runs. `run` reads in the snapshot that is open on the connection."""

    name: str
    run: Callable[[Connection, Checked], AsyncIterator[Deviation]]


def checks_of(log: SealedLog, documents: Path | None, marks: Marks | None = None) -> tuple[Check, ...]:
    """The checks, with what lies outside of the database: the published log, and if they are there documents and Kafka."""
    checks: tuple[Check, ...] = (
        Check("guards of the tables that only grow", check_guards),
        Check("constraints", check_constraints),
        Check("journal, accounts and balances", lambda conn, checked: check_journal(conn, checked, log)),
        Check("sums of days", check_days),
        Check("lots, replayed from their entitlements", check_lots),
        Check("reservations", check_reservations),
        Check("corrections", check_corrections),
        Check("outbox", check_outbox),
        Check("answers", check_told),
        Check("payout's view of the journal", check_view),
        Check("orders and bookings", check_money),
        Check("histories of accounts, orders and cycles", check_histories),
        Check("approvals", check_decisions),
        Check("statements", check_statements),
    )
    if documents is not None:
        checks += (Check("documents", lambda conn, checked: check_documents(conn, checked, documents)),)
    if marks is not None:
        checks += (
            Check("sales by origin", lambda conn, checked: check_sales(conn, checked, marks)),
            Check("entitlements as published", lambda conn, checked: check_published(conn, checked, marks)),
            Check("accounts, orders and statements as told", lambda conn, checked: check_payout_events(conn, checked, marks)),
        )
    return checks
