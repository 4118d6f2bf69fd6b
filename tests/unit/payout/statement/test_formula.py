"""The formulas of a statement: the words of the example, and that every one of them leads to its amount."""

from __future__ import annotations

import re
from decimal import Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.currencies import minor_digits
from schemas.explanation_text import status_word
from schemas.statement import SchemeTerms, StatementLine, StatementPosting
from services.payout.statement.formula import formula
from services.payout.statement.locale_text import LocaleText
from tests.unit.payout.statement.example import statement
from tests.unit.premium_calculator.programme import USD_BENCHMARK, assays, calculated, grams, sale, sources

PERU = LocaleText("es_PE")
ADVANCE = re.compile(r"adelanto ([0-9.]+) % ([0-9.,]+)")


def formulas(locale: str = "es_PE") -> dict[tuple[str, str], str]:
    """The example's formulas by lot and stage."""
    issued = statement(locale=locale)
    text = LocaleText(locale)
    return {
        (posting.lot_id, posting.stage): formula(posting, line, issued.schemes[0], text)
        for posting in issued.postings
        for line in posting.lines
    }


def test_formulas_are_those_of_the_programmes_statement() -> None:
    found = formulas()
    assert found["PE-2025-000123", "provisional"] == "2,140.599 \u00d7 0.70 = 1,498.42; adelanto 90 % 1,348.58"
    assert found["PE-2025-000123", "final"] == "2,140.109 \u00d7 0.70 = 1,498.08; 1,498.08 - 1,348.58"
    assert found["PE-2025-000131", "final"] == "2,136.433 \u00d7 0.70 = 1,495.50; 1,495.50 \u00d7 812.300 / 2,136.433"
    assert found["PE-2025-000140", "final"] == "640.310 \u00d7 0.70"


def test_numbers_follow_the_country() -> None:
    assert formulas("es_BO")["PE-2025-000123", "provisional"] == "2.140,599 \u00d7 0,70 = 1.498,42; adelanto 90 % 1.348,58"


def terms(premium: dict[str, Any], fund_share: str | None) -> SchemeTerms:
    return SchemeTerms.model_validate(
        {
            "scheme_id": premium["scheme_id"],
            "scheme_version": premium["scheme_version"],
            "currency": premium["currency"],
            "rate": premium["rate"],
            "provisional_share": "1",
            "community_fund_share": fund_share,
        }
    )


def posted_lines(
    entitlement: dict[str, Any], previous: str | None = None
) -> list[tuple[StatementPosting, StatementLine, SchemeTerms]]:
    """Every line of an entitlement as it would stand in the payee's statement."""
    found = []
    for premium in entitlement["premiums"]:
        for line in premium["lines"]:
            before = previous or format(Decimal(0).scaleb(-minor_digits(premium["currency"])), "f")
            stated = {
                **{key: line[key] for key in ("role", "fine_weight_g", "amount", "eligible", "reason")},
                **{key: premium[key] for key in ("scheme_id", "scheme_version", "currency")},
                "payer_id": "PAY",
                "previous_amount": before,
                "posted": format(Decimal(line["amount"]) - Decimal(before), "f"),
                "counts_as": "premium",
                "state": "calculated",
            }
            posting = StatementPosting.model_validate(
                {
                    **{
                        key: entitlement[key]
                        for key in ("refiner_id", "lot_id", "revision", "calculation", "stage", "status", "sold_on")
                    },
                    "leaf_index": 1,
                    "transaction_id": "3f2a7a54-6f0c-5e0f-9a36-1f5d0f5f7a11",
                    "effective_on": entitlement["sold_on"],
                    "fineness_permille": entitlement["fineness_permille"],
                    "lot_fine_weight_g": entitlement["fine_weight_g"],
                    "own_fine_weight_g": line["fine_weight_g"],
                    "previous_own_fine_weight_g": None,
                    "explanation": entitlement["explanation"],
                    "lines": [stated],
                }
            )
            found.append((posting, posting.lines[0], terms(premium, "0.3" if premium["scheme_id"] == "fund" else None)))
    return found


def evaluate(expression: str) -> Decimal:
    """The value of what a reader would type into a calculator."""
    spelled = expression.replace(",", "").replace("\u00d7", "*").replace(" %", " / 100")
    assert re.fullmatch(r"[0-9.*/+() -]+", spelled), expression
    as_decimals = re.sub(r"[0-9]+(?:\.[0-9]+)?", lambda number: f"Decimal('{number.group()}')", spelled)
    with localcontext() as context:
        context.prec = 60
        value: Decimal = eval(as_decimals, {"Decimal": Decimal})
    return value


def assert_redoes(text: str, line: StatementLine) -> None:
    """Every step leads to the figure it states, to the currency's minor unit, and the last one to what was posted."""
    unit = Decimal(1).scaleb(-minor_digits(line.currency))
    reached = Decimal(0)
    for step in text.split("; "):
        tolerance = unit * 2 if step.endswith(" (redondeo)") else unit / 2
        stated = step.removesuffix(" (redondeo)")
        advance = ADVANCE.fullmatch(stated)
        if advance is not None:
            assert abs(reached * evaluate(advance.group(1)) / 100 - evaluate(advance.group(2))) <= unit / 2, text
            reached = evaluate(advance.group(2))
            continue
        expression, equals, result = stated.partition(" = ")
        reached = evaluate(expression)
        if equals:
            assert abs(reached - evaluate(result)) <= tolerance, text
            reached = evaluate(result)
    assert abs(reached - Decimal(line.posted)) <= unit / 2, text


SALES = {
    "one source": sale(),
    "advance": sale(stage="provisional", assays=assays(seller="873.5")),
    "three sources": sale(sources=sources(("ORG-A", "931.75"), ("ORG-B", "804.26"), ("ORG-C", "714.59"))),
    "three sources, advance": sale(
        stage="provisional",
        assays=assays(seller="871.8"),
        sources=sources(("ORG-A", "931.75"), ("ORG-B", "804.26"), ("ORG-C", "714.59")),
    ),
    "one of two eligible": sale(sources=sources(("ORG-A", "1450.60"), ("ORG-D", "1000.00"))),
    "kilogram with floor": sale(schemes=["kilo"], benchmark=USD_BENCHMARK, price_share_of_benchmark="0.935"),
    "kilogram above the floor": sale(schemes=["kilo"], benchmark=USD_BENCHMARK, price_share_of_benchmark="0.97"),
    "percent with floor": sale(schemes=["share"], benchmark=USD_BENCHMARK, price_share_of_benchmark="0.935"),
    "percent of a price per gram": sale(schemes=["share"], benchmark={**USD_BENCHMARK, "price": "85.2", "per": "GRM"}),
    "fund": sale(schemes=["fund"]),
    "fund, advance, three sources": sale(
        schemes=["fund"],
        stage="provisional",
        assays=assays(seller="871.8"),
        sources=sources(("ORG-A", "931.75"), ("ORG-B", "804.26"), ("ORG-C", "714.59")),
    ),
    "no decimals": sale(schemes=["peso"], sources=sources(("ORG-A", "1000.60"), ("ORG-B", "1450.00"))),
    "three decimals, no advance": sale(schemes=["dinar"], stage="provisional", assays=assays(seller="871.8")),
    "two schemes": sale(schemes=["gram", "share"], benchmark=USD_BENCHMARK),
}


@pytest.mark.parametrize("name", SALES)
def test_every_formula_of_the_real_calculation_leads_to_its_amount(name: str) -> None:
    lines = posted_lines(calculated(SALES[name]))
    assert lines
    for posting, line, scheme in lines:
        if line.eligible:
            written = formula(posting, line, scheme, PERU)
            assert "su parte" not in written
            assert_redoes(written, line)


@given(
    weights=st.lists(st.integers(1_000, 90_000), min_size=1, max_size=3),
    fineness=st.integers(5_000, 9_999),
    scheme=st.sampled_from(["gram", "kilo", "share", "fund", "peso"]),
    stage=st.sampled_from(["provisional", "final"]),
)
def test_formulas_lead_to_their_amounts_whatever_the_lot(weights: list[int], fineness: int, scheme: str, stage: str) -> None:
    rows = [(identity, f"{weight / 100:.2f}") for identity, weight in zip(("ORG-A", "ORG-B", "ORG-C"), weights, strict=False)]
    permille = f"{fineness // 10}.{fineness % 10}"
    lot = sale(
        melt_weight=grams(f"{sum(weights) / 100:.2f}"),
        sources=sources(*rows),
        assays=assays(seller=permille, agreed=permille),
        schemes=[scheme],
        stage=stage,
        benchmark={**USD_BENCHMARK, "currency": "CLP"} if scheme == "peso" else USD_BENCHMARK,
        price_share_of_benchmark="0.935",
    )
    for posting, line, terms_of_line in posted_lines(calculated(lot)):
        assert_redoes(formula(posting, line, terms_of_line, PERU), line)


def test_a_difference_is_written_out_after_the_new_amount() -> None:
    lot = sale(sources=sources(("ORG-A", "931.75"), ("ORG-B", "804.26"), ("ORG-C", "714.59")))
    for posting, line, scheme in posted_lines(calculated(lot), previous="100.00"):
        written = formula(posting, line, scheme, PERU)
        assert written.endswith(" - 100.00")
        assert_redoes(written, line)


def test_what_cannot_be_redone_from_what_is_known_names_the_part_and_claims_nothing() -> None:
    ((posting, line, _), *_) = posted_lines(calculated(sale(schemes=["fund"])))
    assert formula(posting, line, None, PERU).endswith(f"su parte {PERU.amount(line.amount, 'USD')}")


@pytest.mark.parametrize(
    ("reason", "written"),
    [
        ("no_status", "sin prima: en la fecha de venta no tenía estado en el esquema"),
        ("status:step_1", "sin prima: en la fecha de venta su estado en el esquema era paso 1"),
        ("status:suspended", "sin prima: en la fecha de venta su estado en el esquema era suspendida"),
        ("something_new", "sin prima"),
        (None, "sin prima"),
    ],
)
def test_a_line_without_premium_says_why(reason: str | None, written: str) -> None:
    ((posting, line, scheme),) = posted_lines(calculated(sale()))
    ineligible = line.model_copy(update={"eligible": False, "reason": reason})
    assert formula(posting, ineligible, scheme, PERU) == written


def test_a_cancelled_lot_takes_back_what_was_posted() -> None:
    ((posting, line, scheme),) = posted_lines(calculated(sale()))
    cancelled = posting.model_copy(update={"stage": "cancelled"})
    taken_back = line.model_copy(update={"amount": "0.00", "previous_amount": "1495.50", "posted": "-1495.50"})
    assert formula(cancelled, taken_back, scheme, PERU) == "lote anulado: 0.00 - 1,495.50"


def test_a_scheme_that_a_revision_dropped_is_a_difference() -> None:
    ((posting, line, _),) = posted_lines(calculated(sale()))
    dropped = line.model_copy(update={"scheme_id": "gone", "amount": "0.00", "previous_amount": "70.00", "posted": "-70.00"})
    assert formula(posting, dropped, None, PERU) == "0.00 - 70.00"


def test_statuses_are_words() -> None:
    words = [status_word(status, PERU) for status in ("step_2", "certified", "own_word")]
    assert words == ["paso 2", "certificada", "own_word"]
