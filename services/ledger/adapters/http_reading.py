"""Reading the ledger over HTTP: accounts, balances, postings, transactions, suspense.

Goal: what an answer says can be asked for again; a page never shifts, whatever is posted meanwhile.
Method: one snapshot for each request. The first page of a list is at the tree size that was asked for, or the present one,
which its cursor then keeps. An answer at a tree size that was named never changes and says so; every answer has an ETag.
Refuses: an account, lot, payout, transaction or tree size that is not there, with 404.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

import orjson
from aiohttp import web

from schemas import ledger_api as api
from schemas.ledger_words import OutcomeCode
from services.ledger.adapters.cursor import Page, Question
from services.ledger.adapters.http_answers import answer, answer_bytes, balance_members, posting_of, suspended_of
from services.ledger.domain.account import AccountKey
from services.ledger.domain.entitlement import LotKey
from services.ledger.domain.merkle import leaf_hash
from services.ledger.errors import RefusalCode
from services.ledger.log_errors import LogRefusal
from services.ledger.use_cases.account_balances import (
    FROM_THE_FIRST,
    AccountFilter,
    account_balances,
    balances_page,
)
from services.ledger.use_cases.account_postings import (
    BEFORE_THE_FIRST,
    Period,
    Place,
    account_postings,
    find_account,
    period_balances,
)
from services.ledger.use_cases.as_of import AsOf, present_tree_size, tree_size_at
from services.ledger.use_cases.read_suspense import FROM_THE_OLDEST, SuspensePlace, read_suspense
from services.ledger.use_cases.read_transactions import (
    LeafPage,
    StoredLeaf,
    read_transaction,
    transactions_of_account,
    transactions_of_lot,
    transactions_of_reservation,
)
from services.runtime.http import Handler, RefusedError, read_path, read_query

if TYPE_CHECKING:
    from services.runtime.database import Connection, Pool

NOT_FOUND: Final = 404


@dataclass(frozen=True, slots=True)
class ReadingApi:
    """What the handlers share."""

    pool: Pool

    def handlers(self) -> dict[str, Handler]:
        """By the names of the table of endpoints."""
        return {
            "list_accounts": self.list_accounts,
            "read_account": self.read_account,
            "read_account_statement": self.read_account_statement,
            "list_transactions_of_account": self.list_transactions_of_account,
            "list_transactions_of_lot": self.list_transactions_of_lot,
            "list_transactions_of_payout": self.list_transactions_of_payout,
            "read_transaction": self.read_transaction,
            "read_trial_balance": self.read_trial_balance,
            "list_suspense": self.list_suspense,
        }

    async def list_accounts(self, request: web.Request) -> web.Response:
        """Accounts with their balances, page by page."""
        asked = read_query(request, api.AccountsQuery)
        question = Question(request.path, asked)
        wanted = AccountFilter(
            None if asked.owner_id is None else (asked.owner_id,), asked.owner_kind, asked.purpose, asked.unit
        )
        async with self._snapshot() as conn:
            page = await _page(conn, question, asked, asked.cursor, str, str, str, str)
            after = FROM_THE_FIRST if page.after is None else AccountKey(*map(str, page.after))
            # The kept balances are those of now; later pages are as of the same moment.
            now = page.after is None and _is_present(asked) and asked.effective_on is None
            as_of = None if now else AsOf(page.tree_size, asked.effective_on or date.max)
            found, following = await balances_page(conn, wanted, as_of, after=after, limit=asked.limit)
        body = api.Balances(
            tree_size=page.tree_size,
            effective_on=asked.effective_on,
            accounts=tuple(api.AccountBalance(**balance_members(account)) for account in found),
            next_cursor=None if following is None else question.cursor_after(page, following),
        )
        return answer(request, body, for_ever=_names_its_size(asked, asked.cursor))

    async def read_account(self, request: web.Request) -> web.Response:
        """One account with its balance."""
        key, asked = _account_key(read_path(request, api.AccountPath)), read_query(request, api.AsOfQuery)
        async with self._snapshot() as conn:
            size = await _tree_size(conn, asked)
            as_of = None if _is_present(asked) and asked.effective_on is None else AsOf(size, asked.effective_on or date.max)
            wanted = AccountFilter((key.owner_id,), key.owner_kind, key.purpose, key.unit)
            found = [account async for account in account_balances(conn, wanted, as_of)]
        if not found:
            raise _unknown(OutcomeCode.UNKNOWN_ACCOUNT, f"no account {':'.join(key)} had been posted to")
        body = api.AccountAsOf(**balance_members(found[0]), tree_size=size, effective_on=asked.effective_on)
        return answer(request, body, for_ever=_names_its_size(asked))

    async def read_account_statement(self, request: web.Request) -> web.Response:
        """Opening, postings, closing of one account."""
        key, asked = _account_key(read_path(request, api.AccountPath)), read_query(request, api.PostingsQuery)
        question = Question(request.path, asked)
        period = Period(asked.first or date.min, asked.last or date.max)
        if period.last < period.first:
            raise RefusedError(OutcomeCode.SCHEMA_INVALID, "to: is before from", status=400)
        async with self._snapshot() as conn:
            account_id = await _known_account(conn, key)
            page = await _page(conn, question, asked, asked.cursor, int, int, int)
            balances = await period_balances(conn, account_id, page.tree_size, period)
            leaf_index, number, running = map(int, page.after or (*BEFORE_THE_FIRST, balances.opening))
            place = Place(leaf_index, number)
            found = await account_postings(conn, account_id, page.tree_size, period, after=place, limit=asked.limit)
        postings = []
        for posting in found:
            running += posting.amount
            postings.append(posting_of(posting, running))
        is_whole = len(found) < asked.limit
        body = api.AccountStatement(
            account=":".join(key),
            tree_size=page.tree_size,
            first=asked.first,
            last=asked.last,
            opening_minor=balances.opening,
            closing_minor=balances.closing,
            postings=tuple(postings),
            next_cursor=None if is_whole else question.cursor_after(page, (*found[-1].place, running)),
        )
        return answer(request, body, for_ever=_names_its_size(asked, asked.cursor))

    async def list_transactions_of_account(self, request: web.Request) -> web.Response:
        """Transactions with a posting on one account."""
        key, asked = _account_key(read_path(request, api.AccountPath)), read_query(request, api.TransactionsQuery)
        async with self._snapshot() as conn:
            account_id = await _known_account(conn, key)
            page, leaves = await _leaf_page(conn, request, asked)
            return _transactions(request, asked, page, await transactions_of_account(conn, account_id, leaves))

    async def list_transactions_of_lot(self, request: web.Request) -> web.Response:
        """Transactions of one lot."""
        lot, asked = read_path(request, api.LotPath), read_query(request, api.TransactionsQuery)
        async with self._snapshot() as conn:
            page, leaves = await _leaf_page(conn, request, asked)
            found = await transactions_of_lot(conn, LotKey(lot.refiner_id, lot.lot_id), leaves)
        if found is None:
            raise _unknown(RefusalCode.LOT_UNKNOWN, f"no sale of lot {lot.refiner_id}/{lot.lot_id} was accepted")
        return _transactions(request, asked, page, found)

    async def list_transactions_of_payout(self, request: web.Request) -> web.Response:
        """Transactions of one attempt of a payout."""
        payout, asked = read_path(request, api.ReservationPath), read_query(request, api.TransactionsQuery)
        async with self._snapshot() as conn:
            page, leaves = await _leaf_page(conn, request, asked)
            found = await transactions_of_reservation(conn, payout.reservation_id, leaves)
        if found is None:
            raise _unknown(OutcomeCode.UNKNOWN_RESERVATION, "nothing was reserved under this id")
        return _transactions(request, asked, page, found)

    async def read_transaction(self, request: web.Request) -> web.Response:
        """One transaction with its leaf."""
        transaction_id = read_path(request, api.TransactionPath).transaction_id
        async with self._snapshot() as conn:
            found = await read_transaction(conn, transaction_id)
        if found is None:
            raise _unknown(OutcomeCode.UNKNOWN_TRANSACTION, "there is no transaction of this id")
        body = {
            "transaction": orjson.Fragment(found.leaf),
            "leaf": b64encode(found.leaf).decode(),
            "leaf_hash": leaf_hash(found.leaf).hex(),
        }
        return answer_bytes(request, orjson.dumps(body), for_ever=True)

    async def read_trial_balance(self, request: web.Request) -> web.Response:
        """Debits and credits of all accounts, by unit."""
        asked = read_query(request, api.AsOfQuery)
        totals: dict[str, tuple[int, int]] = {}
        async with self._snapshot() as conn:
            size = await _tree_size(conn, asked)
            async for account in account_balances(conn, as_of=AsOf(size, asked.effective_on or date.max)):
                debits, credits_ = totals.get(account.unit, (0, 0))
                totals[account.unit] = (debits + account.debits, credits_ + account.credits)
        body = api.TrialBalance(
            tree_size=size,
            effective_on=asked.effective_on,
            units=tuple(
                api.UnitTotal(unit=unit, debits_minor=debits, credits_minor=credits_)
                for unit, (debits, credits_) in sorted(totals.items())
            ),
        )
        return answer(request, body, for_ever=_names_its_size(asked))

    async def list_suspense(self, request: web.Request) -> web.Response:
        """Bookings in suspense that are still open, as of now."""
        asked = read_query(request, api.PageQuery)
        question = Question(request.path, asked)
        async with self._snapshot() as conn:
            page = await _page(conn, question, api.Recorded(), asked.cursor, str, str)
            after = FROM_THE_OLDEST
            if page.after is not None:
                after = SuspensePlace(_day(str(page.after[0])), str(page.after[1]))
            found = await read_suspense(conn, after=after, limit=asked.limit)
        following = None
        if len(found) == asked.limit:
            following = question.cursor_after(page, (found[-1].booked_on.isoformat(), found[-1].booking_key))
        body = api.Suspense(bookings=tuple(suspended_of(booking) for booking in found), next_cursor=following)
        return answer(request, body, for_ever=False)

    @asynccontextmanager
    async def _snapshot(self) -> AsyncIterator[Connection]:
        async with self.pool.acquire() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
            yield conn


# --- as of when -------------------------------------------------------------------------------------------------------


def _is_present(asked: api.Recorded) -> bool:
    return asked.tree_size is None and asked.recorded_by is None


def _names_its_size(asked: api.Recorded, cursor: str | None = None) -> bool:
    """Whether the same question has the same answer always. A moment does not: more may be recorded in it."""
    return asked.tree_size is not None or cursor is not None


async def _tree_size(conn: Connection, asked: api.Recorded) -> int:
    if asked.tree_size is not None and asked.recorded_by is not None:
        message = "tree_size and recorded_by say the same thing: send one of them"
        raise RefusedError(OutcomeCode.SCHEMA_INVALID, message, status=400)
    if asked.recorded_by is not None:
        return await tree_size_at(conn, asked.recorded_by)
    present = await present_tree_size(conn)
    if asked.tree_size is not None and asked.tree_size > present:
        raise _unknown(LogRefusal.TREE_SIZE_UNKNOWN, f"the ledger has {present} leaves")
    return present if asked.tree_size is None else asked.tree_size


async def _page(conn: Connection, question: Question, asked: api.Recorded, cursor: str | None, *types: type) -> Page:
    """The page that a cursor asks for, else the first."""
    if cursor is not None:
        return question.page_of(cursor, await present_tree_size(conn), *types)
    return Page(await _tree_size(conn, asked), None)


async def _leaf_page(conn: Connection, request: web.Request, asked: api.TransactionsQuery) -> tuple[Page, LeafPage]:
    page = await _page(conn, Question(request.path, asked), asked, asked.cursor, int)
    after = -1 if page.after is None else int(page.after[0])
    return page, LeafPage(after, page.tree_size, asked.limit)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise RefusedError(RefusalCode.CURSOR_INVALID, "hand a cursor back as it was given", status=400) from error


def _account_key(path: api.AccountPath) -> AccountKey:
    return AccountKey(path.owner_kind.value, path.owner_id, path.purpose.value, path.unit)


async def _known_account(conn: Connection, key: AccountKey) -> int:
    account_id = await find_account(conn, key)
    if account_id is None:
        raise _unknown(OutcomeCode.UNKNOWN_ACCOUNT, f"no account {':'.join(key)} was ever posted to")
    return account_id


def _transactions(request: web.Request, asked: api.TransactionsQuery, page: Page, found: Sequence[StoredLeaf]) -> web.Response:
    following = None
    if len(found) == asked.limit:
        following = Question(request.path, asked).cursor_after(page, (found[-1].leaf_index,))
    body = {
        "tree_size": page.tree_size,
        # The leaves' own bytes: what was hashed is what is shown.
        "transactions": [orjson.Fragment(stored.leaf) for stored in found],
        "next_cursor": following,
    }
    return answer_bytes(request, orjson.dumps(body), for_ever=_names_its_size(asked, asked.cursor))


def _unknown(code: str, message: str) -> RefusedError:
    return RefusedError(code, message, status=NOT_FOUND)
