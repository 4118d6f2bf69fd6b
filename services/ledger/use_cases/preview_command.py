"""What the ledger would do with a command now, without doing it.

Goal: whoever decides sees the postings themselves, made by the code that will post them.
Method: the books of a batch of this one command are loaded and the command is decided on; nothing is written or locked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from schemas.currencies import minor_digits_by_currency
from schemas.ledger_words import OutcomeCode
from services.ledger.domain.account import AccountKey
from services.ledger.domain.carry_out_command import carry_out_command, enter
from services.ledger.domain.command import Command
from services.ledger.domain.decision import AnsweredBefore, CarriedOut, Conflicting, Declined, Recovered
from services.ledger.domain.transaction import TransferDraft
from services.ledger.use_cases.load_books import load_books

if TYPE_CHECKING:
    from services.runtime.database import Connection


@dataclass(frozen=True, slots=True)
class Preview:
    """What would be answered, what would be posted, and each account that it touches before and after, debit positive."""

    code: OutcomeCode
    message: str | None
    transfers: tuple[TransferDraft, ...] = ()
    balances: tuple[tuple[AccountKey, int, int], ...] = ()


async def preview_command(conn: Connection, command: Command) -> Preview:
    """Decide as posting would. Needs a snapshot of the database only."""
    books = await load_books(conn, [], [command])
    match carry_out_command(books, command, minor_digits_by_currency()):
        case CarriedOut() as carried_out:
            transfers = carried_out.draft.transfers
            touched = sorted({account for transfer in transfers for account in (transfer.debit, transfer.credit)})
            before = {account: -books.credit_balance(account) for account in touched}
            enter(books, carried_out)
            balances = tuple((account, before[account], -books.credit_balance(account)) for account in touched)
            return Preview(OutcomeCode.POSTED, None, transfers, balances)
        case Declined(code=code, message=message):
            return Preview(code, message)
        case AnsweredBefore(answered=answered) | Recovered(answered=answered):
            return Preview(OutcomeCode(answered.code), answered.message)
        case Conflicting(message=message):
            return Preview(OutcomeCode.CONFLICTING_PAYLOAD, message)
