"""A payee's statement, from its leaves.

Goal: prove that a statement is the one on record, that every line stands in the log, that nothing of its period was left out,
and that its sums are right to the cent.
Method: the bundle holds all leaves of the payee from its first to the one that records the statement's hash. A statement is
made at a tree size; it covers what lies below it and took effect by the end of its period, and names what no earlier one
covered. So leaves that it does not name must make up the opening balance, all together the closing balance. With the
statement before it, whose hash is on record too, it is exact which leaves were covered before; without it, one that took
effect before the period, and was recorded before the earlier statement was, may have been in either.
Refuses: STATEMENT_NOT_ATTESTED, STATEMENT_LINE_WRONG, POSTING_LEFT_OUT, STATEMENT_SUM_WRONG, STATEMENT_MALFORMED.
Source: design, section 7 and invariant 9.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from typing import Any, Final

from verifier.bundle import Bundle
from verifier.deviation import Deviation, DeviationCode
from verifier.findings import Findings, of
from verifier.leaf import Account, Leaf, Subject
from verifier.statement_lines import check_corrections, check_exchange, check_movement, check_posting
from verifier.statement_sums import check_sums
from verifier.strict import Members, canonical_json, shown
from verifier.subject_run import owed, require_run

STATEMENT_TYPE: Final = "premium.statement.v1"
MOVEMENTS: Final = ("transfers", "returns", "deductions")
DECIDED_KINDS: Final = frozenset({"opened", "corrected"})
PLACE: Final = "the statement"


@dataclass(frozen=True, slots=True)
class _Statement:
    """A statement that stands in a bundle: its frame, and the hash that must be on record."""

    members: Members
    sha256: str
    payee: Subject
    number: int
    label: str
    period_from: date
    period_to: date
    tree_size: int

    def covers(self, leaf: Leaf) -> bool:
        """Whether the leaf was known to the statement and took effect by its end."""
        return leaf.index < self.tree_size and leaf.effective_on <= self.period_to


def verify_statement(bundle: Bundle) -> Findings:
    """Check a statement against its leaves. Raises Deviation."""
    bundle.about.only("kind")
    statement = _read(bundle.statement, PLACE)
    require_run(bundle.leaves, statement.payee)
    earlier = _require_attested(statement, bundle.leaves)
    previous = _previous(bundle, statement, earlier)
    covered = [leaf for leaf in bundle.leaves if statement.covers(leaf)]
    named = _check_lines(statement, {leaf.index: leaf for leaf in covered})
    for leaf in covered:
        if leaf.index in named:
            if previous is not None and previous.covers(leaf):
                message = f"is named, though statement {shown(previous.label)} covered it"
                raise Deviation(DeviationCode.STATEMENT_LINE_WRONG, leaf.place, message)
        elif _must_be_named(leaf):
            _require_covered_before(leaf, statement, previous, earlier)
    sums = check_sums(statement.members, covered, named)
    return _findings(bundle, statement, previous, named, sums)


def _read(value: Any, place: str) -> _Statement:
    members = Members.of(value, place, DeviationCode.STATEMENT_MALFORMED)
    payee = members.member("payee")
    statement = _Statement(
        members=members,
        sha256=sha256(canonical_json(value)).hexdigest(),
        payee=Subject(payee.text("kind"), payee.text("id")),
        number=members.count("number", at_least=1),
        label=members.text("statement_number"),
        period_from=members.day("period_from"),
        period_to=members.day("period_to"),
        tree_size=members.count("tree_size"),
    )
    if statement.period_to < statement.period_from:
        members.refuse(f"its period ends on {statement.period_to}, before it begins")
    if members.count("year") != statement.period_to.year:
        members.refuse(f"its totals are of {members.count('year')}, and its period ends on {statement.period_to}")
    return statement


def _must_be_named(leaf: Leaf) -> bool:
    """Whether a statement has to tell of a leaf. What two persons moved from one payer's part to another's sums to nothing."""
    decided = leaf.kind in DECIDED_KINDS and any(account == Account(leaf.subject, "payable") for account, _, _ in leaf.moved())
    return leaf.kind == "premium" or decided or any(owed([leaf]).values())


def _require_attested(statement: _Statement, leaves: tuple[Leaf, ...]) -> list[Leaf]:
    """Raises unless the last leaf records the statement. Returns the leaves that record the statements before it."""
    record = leaves[-1]
    if record.attestation != STATEMENT_TYPE or record.attested_sha256 != statement.sha256:
        message = f"the last leaf records {shown(record.attested_sha256)}, the statement's hash is {statement.sha256}"
        raise Deviation(DeviationCode.STATEMENT_NOT_ATTESTED, record.place, message)
    _require_made_before(statement, record, PLACE)
    earlier = [leaf for leaf in leaves[:-1] if leaf.attestation == STATEMENT_TYPE]
    if len(earlier) != statement.number - 1:
        message = (
            f"says that it is number {statement.number}; {of(len(earlier), 'statement')} of the payee are on record before it"
        )
        raise Deviation(DeviationCode.STATEMENT_NOT_ATTESTED, PLACE, message)
    return earlier


def _require_made_before(statement: _Statement, record: Leaf, place: str) -> None:
    """Raises unless the leaves that the statement knew were there when it was recorded: it covers nothing that it never saw."""
    if statement.tree_size > record.index:
        message = f"was made at {statement.tree_size} leaves, but recorded as leaf {record.index}"
        raise Deviation(DeviationCode.STATEMENT_MALFORMED, place, message)


def _previous(bundle: Bundle, statement: _Statement, earlier: list[Leaf]) -> _Statement | None:
    """The statement before this one, if it is in the bundle and on record."""
    if bundle.previous_statement is None:
        return None
    previous = _read(bundle.previous_statement, "the previous statement")
    if not earlier or earlier[-1].attested_sha256 != previous.sha256:
        place = earlier[-1].place if earlier else PLACE
        message = f"the previous statement has hash {previous.sha256}, which is not the last one on record before"
        raise Deviation(DeviationCode.STATEMENT_NOT_ATTESTED, place, message)
    _require_made_before(previous, earlier[-1], "the previous statement")
    if (
        previous.payee != statement.payee
        or previous.number != statement.number - 1
        or previous.period_to >= statement.period_from
    ):
        message = (
            f"is {shown(previous.label)} of {previous.payee}, to {previous.period_to}, which does not precede the statement"
        )
        raise Deviation(DeviationCode.STATEMENT_MALFORMED, "the previous statement", message)
    opening = {balance.text("currency"): balance.text("closing") for balance in previous.members.objects("balances")}
    for balance in statement.members.objects("balances"):
        currency = balance.text("currency")
        before = opening.pop(currency, None)
        if before is not None and balance.text("opening") != before:
            message = f"opens with {shown(balance.text('opening'))}, the previous statement closed with {shown(before)}"
            raise Deviation(DeviationCode.STATEMENT_SUM_WRONG, f"the balance in {currency}", message)
    if opening:
        message = f"has no balance in {shown(', '.join(sorted(opening)))}, which the previous statement had"
        raise Deviation(DeviationCode.STATEMENT_SUM_WRONG, PLACE, message)
    return previous


def _check_lines(statement: _Statement, covered: Mapping[int, Leaf]) -> dict[int, str]:
    """Check all lines against their leaves. Returns the leaves that are named, with what names them."""
    named: dict[int, str] = {}

    def leaf_of(entry: Members) -> Leaf:
        index = entry.count("leaf_index")
        place = Members(entry.value, entry.place, DeviationCode.STATEMENT_LINE_WRONG)
        if index not in covered:
            place.refuse(f"names leaf {index}, which is no leaf of the payee that the statement covers")
        if index in named:
            place.refuse(f"names leaf {index}, which {named[index]} names too")
        named[index] = entry.place
        return covered[index]

    for posting in statement.members.objects("postings"):
        check_posting(posting, leaf_of(posting))
    balances = [(balance.text("currency"), balance) for balance in statement.members.objects("balances")]
    for currency, balance in balances:
        for list_name in MOVEMENTS:
            for entry in balance.objects(list_name):
                leaf = leaf_of(entry)
                check_movement(entry, leaf, list_name, currency, owed([leaf]).get(currency, 0))
    # One leaf may be told of by several entries of these: each scheme and payer, and both sides of an exchange.
    for list_name, check in (("corrections", check_corrections), ("exchanges", check_exchange)):
        by_leaf: defaultdict[int, list[tuple[str, Members]]] = defaultdict(list)
        for currency, balance in balances:
            for entry in balance.objects(list_name):
                by_leaf[entry.count("leaf_index")].append((currency, entry))
        for entries in by_leaf.values():
            check(entries, leaf_of(entries[0][1]))
    return named


def _require_covered_before(leaf: Leaf, statement: _Statement, previous: _Statement | None, earlier: list[Leaf]) -> None:
    """Raises Deviation: POSTING_LEFT_OUT unless an earlier statement may have covered a leaf that this one does not name."""
    if previous is not None:
        before = previous.covers(leaf)
    else:
        # The earlier statement was made before it was recorded, and its period ended before this one began.
        before = bool(earlier) and leaf.index < earlier[-1].index and leaf.effective_on < statement.period_from
    if not before:
        message = (
            f"moved money of {leaf.subject} on {leaf.effective_on}, and neither this statement nor an earlier one names it"
        )
        raise Deviation(DeviationCode.POSTING_LEFT_OUT, leaf.place, message)


def _findings(
    bundle: Bundle, statement: _Statement, previous: _Statement | None, named: Mapping[int, str], sums: list[str]
) -> Findings:
    record, name = bundle.leaves[-1], statement.members.member("payee").text("name")
    found = Findings(
        f"Statement {shown(statement.label)} of {shown(name)} ({statement.payee}),"
        f" {statement.period_from} to {statement.period_to}"
    )
    found.proven += bundle.checkpoint.words()
    found.proven += [
        f"The statement is on record: leaf {record.index}, recorded {record.recorded_at:%Y-%m-%d %H:%M:%S} UTC, holds its hash"
        f" {statement.sha256}. Nothing in it was changed since.",
        f"It is number {statement.number} of its payee, and no other statement of that number is on record up to this one.",
        f"All {of(len(bundle.leaves), 'leaf', 'leaves')} of the payee up to that record are here and in the log, numbered"
        " without a gap.",
        f"The {of(len(named), 'posting or payment', 'postings and payments')} that it lists say what"
        " their leaves say: lot, weights, fineness, amounts, days and bank references. Nothing of the period was left out that"
        f" the log had when it was made, at {of(statement.tree_size, 'leaf', 'leaves')}.",
        *sums,
    ]
    if previous is not None:
        found.proven.append(
            f"It opens with what statement {shown(previous.label)} closed with, whose hash {previous.sha256} is on record too."
        )
    found.not_proven += bundle.checkpoint.open_words()
    if previous is None and statement.number > 1:
        found.not_proven.append(
            "In which earlier statement each leaf of the opening balance stood: the previous statement is not in the bundle."
        )
    later = [leaf for leaf in bundle.leaves if not statement.covers(leaf) and _must_be_named(leaf)]
    if later:
        found.not_proven.append(
            f"What {of(len(later), 'leaf', 'leaves')} changed, beginning with leaf {later[0].index} of {later[0].effective_on}:"
            " recorded after the statement was made, or with effect after its period. Ask for the next statement."
        )
    found.not_proven += [
        "That weights and fineness are true: the lots' documents and assays vouch for them, the log keeps what was stated.",
        "That the bank moved the money: compare the references and days with the bank's own statement.",
        "How the closing balance divides into available, on hold, carried over and sent, and what each line's state was:"
        " payout says so, the log does not record it.",
        "Names, addresses and terms: they are what was issued, under the recorded hash; the log does not hold them.",
        "That the rest of the log is sound, and no leaf of anybody else touches this payee: `log` checks that.",
    ]
    return found
