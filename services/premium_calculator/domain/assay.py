"""Which fineness counts.

Goal: the one fineness of a lot at its stage, from what the parties found.
Method: design section 5.2. Finenesses are whole numbers of 1e-13 permille, because the exact mean of two decimals of 12
digits has 13.
Refuses: a stage whose assays are not there (None).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

FINENESS_DIGITS: Final = 13


@dataclass(frozen=True, slots=True)
class DecidedFineness:
    """The fineness that counts, and by which rule. `disputed`: an umpire has to decide about the part above it."""

    fineness_permille_e13: int
    rule: str
    disputed: bool = False


def decided_fineness(stage: str, permille_e12: Mapping[str, int], splitting_limit_permille_e12: int) -> DecidedFineness | None:
    """The fineness that counts at `stage`, from the assays by party; None if the stage needs one that is not there."""
    seller, buyer = permille_e12.get("seller"), permille_e12.get("buyer")
    if stage == "provisional":
        return None if seller is None else DecidedFineness(seller * 10, "seller")
    if stage == "final" and "agreed" in permille_e12:
        return DecidedFineness(permille_e12["agreed"] * 10, "agreed")
    if seller is None or buyer is None:
        return None
    if stage == "final":
        return _between_the_parties(seller, buyer, splitting_limit_permille_e12)
    umpire = permille_e12.get("umpire")
    return None if umpire is None else _umpired(seller, buyer, umpire)


def _between_the_parties(seller: int, buyer: int, splitting_limit_permille_e12: int) -> DecidedFineness:
    if abs(seller - buyer) <= splitting_limit_permille_e12:
        return DecidedFineness((seller + buyer) * 5, "mean")
    return DecidedFineness(min(seller, buyer) * 10, "lower", disputed=True)


def _umpired(seller: int, buyer: int, umpire: int) -> DecidedFineness:
    clamped = min(max(umpire, min(seller, buyer)), max(seller, buyer))
    return DecidedFineness(clamped * 10, "umpire" if clamped == umpire else "umpire_clamped")
