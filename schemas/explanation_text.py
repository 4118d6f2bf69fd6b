"""The calculation of a premium in words: one text for statements, pages and the command line.

Goal: whoever has a pocket calculator gets the same amount, in Spanish, English or French, wherever they read it.
Method: the steps of an entitlement's `explanation` hold every figure. Sentences come from explanation_text.yaml, words from the
glossary, figures from the locale. Formulas are the same in all languages: numbers and signs.
Refuses: a sentence without one of the languages (PhraseError at the first use); a step or rule that it does not know has no
sentence (None), because old entitlements are explained by old rules.
Source: design, section 5; the premium calculator writes the steps (`melt_weight`, `assay`, `fine_weight`, …).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from functools import cache
from pathlib import Path
from typing import Final

import yaml

from schemas.currencies import minor_digits
from schemas.entitlement import Step
from schemas.fixed_point import shortest_text
from schemas.glossary import LANGUAGES, glossary
from schemas.locale_figures import LocaleFigures
from schemas.scheme import Rate
from schemas.units import GRAMS_E7

PHRASES_FILE: Final = Path(__file__).with_suffix(".yaml")
TIMES: Final = " \u00d7 "
# A lot is shared over sources, then over roles, each to whole minor units by largest remainder: one unit each.
ROUNDINGS_MAX: Final = 2
_PRECISION: Final = 60
_GRAM_DIGITS: Final = 7
_DOCUMENT_KINDS: Final = frozenset(
    {"export_declaration", "transport_guide", "melt_protocol", "assay_certificate", "invoice", "royalty_form"}
)
_KNOWN_STATUSES: Final = frozenset({"certified", "member", "suspended", "terminated", "lapsed", "applicant"})


class PhraseError(Exception):
    """The file of phrases lacks what was asked of it: a fault of this release, not of its data."""


@cache
def phrases() -> Mapping[str, Mapping[str, str]]:
    """All phrases by key, then by language or locale. Raises PhraseError."""
    content = yaml.safe_load(PHRASES_FILE.read_text(encoding="utf-8"))
    for key, entry in content.items():
        missing = [language for language in LANGUAGES if language not in entry]
        if missing:
            raise PhraseError(f"{key}: no words in {', '.join(missing)}")
    found: Mapping[str, Mapping[str, str]] = content
    return found


def phrase(key: str, text: LocaleFigures, **values: str) -> str:
    """The phrase with its values; words of the glossary are filled in by their keys. Raises PhraseError."""
    entry = phrases().get(key)
    if entry is None:
        raise PhraseError(f"no phrase {key}")
    template = entry.get(text.locale) or entry[text.language]
    return template.format_map(_Filled(values, text)) if "{" in template else template


class _Filled(dict[str, str]):
    def __init__(self, values: Mapping[str, str], text: LocaleFigures) -> None:
        super().__init__(values)
        self._text = text

    def __missing__(self, key: str) -> str:
        if key not in glossary():
            raise PhraseError(f"nothing to fill {{{key}}} with")
        return self._text.word(key)


# --- steps ------------------------------------------------------------------------------------------------------------


def melt_weight_sentence(step: Step, text: LocaleFigures) -> str | None:
    """`Melt weight: 78.80 troy ounces = 2,450.9540 g.`"""
    values = step.values
    if "melt_weight_g" not in values:
        return None
    grams = text.melt_weight(values["melt_weight_g"])
    if step.rule == "converted":
        return phrase(
            "melt_weight_converted",
            text,
            value=text.factor(values["value"]),
            unit=phrase(f"{'unit' if text.is_one(values['value']) else 'units'}_{values['unit']}", text),
            grams=grams,
        )
    return phrase("melt_weight_stated", text, grams=grams)


def assay_sentence(step: Step, text: LocaleFigures) -> str | None:
    """By whose assay the fineness counts. None where the rule is not one of ours."""
    key = f"assay_{step.rule}"
    if key not in phrases():
        return None
    values = step.values
    parties = {party: text.fineness(values.get(party, "0")) for party in ("seller", "buyer", "agreed")}
    apart = str(abs(Decimal(values.get("seller", "0")) - Decimal(values.get("buyer", "0"))))
    return phrase(
        key,
        text,
        **parties,
        umpire_found=text.fineness(values.get("umpire", "0")),
        counts=text.fineness(values.get("fineness_permille", "0")),
        limit=text.plain(values.get("limit_permille", "0")),
        apart=text.plain(apart),
    )


def fine_weight_sentence(step: Step, text: LocaleFigures) -> str | None:
    """`Fine weight: 2,450.60 g x 873.3 ‰ = 2,140.109 g (68.806 oz t), …`"""
    values = step.values
    if not {"melt_weight_g", "fineness_permille", "fine_weight_g"} <= values.keys():
        return None
    return phrase(
        "fine_weight",
        text,
        melt=text.melt_weight(values["melt_weight_g"]),
        fineness=text.fineness(values["fineness_permille"]),
        fine=text.weight(values["fine_weight_g"]),
        ounces=text.troy_ounces(values["fine_weight_g"]),
    )


def sharing_sentence(step: Step, text: LocaleFigures) -> str | None:
    """Over how many organizations the fine weight is shared, and by what."""
    key = f"sharing_{step.rule}"
    if key not in phrases() or "fine_weight_g" not in step.values:
        return None
    return phrase(key, text, organizations=step.values["organizations"], fine=text.weight(step.values["fine_weight_g"]))


def documents_sentence(step: Step, text: LocaleFigures) -> str | None:
    """The papers of the lot by kind, number and issuer."""
    values = step.values
    labels = []
    for row in range(int(values.get("count", "0"))):
        if f"number.{row}" not in values:
            break
        label = document_label(values.get(f"kind.{row}", ""), values[f"number.{row}"], text)
        issuer = values.get(f"issuer.{row}")
        labels.append(f"{label} ({issuer})" if issuer else label)
    if not labels:
        return None
    key = "documents_in_part" if step.rule == "stated_in_part" else "documents"
    return phrase(key, text, documents=", ".join(labels), count=values["count"])


def premium_sentences(step: Step, fine_weight_g: str | None, text: LocaleFigures) -> list[str]:
    """What is eligible, whether the floor adds to it, the formula, and the advance. `fine_weight_g`: of the whole lot.

    Somebody must be eligible: of a very small lot, for a weight that rounds to nothing.
    """
    values = step.values
    currency, eligible = values["currency"], values["eligible_fine_weight_g"]
    sentences = []
    if fine_weight_g is not None and fine_weight_g != eligible:
        sentences.append(phrase("eligible_part", text, eligible=text.weight(eligible), fine=text.weight(fine_weight_g)))
    if "floor" in values:
        sentences.append(
            phrase(
                "floor_missed" if Decimal(values["top_up_share"]) else "floor_met",
                text,
                price_share=text.percent(values["price_share_of_benchmark"]),
                floor=text.percent(values["floor"]),
                top_up_share=text.percent(values["top_up_share"]),
            )
        )
    formula = premium_formula(values, currency, text)
    name = text.word("premium").capitalize()
    sentences.append(phrase("premium_calculation", text, premium=name, formula=formula, currency=text.currency_code(currency)))
    if "provisional_share" in values:
        sentences.append(
            phrase(
                "advance_calculation",
                text,
                share=text.percent(values["provisional_share"]),
                full=text.amount(values["full_amount"], currency),
                total=text.money(values["total"], currency),
            )
        )
    return sentences


# --- formulas ---------------------------------------------------------------------------------------------------------


def premium_formula(values: Mapping[str, str], currency: str, text: LocaleFigures) -> str:
    """`2,140.599 x 0.70 = 1,498.42`: what the lot earns under one scheme, from the values of its step `premium`."""
    weight = text.weight(values["eligible_fine_weight_g"])
    if "percent" in values:
        calculation = f"{_benchmark_value(weight, values, text)}{TIMES}{text.per_cent(values['percent'])}"
    else:
        calculation = f"{weight}{TIMES}{text.factor(values['amount'])}{_per_unit(values['unit'], text)}"
    if Decimal(values.get("top_up_share", "0")):
        difference = f"({text.factor(values['floor'])} - {text.factor(values['price_share_of_benchmark'])})"
        calculation += f" + {difference}{TIMES}{_benchmark_value(weight, values, text)}"
    return f"{calculation} = {text.amount(values['full_amount'], currency)}"


def advance_formula(values: Mapping[str, str], currency: str, text: LocaleFigures) -> str:
    """`advance 90% 1,348.58`: what of the premium is paid at the provisional stage."""
    return f"{text.word('advance')} {text.percent(values['provisional_share'])} {text.amount(values['total'], currency)}"


def share_formula(
    whole: str,
    part: str,
    currency: str,
    text: LocaleFigures,
    *,
    weights_g: tuple[str, str] | None,
    role_share: Decimal,
    states_part: bool,
) -> str:
    """`1,495.50 x 812.300 / 2,136.433`: a payee's part of what the lot earned, by fine weight (own, eligible) and by role.

    A part that differs by the rounding of shares to whole minor units says so; `states_part` adds ` = part` in any case.
    """
    start, amount = text.amount(whole, currency), text.amount(part, currency)
    written, exact = start, Decimal(whole)
    unit = Decimal(1).scaleb(-minor_digits(currency))
    with localcontext() as context:
        context.prec = _PRECISION
        if weights_g is not None:
            own, eligible = weights_g
            written += f"{TIMES}{text.weight(own)} / {text.weight(eligible)}"
            exact = exact * Decimal(own) / Decimal(eligible)
        if role_share != 1:
            written += f"{TIMES}{text.percent(str(role_share))}"
            exact *= role_share
        rounding = exact.quantize(unit, ROUND_HALF_EVEN) - Decimal(part)
    if abs(rounding) > ROUNDINGS_MAX * unit:
        # What we know does not lead to the amount: say whose part it is, and nothing that does not redo.
        return phrase("part_of", text, whole=start, part=amount)
    if rounding:
        return f"{written} = {amount} {phrase('rounding', text)}"
    return f"{written} = {amount}" if states_part else written


def _benchmark_value(weight: str, values: Mapping[str, str], text: LocaleFigures) -> str:
    return f"{weight}{_per_unit(values['benchmark_unit'], text)}{TIMES}{text.factor(values['benchmark_price'])}"


def _per_unit(unit: str, text: LocaleFigures) -> str:
    """Grams are what weights are in; for the other units the grams in one of them divide."""
    return "" if unit == "GRM" else f" / {text.plain(grams_in(unit))}"


def grams_in(unit: str) -> str:
    """`31.1034768` for a troy ounce."""
    return shortest_text(GRAMS_E7[unit], _GRAM_DIGITS)


# --- terms ------------------------------------------------------------------------------------------------------------


def rate_words(rate: Rate, currency: str, text: LocaleFigures) -> str:
    """`USD 0.70 per gram of fine gold`."""
    if rate.kind == "per_mass":
        return phrase(
            "rate_per_mass",
            text,
            currency=text.currency_code(currency),
            amount=text.factor(rate.amount),
            unit=unit_word(rate.unit, text),
        )
    return phrase("rate_percent_of_benchmark", text, percent=text.per_cent(rate.percent))


def terms_sentence(rate: Rate, currency: str, *, name: str, version: str, text: LocaleFigures) -> str:
    """`Rate: USD 0.70 per gram of fine gold (scheme SBG, version 2019-07).`"""
    return phrase("terms", text, rate=rate_words(rate, currency, text), name=name, version=version)


def floor_sentence(min_share_of_benchmark: str, text: LocaleFigures) -> str:
    """What a floor promises."""
    return phrase("floor", text, floor=text.percent(min_share_of_benchmark))


def without_premium(reason: str | None, text: LocaleFigures) -> str:
    """Why an organization gets nothing, from a line's reason (`no_status`, `status:suspended`)."""
    kind, _, status = (reason or "").partition(":")
    if kind == "status" and status:
        return phrase("without_premium_status", text, status=status_word(status, text))
    return phrase("without_premium_no_status" if kind == "no_status" else "without_premium", text)


def status_word(status: str, text: LocaleFigures) -> str:
    """`step 2` for step_2; a status of the programme's own is shown as it is."""
    name, _, number = status.rpartition("_")
    if name == "step" and number.isdecimal():
        return phrase("status_step", text, number=number)
    return phrase(f"status_{status}", text) if status in _KNOWN_STATUSES else status


def document_label(kind: str, number: str, text: LocaleFigures) -> str:
    """`DAM 118-2025-40-012345`."""
    key = f"document_{kind}" if kind in _DOCUMENT_KINDS else "document_other"
    return f"{phrase(key, text)} {number}"


def stage_word(stage: str, text: LocaleFigures) -> str:
    """`provisional`, `final`, `umpire assay` or `cancelled`."""
    return text.word("umpire" if stage == "umpire" else f"stage_{stage}")


def unit_word(unit: str, text: LocaleFigures) -> str:
    """`gram` for GRM."""
    return phrase(f"unit_{unit}", text)


def step_of(steps: Iterable[Step], name: str, scheme_id: str | None = None) -> Step | None:
    """One step of an explanation; the step `premium` of one scheme."""
    for step in steps:
        if step.step == name and (scheme_id is None or step.values.get("scheme_id") == scheme_id):
            return step
    return None
