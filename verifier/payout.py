"""A payout order, from its leaves.

Goal: prove what was set aside for a payment, what left the bank by the ledger's books, and what came back.
Method: the leaves of all attempts of the order carry reservation ids that derive from its id. Each attempt is reserved, then
settled or voided, and what was settled may be returned; amounts are equal in every step, part by part.
Refuses: PAYOUT_WRONG, PART_MISSING.
Limits: that a settled payment was booked is the bank's word, which the ledger keeps as the booking's key.
Source: design, sections 6 and 7.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from verifier.bundle import Bundle
from verifier.deviation import Deviation, DeviationCode
from verifier.findings import Findings, of
from verifier.leaf import Leaf, Part, Parts, require_own_accounts
from verifier.payment_ids import attempt_of, end_to_end_id
from verifier.strict import shown
from verifier.units import amount_text


class Step(NamedTuple):
    """One step of a payment: its kind of leaf, what it follows, and what it moves from where to where."""

    kind: str
    after: str | None
    sources: frozenset[str]
    targets: frozenset[str]
    words: str


# What the bank booked may have lain in suspense until a person said which payment it was.
STEPS: Final = (
    Step("reserved", None, frozenset({"payable"}), frozenset({"in_transit"}), "was set aside for the payment"),
    Step(
        "settled",
        "reserved",
        frozenset({"in_transit"}),
        frozenset({"bank", "suspense"}),
        "left the bank, by the ledger's books",
    ),
    Step("voided", "reserved", frozenset({"in_transit"}), frozenset({"payable"}), "was not sent, and is owed again"),
    Step(
        "returned",
        "settled",
        frozenset({"bank", "charges", "suspense"}),
        frozenset({"payable"}),
        "came back, by the ledger's books, and is owed again",
    ),
)


def verify_payout(bundle: Bundle) -> Findings:
    """Check an order's leaves. Raises Deviation."""
    bundle.about.only("kind", "order_id")
    order_id = bundle.about.text("order_id")
    found = Findings(f"Payout {shown(order_id)}")
    found.proven += bundle.checkpoint.words()
    subject = bundle.leaves[0].subject
    attempts: defaultdict[int, list[Leaf]] = defaultdict(list)
    for leaf in bundle.leaves:
        attempts[_attempt(leaf, order_id)].append(leaf)
        if leaf.subject != subject:
            raise Deviation(DeviationCode.PAYOUT_WRONG, leaf.place, f"is of {leaf.subject}, the order pays {subject}")
    for attempt, leaves in sorted(attempts.items()):
        found.proven += _check_attempt(leaves)
        found.proven.append(f"The bank's reference (EndToEndId) of attempt {attempt} is {end_to_end_id(order_id, attempt)}.")
    found.proven.append(f"In the log: {of(len(bundle.leaves), 'leaf', 'leaves')} of it, which pay {subject}.")
    found.not_proven += bundle.checkpoint.open_words()
    found.not_proven += [
        "That the bank moved the money, and to whose account: compare reference, day and amount with the bank's own statement.",
        "That nothing else happened to the payment: another attempt, or a return, has leaves of its own.",
    ]
    return found


def _attempt(leaf: Leaf, order_id: str) -> int:
    reserved_as = leaf.cause.text_or_none("reservation_id")
    attempt = None if reserved_as is None else attempt_of(order_id, reserved_as)
    if attempt is None:
        message = f"is not of payout {shown(order_id)}: its reservation is {shown(reserved_as)}"
        raise Deviation(DeviationCode.PAYOUT_WRONG, leaf.place, message)
    return attempt


def _step(leaf: Leaf) -> Step:
    for step in STEPS:
        fits = all(t.debit.purpose in step.sources and t.credit.purpose in step.targets for t in leaf.transfers)
        if leaf.transfers and fits and leaf.kind == step.kind:
            return step
    moves = ", ".join(f"{transfer.debit} to {transfer.credit}" for transfer in leaf.transfers)
    message = f"is no step of a payment: it is of kind {shown(leaf.kind)} and moves {shown(moves) or 'nothing'}"
    raise Deviation(DeviationCode.PAYOUT_WRONG, leaf.place, message)


def _check_attempt(leaves: Sequence[Leaf]) -> list[str]:
    """Raises Deviation unless the leaves are steps of one payment. Returns them in words."""
    state: str | None = None
    amounts: dict[Part, int] = {}
    moved: defaultdict[Part, int] = defaultdict(int)
    words, parts = [], Parts()
    for leaf in leaves:
        parts.take(leaf)
        step = _step(leaf)
        if state != step.after:
            message = f"is {step.kind}; by the leaves before it the payment was {state or 'not set aside'}"
            raise Deviation(DeviationCode.PAYOUT_WRONG, leaf.place, message)
        require_own_accounts(leaf)
        if leaf.part == 1:
            moved = defaultdict(int)
        for transfer in leaf.transfers:
            moved[transfer.part] += transfer.amount
        if leaf.part < leaf.parts:
            continue
        if state is not None and amounts != moved:
            message = f"moves {_sums(moved)}, where {_sums(amounts)} was {state}, scheme by scheme and payer by payer"
            raise Deviation(DeviationCode.PAYOUT_WRONG, leaf.place, message)
        state, amounts = step.kind, dict(moved)
        words.append(f"{_sums(moved)} {step.words}, on {leaf.effective_on} (leaf {leaf.index}).")
    parts.finish()
    return words


def _sums(amounts: Mapping[Part, int]) -> str:
    sums: defaultdict[str, int] = defaultdict(int)
    for part, amount in amounts.items():
        sums[part.unit] += amount
    return ", ".join(amount_text(amount, unit) for unit, amount in sorted(sums.items()))
