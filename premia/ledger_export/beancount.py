"""The ledger as a journal of Beancount, which checks it by itself.

Goal: an accountant reads and checks the ledger with a tool that knows nothing of ours.
Method: a transfer is two postings; debits are above zero, as here. Fine gold is the commodity AU-MG, in whole milligrams. At
the end stands what each account holds, as the ledger says it and not as this file adds up: the tool compares, to the last
digit. Transactions that move nothing (attestations, bookings that cancel each other) are left out.
An owner's id that Beancount takes stands in the account's name as it is; any other as "Id-" and its bytes in hexadecimal, so
that two ids never meet. The open directive tells the real name.
Source: Beancount's language syntax, version 3.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from datetime import date, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from premia.amounts import plain
from premia.ledger_export.heading import Heading
from schemas.ledger_words import FINE_GOLD, PROGRAMME_OWNER_ID, OwnerKind, Purpose
from services.ledger.domain.account import AccountKey
from services.ledger.use_cases.account_balances import ALL_ACCOUNTS, AccountBalance, account_balances
from services.ledger.use_cases.as_of import AsOf
from services.ledger.use_cases.export_journal import ExportedTransfer, exported_days, exported_transfers

if TYPE_CHECKING:
    from services.runtime.database import Connection

NAMES_KEPT_MAX: Final = 20_000  # a programme has some thousand accounts
ROOTS: Final = {
    Purpose.PAYABLE: "Liabilities:Payable",
    Purpose.IN_TRANSIT: "Liabilities:InTransit",
    Purpose.RECEIVABLE: "Assets:Receivable",
    Purpose.BANK: "Assets:Bank",
    Purpose.CHARGES: "Expenses:Charges",
    Purpose.SUSPENSE: "Equity:Suspense",
    Purpose.FX: "Equity:Fx",
    Purpose.GOLD: "Equity:Gold",
}
assert set(ROOTS) == set(Purpose), "every account has its place"
PROGRAMME: Final = (OwnerKind.PROGRAMME, PROGRAMME_OWNER_ID)
ENCODED: Final = "Id-"
_PLAIN_ID: Final = re.compile(r"[A-Z0-9][A-Za-z0-9-]*")


async def beancount_lines(conn: Connection, heading: Heading) -> AsyncIterator[str]:
    """The file line by line, without line ends. Needs an open transaction."""
    for sentence in heading.sentences():
        yield f";; {sentence}"
    yield f'option "title" {_text(heading.sentences()[0])}'
    days = await exported_days(conn, heading.tree_size)
    if days is None:
        return
    first, last = days
    accounts = [account async for account in account_balances(conn, ALL_ACCOUNTS, AsOf(heading.tree_size))]
    for line in _openings(accounts, first):
        yield line
    open_leaf = -1
    async for transfer in exported_transfers(conn, heading.tree_size):
        if transfer.leaf_index != open_leaf:
            open_leaf = transfer.leaf_index
            for line in _transaction(transfer):
                yield line
        amount = _amount(transfer.amount, transfer.unit)
        yield f"  {_name(transfer.debit)}  {amount} {transfer.unit}"
        yield f"  {_name(transfer.credit)}  -{amount} {transfer.unit}"
    yield ""
    for account in accounts:
        # Without "~ 0" the tool lets one of the last digit pass.
        held = f"{_amount(account.balance, account.unit)} ~ 0 {account.unit}"
        yield f"{last + timedelta(days=1)} balance {_name(account.key)}  {held}"


def _openings(accounts: list[AccountBalance], on: date) -> Iterator[str]:
    units: defaultdict[str, list[AccountKey]] = defaultdict(list)
    for account in accounts:
        units[_name(account.key)].append(account.key)
    if any(account.unit == FINE_GOLD for account in accounts):
        yield f"{on} commodity {FINE_GOLD}"
        yield '  name: "Fine gold in milligrams"'
    for name, keys in units.items():
        yield f"{on} open {name} {','.join(key.unit for key in keys)}"
        yield f"  account: {_text(':'.join(keys[0][:3]))}"


def _transaction(transfer: ExportedTransfer) -> Iterator[str]:
    lot = "" if transfer.lot_id is None else f"{transfer.refiner_id}/{transfer.lot_id} revision {transfer.revision}"
    subject = f"{transfer.subject_kind}:{transfer.subject_id}"
    yield ""
    yield f"{transfer.effective_on} * {_text(f'{transfer.kind} {subject}')} {_text(lot)}"
    yield f"  leaf: {transfer.leaf_index}"
    yield f'  transaction: "{transfer.transaction_id}"'


@lru_cache(NAMES_KEPT_MAX)
def _name(key: AccountKey) -> str:
    """The account's name without its unit: one Beancount account holds several. There is one programme."""
    name = f"{ROOTS[Purpose(key.purpose)]}:{key.owner_kind.capitalize()}"
    return name if (key.owner_kind, key.owner_id) == PROGRAMME else f"{name}:{_component(key.owner_id)}"


def _component(owner_id: str) -> str:
    if _PLAIN_ID.fullmatch(owner_id) and not owner_id.startswith(ENCODED):
        return owner_id
    return ENCODED + owner_id.encode().hex()


def _amount(amount: int, unit: str) -> str:
    return str(amount) if unit == FINE_GOLD else plain(amount, unit)


def _text(content: str) -> str:
    escaped = content.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
