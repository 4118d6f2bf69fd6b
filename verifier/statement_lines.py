"""Whether a statement's lines say what the leaves say that they name.

Goal: every figure of a posting, a payment or a return stands in a leaf, or is computed from one here.
Method: member by member. `posted` is the difference of a line's amounts; documents are read out of the leaf's explanation.
Refuses: STATEMENT_LINE_WRONG.
Limits: account, bank and reason of a return are no matter of the log; `state` is what payout told the payee at the time.
Source: schemas/published (premium.statement.v1), design, section 7.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NoReturn

from verifier.deviation import DeviationCode
from verifier.leaf import Account, Leaf, amount_of
from verifier.payment_ids import attempt_of, end_to_end_id
from verifier.strict import Members, shown
from verifier.subject_run import owed
from verifier.units import amount_text

LINE_WRONG: Final = DeviationCode.STATEMENT_LINE_WRONG

# A posting's members that stand in the leaf's cause, by their names there.
_OF_CAUSE: Final = {
    "refiner_id": "refiner_id",
    "lot_id": "lot_id",
    "revision": "revision",
    "calculation": "calculation",
    "stage": "stage",
    "status": "status",
    "sold_on": "sold_on",
    "fineness_permille": "fineness_permille",
    "lot_fine_weight_g": "fine_weight_g",
    "explanation": "explanation",
}
_OF_LINE: Final = (
    "scheme_id",
    "scheme_version",
    "payer_id",
    "role",
    "currency",
    "fine_weight_g",
    "amount",
    "previous_amount",
    "eligible",
    "reason",
)
# What kind of leaf records a payment or a return.
_KINDS: Final = {"transfers": "settled", "returns": "returned"}
# What a statement tells of in other lists, and would hide among its deductions.
_NEVER_DEDUCTED: Final = frozenset({"premium", "settled", "returned", "opened", "corrected", "exchanged"})


def check_posting(posting: Members, leaf: Leaf) -> None:
    """Raises Deviation unless a posting is what its leaf says."""
    if leaf.kind != "premium" or leaf.lot() is None:
        _refuse(posting, f"leaf {leaf.index} posts no premium: it is of kind {shown(leaf.kind)}")
    _require(posting, "transaction_id", leaf.transaction_id, leaf)
    _require(posting, "effective_on", leaf.effective_on.isoformat(), leaf)
    for name, name_in_leaf in _OF_CAUSE.items():
        _require(posting, name, leaf.cause.value.get(name_in_leaf), leaf)
    own, previous_own = _own_weights(leaf)
    _require(posting, "own_fine_weight_g", own, leaf)
    _require(posting, "previous_own_fine_weight_g", previous_own, leaf)
    _require(posting, "documents", _documents(leaf), leaf)
    lines = posting.objects("lines")
    if len(lines) != len(leaf.lines):
        _refuse(posting, f"has {len(lines)} lines, leaf {leaf.index} has {len(leaf.lines)}")
    for line, in_leaf in zip(lines, leaf.lines, strict=True):
        for name in _OF_LINE:
            _require(line, name, in_leaf.members.get(name), leaf)
        posted, difference = amount_of(line, "posted", in_leaf.part.unit), in_leaf.amount - in_leaf.previous
        if posted != difference:
            unit = in_leaf.part.unit
            makes = amount_text(difference, unit)
            _refuse(line, f"posted is {amount_text(posted, unit)}, leaf {leaf.index} makes a difference of {makes}")


def check_movement(entry: Members, leaf: Leaf, list_name: str, currency: str, effect: int) -> int:
    """Raises Deviation unless an entry of transfers, returns or deductions is what its leaf says. Returns its amount.

    `effect`: by how much the leaf changed what is owed and on its way, in the entry's currency.
    """
    amount = amount_of(entry, "amount", currency)
    _require(entry, "on", leaf.effective_on.isoformat(), leaf)
    expected = _KINDS.get(list_name)
    if expected is not None and leaf.kind != expected:
        _refuse(entry, f"leaf {leaf.index} is of kind {shown(leaf.kind)}, where {expected} is expected")
    if expected is None and leaf.kind in _NEVER_DEDUCTED:
        _refuse(entry, f"leaf {leaf.index} is of kind {shown(leaf.kind)}, which is no deduction")
    moved = effect if list_name == "returns" else -effect
    if amount <= 0 or amount != moved:
        _refuse(entry, f"amount is {amount_text(amount, currency)}, leaf {leaf.index} moved {amount_text(moved, currency)}")
    if list_name == "returns":
        kept = sum(t.amount for t in leaf.transfers if t.part.unit == currency and t.debit.purpose == "charges")
        charges = amount_of(entry, "charges", currency)
        if charges != kept:
            message = f"charges are {amount_text(charges, currency)}, leaf {leaf.index} says {amount_text(kept, currency)}"
            _refuse(entry, message)
    if expected is not None:
        _check_reference(entry, leaf)
    return amount


def check_corrections(entries: Sequence[tuple[str, Members]], leaf: Leaf) -> None:
    """Raises Deviation unless the entries, each with its currency, are all that a leaf of two persons' decision moved."""
    stated = []
    for currency, entry in entries:
        _require(entry, "on", leaf.effective_on.isoformat(), leaf)
        _require(entry, "kind", leaf.kind, leaf)
        _require(entry, "reason_code", leaf.cause.text("reason"), leaf)
        part = (currency, entry.text("scheme_id"), entry.text("payer_id"))
        stated.append((*part, amount_of(entry, "amount", currency)))
    first = entries[0][1]
    if leaf.kind not in {"opened", "corrected"}:
        _refuse(first, f"leaf {leaf.index} is of kind {shown(leaf.kind)}, which is no correction")
    moved = [
        (part.unit, part.scheme_id, part.payer_id, amount)
        for account, part, amount in leaf.moved()
        if account == Account(leaf.subject, "payable")
    ]
    if sorted(stated) != sorted(moved):
        _refuse(first, f"the entries of leaf {leaf.index} are {_moves(stated)}; the leaf moved {_moves(moved)}")


def check_exchange(entries: Sequence[tuple[str, Members]], leaf: Leaf) -> None:
    """Raises Deviation unless the entries, each with its currency, are both sides of the exchange that a leaf records."""
    first = entries[0][1]
    sides = owed([leaf])
    if leaf.kind != "exchanged" or len(sides) != 2 or sorted(sides) != sorted(currency for currency, _ in entries):
        told = ", ".join(sorted(currency for currency, _ in entries))
        _refuse(
            first, f"leaf {leaf.index}, of kind {shown(leaf.kind)}, is told of in {told}; it moved {', '.join(sorted(sides))}"
        )
    for currency, entry in entries:
        (other,) = sides.keys() - {currency}
        _require(entry, "on", leaf.effective_on.isoformat(), leaf)
        _require(entry, "other_currency", other, leaf)
        _require(entry, "rate", leaf.cause.value.get("rate"), leaf)
        stated = (amount_of(entry, "amount", currency), amount_of(entry, "other_amount", other))
        if stated != (sides[currency], abs(sides[other])):
            told, moved = (
                f"{amount_text(mine, currency)} for {amount_text(theirs, other)}"
                for mine, theirs in (stated, (sides[currency], abs(sides[other])))
            )
            _refuse(entry, f"is {told}, leaf {leaf.index} exchanged {moved}")


def _moves(moves: Iterable[tuple[str, str, str, int]]) -> str:
    return ", ".join(f"{amount_text(amount, unit)} ({shown(scheme)}, {shown(payer)})" for unit, scheme, payer, amount in moves)


def _check_reference(entry: Members, leaf: Leaf) -> None:
    order_id, reference = entry.text("order_id"), entry.text("end_to_end_id")
    reserved_as = leaf.cause.text("reservation_id")
    attempt = attempt_of(order_id, reserved_as)
    if attempt is None:
        _refuse(
            entry, f"order {shown(order_id)} is not the one that leaf {leaf.index} paid: that has reservation {reserved_as}"
        )
    if reference != end_to_end_id(order_id, attempt):
        _refuse(entry, f"reference {shown(reference)} is not that of the order's attempt {attempt}")


def _own_weights(leaf: Leaf) -> tuple[object, object]:
    """The payee's weight and the one before. A fund owns no gold: its lines carry the weight they were computed from."""
    if leaf.gold is not None:
        return leaf.gold.members["fine_weight_g"], leaf.gold.members["previous_fine_weight_g"]
    weights = (line.members.get("fine_weight_g") for line in leaf.lines)
    return next((weight for weight in weights if weight is not None), None), None


def _documents(leaf: Leaf) -> list[dict[str, Any]]:
    """Papers of the lot, as the step `documents` of the explanation numbers them."""
    for step in leaf.cause.objects("explanation"):
        if step.text("step") != "documents":
            continue
        values: Mapping[str, Any] = step.member("values").value
        rows = [name.removeprefix("kind.") for name in values if name.startswith("kind.")]
        return [
            {"kind": values[f"kind.{row}"], "number": values.get(f"number.{row}"), "issuer": values.get(f"issuer.{row}")}
            for row in sorted(rows, key=lambda row: (len(row), row))
        ]
    return []


def _require(members: Members, name: str, value: object, leaf: Leaf) -> None:
    if members.value.get(name) != value or type(members.value.get(name)) is not type(value):
        _refuse(members, f"{name} is {shown(members.value.get(name))}, leaf {leaf.index} says {shown(value)}")


def _refuse(members: Members, message: str) -> NoReturn:
    Members(members.value, members.place, LINE_WRONG).refuse(message)
