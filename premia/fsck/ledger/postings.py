"""Which accounts each kind of transaction may move, and for whom: the table of design section 6.

Goal: a transfer that is balanced, and told by its leaf, but moves what it must not, is named: one payer's money that pays
another's premium, a bank account in a reservation.
Method: a kind names pairs of purposes, debit first; a purpose names whose account it must be.
"""

from __future__ import annotations

from typing import Any, Final

Pairs = frozenset[tuple[str, str]]

PROGRAMME: Final = ("programme", "programme")
PROGRAMMES: Final = frozenset({"bank", "charges", "suspense", "fx"})


def _both_ways(*pairs: tuple[str, str]) -> Pairs:
    return frozenset(pairs) | frozenset((credit, debit) for debit, credit in pairs)


_AGAINST_SUSPENSE: Final = _both_ways(
    *((purpose, "suspense") for purpose in ("payable", "gold", "receivable", "bank", "charges", "fx"))
)
_EXCHANGE: Final = _both_ways(("fx", "bank"), ("fx", "payable"))
PAIRS: Final[dict[str, Pairs]] = {
    "premium": _both_ways(("receivable", "payable")) | {("gold", "gold")},
    "reserved": frozenset({("payable", "in_transit")}),
    "settled": frozenset({("in_transit", "bank"), ("in_transit", "suspense")}),
    "voided": frozenset({("in_transit", "payable")}),
    "returned": frozenset({("bank", "payable"), ("charges", "payable"), ("suspense", "payable")}),
    "received": frozenset({("bank", "receivable")}) | _both_ways(("suspense", "receivable")),
    "suspended": _both_ways(("bank", "suspense")),
    "cleared": _both_ways(("suspense", "charges")),
    "exchanged": _EXCHANGE,
    "opened": _AGAINST_SUSPENSE,
    # Also what takes back a receipt or an exchange, and what takes that back.
    "corrected": _AGAINST_SUSPENSE | _EXCHANGE | _both_ways(("bank", "receivable")),
    "attested": frozenset(),
}
# The kinds of transactions that a command of each kind may lead to.
KINDS_OF_COMMAND: Final[dict[str, frozenset[str]]] = {
    "reserve": frozenset({"reserved"}),
    "settle": frozenset({"settled"}),
    "void": frozenset({"voided"}),
    "return": frozenset({"returned"}),
    "receive": frozenset({"received"}),
    "suspend": frozenset({"suspended"}),
    "clear": frozenset({"cleared", "received", "settled", "returned"}),
    "exchange": frozenset({"exchanged"}),
    "open": frozenset({"opened"}),
    "correct": frozenset({"corrected"}),
    "attest": frozenset({"attested"}),
}


def forbidden(kind: str, subject: tuple[str, str], transfer: dict[str, Any]) -> str | None:
    """What is wrong with one transfer, as its leaf tells it, or None."""
    pairs = PAIRS.get(kind)
    if pairs is None:
        return f"transactions of a kind that is not known, {kind}"
    sides = (transfer["debit"], transfer["credit"])
    purposes = (sides[0]["purpose"], sides[1]["purpose"])
    if purposes not in pairs:
        return " to ".join(purposes)
    scope = transfer.get("scope", {})
    # What is netted stays within scheme and payer, so whatever touches a payable says for which.
    if {"payable", "in_transit"} & set(purposes) and not {"scheme_id", "payer_id"} <= scope.keys():
        return "no scheme or no payer"
    for side in sides:
        owner = (side["owner_kind"], side["owner_id"])
        if owner != _owner_of(side, kind, subject, scope):
            return f"the account {side['purpose']} of {':'.join(owner)}"
    return None


def _owner_of(side: dict[str, Any], kind: str, subject: tuple[str, str], scope: dict[str, Any]) -> tuple[str, str] | None:
    """Whose account it must be; None: nobody's."""
    purpose = side["purpose"]
    if purpose in PROGRAMMES:
        return PROGRAMME
    if purpose == "receivable" and "payer_id" in scope:
        return ("payer", scope["payer_id"])
    if purpose == "gold" and side["owner_kind"] == "refiner" and "refiner_id" in scope:
        return ("refiner", scope["refiner_id"])
    if kind == "premium" and purpose == "payable" and (scope.get("role") == "community_fund") != (subject[0] == "fund"):
        return None
    return subject
