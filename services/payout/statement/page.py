"""A statement as its page: every text in its place, nothing left to decide.

Goal: the PDF, the light HTML and whatever follows show the same words and figures, because they are laid out from this.
Method: the statement document becomes headings, rows and paragraphs, in the order and numbering of the programme's statement.
Sections that have nothing to say keep their number and say so. One block of money for each currency.
Source: the programme's words (one-page statement).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from itertools import groupby
from typing import Final

from schemas.explanation_text import without_premium
from schemas.locale_figures import NO_BREAK_SPACE
from schemas.statement import ExchangedEntry, SchemeTerms, Statement, StatementBalance, StatementLine, StatementPosting
from services.payout.statement.formula import formula, step_values
from services.payout.statement.locale_text import LocaleText
from services.payout.statement.sentences import (
    STATE_TERMS,
    adjustment_lines,
    adjustment_paragraph,
    assay_note,
    complaints_paragraph,
    correction_paragraph,
    disclaimer,
    document_label,
    exchange_paragraph,
    fund_sentence,
    hold_sentence,
    on_the_way_sentence,
    return_paragraph,
    scheme_name,
    sharing_note,
    stage_label,
    terms_sentence,
    transferred_sentences,
    verification_paragraph,
    what_changed,
)

ATTACHMENT_NAME: Final = "estado-de-cuenta.json"
SYNTHETIC_BANNER: Final = "MUESTRA \u2013 DATOS SINTÉTICOS"
_PREMIUM_IS: Final = "La prima se suma al precio del oro que le paga su comprador; no es precio ni préstamo."


@dataclass(frozen=True, slots=True)
class Notice:
    """A line of the first block: a word in capitals, and what it says."""

    label: str
    text: str


@dataclass(frozen=True, slots=True)
class SumRow:
    """A row of a sum that a reader can redo. `is_total`: ruled off above."""

    sign: str
    label: str
    amount: str
    is_total: bool = False


@dataclass(frozen=True, slots=True)
class LotRow:
    """One posted line of a lot."""

    label: str
    melt_weight: str
    fineness: str
    fine_weight: str
    troy_ounces: str
    formula: str
    amount: str
    state: str
    leaf: str


@dataclass(frozen=True, slots=True)
class LotGroup:
    """All rows of one lot, its papers, and how its fineness and shares were found. `state`: where all rows have the same."""

    lot_id: str
    documents: str
    state: str
    rows: tuple[LotRow, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MoneyPage:
    """Sections 1 to 6 in one currency."""

    summary_title: str
    summary: tuple[SumRow, ...]
    closing_title: str
    closing: tuple[SumRow, ...]
    year_to_date: str
    lots_title: str
    lot_columns: tuple[str, ...]
    lots: tuple[LotGroup, ...]
    no_lots: str
    lots_total_label: str
    lots_total: str
    terms: tuple[str, ...]
    adjustments_title: str
    adjustments: tuple[str, ...]
    returns_title: str
    returns: tuple[str, ...]
    fund_title: str
    fund: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StatementPage:
    """Everything that is printed, in order. `synthetic_banner` is empty for real data."""

    language: str
    region: str
    title: str
    number_label: str
    synthetic_banner: str
    programme: str
    payee: str
    period: str
    notices: tuple[Notice, ...]
    money: tuple[MoneyPage, ...]
    complaints_title: str
    complaints: str
    verification_title: str
    verification: str
    disclaimer: str
    receipt: str
    page_of: str


def statement_page(statement: Statement, digest: str) -> StatementPage:
    """Lay a statement out. `digest`: SHA-256 of its canonical JSON. Raises LanguageUnknownError."""
    text = LocaleText(statement.locale)
    language, _, region = statement.locale.partition("_")
    title = text.word("statement").capitalize()
    return StatementPage(
        language=language,
        region=region,
        title=title,
        number_label=f"N.º {statement.statement_number}",
        synthetic_banner=SYNTHETIC_BANNER if statement.programme.synthetic else "",
        programme=statement.programme.name,
        payee=_payee_line(statement, text),
        period=f"Periodo: {text.day(statement.period_from)} al {text.day(statement.period_to)} · "
        f"Emitido: {text.day(statement.issued_on)}",
        notices=tuple(notice for balance in statement.balances for notice in _notices(statement, balance, text)),
        money=tuple(_money_page(statement, balance, text) for balance in statement.balances),
        complaints_title="7. Reclamos",
        complaints=complaints_paragraph(statement, text),
        verification_title="8. Verificar",
        verification=verification_paragraph(statement, digest, ATTACHMENT_NAME, text),
        disclaimer=disclaimer(statement.payee.country),
        receipt=_receipt(statement, text),
        page_of=f"{title} N.º {statement.statement_number} · {statement.payee.name}",
    )


def _payee_line(statement: Statement, text: LocaleText) -> str:
    payee = statement.payee
    country = text.country(payee.country)
    parts = [payee.name]
    if payee.tax_id is not None:
        parts.append(f"{payee.tax_id.scheme}{NO_BREAK_SPACE}{payee.tax_id.value}")
    parts.append(f"{payee.town}, {country}" if payee.town else country)
    return " · ".join(parts)


def _notices(statement: Statement, balance: StatementBalance, text: LocaleText) -> list[Notice]:
    notices = [Notice("TRANSFERIDO", sentence) for sentence in transferred_sentences(balance, text)]
    on_the_way = on_the_way_sentence(balance, text)
    if on_the_way is not None:
        notices.append(Notice(text.word("on_the_way").upper(), on_the_way))
    notices.extend(Notice(text.word("hold").upper(), hold_sentence(hold, balance, text)) for hold in balance.holds)
    notices.append(Notice("QUÉ CAMBIÓ", what_changed(statement, balance, text)))
    return notices


def _money_page(statement: Statement, balance: StatementBalance, text: LocaleText) -> MoneyPage:
    currency = balance.currency
    schemes = _schemes_of(statement, currency)
    lots = _lot_groups(statement, balance, text)
    adjustments = (
        *(
            adjustment_paragraph(posting, line, statement, balance, text)
            for posting, line in adjustment_lines(statement, balance)
        ),
        *(correction_paragraph(entry, statement, currency, text) for entry in balance.corrections),
        *(exchange_paragraph(entry, statement, currency, text) for entry in balance.exchanges),
    )
    returns = tuple(return_paragraph(entry, statement, currency, text) for entry in balance.returns)
    return MoneyPage(
        summary_title=f"1. Resumen en {text.currency_code(currency)}",
        summary=_summary(statement, balance, text),
        closing_title="2. De dónde sale el saldo final",
        closing=_closing(balance, text),
        year_to_date=_year_to_date(statement, balance, text),
        lots_title="3. Sus lotes",
        lot_columns=(
            text.word("lot").capitalize(),
            f"{text.word('melt_weight').capitalize()} (g)",
            f"{text.word('fineness').capitalize()} ‰",
            f"{text.word('fine_weight').capitalize()} (g)",
            "(oz t)",
            "Cálculo",
            text.currency_code(currency),
            text.word("posting").capitalize(),
        ),
        lots=lots,
        no_lots="" if lots else "No hubo lotes en este periodo.",
        lots_total_label="Total de primas del periodo",
        lots_total=text.amount(balance.premiums, currency),
        terms=(*(terms_sentence(terms, text) for terms in schemes), _PREMIUM_IS),
        adjustments_title="4. Ajustes",
        adjustments=adjustments or ("Ninguno en este periodo.",),
        returns_title="5. Devoluciones",
        returns=returns or ("Ninguna en este periodo.",),
        fund_title=f"6. {text.word('community_fund').capitalize()}",
        fund=tuple(dict.fromkeys(fund_sentence(terms, statement, text) for terms in schemes))
        or ("No hubo primas en este periodo.",),
    )


def _schemes_of(statement: Statement, currency: str) -> tuple[SchemeTerms, ...]:
    """The terms of the currency's lines, in the statement's order."""
    return tuple(terms for terms in statement.schemes if terms.currency == currency)


def _summary(statement: Statement, balance: StatementBalance, text: LocaleText) -> tuple[SumRow, ...]:
    """Opening to closing, each movement a row of its own with its day, so that the column can be added up."""
    currency = balance.currency

    def signed(amount: str, sign: int) -> str:
        return text.signed_amount(str(Decimal(amount) * sign), currency)

    movements = [
        *((entry.on, entry.leaf_index, "-", "Transferido el", entry.amount, -1) for entry in balance.transfers),
        *((entry.on, entry.leaf_index, "+", "Devuelto por el banco el", entry.amount, 1) for entry in balance.returns),
        *((entry.on, entry.leaf_index, *_exchange_label(entry, text), entry.amount, 1) for entry in balance.exchanges),
    ]
    deductions = [
        SumRow("-", f"Deducción del {text.day_in(statement.year, entry.on)}: {entry.reason}", signed(entry.amount, -1))
        for entry in balance.deductions
    ] or [SumRow("-", "Deducciones (ninguna)", text.amount(balance.deducted, currency))]
    day_before = statement.period_from - timedelta(days=1)
    return (
        SumRow("", f"Saldo anterior al {text.day(day_before)}", text.amount(balance.opening, currency)),
        SumRow("+", "Primas del periodo", text.amount(balance.premiums, currency)),
        SumRow("±", "Ajustes de liquidaciones anteriores", text.amount(balance.adjustments, currency)),
        *deductions,
        *(
            SumRow(sign, f"{label} {text.day_in(statement.year, on)}", signed(amount, direction))
            for on, _, sign, label, amount, direction in sorted(movements, key=lambda row: (row[0], row[1]))
        ),
        SumRow("=", f"SALDO FINAL al {text.day(statement.period_to)}", text.amount(balance.closing, currency), is_total=True),
    )


def _exchange_label(entry: ExchangedEntry, text: LocaleText) -> tuple[str, str]:
    other = text.currency_code(entry.other_currency)
    return ("+", f"Cambiado de {other} el") if Decimal(entry.amount) > 0 else ("-", f"Cambiado a {other} el")


def _closing(balance: StatementBalance, text: LocaleText) -> tuple[SumRow, ...]:
    """Where the money is. What is available is named only where there is some, or where some is owed back."""
    parts, currency = balance.breakdown, balance.currency
    minimum = "menos que el mínimo"
    if balance.minimum_payout is not None:
        minimum = f"menos que el mínimo de {text.money(balance.minimum_payout, currency)}"
    rows = []
    if Decimal(parts.available) > 0:
        rows.append(SumRow("", "Para el próximo pago", text.amount(parts.available, currency)))
    elif Decimal(parts.available) < 0:
        rows.append(SumRow("", "Se descuenta de próximas primas", text.amount(parts.available, currency)))
    rows.append(SumRow("", "En espera", text.amount(parts.on_hold, currency)))
    if Decimal(parts.scheduled):
        rows.append(SumRow("", "Programado (aún no enviado)", text.amount(parts.scheduled, currency)))
    return (
        *rows,
        SumRow("", "En camino (enviado, no debitado)", text.amount(parts.in_transit, currency)),
        SumRow("", f"Trasladado ({minimum})", text.amount(parts.carried_over, currency)),
        SumRow("", "Saldo final", text.amount(balance.closing, currency), is_total=True),
    )


def _year_to_date(statement: Statement, balance: StatementBalance, text: LocaleText) -> str:
    # Bolivians say gestión for a fiscal year; elsewhere the number alone is the year.
    year = text.word("year")
    named = f"{statement.year}" if year == "año" else f"{year} {statement.year}"
    return (
        f"Acumulado {named}: {text.weight(statement.fine_weight_year_to_date_g)} g de {text.word('fine_weight')}; "
        f"primas {text.amount(balance.premiums_year_to_date, balance.currency)}; "
        f"transferido {text.amount(balance.transferred_year_to_date, balance.currency)}"
    )


def _lot_groups(statement: Statement, balance: StatementBalance, text: LocaleText) -> tuple[LotGroup, ...]:
    shown: list[tuple[StatementPosting, tuple[StatementLine, ...]]] = []
    for posting in statement.postings:
        lines = tuple(line for line in posting.lines if line.currency == balance.currency and _is_shown(line))
        # Gold without any line of money stands with the first currency.
        if lines or (not posting.lines and balance is statement.balances[0]):
            shown.append((posting, lines))
    first_leaf: dict[tuple[str, str], int] = {}
    for posting, _ in shown:
        first_leaf.setdefault((posting.refiner_id, posting.lot_id), posting.leaf_index)

    def place(row: tuple[StatementPosting, tuple[StatementLine, ...]]) -> tuple[int, int]:
        return first_leaf[row[0].refiner_id, row[0].lot_id], row[0].leaf_index

    terms = {(entry.scheme_id, entry.scheme_version): entry for entry in statement.schemes}
    several_schemes = len({line.scheme_id for _, lines in shown for line in lines}) > 1
    groups = groupby(sorted(shown, key=place), key=lambda row: (row[0].refiner_id, row[0].lot_id))
    return tuple(_lot_group(list(rows), statement, terms, text, several_schemes=several_schemes) for _, rows in groups)


def _is_shown(line: StatementLine) -> bool:
    """Adjustments have a section of their own; a line that a revision left as it was has nothing to say."""
    return line.counts_as == "premium" and (bool(Decimal(line.posted)) or not Decimal(line.previous_amount))


def _lot_group(
    postings: list[tuple[StatementPosting, tuple[StatementLine, ...]]],
    statement: Statement,
    terms: dict[tuple[str, str], SchemeTerms],
    text: LocaleText,
    *,
    several_schemes: bool,
) -> LotGroup:
    last = postings[-1][0]
    # Also of a scheme that a revision dropped, which has no version any more.
    names = {scheme_id: scheme_name(entry) for (scheme_id, _), entry in terms.items()}
    rows: list[LotRow] = []
    for posting, lines in postings:
        label = stage_label(posting, statement, text)
        for position, line in enumerate(lines):
            line_terms = terms.get((line.scheme_id, line.scheme_version or ""))
            name = names.get(line.scheme_id, line.scheme_id)
            rows.append(
                _lot_row(
                    posting,
                    label=f"{label} · {name}" if several_schemes else label,
                    formula=formula(posting, line, line_terms, text),
                    amount=text.signed_amount(line.posted, line.currency)
                    if Decimal(line.previous_amount)
                    else text.amount(line.posted, line.currency),
                    state=text.word(STATE_TERMS[line.state]).capitalize() if line.state is not None else "",
                    # The weights belong to the posting: with several schemes they are said once.
                    with_weights=position == 0,
                    text=text,
                )
            )
        if not lines:
            rows.append(
                _lot_row(
                    posting, label=label, formula=without_premium(None, text), amount="", state="", with_weights=True, text=text
                )
            )
    documents = " · ".join(document_label(document, text) for document in last.documents)
    states = {row.state for row in rows}
    if len(states) == 1:
        rows = [replace(row, state="") for row in rows]
    notes = [note for note in (sharing_note(last, text), assay_note(last, text)) if note is not None]
    return LotGroup(
        lot_id=last.lot_id,
        documents=documents,
        state=states.pop() if len(states) == 1 else "",
        rows=tuple(rows),
        notes=tuple(notes),
    )


def _lot_row(
    posting: StatementPosting, *, label: str, formula: str, amount: str, state: str, with_weights: bool, text: LocaleText
) -> LotRow:
    melt_weight_g = step_values(posting, "melt_weight").get("melt_weight_g") if with_weights else None
    own = posting.own_fine_weight_g if with_weights else None
    fineness = posting.fineness_permille if with_weights else None
    return LotRow(
        label=label,
        melt_weight="" if melt_weight_g is None else text.melt_weight_column(melt_weight_g),
        fineness="" if fineness is None else text.fineness(fineness),
        fine_weight="" if own is None else text.weight(own),
        troy_ounces="" if own is None else text.troy_ounces(own),
        formula=formula,
        amount=amount,
        state=state,
        leaf=str(posting.leaf_index) if with_weights else "",
    )


def _receipt(statement: Statement, text: LocaleText) -> str:
    """The line to sign where money was transferred; a paper with nothing to receive has none."""
    currencies = [text.currency_code(balance.currency) for balance in statement.balances if balance.transfers]
    if not currencies:
        return ""
    received = " y ".join(f"{currency} ____________" for currency in currencies)
    return f"CONFORMIDAD: Recibimos {received} el ___/___/_____   Firma, nombre y cargo ______________________   Sello"
