from __future__ import annotations

import pytest

from schemas import glossary as glossary_module
from schemas.glossary import GlossaryError, glossary, word
from schemas.payee_state import PayeeState


def test_every_term_has_three_languages_and_a_definition() -> None:
    for term in glossary().values():
        for locale in ("es_PE", "en_GB", "fr_CH"):
            assert term.word(locale)
        assert term.definition


def test_a_countrys_own_word_wins() -> None:
    assert [word("assay", locale) for locale in ("es_PE", "es_BO", "es_CO")] == ["ensaye", "análisis", "análisis"]
    assert [word("umpire_laboratory", locale) for locale in ("es_PE", "es_CO")] == [
        "laboratorio dirimente",
        "laboratorio árbitro",
    ]


def test_no_two_terms_share_a_word() -> None:
    words = [term.word("es_PE") for term in glossary().values()]
    assert len(set(words)) == len(words)


def test_a_hold_never_reads_as_tax_withheld() -> None:
    assert "retención" not in word("hold", "es_PE")


def test_what_is_not_in_the_glossary_is_an_error_and_not_a_blank() -> None:
    with pytest.raises(GlossaryError, match="no term"):
        word("nonsense", "es_PE")
    with pytest.raises(GlossaryError, match="no word"):
        word("premium", "de_CH")


@pytest.mark.parametrize(
    "entry",
    [
        {"es": "a", "en": "b", "definition": "c", "confirmed": True},
        {"es": "a", "en": "b", "fr": "c", "confirmed": True},
        {"es": "a", "en": "b", "fr": "c", "definition": "d"},
        {"es": "a", "en": "b", "fr": "c", "de": "d", "definition": "e", "confirmed": True},
    ],
)
def test_an_incomplete_term_is_refused(entry: dict[str, object]) -> None:
    with pytest.raises(GlossaryError):
        glossary_module._term("key", entry)


def test_every_state_that_a_payee_sees_has_a_term() -> None:
    keys = {"on_hold": "hold"}
    for state in PayeeState:
        assert keys.get(state.value, state.value) in glossary()
