"""The words of a statement, against the programme's example and its rarer cases."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from schemas.statement import Statement
from services.payout.statement.page import MoneyPage, StatementPage, SumRow, statement_page
from tests.unit.payout.statement.example import (
    DAM,
    MELT,
    SBG,
    TROY_OUNCE_TERMS,
    balance,
    document,
    every_kind_of_line,
    line,
    nothing_moved,
    posting,
    postings,
    premium_step,
    statement,
    step,
    yearly,
)

DIGEST = "ab" * 32


def page(issued: Statement) -> StatementPage:
    return statement_page(issued, DIGEST)


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


def notices(issued: Statement) -> list[str]:
    return [plain(f"{notice.label}: {notice.text}") for notice in page(issued).notices]


def money(issued: Statement) -> MoneyPage:
    return page(issued).money[0]


def rows(sums: tuple[SumRow, ...]) -> list[str]:
    return [plain(f"{row.sign} {row.label} {row.amount}".strip()) for row in sums]


def with_balance(**changes: Any) -> Statement:
    return statement(balances=[balance() | changes])


def test_the_first_block_says_what_left_our_bank_what_waits_and_what_changed() -> None:
    assert notices(statement()) == [
        "TRANSFERIDO: USD 2,475.15 salieron de nuestro banco el 28/03/2025 hacia su cuenta en dólares terminada en 8890 "
        "(Banco Ejemplo). Suele llegar en 1 a 5 días hábiles. Referencia para su banco: 7c1e9a40b2d84f6f9e0d5a3b61c2f8d7",
        "EN ESPERA: USD 448.22, lote PE-2025-000140. Falta: aclarar la guía de remisión 0001-004512, que figura en otro lote. "
        "Envíe copia o explique. Solo este lote espera.",
        "QUÉ CAMBIÓ: dos lotes liquidados, un lote en espera, una corrección de -3.90 y un pago devuelto, "
        "que se volvió a enviar.",
    ]


def test_the_head_names_payee_period_and_number() -> None:
    head = page(statement())
    assert (head.title, head.number_label) == ("Estado de cuenta de primas", "N.º 0012-2025-03")
    assert plain(head.payee) == "Asociación Minera Ejemplo · RUC 20601234567 · Chala, Perú"
    assert head.period == "Periodo: 01/03/2025 al 31/03/2025 · Emitido: 01/04/2025"
    assert head.synthetic_banner == "MUESTRA \u2013 DATOS SINTÉTICOS"


def test_opening_to_closing_is_a_sum_that_a_reader_can_redo() -> None:
    assert rows(money(statement()).summary) == [
        "Saldo anterior al 28/02/2025 412.36",
        "+ Primas del periodo 2,514.91",
        "± Ajustes de liquidaciones anteriores -3.90",
        "- Deducciones (ninguna) 0.00",
        "- Transferido el 05/03 -412.36",
        "+ Devuelto por el banco el 11/03 +412.36",
        "- Transferido el 28/03 -2,475.15",
        "= SALDO FINAL al 31/03/2025 448.22",
    ]


@pytest.mark.parametrize("issued", [statement(), every_kind_of_line(), nothing_moved(), yearly(24)])
def test_the_printed_columns_add_up(issued: Statement) -> None:
    decimal_comma = issued.locale != "es_PE"

    def number(text: str) -> Decimal:
        return Decimal(text.replace(".", "").replace(",", ".") if decimal_comma else text.replace(",", ""))

    for printed in page(issued).money:
        for column in (printed.summary, printed.closing):
            *parts, total = column
            assert sum(number(row.amount) for row in parts) == number(total.amount)
            assert [row.is_total for row in column] == [False] * len(parts) + [True]
        lots = sum((number(row.amount) for lot in printed.lots for row in lot.rows if row.amount), Decimal(0))
        assert lots == number(printed.lots_total)


def test_the_closing_balance_says_where_it_is() -> None:
    assert rows(money(statement()).closing) == [
        "En espera 448.22",
        "En camino (enviado, no debitado) 0.00",
        "Trasladado (menos que el mínimo) 0.00",
        "Saldo final 448.22",
    ]
    assert money(statement()).year_to_date == ("Acumulado 2025: 8,911.204 g de oro fino; primas 6,237.85; transferido 5,789.63")


def test_sent_never_reads_as_paid_and_what_is_only_scheduled_not_as_sent() -> None:
    printed = money(every_kind_of_line())
    assert rows(printed.closing) == [
        "Se descuenta de próximas primas -750,00",
        "En espera 0,00",
        "Programado (aún no enviado) 1.495,50",
        "En camino (enviado, no debitado) 24.027,26",
        "Trasladado (menos que el mínimo) 0,00",
        "Saldo final 24.772,76",
    ]
    assert "EN CAMINO: USD 24.027,26 enviados al banco; todavía no salieron de nuestra cuenta." in notices(every_kind_of_line())


def test_lots_show_weight_fineness_fine_weight_in_both_units_formula_amount_and_leaf() -> None:
    first, shared, held = money(statement()).lots
    assert (first.lot_id, first.documents, first.state) == ("PE-2025-000123", "DAM 118-2025-40-012345", "Transferida")
    provisional, final = first.rows
    assert (provisional.label, provisional.melt_weight, provisional.fineness) == ("provisional 14/03", "2,450.60", "873.5")
    assert (provisional.fine_weight, provisional.troy_ounces, provisional.leaf) == ("2,140.599", "68.822", "4101")
    assert (provisional.amount, final.amount) == ("1,348.58", "+149.50")
    assert first.notes == (
        "Ley final: promedio del ensaye del vendedor (873.5) y del comprador (873.1); difieren 0.4, el límite es 0.5 ‰.",
    )
    assert shared.notes[0] == ("Lote de tres organizaciones: oro fino total 2,136.433 g; su parte 812.300 g (26.116 oz t).")
    assert held.state == "En espera"
    assert money(statement()).lots_total == "2,514.91"


def test_terms_say_the_rate_its_version_and_what_a_premium_is_not() -> None:
    assert money(statement()).terms == (
        "Tarifa: USD 0.70 por gramo de oro fino (esquema SBG, versión 2019-07). Estado de su organización en "
        "el esquema: paso 2, "
        "desde 01/01/2021.",
        "La prima se suma al precio del oro que le paga su comprador; no es precio ni préstamo.",
    )
    fair = page(every_kind_of_line()).money[0].terms[1]
    assert "15 % del valor del oro fino al LBMA Gold Price PM" in fair
    assert "menos del 95 % del LBMA Gold Price PM, se suma la diferencia" in fair


def test_a_correction_shows_old_new_difference_and_that_nothing_is_to_be_paid_back() -> None:
    assert money(statement()).adjustments == (
        "Lote PE-2025-000087, ya liquidado antes. El 17/03 la refinería corrigió los datos del lote (revisión 3). Antes "
        "1,204.310 g = 843.02; ahora 1,198.744 g = 839.12; diferencia -3.90. Se descontó de este periodo; no "
        "debe devolver nada. "
        "Asiento 4127.",
    )
    cancelled, recalculated = (part.adjustments[0] for part in page(every_kind_of_line()).money)
    assert "la refinería anuló el lote" in cancelled
    assert "Se descuenta de sus próximas primas; no debe devolver nada." in cancelled
    assert "Se volvió a calcular, con efecto al 02/12, porque cambiaron datos del registro o de la tarifa." in recalculated
    assert "diferencia +70,00. Se suma a este periodo." in recalculated


def test_a_returned_payment_says_why_who_bears_the_charges_and_what_follows() -> None:
    assert plain(money(statement()).returns[0]) == (
        "El pago de USD 412.36 del 05/03 a la cuenta terminada en 1177 volvió el 11/03: la cuenta estaba "
        "cerrada (código AC04). "
        "El banco cobró USD 25.00: lo asume el programa. Se volvió a enviar el 28/03."
    )
    entry = balance()["returns"][0] | {"reason_code": "X99", "charges": "0.00", "paid_again_on": None}
    told = plain(money(with_balance(returns=[entry])).returns[0])
    assert "volvió el 11/03 (código X99). No se pierde: se paga de nuevo cuando la cuenta esté verificada." in told
    assert "cobró" not in told


def test_funds_are_told_or_their_absence() -> None:
    assert money(statement()).fund == ("El esquema SBG no destina una parte al fondo.",)
    assert page(every_kind_of_line()).money[0].fund[1] == (
        "El esquema Fairtrade ecológico destina el 20 % de la prima al fondo (Fondo Comunitario Modelo)."
    )
    fund = {"kind": "fund", "id": "FUND-1", "name": "Fondo Comunitario Modelo", "country": "PE"}
    terms = {**SBG, "community_fund_share": "0.2"}
    assert money(statement(payee=fund, schemes=[terms])).fund == (
        "Este estado de cuenta es del fondo: recibe el 20 % de las primas del esquema SBG.",
    )


def test_complaints_name_whom_to_turn_to_and_promise_only_what_the_programme_promises() -> None:
    assert page(statement()).complaints == (
        "Puede reclamar una línea ante Oficina del programa (+51 1 5550100, reclamos@premia.example), con "
        "este número de estado "
        "de cuenta. No responder no significa que esté de acuerdo."
    )
    assert "Le respondemos en diez días hábiles." in page(every_kind_of_line()).complaints


def test_verification_names_hash_attachment_and_leaves() -> None:
    told = page(statement()).verification
    assert DIGEST in told
    assert "estado-de-cuenta.json" in told
    assert "Sus asientos van del 4101 al 4203." in told
    assert "que tenía 4260 asientos" in told


@pytest.mark.parametrize(
    ("country", "words"),
    [("PE", "ni liquidación de compra (SUNAT)"), ("CO", "declaración de cambio (monetización)"), ("BO", "ni factura")],
)
def test_each_country_is_told_what_the_paper_is_not(country: str, words: str) -> None:
    payee = document()["payee"] | {"country": country}
    told = page(statement(payee=payee)).disclaimer
    assert told.startswith("Este documento no es comprobante de pago")
    assert words in told


def test_a_receipt_is_signed_only_where_something_was_transferred() -> None:
    assert page(statement()).receipt.startswith("CONFORMIDAD: Recibimos USD ____")
    assert page(nothing_moved()).receipt == ""


def test_a_statement_with_nothing_says_so_in_every_section() -> None:
    empty = page(nothing_moved())
    assert notices(nothing_moved()) == [
        "TRANSFERIDO: nada en dólares en este periodo.",
        "QUÉ CAMBIÓ: no hubo movimientos de primas en este periodo.",
    ]
    (printed,) = empty.money
    assert (printed.no_lots, printed.adjustments, printed.returns) == (
        "No hubo lotes en este periodo.",
        ("Ninguno en este periodo.",),
        ("Ninguna en este periodo.",),
    )


def test_bolivians_read_gestion_and_their_own_words() -> None:
    printed = page(every_kind_of_line())
    assert printed.money[0].year_to_date.startswith("Acumulado gestión 2025: 8.911,204 g")
    assert printed.money[1].summary_title == "1. Resumen en Bs"
    assert "Formulario M-03 77-123456" in printed.money[0].lots[0].documents
    assert "Falta dirimición" in printed.money[0].lots[0].notes[0]
    assert printed.synthetic_banner == ""


def test_what_changed_tells_each_lot_once_by_what_its_last_posting_says() -> None:
    changed = next(notice for notice in notices(every_kind_of_line()) if notice.startswith("QUÉ CAMBIÓ"))
    assert changed == (
        "QUÉ CAMBIÓ: un lote que espera al laboratorio, un lote sin prima, un lote anulado y una corrección de -50,00."
    )


def test_many_payments_are_named_by_the_newest_and_counted() -> None:
    transfers = [
        {
            "on": f"2025-03-{day:02d}",
            "amount": "1.00",
            "order_id": f"00000000-0000-0000-0000-0000000000{day:02d}",
            "end_to_end_id": f"{day:032x}",
            "account_last_four": "8890",
            "leaf_index": day,
        }
        for day in range(1, 7)
    ]
    paid = with_balance(
        transfers=transfers,
        returns=[],
        transferred="6.00",
        returned="0.00",
        closing="2917.37",
        ledger_payable="2917.37",
        breakdown=balance()["breakdown"] | {"available": "2469.15"},
    )
    told = [notice for notice in notices(paid) if notice.startswith("TRANSFERIDO")]
    assert [notice.split(" el ")[1][:10] for notice in told[:3]] == ["06/03/2025", "05/03/2025", "04/03/2025"]
    assert told[3] == "TRANSFERIDO: Además tres pagos más; están todos en el resumen."


def test_deductions_are_rows_of_their_own() -> None:
    deducted = with_balance(
        deducted="10.00",
        deductions=[{"on": "2025-03-02", "amount": "10.00", "reason": "aporte acordado", "leaf_index": 4000}],
        closing="438.22",
        ledger_payable="438.22",
        breakdown=balance()["breakdown"] | {"available": "-10.00"},
    )
    assert "- Deducción del 02/03: aporte acordado -10.00" in rows(money(deducted).summary)


def test_what_the_programme_corrected_and_exchanged_is_told_with_reason_and_rate() -> None:
    rate = {"value": "3.7525", "source": "SBS", "side": "ask", "on": "2025-03-19"}
    decided = with_balance(
        adjustments="6.10",
        corrections=[
            {"on": "2025-03-20", "amount": "10.00", "leaf_index": 4000, "kind": "corrected", "reason_code": "WEIGHED_TWICE",
             "scheme_id": "sbg", "payer_id": "PAY-01"}
        ],
        exchanged="-100.00",
        exchanges=[
            {"on": "2025-03-21", "amount": "-100.00", "leaf_index": 4001, "other_currency": "PEN", "other_amount": "375.25",
             "rate": rate}
        ],
        closing="358.22",
        ledger_payable="358.22",
        breakdown=balance()["breakdown"] | {"available": "-90.00"},
    )  # fmt: skip
    shown = money(decided)
    assert "± Ajustes de liquidaciones anteriores 6.10" in rows(shown.summary)
    assert "- Cambiado a PEN el 21/03 -100.00" in rows(shown.summary)
    assert [plain(text) for text in shown.adjustments[-2:]] == [
        "El 20/03 el programa corrigió su saldo: +10.00 (motivo WEIGHED_TWICE), por decisión de dos personas. Asiento 4000.",
        "El 21/03 se cambiaron USD 100.00 por PEN 375.25, a 3.7525 (tipo de venta de SBS del 19/03). Asiento 4001.",
    ]
    assert any("dos correcciones que suman 6.10" in notice for notice in notices(decided))


HELD = {"code": "HOLD_ACCOUNT_MISSING", "amount": "448.22"}


@pytest.mark.parametrize(
    ("hold", "told"),
    [
        (HELD, "No podemos transferir: no tenemos una cuenta bancaria verificada a nombre de su organización."),
        (HELD | {"code": "HOLD_REVIEW"}, "USD 448.22. El pago está en revisión. Le avisaremos."),
        (HELD | {"code": "HOLD_SOMETHING_NEW"}, "El programa está revisando este monto. Le avisaremos."),
        (HELD | {"code": "HOLD_ACCOUNT_CHANGED", "until": "2025-04-20"}, "Avísenos hoy mismo. Se paga desde el 20/04/2025."),
        (
            HELD | {"code": "HOLD_CAPACITY", "values": {"sold_kg": "71", "capacity_kg": "60"}},
            "Sus ventas del año (71 kg) superan lo que declararon (60 kg).",
        ),
        (HELD | {"code": "HOLD_CAPACITY", "values": {"sold_kg": "71"}}, "Sus ventas del año superan la capacidad"),
        (HELD | {"lot_ids": ["A", "B", "C", "D", "E"]}, "USD 448.22, lotes A, B, C y 2 más."),
    ],
)
def test_a_hold_says_what_it_waits_for_and_a_review_nothing_more(hold: dict[str, Any], told: str) -> None:
    assert any(told in notice for notice in notices(with_balance(holds=[hold])))


@pytest.mark.parametrize(
    ("rule", "values", "counts", "told"),
    [
        ("seller", {"seller": "873.5"}, "873.5", "Ley provisional: ensaye del vendedor (873.5)."),
        ("agreed", {"agreed": "871.8"}, "871.8", "Ley final: acordada entre vendedor y comprador (871.8)."),
        (
            "umpire",
            {"seller": "873.5", "buyer": "871.8", "umpire": "872"},
            "872",
            "Ley final: laboratorio dirimente (872.0), entre el vendedor (873.5) y el comprador (871.8).",
        ),
        (
            "umpire_clamped",
            {"seller": "873.5", "buyer": "871.8", "umpire": "880"},
            "873.5",
            "Ley final: el laboratorio dirimente dio 880.0; cuenta 873.5, el extremo más cercano entre el "
            "vendedor (873.5) y el "
            "comprador (871.8).",
        ),
    ],
)
def test_every_rule_of_the_assay_is_put_in_words(rule: str, values: dict[str, str], counts: str, told: str) -> None:
    explained = [MELT, step("assay", rule, **values, fineness_permille=counts), premium_step("640.310", "448.22", "448.22")]
    entries = postings()
    entries[3] |= {"explanation": explained, "fineness_permille": counts}
    assert told in money(statement(postings=entries)).lots[2].notes


def test_a_line_that_a_revision_left_as_it_was_is_not_shown() -> None:
    unchanged = line(
        "70.00", "70.00", "0.00", "100.000", scheme_id="fairtrade-ecological", scheme_version="2013-08", state=None
    )
    entries = postings()
    entries[3]["lines"].append(unchanged)
    issued = statement(postings=entries, schemes=[SBG, TROY_OUNCE_TERMS])
    assert len(money(issued).lots[2].rows) == 1


def test_gold_without_money_is_shown_too() -> None:
    entries = [*postings(), posting(4250, "PE-2025-000150", "2025-03-30", own_fine_weight_g="10.000", documents=DAM)]
    last = money(statement(postings=entries)).lots[-1]
    assert (last.rows[0].formula, last.rows[0].fine_weight, last.rows[0].amount) == ("sin prima", "10.000", "")


def test_a_lot_under_two_schemes_names_them_and_says_its_weights_once() -> None:
    fair, sbg = page(every_kind_of_line()).money[0].lots[0].rows
    assert (fair.label, sbg.label) == ("final 03/11 · Fairtrade ecológico", "final 03/11 · SBG")
    assert (fair.fine_weight, sbg.fine_weight) == ("2.136,433", "")
    assert (fair.state, sbg.state) == ("Enviada al banco", "Programada")


def test_a_later_year_than_the_periods_is_written_out() -> None:
    entries = postings()
    entries[0] |= {"effective_on": "2024-12-30"}
    assert money(statement(postings=entries)).lots[0].rows[0].label == "provisional 30/12/2024"
