"""One transaction, whole: all parts of it, against its cause.

Goal: what a party can prove, its lines before and after, is what the stored entitlement says and what was really moved.
Method: parts are consecutive leaves and are put together first; a transaction has one part nearly always.
Source: design, section 6.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from typing import Any, Final

from premia.fsck.deviation import Deviation, DeviationCode
from premia.fsck.ledger.entitlement import FINE_GOLD, GRAM_DIGITS, Entitlement, LineKey, digits_of, whole
from premia.fsck.ledger.leaf import Leaf
from premia.fsck.ledger.postings import forbidden

DECIMAL_DIGITS: Final = 64  # 16 of an amount times 30 of a rate
NO_LINE: Final[dict[str, object]] = {"scheme_version": None, "fine_weight_g": None, "eligible": False, "reason": None}


@dataclass(slots=True)
class Transaction:
    """Leaves `first_leaf` to `last_leaf` of one subject and one cause."""

    first_leaf: int
    last_leaf: int
    subject: tuple[str, str]
    kind: str
    transfers: list[dict[str, Any]] = field(default_factory=list)
    lines: list[dict[str, Any]] = field(default_factory=list)
    gold: dict[str, Any] | None = None
    rate: dict[str, Any] | None = None
    clears: list[dict[str, Any]] = field(default_factory=list)

    @property
    def where(self) -> str:
        """The leaf, or the leaves."""
        return f"leaf {self.first_leaf}" if self.first_leaf == self.last_leaf else f"leaves {self.first_leaf}-{self.last_leaf}"

    def add(self, leaf: Leaf) -> None:
        """Put one more part to it."""
        self.transfers += leaf.get("transfers", [])
        self.lines += leaf.get("lines", [])
        self.gold = self.gold or leaf.get("gold")
        self.rate = self.rate or leaf["cause"].get("rate")
        self.clears = self.clears or leaf["cause"].get("clears", [])

    def takes_back(self) -> bool:
        """Whether it takes money from the subject's payable that nobody reserved: views that are older are stale then."""
        return self.kind != "reserved" and any(transfer["debit"]["purpose"] == "payable" for transfer in self.transfers)

    def spends(self) -> bool:
        """Whether it may take no more than is payable: corrections of premiums may."""
        return self.kind in {"reserved", "exchanged"}


def check_transaction(transaction: Transaction, entitlement: Entitlement | None) -> list[Deviation]:
    """What is wrong with a whole transaction; `entitlement`: its cause, if that is one."""
    deviations = []
    for number, transfer in enumerate(transaction.transfers, start=1):
        found = forbidden(transaction.kind, transaction.subject, transfer)
        if found is not None:
            where = f"{transaction.where}, transfer {number}"
            deviations.append(
                Deviation(
                    DeviationCode.POSTING_FORBIDDEN, where, f"what {transaction.kind} may do to {_name(transaction)}", found
                )
            )
    if transaction.kind == "exchanged":
        deviations += _check_exchange(transaction)
    if entitlement is not None:
        deviations += _check_lines(transaction, entitlement)
        deviations += _check_gold(transaction, entitlement)
    return deviations


def _check_lines(transaction: Transaction, entitlement: Entitlement) -> list[Deviation]:
    kind, id_ = transaction.subject
    told = {
        LineKey(id_, line["role"], line["currency"], line["scheme_id"], line["payer_id"]): line for line in transaction.lines
    }
    entitled = {
        key: line
        for key, line in entitlement.premiums.items()
        if key.organization_id == id_ and (key.role == "community_fund") == (kind == "fund")
    }
    moved = _moved(transaction)
    deviations = []
    for key in sorted(told.keys() | entitled.keys() | moved.keys()):
        where = f"{transaction.where}: {key}"
        line = told.get(key)
        if line is None:
            deviations.append(_premium(where, "a line", "none"))
            continue
        digits = digits_of(key.unit)
        # What is no longer in the entitlement is told with an amount of nothing.
        expected = entitled[key].told if key in entitled else NO_LINE | {"amount": f"{0:.{digits}f}"}
        found = {name: line[name] for name in expected}
        if found != expected:
            deviations.append(_premium(where, _text(expected), _text(found)))
        change = whole(line["amount"], digits) - whole(line["previous_amount"], digits)
        if change != moved[key]:
            deviations.append(_premium(where, f"a change of {moved[key]}, as was moved", f"a change of {change}"))
    return deviations


def _check_exchange(transaction: Transaction) -> list[Deviation]:
    """Bought is sold times rate, rounded half-even to the bought currency's minor unit."""
    sold, bought = transaction.transfers
    rate = Decimal("NaN") if transaction.rate is None else Decimal(transaction.rate["value"])
    with localcontext(prec=DECIMAL_DIGITS):
        exact = Decimal(sold["amount_minor"]).scaleb(-digits_of(sold["unit"])) * rate
        expected = exact.scaleb(digits_of(bought["unit"])).quantize(Decimal(1), ROUND_HALF_EVEN)
    if expected == bought["amount_minor"]:
        return []
    found = f"{bought['amount_minor']} {bought['unit']} for {sold['amount_minor']} {sold['unit']} at {rate}"
    return [Deviation(DeviationCode.EXCHANGE_WRONG, transaction.where, f"{expected}", found)]


def _moved(transaction: Transaction) -> Counter[LineKey]:
    """What the transfers of premiums moved by line, in minor units."""
    moved: Counter[LineKey] = Counter()
    for transfer in transaction.transfers:
        scope = transfer.get("scope", {})
        if "role" in scope:
            key = LineKey(
                transaction.subject[1], scope["role"], transfer["unit"], scope.get("scheme_id", ""), scope.get("payer_id", "")
            )
            moved[key] += transfer["amount_minor"] if transfer["credit"]["purpose"] == "payable" else -transfer["amount_minor"]
    return moved


def _check_gold(transaction: Transaction, entitlement: Entitlement) -> list[Deviation]:
    kind, id_ = transaction.subject
    entitled_mg = entitlement.amounts.get(LineKey(id_, "source", FINE_GOLD, "", ""), 0) if kind == "org" else 0
    moved_mg = sum(
        transfer["amount_minor"] if transfer["credit"]["owner_kind"] == "org" else -transfer["amount_minor"]
        for transfer in transaction.transfers
        if transfer["unit"] == FINE_GOLD
    )
    gold = transaction.gold
    told_mg = 0 if gold is None else whole(gold["fine_weight_g"], GRAM_DIGITS)
    previous_mg = 0 if gold is None else whole(gold["previous_fine_weight_g"], GRAM_DIGITS)
    if (told_mg, told_mg - previous_mg) == (entitled_mg, moved_mg):
        return []
    return [
        _premium(
            f"{transaction.where}: fine gold",
            f"{entitled_mg} mg, a change of {moved_mg}",
            f"{told_mg} mg, a change of {told_mg - previous_mg}",
        )
    ]


def _premium(where: str, expected: str, found: str) -> Deviation:
    return Deviation(DeviationCode.PREMIUM_NOT_ITS_ENTITLEMENT, where, expected, found)


def _text(line: dict[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted(line.items()))


def _name(transaction: Transaction) -> str:
    return ":".join(transaction.subject)
