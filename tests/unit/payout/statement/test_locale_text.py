from __future__ import annotations

from datetime import date

import pytest

from schemas.locale_figures import LanguageUnknownError
from services.payout.statement.locale_text import LocaleText

PERU, BOLIVIA, COLOMBIA = LocaleText("es_PE"), LocaleText("es_BO"), LocaleText("es_CO")


@pytest.mark.parametrize(("text", "weight"), [(PERU, "2,136.433"), (BOLIVIA, "2.136,433"), (COLOMBIA, "2.136,433")])
def test_numbers_are_written_as_the_country_writes_them(text: LocaleText, weight: str) -> None:
    assert text.weight("2136.433") == weight


def test_money_has_its_currencys_digits_and_is_never_broken_from_its_code() -> None:
    assert PERU.money("2475.15", "USD") == "USD\u00a02,475.15"
    assert PERU.money("1234", "CLP") == "CLP\u00a01,234"
    assert PERU.money("1234.567", "KWD") == "KWD\u00a01,234.567"
    assert BOLIVIA.money("12.00", "BOB") == "Bs\u00a012,00"
    assert PERU.money("12.00", "BOB") == "BOB\u00a012.00"


def test_signs_are_written_where_direction_matters() -> None:
    written = [PERU.signed_amount(amount, "USD") for amount in ("149.50", "-3.90", "0.00")]
    assert written == ["+149.50", "-3.90", "0.00"]


def test_no_digit_is_lost_however_long_the_number() -> None:
    assert PERU.amount("999999999999999999.99", "USD") == "999,999,999,999,999,999.99"
    assert PERU.weight("1234567890123456789012345.678") == "1,234,567,890,123,456,789,012,345.678"
    assert PERU.fineness("873.2500000000005") == "873.2500000000005"
    assert PERU.melt_weight("2450.605123456789") == "2,450.605123456789"
    assert PERU.melt_weight_column("2284.9858196352") == "2,284.986"
    assert PERU.melt_weight_column("2450.6") == "2,450.60"


def test_troy_ounces_are_rounded_for_reading() -> None:
    assert [PERU.troy_ounces(grams) for grams in ("2140.599", "2140.109", "812.300", "640.310")] == [
        "68.822",
        "68.806",
        "26.116",
        "20.586",
    ]


def test_days_and_countries() -> None:
    assert PERU.day(date(2025, 3, 28)) == "28/03/2025"
    assert PERU.day_in(2025, date(2025, 3, 28)) == "28/03"
    assert PERU.day_in(2025, date(2024, 12, 31)) == "31/12/2024"
    assert [PERU.country(code) for code in ("PE", "BO", "CO")] == ["Perú", "Bolivia", "Colombia"]


def test_counts_are_words_while_they_are_small_and_have_a_gender() -> None:
    assert PERU.count(1, "lote en espera", "lotes en espera") == "un lote en espera"
    assert PERU.count(1, "corrección", "correcciones") == "una corrección"
    assert PERU.count(2, "lote", "lotes") == "dos lotes"
    assert PERU.count(300, "lote", "lotes") == "300 lotes"


@pytest.mark.parametrize("locale", ["fr_CH", "en_GB", "es_QQ", "es_XX_YY"])
def test_a_locale_that_we_cannot_write_is_refused(locale: str) -> None:
    with pytest.raises(LanguageUnknownError):
        LocaleText(locale)
