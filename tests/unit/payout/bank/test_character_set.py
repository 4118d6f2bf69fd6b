from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.payout.bank.character_set import bank_text, checked_reference, shortened_name
from services.payout.bank.errors import PaymentFileFault, PaymentFileInvalidError


def test_accents_stay_and_come_out_composed() -> None:
    decomposed = unicodedata.normalize("NFD", "Asociación Ñañaykuna Pingüino")
    assert bank_text(decomposed, field="name", chars_max=70) == "Asociación Ñañaykuna Pingüino"


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("Chala \u2013 Arequipa", "Chala - Arequipa"),
        ("D\u2019Oro \u201cLuz\u201d", 'D\'Oro "Luz"'),
        ("a\tb\n c\u00a0d  e", "a b c d e"),
        ("Nº 5", "Nº 5"),
        ("Māori ō ẽ", "Māori ō e"),
        ("\u2026", "..."),
    ],
)
def test_typographic_signs_become_what_the_swiss_profile_takes(written: str, sent: str) -> None:
    assert bank_text(written, field="name", chars_max=70) == sent


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        (" \u00a0 ", PaymentFileFault.TEXT_EMPTY),
        ("", PaymentFileFault.TEXT_EMPTY),
        ("x" * 71, PaymentFileFault.TEXT_TOO_LONG),
        ("Минас", PaymentFileFault.TEXT_NOT_WRITABLE),
        ("oro 💰", PaymentFileFault.TEXT_NOT_WRITABLE),
        ("a\x07b", PaymentFileFault.TEXT_NOT_WRITABLE),
    ],
)
def test_text_that_no_bank_would_read_is_refused_by_name(written: str, fault: PaymentFileFault) -> None:
    with pytest.raises(PaymentFileInvalidError) as caught:
        bank_text(written, field="transfers.3.creditor_name", chars_max=70)
    assert (caught.value.fault, caught.value.field) == (fault, "transfers.3.creditor_name")


@given(st.text(max_size=200))
def test_mapping_text_twice_changes_nothing_more(text: str) -> None:
    try:
        once = bank_text(text, field="name", chars_max=1000)
    except PaymentFileInvalidError:
        return
    assert bank_text(once, field="name", chars_max=1000) == once


def test_a_long_name_is_shortened_at_a_word_only_when_asked() -> None:
    name = "Asociación de Productores Mineros Artesanales y de Pequeña Escala Nueva Esperanza de Chala"
    assert shortened_name(name) == "Asociación de Productores Mineros Artesanales y de Pequeña Escala"
    assert shortened_name("x" * 90) == "x" * 70
    assert shortened_name("Corta") == "Corta"


@pytest.mark.parametrize("reference", ["", " a", "a ", "/a", "a/", "a//b", "a_b", "a#b", "ñ", "x" * 36])
def test_references_that_banks_refuse_are_refused(reference: str) -> None:
    with pytest.raises(PaymentFileInvalidError) as caught:
        checked_reference(reference, field="message_id")
    assert caught.value.fault is PaymentFileFault.REFERENCE_INVALID


@pytest.mark.parametrize("reference", ["a", "A-1/b", "x" * 35, "3f2a7a546f0c5e0f9a361f5d0f5f7a11-1"])
def test_references_of_the_allowed_characters_pass_unchanged(reference: str) -> None:
    assert checked_reference(reference, field="message_id") == reference
