"""Whether a statement's sums follow from the leaves.

Goal: opening + premiums + adjustments + exchanged - deducted - transferred + returned = closing, from leaves alone, in every
currency.
Method: leaves that the statement covers and does not name make the opening balance; those it names make the rest; all of them
make what is owed and on its way. A line is an adjustment if an earlier statement had settled its lot (stage final or umpire).
Refuses: STATEMENT_SUM_WRONG, STATEMENT_LINE_WRONG for a line that counts as the other thing.
Source: design, section 7 and invariant 9.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from typing import Final

from verifier.deviation import Deviation, DeviationCode
from verifier.leaf import Leaf, amount_of
from verifier.strict import Members
from verifier.subject_run import owed
from verifier.units import FINE_GOLD, amount_text

SETTLED_STAGES: Final = frozenset({"final", "umpire"})
PAID_KINDS: Final = frozenset({"settled", "returned"})  # what left the bank, and what came back


class _Balance:
    """A statement's balance in one currency: amounts by name, and what they must be."""

    def __init__(self, members: Members) -> None:
        self.members = members
        self.currency = members.text("currency")

    def amount(self, name: str) -> int:
        return amount_of(self.members, name, self.currency)

    def exchanged(self) -> int:
        return 0 if self.members.text_or_none("exchanged") is None else self.amount("exchanged")

    def entries(self, list_name: str) -> int:
        return sum(amount_of(entry, "amount", self.currency) for entry in self.members.objects(list_name))

    def require(self, name: str, expected: int, because: str) -> None:
        self.require_equal(name, self.amount(name), expected, because)

    def require_equal(self, what: str, stated: int, expected: int, because: str) -> None:
        if stated != expected:
            message = f"{what} is {amount_text(stated, self.currency)}; {because} {amount_text(expected, self.currency)}"
            raise Deviation(DeviationCode.STATEMENT_SUM_WRONG, f"the balance in {self.currency}", message)


def check_sums(statement: Members, covered: Sequence[Leaf], named: Container[int]) -> list[str]:
    """Redo all sums. Returns one sentence for each currency. Raises Deviation."""
    before = [leaf for leaf in covered if leaf.index not in named]
    posted = _posted(statement, before)
    opening, payable, in_transit = owed(before), owed(covered, ["payable"]), owed(covered, ["in_transit"])
    sentences: list[str] = []
    seen: set[str] = set()
    for members in statement.objects("balances"):
        balance = _Balance(members)
        currency = balance.currency
        if currency in seen:
            members.refuse(f"there are two balances in {currency}")
        seen.add(currency)
        balance.require("opening", opening.get(currency, 0), "the leaves before it make")
        corrected = balance.entries("corrections")
        balance.require("premiums", posted.get((currency, "premium"), 0), "its lines make")
        balance.require("adjustments", posted.get((currency, "adjustment"), 0) + corrected, "its lines and corrections make")
        balance.require_equal("exchanged", balance.exchanged(), balance.entries("exchanges"), "its entries make")
        for name, entries in (("deducted", "deductions"), ("transferred", "transfers"), ("returned", "returns")):
            balance.require(name, balance.entries(entries), "its entries make")
        balance.require("closing", _redone(balance), "opening, what was earned, changed, deducted, paid and returned make")
        balance.require("ledger_payable", payable.get(currency, 0), "its leaves make")
        balance.require("ledger_in_transit", in_transit.get(currency, 0), "its leaves make")
        balance.require("closing", payable.get(currency, 0) + in_transit.get(currency, 0), "its leaves make")
        _check_breakdown(balance)
        _check_year(balance, statement, covered)
        sentences.append(_sentence(balance))
    for currency, amount in {**payable, **in_transit}.items():
        if amount and currency not in seen:
            message = f"has no balance in {currency}, though its leaves make {amount_text(amount, currency)}"
            raise Deviation(DeviationCode.STATEMENT_SUM_WRONG, statement.place, message)
    _check_gold(statement, covered)
    return sentences


def _redone(balance: _Balance) -> int:
    earned = balance.amount("opening") + balance.amount("premiums") + balance.amount("adjustments") + balance.exchanged()
    return earned - balance.amount("deducted") - balance.amount("transferred") + balance.amount("returned")


def _posted(statement: Members, before: Iterable[Leaf]) -> dict[tuple[str, str], int]:
    """What the lines add up to, as premiums and as adjustments. Raises for a line that counts as the other thing."""
    settled = {leaf.lot() for leaf in before if leaf.kind == "premium" and leaf.cause.value.get("stage") in SETTLED_STAGES}
    posted: dict[tuple[str, str], int] = {}
    for posting in statement.objects("postings"):
        lot = (posting.text("refiner_id"), posting.text("lot_id"))
        expected = "adjustment" if lot in settled else "premium"
        for line in posting.objects("lines"):
            if line.text("counts_as") != expected:
                message = f"counts as {line.text('counts_as')}; by what earlier statements covered of its lot it is {expected}"
                raise Deviation(DeviationCode.STATEMENT_LINE_WRONG, line.place, message)
            key = (line.text("currency"), expected)
            posted[key] = posted.get(key, 0) + amount_of(line, "posted", key[0])
    return posted


def _check_breakdown(balance: _Balance) -> None:
    parts = balance.members.member("breakdown")

    def total(*names: str) -> int:
        return sum(amount_of(parts, name, balance.currency) for name in names)

    balance.require("ledger_payable", total("available", "on_hold", "carried_over"), "available, on hold and carried over make")
    balance.require("ledger_in_transit", total("scheduled", "in_transit"), "scheduled and sent make")
    balance.require_equal("on hold", total("on_hold"), balance.entries("holds"), "its holds make")


def _check_year(balance: _Balance, statement: Members, covered: Iterable[Leaf]) -> None:
    year = [leaf for leaf in covered if leaf.effective_on.year == statement.count("year")]
    premiums = owed(leaf for leaf in year if leaf.kind == "premium").get(balance.currency, 0)
    balance.require("premiums_year_to_date", premiums, "its leaves make")
    paid = owed(leaf for leaf in year if leaf.kind in PAID_KINDS).get(balance.currency, 0)
    balance.require("transferred_year_to_date", -paid, "its leaves make")


def _check_gold(statement: Members, covered: Iterable[Leaf]) -> None:
    stated = amount_of(statement, "fine_weight_year_to_date_g", FINE_GOLD)
    year = statement.count("year")
    found = sum(leaf.gold.amount - leaf.gold.previous for leaf in covered if leaf.gold and leaf.effective_on.year == year)
    if stated != found:
        message = f"fine weight of {year} is {amount_text(stated, FINE_GOLD)}; its leaves make {amount_text(found, FINE_GOLD)}"
        raise Deviation(DeviationCode.STATEMENT_SUM_WRONG, statement.place, message)


def _sentence(balance: _Balance) -> str:
    names = ("opening", "premiums", "adjustments", "deducted", "transferred", "returned", "closing", "ledger_payable")
    figures = {name: amount_text(balance.amount(name), balance.currency) for name in (*names, "ledger_in_transit")}
    exchanged = balance.exchanged()
    figures["exchanged"] = f" + exchanged {amount_text(exchanged, balance.currency)}" if exchanged else ""
    return (
        "Opening {opening} + premiums {premiums} + adjustments {adjustments}{exchanged} - deducted {deducted} - transferred"
        " {transferred} + returned {returned} = closing {closing}; the leaves make the same: {ledger_payable} owed,"
        " {ledger_in_transit} on its way. The totals of the year follow from them too.".format_map(figures)
    )
