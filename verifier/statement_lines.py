"""Whether a statement's lines say what the leaves say that they name.

Goal: every figure of a posting, a payment or a return stands in a leaf, or is computed from one here.
Method: member by member. `posted` is the difference of a line's amounts; documents are read out of the leaf's explanation.
Refuses: STATEMENT_LINE_WRONG.
Limits: account, bank and reason of a return are no matter of the log; `state` is what payout told the payee at the time.
Source: schemas/published (premium.statement.v1), design, section 7.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NoReturn

from verifier.deviation import DeviationCode
from verifier.leaf import Leaf, amount_of
from verifier.payment_ids import attempt_of, end_to_end_id
from verifier.strict import Members, shown
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
# What a payment or return may be recorded by: itself, or the clearing of a booking that lay in suspense.
_KINDS: Final = {"transfers": ("settled", "cleared"), "returns": ("returned", "cleared")}


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
    if expected is not None and leaf.kind not in expected:
        _refuse(entry, f"leaf {leaf.index} is of kind {shown(leaf.kind)}, where {' or '.join(expected)} is expected")
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
