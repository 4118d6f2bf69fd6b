"""A statement's money: in each currency, from the opening balance to the closing one, entry by entry.

Goal: the closing balance is made twice, from the statement's own entries and from all postings; the contract compares them.
Source: design, section 7 and invariant 9; schemas/statement.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from schemas.ledger_transaction import LedgerTransaction
from schemas.ledger_words import Purpose, TransactionKind
from schemas.statement import CorrectionEntry, ExchangedEntry
from services.payout.adapters.ledger_topic import ledger_amount_minor
from services.payout.bank.amount import amount_text
from services.payout.domain.closing import Closing, ItemKey
from services.payout.registry_view import RegistryView
from services.payout.statement.balance_entries import correction_entries, exchange_entries
from services.payout.statement.facts import Facts, Order

if TYPE_CHECKING:
    from asyncpg import Record


def balances(facts: Facts, postings: Sequence[Mapping[str, Any]], registry: RegistryView) -> list[dict[str, Any]]:
    """One balance for each currency, by the members of the statement's contract. `postings` are the statement's own."""
    currencies = sorted(
        {*facts.sums, *facts.past.closing_minor} | {line["currency"] for posting in postings for line in posting["lines"]}
    )
    debtor = registry.debtor_account()
    if not currencies and debtor is not None:
        currencies = [debtor.currency]  # a statement of nothing is issued too, and says so in a currency
    return [_balance(facts, postings, currency, registry) for currency in currencies]


def _balance(facts: Facts, postings: Sequence[Mapping[str, Any]], currency: str, registry: RegistryView) -> dict[str, Any]:
    def money(amount_minor: int) -> str:
        return amount_text(amount_minor, currency)

    posted = {"premium": 0, "adjustment": 0}
    for posting in postings:
        for line in posting["lines"]:
            if line["currency"] == currency:
                posted[line["counts_as"]] += ledger_amount_minor(line["posted"], currency)
    transfers, returns = _movements(facts, currency)
    transferred_minor = sum(ledger_amount_minor(entry["amount"], currency) for entry in transfers)
    returned_minor = sum(ledger_amount_minor(entry["amount"], currency) for entry in returns)
    corrections, exchanges = _decided(facts, currency)
    posted["adjustment"] += sum(ledger_amount_minor(entry.amount, currency) for entry in corrections)
    exchanged_minor = sum(ledger_amount_minor(entry.amount, currency) for entry in exchanges)
    opening_minor = facts.past.closing_minor.get(currency, 0)
    closing_minor = opening_minor + sum(posted.values()) + exchanged_minor - transferred_minor + returned_minor
    sums = facts.sums.get(currency)
    nothing = Closing(0, 0, 0, 0, 0, ())
    closing = facts.closing.by_currency.get(currency, nothing)
    minimum_minor = registry.minimum_minor().get(currency)
    return {
        "currency": currency,
        "opening": money(opening_minor),
        "premiums": money(posted["premium"]),
        "adjustments": money(posted["adjustment"]),
        "deducted": money(0),
        "transferred": money(transferred_minor),
        "returned": money(returned_minor),
        "closing": money(closing_minor),
        "breakdown": {
            "available": money(closing.available_minor),
            "on_hold": money(closing.on_hold_minor),
            "carried_over": money(closing.carried_over_minor),
            "scheduled": money(closing.scheduled_minor),
            "in_transit": money(closing.in_transit_minor),
        },
        # What the ledger posted, summed by itself: the contract compares it with what the entries above make.
        "ledger_payable": money(_sum_of(sums, "payable")),
        "ledger_in_transit": money(_sum_of(sums, "in_transit")),
        "premiums_year_to_date": money(_sum_of(sums, "premiums_of_year")),
        "transferred_year_to_date": money(_sum_of(sums, "transferred_of_year")),
        "minimum_payout": None if minimum_minor is None else money(minimum_minor),
        "exchanged": money(exchanged_minor) if exchanges else None,
        "corrections": [entry.model_dump() for entry in corrections],
        "exchanges": [entry.model_dump() for entry in exchanges],
        "transfers": transfers,
        "returns": returns,
        "holds": [
            {
                "code": hold.code,
                "amount": money(hold.amount_minor),
                "lot_ids": _lots_of(facts, hold.items),
            }
            for hold in closing.holds
        ],
    }


def _decided(facts: Facts, currency: str) -> tuple[list[CorrectionEntry], list[ExchangedEntry]]:
    """Opening balances and corrections of the period in one currency, and exchanges into it or out of it."""
    corrections: list[CorrectionEntry] = []
    exchanges: list[ExchangedEntry] = []
    for row in facts.transactions:
        if row["kind"] in {TransactionKind.OPENED, TransactionKind.CORRECTED}:
            corrections += correction_entries(LedgerTransaction.model_validate_json(row["leaf"]), currency)
        elif row["kind"] == TransactionKind.EXCHANGED:
            exchanges += exchange_entries(LedgerTransaction.model_validate_json(row["leaf"]), currency)
    return corrections, exchanges


def _movements(facts: Facts, currency: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Payments of the period in one currency that left the bank, and those that came back, in the order of the ledger."""
    by_command = {step["command_id"]: order for order in facts.orders for step in order.steps.values()}
    transfers: list[dict[str, Any]] = []
    returns: list[dict[str, Any]] = []
    for row in facts.transactions:
        if row["kind"] not in {TransactionKind.SETTLED, TransactionKind.RETURNED}:
            continue
        leaf = LedgerTransaction.model_validate_json(row["leaf"])
        if any(transfer.unit != currency for transfer in leaf.transfers):
            continue
        order = by_command[row["command_id"]]
        entry = {
            "on": leaf.effective_on,
            "amount": amount_text(sum(transfer.amount_minor for transfer in leaf.transfers), currency),
            "leaf_index": leaf.leaf_index,
            "order_id": order.row["order_id"],
            "end_to_end_id": order.row["end_to_end_id"],
            "account_last_four": order.row["last_four"],
        }
        if row["kind"] == TransactionKind.SETTLED:
            transfers.append({**entry, "bank_name": order.row["bank_name"]})
        else:
            kept_minor = sum(t.amount_minor for t in leaf.transfers if t.debit.purpose is Purpose.CHARGES)
            returns.append(
                {
                    **entry,
                    "charges": amount_text(kept_minor, currency),
                    "transferred_on": order.steps[TransactionKind.SETTLED]["effective_on"],
                    "reason_code": order.row["return_reason"],
                    "paid_again_on": _paid_again_on(facts.orders, order),
                }
            )
    return transfers, returns


def _paid_again_on(orders: Sequence[Order], returned: Order) -> date | None:
    """When a later order with any of the same items left the bank, and stayed away."""
    came_back = returned.steps[TransactionKind.RETURNED]["leaf_index"]
    days: list[date] = [
        order.steps[TransactionKind.SETTLED]["effective_on"]
        for order in orders
        if order.items & returned.items
        and TransactionKind.SETTLED in order.steps
        and TransactionKind.RETURNED not in order.steps
        and order.steps[TransactionKind.SETTLED]["leaf_index"] > came_back
    ]
    return min(days) if days else None


def _lots_of(facts: Facts, keys: Iterable[ItemKey]) -> list[str]:
    wanted = set(keys)
    items = (row for row in facts.items if (row["leaf_index"], row["position"]) in wanted)
    return sorted({row["lot_id"] for row in items if row["lot_id"] is not None})


def _sum_of(sums: Record | None, name: str) -> int:
    return 0 if sums is None or sums[name] is None else int(sums[name])
