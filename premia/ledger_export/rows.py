"""The ledger as CSV: a row for each transfer.

Method: a line of column names, then those of premia.csv_lines. Whether it is synthetic stands in every row, because rows are
copied away from whatever stands above them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from premia.amounts import plain
from premia.csv_lines import csv_line
from premia.ledger_export.heading import Heading
from services.ledger.use_cases.export_journal import exported_transfers

if TYPE_CHECKING:
    from services.runtime.database import Connection

COLUMNS: Final = (
    "programme", "synthetic", "leaf_index", "number", "transaction_id", "kind", "subject", "effective_on", "recorded_at",
    "debit", "credit", "amount", "unit", "refiner_id", "lot_id", "revision", "stage", "scheme_id", "payer_id", "role",
)  # fmt: skip


async def csv_lines(conn: Connection, heading: Heading) -> AsyncIterator[str]:
    """The file line by line, without line ends. Needs an open transaction."""
    yield csv_line(COLUMNS)
    synthetic = {True: "yes", False: "no", None: "unknown"}[heading.synthetic]
    async for transfer in exported_transfers(conn, heading.tree_size):
        yield csv_line(
            (
                heading.programme_id,
                synthetic,
                transfer.leaf_index,
                transfer.number,
                transfer.transaction_id,
                transfer.kind,
                f"{transfer.subject_kind}:{transfer.subject_id}",
                transfer.effective_on,
                transfer.recorded_at.isoformat(),
                ":".join(transfer.debit[:3]),
                ":".join(transfer.credit[:3]),
                Decimal(plain(transfer.amount, transfer.unit)),
                transfer.unit,
                transfer.refiner_id,
                transfer.lot_id,
                transfer.revision,
                transfer.stage,
                transfer.scheme_id,
                transfer.payer_id,
                transfer.role,
            )
        )
