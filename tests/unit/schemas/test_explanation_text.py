"""The sentences and formulas that statements, pages and the command line share, in three languages."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter

import pytest

from schemas import explanation_text
from schemas.entitlement import Step
from schemas.explanation_text import (
    PhraseError,
    assay_sentence,
    document_label,
    documents_sentence,
    fine_weight_sentence,
    floor_sentence,
    melt_weight_sentence,
    phrase,
    phrases,
    premium_sentences,
    rate_words,
    sharing_sentence,
    status_word,
    terms_sentence,
    without_premium,
)
from schemas.glossary import LANGUAGES, glossary
from schemas.locale_figures import LanguageUnknownError, LocaleFigures
from schemas.scheme import PercentOfBenchmark, PerMass

PERU, BRITAIN, FRANCE = LocaleFigures("es_PE"), LocaleFigures("en_GB"), LocaleFigures("fr_FR")
MEAN = Step(
    step="assay",
    rule="mean",
    values={"seller": "873.5", "buyer": "873.1", "limit_permille": "0.5", "fineness_permille": "873.3"},
)
GRAMS = {
    "scheme_id": "sbg",
    "scheme_version": "2019-07",
    "currency": "USD",
    "amount": "0.70",
    "unit": "GRM",
    "eligible_fine_weight_g": "2140.109",
    "full_amount": "1498.08",
    "total": "1498.08",
}


def plain(text: str | None) -> str:
    """Without the spaces that never break."""
    assert text is not None
    return re.sub("[\u00a0\u202f]", " ", text)


def fields(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name}


@pytest.mark.parametrize("key", sorted(phrases()))
def test_every_phrase_says_the_same_in_every_language(key: str) -> None:
    entry = phrases()[key]
    assert set(LANGUAGES) <= entry.keys()
    assert {name.partition("_")[0] for name in entry} == set(LANGUAGES)
    # A word of the glossary may be left out where the language has another turn of phrase; a figure may not.
    figures = [fields(template) - glossary().keys() for template in entry.values()]
    assert all(found == figures[0] for found in figures)


def test_the_assay_is_told_in_three_languages() -> None:
    assert assay_sentence(MEAN, PERU) == (
        "Ley final: promedio del ensaye del vendedor (873.5) y del comprador (873.1); difieren 0.4, el límite es 0.5 ‰."
    )
    assert assay_sentence(MEAN, BRITAIN) == (
        "Final fineness: mean of the assay of the seller (873.5) and of the buyer (873.1); they differ by 0.4, "
        "the limit is 0.5 ‰."
    )
    assert assay_sentence(MEAN, FRANCE) == (
        "Titre final : moyenne de l'essai du vendeur (873,5) et de celui de l'acheteur (873,1) ; écart 0,4, "
        "la limite est 0,5 ‰."
    )


@pytest.mark.parametrize("rule", ["seller", "agreed", "mean", "lower", "umpire", "umpire_clamped"])
@pytest.mark.parametrize("text", [PERU, BRITAIN, FRANCE, LocaleFigures("es_CO"), LocaleFigures("es_BO")])
def test_every_rule_of_the_assay_has_words_everywhere(rule: str, text: LocaleFigures) -> None:
    told = assay_sentence(MEAN.model_copy(update={"rule": rule}), text)
    assert told is not None
    assert "{" not in told


def test_a_rule_that_is_not_ours_has_no_sentence() -> None:
    assert assay_sentence(MEAN.model_copy(update={"rule": "astrology"}), PERU) is None
    assert sharing_sentence(Step(step="sharing", rule="by_age", values={"fine_weight_g": "1.000"}), PERU) is None
    assert melt_weight_sentence(Step(step="melt_weight", rule="stated", values={}), PERU) is None
    assert fine_weight_sentence(Step(step="fine_weight", rule="half_even_mg", values={}), PERU) is None
    assert documents_sentence(Step(step="documents", rule="stated_in_part", values={"count": "3"}), PERU) is None


def test_weights_are_told_as_stated_and_in_grams() -> None:
    ounces = {"value": "78.8", "unit": "APZ", "melt_weight_g": "2450.95397184"}
    step = Step(step="melt_weight", rule="converted", values=ounces)
    assert melt_weight_sentence(step, BRITAIN) == "Melt weight: 78.80 troy ounces = 2,450.95397184 g."
    assert "78.80 onzas troy" in str(melt_weight_sentence(step, PERU))
    less = step.model_copy(update={"values": step.values | {"value": "1.5"}})
    assert "1,50 once troy" in plain(str(melt_weight_sentence(less, FRANCE)))
    fine = {"melt_weight_g": "2450.6", "fineness_permille": "873.3", "fine_weight_g": "2140.109"}
    assert plain(fine_weight_sentence(Step(step="fine_weight", rule="half_even_mg", values=fine), FRANCE)) == (
        "Or fin : 2 450,60 g × 873,3 ‰ = 2 140,109 g (68,806 oz t), arrondi une fois au milligramme (demi vers le pair)."  # noqa: RUF001
    )


def test_sharing_and_documents_are_told() -> None:
    shared = Step(step="sharing", rule="by_melt_weight", values={"organizations": "3", "fine_weight_g": "2136.433"})
    assert "3 organizations by their melt weights" in plain(sharing_sentence(shared, BRITAIN))
    papers = Step(
        step="documents",
        rule="stated_in_part",
        values={"count": "9", "kind.0": "export_declaration", "number.0": "118-2025", "issuer.0": "SUNAT"},
    )
    assert documents_sentence(papers, PERU) == "Documentos: DAM 118-2025 (SUNAT); en total 9, los demás están en la venta."
    assert documents_sentence(papers, BRITAIN) == (
        "Documents: export declaration 118-2025 (SUNAT); 9 in all, the others stand in the sale."
    )
    assert document_label("napkin", "7", FRANCE) == "document 7"


def test_a_premium_by_weight_is_a_formula_that_can_be_redone() -> None:
    step = Step(step="premium", rule="per_mass", values=GRAMS)
    assert premium_sentences(step, "2140.109", PERU) == [
        "Prima: 2,140.109 \u00d7 0.70 = 1,498.08; redondeada una vez a la unidad menor de USD."
    ]
    advanced = step.model_copy(update={"values": GRAMS | {"provisional_share": "0.90", "total": "1348.27"}})
    told = premium_sentences(advanced, "3000.000", BRITAIN)
    assert [plain(sentence) for sentence in told] == [
        "Eligible: 2,140.109 g of the 3,000.000 g.",
        "Premium: 2,140.109 \u00d7 0.70 = 1,498.08; rounded once to the minor unit of USD.",
        "An advance is paid until the fineness is final: 90% of 1,498.08 = USD 1,348.27.",
    ]


@pytest.mark.parametrize(("missing", "word"), [("0.015", "below the minimum"), ("0", "nothing is added")])
def test_a_floor_is_told_whether_it_adds_something_or_not(missing: str, word: str) -> None:
    benchmark = {"benchmark_price": "2650.00", "benchmark_unit": "APZ", "price_share_of_benchmark": "0.935"}
    step = Step(step="premium", rule="per_mass", values=GRAMS | benchmark | {"floor": "0.95", "top_up_share": missing})
    told = premium_sentences(step, "2140.109", BRITAIN)
    assert word in told[0]
    assert ("+ (0.95 - 0.935)" in told[1]) == (missing != "0")


def test_rates_and_floors_are_told() -> None:
    per_mass, percent = (
        PerMass(kind="per_mass", amount="0.70", unit="GRM"),
        PercentOfBenchmark(kind="percent_of_benchmark", percent="15"),
    )
    assert rate_words(per_mass, "USD", BRITAIN) == "USD 0.70 per gram of fine gold"
    assert rate_words(percent, "USD", BRITAIN) == "15% of the value of the fine gold at the LBMA Gold Price PM"
    assert terms_sentence(per_mass, "USD", name="SBG", version="2019-07", text=PERU) == (
        "Tarifa: USD 0.70 por gramo de oro fino (esquema SBG, versión 2019-07)."
    )
    assert plain(floor_sentence("0.95", FRANCE)) == (
        "Si l'or a été vendu à moins de 95 % du LBMA Gold Price PM, la différence s'ajoute."
    )


def test_reasons_and_statuses_are_words() -> None:
    assert without_premium("status:step_1", BRITAIN) == "no premium: on the day of sale its status in the scheme was step 1"
    assert without_premium("no_status", FRANCE).startswith("sans prime : le jour de la vente")
    assert without_premium("something_new", PERU) == "sin prima"
    assert [status_word("suspended", text) for text in (PERU, BRITAIN, FRANCE)] == ["suspendida", "suspended", "suspendue"]
    assert status_word("own_word", FRANCE) == "own_word"


def test_what_has_no_words_is_an_error_and_not_a_blank(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(PhraseError, match="no phrase"):
        phrase("nonsense", PERU)
    with pytest.raises(PhraseError, match="nothing to fill"):
        phrase("source_limit_standard", PERU)
    (tmp_path / "half.yaml").write_text("half: {es: media}")
    monkeypatch.setattr(explanation_text, "PHRASES_FILE", tmp_path / "half.yaml")
    with pytest.raises(PhraseError, match="half: no words in en, fr"):
        phrases.__wrapped__()


@pytest.mark.parametrize("locale", ["de_CH", "es_QQ", "es_XX_YY", ""])
def test_a_locale_that_we_cannot_write_is_refused(locale: str) -> None:
    with pytest.raises(LanguageUnknownError):
        LocaleFigures(locale)
