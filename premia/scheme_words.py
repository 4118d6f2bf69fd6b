"""A scheme's terms in words, and what one version changes against another.

Goal: a committee that never read YAML understands what it is asked to agree to.
Method: a sentence for each term, in the order in which a premium is calculated; the rate and the floor in the very words of
the statements. A difference is told as what it was and what it becomes; of rates by mass also per gram, and by how much.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Final

from schemas.decimals import Share
from schemas.explanation_text import floor_sentence, grams_in, phrase, rate_words, status_word
from schemas.locale_figures import LocaleFigures
from schemas.scheme import (
    FINE_WEIGHT_TOLERANCE_G,
    SOURCE_MASS_TOLERANCE_G,
    SPLITTING_LIMIT_PERMILLE,
    PerMass,
    Scheme,
)

ENGLISH: Final = LocaleFigures("en_GB")
_PRECISION: Final = 60
_NOTHING: Final = "none"


@dataclass(frozen=True, slots=True)
class Difference:
    """What one term was and what it becomes."""

    field: str
    before: str
    after: str
    words: str


def terms_in_words(scheme: Scheme) -> dict[str, str]:
    """A sentence for each term, by the name of its field."""
    return {name: _sentence(name, words) for name, words in _terms(scheme).items()}


def differences(old: Scheme, new: Scheme) -> list[Difference]:
    """What changes, in the order of the terms. A tolerance that is left out is compared as the general rule."""
    before, after = _terms(old), _terms(new)
    found = [
        Difference(name, before[name], after[name], f"{before[name]} becomes {after[name]}")
        for name in before
        if before[name] != after[name]
    ]
    return [_with_size(difference, old, new) if difference.field == "rate" else difference for difference in found]


def _terms(scheme: Scheme) -> dict[str, str]:
    floor = scheme.floor
    return {
        "name": scheme.name or _NOTHING,
        "valid": _days(scheme),
        "currency": scheme.currency,
        "rate": rate_words(scheme.rate, scheme.currency, ENGLISH),
        "floor": _NOTHING if floor is None else floor_sentence(floor.min_share_of_benchmark, ENGLISH).rstrip("."),
        "eligible_statuses": ", ".join(sorted(status_word(status, ENGLISH) for status in scheme.eligible_statuses)),
        "provisional_share": ENGLISH.percent(scheme.provisional_share),
        "split": _split(scheme.split.producer, scheme.split.community_fund),
        "splitting_limit_permille": f"{ENGLISH.plain(scheme.splitting_limit_permille or SPLITTING_LIMIT_PERMILLE)} ‰",
        "fine_weight_tolerance_g": f"{ENGLISH.plain(scheme.fine_weight_tolerance_g or FINE_WEIGHT_TOLERANCE_G)} g",
        "source_mass_tolerance_g": f"{ENGLISH.plain(scheme.source_mass_tolerance_g or SOURCE_MASS_TOLERANCE_G)} g",
        "citations": ", ".join(scheme.citations),
        "verified": phrase(f"verified_{scheme.verified}", ENGLISH),
    }


# What stands around a term so that it is a sentence.
_SENTENCES: Final = {
    "name": "Name: {}.",
    "valid": "In force {}.",
    "currency": "Amounts are in {}.",
    "rate": "Rate: {}.",
    "floor": "Floor: {}.",
    "eligible_statuses": "Eligible are organizations with status: {}.",
    "provisional_share": "On the seller's assay alone, {} of the premium is paid in advance.",
    "split": "Split: {}.",
    "splitting_limit_permille": "Assays of seller and buyer may differ by up to {}; beyond it an umpire decides.",
    "fine_weight_tolerance_g": "A fine weight that the refiner states may differ from the computed one by up to {}.",
    "source_mass_tolerance_g": "The sources' weights may differ from the lot's by up to {}.",
    "citations": "Source: {}.",
    "verified": "These terms are: {}.",
}


def _sentence(name: str, words: str) -> str:
    return _SENTENCES[name].format(words)


def _days(scheme: Scheme) -> str:
    since = f"from {ENGLISH.day(scheme.valid.starts_on)}"
    end = scheme.valid.ends_before
    return f"{since}, until it is replaced" if end is None else f"{since} up to, but not on, {ENGLISH.day(end)}"


def _split(producer: Share, fund: Share | None) -> str:
    if fund is None:
        return "all to the producer"
    return f"{ENGLISH.percent(producer)} to the producer, {ENGLISH.percent(fund)} to its community fund"


def _with_size(difference: Difference, old: Scheme, new: Scheme) -> Difference:
    if not isinstance(old.rate, PerMass) or not isinstance(new.rate, PerMass) or old.currency != new.currency:
        return difference
    with localcontext() as context:
        context.prec = _PRECISION
        # Compared without division: amount per unit times the grams of the other's unit.
        was = Decimal(old.rate.amount) * Decimal(grams_in(new.rate.unit))
        becomes = Decimal(new.rate.amount) * Decimal(grams_in(old.rate.unit))
        if was == becomes:
            size = "the same, in another unit"
        else:
            percent = (abs(becomes - was) * 100 / was).quantize(Decimal("0.1"))
            size = f"{ENGLISH.per_cent(str(percent))} {'more' if becomes > was else 'less'}"
    return Difference(difference.field, difference.before, difference.after, f"{difference.words} ({size})")
