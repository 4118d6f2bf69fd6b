"""The sentences of a Spanish statement.

Goal: what a treasurer must know stands in whole sentences: how much left our bank, on which day, towards which account; what
waits, and for what; what changed since the last statement. "Sent" never reads as "paid".
Method: one function for each sentence; words from the glossary, figures by the locale.
Source: the programme's words; a treasurer of each country has yet to confirm what the glossary marks.
"""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Final

from schemas import explanation_text
from schemas.explanation_text import assay_sentence, floor_sentence, stage_word, status_word, step_of, without_premium
from schemas.ledger_words import RateSide
from schemas.payee_state import PayeeState
from schemas.statement import (
    CorrectionEntry,
    ExchangedEntry,
    HoldEntry,
    ReturnedEntry,
    SchemeTerms,
    Statement,
    StatementBalance,
    StatementDocument,
    StatementLine,
    StatementPosting,
    TransferredEntry,
)
from services.payout.statement.formula import step_values
from services.payout.statement.locale_text import LocaleText

# Payments named one by one in the first block; the summary below has all of them.
TRANSFERS_TOLD_MAX: Final = 3
LOTS_TOLD_MAX: Final = 3

STATE_TERMS: Final = {
    PayeeState.CALCULATED: "calculated",
    PayeeState.ON_HOLD: "hold",
    PayeeState.SCHEDULED: "scheduled",
    PayeeState.SENT: "sent_to_the_bank",
    PayeeState.TRANSFERRED: "transferred",
    PayeeState.RETURNED: "returned",
}
assert set(STATE_TERMS) == set(PayeeState), "every state that a payee sees has a word"

# In the order in which they are told.
_CHANGES: Final = {
    "settled": ("lote liquidado", "lotes liquidados"),
    "advanced": ("lote con adelanto", "lotes con adelanto"),
    "umpire": ("lote que espera al laboratorio", "lotes que esperan al laboratorio"),
    "on_hold": ("lote en espera", "lotes en espera"),
    "without_premium": ("lote sin prima", "lotes sin prima"),
    "cancelled": ("lote anulado", "lotes anulados"),
}

_RATE_SIDES: Final = {RateSide.BID: "de compra", RateSide.ASK: "de venta", RateSide.MID: "medio"}

_RETURN_REASONS: Final = {
    "AC01": "el número de cuenta no es correcto",
    "AC03": "el número de cuenta no es correcto",
    "AC04": "la cuenta estaba cerrada",
    "AC06": "la cuenta estaba bloqueada",
    "AC14": "el tipo de cuenta no admite el pago",
    "AG01": "el banco no admite este tipo de pago en la cuenta",
    "BE01": "el nombre no coincide con el titular de la cuenta",
    "BE04": "falta la dirección o no es correcta",
    "CURR": "la cuenta es de otra moneda",
    "MD07": "el titular de la cuenta ha fallecido",
    "RC01": "el código del banco no es correcto",
    "RR03": "faltan datos del beneficiario",
}

_WAIT_FOR_US: Final = "El programa está revisando este monto. Le avisaremos."
_HOLDS: Final = {
    "HOLD_ACCOUNT_MISSING": "No podemos transferir: no tenemos una cuenta bancaria verificada a nombre de su organización. "
    "Envíe una constancia del banco. Su prima queda guardada.",
    "HOLD_ACCOUNT_CHANGED": "Su cuenta cambió hace poco. Por seguridad esperamos unos días antes de pagar. ¿No lo pidieron "
    "ustedes? Avísenos hoy mismo.",
    "HOLD_DOCUMENT_REUSED": "Falta: aclarar un documento que figura en otro lote. Envíe copia o explique. Solo este lote "
    "espera.",
    "HOLD_LOT_REUSED": "Falta: aclarar el lote, que figura también en otra venta. Solo este lote espera.",
    "HOLD_PARENT_MASS_EXCEEDED": "Falta: aclarar el peso del lote de origen, que no alcanza para lo vendido. Solo este lote "
    "espera.",
    "HOLD_CAPACITY": "Sus ventas del año superan la capacidad que declararon. Envíe su nuevo informe de capacidad.",
    "HOLD_SUSPENDED": "Su organización está suspendida en el esquema. Lo vendido antes se paga.",
    # Sanctions: nothing more is said, by law in most places.
    "HOLD_REVIEW": "El pago está en revisión. Le avisaremos.",
    "HOLD_RATE_MISSING": "Falta el tipo de cambio para pagar en esta moneda. No tiene que hacer nada: se paga cuando lo haya.",
    "HOLD_OPERATOR": _WAIT_FOR_US,
}
# Filled from the hold's values, where it has them: the values that must be there, and the sentence.
_HOLDS_WITH_VALUES: Final[dict[str, tuple[set[str], str]]] = {
    "HOLD_DOCUMENT_REUSED": (
        {"document"},
        "Falta: aclarar {document}, que figura en otro lote. Envíe copia o explique. Solo este lote espera.",
    ),
    "HOLD_CAPACITY": (
        {"sold_kg", "capacity_kg"},
        "Sus ventas del año ({sold_kg} kg) superan lo que declararon ({capacity_kg} kg). Envíe su nuevo informe de capacidad.",
    ),
}


def transferred_sentence(entry: TransferredEntry, currency: str, text: LocaleText) -> str:
    """How much left our bank, when, towards which account, and the reference to take to the bank."""
    bank = f" ({entry.bank_name})" if entry.bank_name else ""
    return (
        f"{text.money(entry.amount, currency)} salieron de nuestro banco el {text.day(entry.on)} hacia su cuenta en "
        f"{text.currency_name(currency)} terminada en {entry.account_last_four}{bank}. Suele llegar en 1 a 5 días hábiles. "
        f"Referencia para su banco: {entry.end_to_end_id}"
    )


def transferred_sentences(balance: StatementBalance, text: LocaleText) -> list[str]:
    """The payments of the period that did not come back, the newest first; the rest by their number."""
    came_back = {entry.order_id for entry in balance.returns}
    stayed = [entry for entry in balance.transfers if entry.order_id not in came_back]
    stayed.sort(key=lambda entry: (entry.on, entry.leaf_index), reverse=True)
    sentences = [transferred_sentence(entry, balance.currency, text) for entry in stayed[:TRANSFERS_TOLD_MAX]]
    if len(stayed) > TRANSFERS_TOLD_MAX:
        others = text.count(len(stayed) - TRANSFERS_TOLD_MAX, "pago más", "pagos más")
        sentences.append(f"Además {others}; están todos en el resumen.")
    return sentences or [f"nada en {text.currency_name(balance.currency)} en este periodo."]


def on_the_way_sentence(balance: StatementBalance, text: LocaleText) -> str | None:
    """What the bank has and has not booked yet."""
    if not Decimal(balance.breakdown.in_transit):
        return None
    amount = text.money(balance.breakdown.in_transit, balance.currency)
    return f"{amount} enviados al banco; todavía no salieron de nuestra cuenta."


def hold_sentence(hold: HoldEntry, balance: StatementBalance, text: LocaleText) -> str:
    """How much is on hold, for which lots, and what is missing."""
    where = ""
    if len(hold.lot_ids) == 1:
        where = f", lote {hold.lot_ids[0]}"
    elif hold.lot_ids:
        named = ", ".join(hold.lot_ids[:LOTS_TOLD_MAX])
        rest = len(hold.lot_ids) - LOTS_TOLD_MAX
        where = f", lotes {named}{f' y {rest} más' if rest > 0 else ''}"
    sentence = _HOLDS.get(hold.code, _WAIT_FOR_US)
    needed, longer = _HOLDS_WITH_VALUES.get(hold.code, (set(), sentence))
    if needed and needed <= hold.values.keys():
        sentence = longer.format_map(hold.values)
    until = f" Se paga desde el {text.day(hold.until)}." if hold.until else ""
    return f"{text.money(hold.amount, balance.currency)}{where}. {sentence}{until}"


def what_changed(statement: Statement, balance: StatementBalance, text: LocaleText) -> str:
    """In one sentence: lots settled and advanced, lots on hold, corrections, payments that came back."""
    parts = [*_lots_changed(statement, balance, text), *_corrections(statement, balance, text), *_came_back(balance, text)]
    if not parts:
        return "no hubo movimientos de primas en este periodo."
    return f"{', '.join(parts[:-1])}{' y ' if len(parts) > 1 else ''}{parts[-1]}."


def _lots_changed(statement: Statement, balance: StatementBalance, text: LocaleText) -> list[str]:
    """Each lot once, by what its last posting of the period says."""
    last: dict[tuple[str, str], tuple[StatementPosting, list[StatementLine]]] = {}
    for posting in statement.postings:
        lines = [line for line in posting.lines if line.currency == balance.currency and line.counts_as == "premium"]
        if lines:
            last[posting.refiner_id, posting.lot_id] = (posting, lines)
    kinds = Counter(_kind_of_change(posting, lines) for posting, lines in last.values())
    return [text.count(kinds[kind], one, many) for kind, (one, many) in _CHANGES.items() if kinds[kind]]


def _kind_of_change(posting: StatementPosting, lines: list[StatementLine]) -> str:
    if any(line.state is PayeeState.ON_HOLD for line in lines):
        return "on_hold"
    if posting.stage == "cancelled":
        return "cancelled"
    if not any(Decimal(line.amount) for line in lines):
        return "without_premium"
    if posting.status == "umpire_pending":
        return "umpire"
    return "advanced" if posting.stage == "provisional" else "settled"


def _corrections(statement: Statement, balance: StatementBalance, text: LocaleText) -> list[str]:
    number = len(adjustment_lines(statement, balance)) + len(balance.corrections)
    if not number:
        return []
    joined = "de" if number == 1 else "que suman"
    return [f"{text.count(number, 'corrección', 'correcciones')} {joined} {text.amount(balance.adjustments, balance.currency)}"]


def _came_back(balance: StatementBalance, text: LocaleText) -> list[str]:
    number = len(balance.returns)
    if not number:
        return []
    again = ""
    if all(entry.paid_again_on for entry in balance.returns):
        again = ", que se volvió a enviar" if number == 1 else ", que se volvieron a enviar"
    return [f"{text.count(number, 'pago devuelto', 'pagos devueltos')}{again}"]


def adjustment_lines(statement: Statement, balance: StatementBalance) -> list[tuple[StatementPosting, StatementLine]]:
    """The corrections of lots that an earlier statement had settled."""
    return [
        (posting, line)
        for posting in statement.postings
        for line in posting.lines
        if line.currency == balance.currency and line.counts_as == "adjustment" and Decimal(line.posted)
    ]


def adjustment_paragraph(
    posting: StatementPosting, line: StatementLine, statement: Statement, balance: StatementBalance, text: LocaleText
) -> str:
    """Old, new, difference, who corrected and when, and what it means for the payee."""
    day = text.day_in(statement.year, posting.effective_on)
    if posting.stage == "cancelled":
        cause = f"El {day} la refinería anuló el lote."
    elif posting.calculation > 0:
        # Its day is that of the sale, not the day on which somebody decided to calculate again.
        cause = f"Se volvió a calcular, con efecto al {day}, porque cambiaron datos del registro o de la tarifa."
    else:
        cause = f"El {day} la refinería corrigió los datos del lote (revisión {posting.revision})."
    before = _weight_and_amount(posting.previous_own_fine_weight_g, line.previous_amount, line, text)
    now = _weight_and_amount(posting.own_fine_weight_g, line.amount, line, text)
    if line.reason is not None:
        now = f"{now} ({without_premium(line.reason, text)})"
    told = f"Antes {before}; ahora {now}; diferencia {text.signed_amount(line.posted, line.currency)}."
    return f"Lote {posting.lot_id}, ya liquidado antes. {cause} {told} {_consequence(line, balance)} {_leaf(posting, text)}"


def correction_paragraph(entry: CorrectionEntry, statement: Statement, currency: str, text: LocaleText) -> str:
    """What the programme itself changed, when, by how much, and why."""
    day = text.day_in(statement.year, entry.on)
    amount = text.signed_amount(entry.amount, currency)
    what = "anotó un saldo de apertura" if entry.kind == "opened" else "corrigió su saldo"
    posting = f"{text.word('posting').capitalize()} {entry.leaf_index}."
    return f"El {day} el programa {what}: {amount} (motivo {entry.reason_code}), por decisión de dos personas. {posting}"


def exchange_paragraph(entry: ExchangedEntry, statement: Statement, currency: str, text: LocaleText) -> str:
    """What was changed into what, at which rate, of whom and of which day."""
    this, other = (entry.amount.removeprefix("-"), currency), (entry.other_amount, entry.other_currency)
    sold, bought = (other, this) if Decimal(entry.amount) > 0 else (this, other)
    rate = entry.rate
    quoted = f"{_RATE_SIDES[rate.side]} de {rate.source} del {text.day_in(statement.year, rate.on)}"
    return (
        f"El {text.day_in(statement.year, entry.on)} se cambiaron {text.money(*sold)} por {text.money(*bought)},"
        f" a {text.plain(rate.value)} (tipo {quoted}). {text.word('posting').capitalize()} {entry.leaf_index}."
    )


def _weight_and_amount(weight: str | None, amount: str, line: StatementLine, text: LocaleText) -> str:
    written = text.amount(amount, line.currency)
    return written if weight is None else f"{text.weight(weight)} g = {written}"


def _consequence(line: StatementLine, balance: StatementBalance) -> str:
    if Decimal(line.posted) > 0:
        return "Se suma a este periodo."
    if Decimal(balance.breakdown.available) < 0:
        return "Se descuenta de sus próximas primas; no debe devolver nada."
    return "Se descontó de este periodo; no debe devolver nada."


def _leaf(posting: StatementPosting, text: LocaleText) -> str:
    return f"{text.word('posting').capitalize()} {posting.leaf_index}."


def return_paragraph(entry: ReturnedEntry, statement: Statement, currency: str, text: LocaleText) -> str:
    """Which payment came back, why, what the banks kept and who bears it, and what follows."""
    amount = text.money(entry.amount, currency)
    left = text.day_in(statement.year, entry.transferred_on)
    back = text.day_in(statement.year, entry.on)
    reason = ""
    if entry.reason_code:
        known = _RETURN_REASONS.get(entry.reason_code)
        reason = f": {known} (código {entry.reason_code})" if known else f" (código {entry.reason_code})"
    charges = ""
    if Decimal(entry.charges):
        charges = f" El banco cobró {text.money(entry.charges, currency)}: lo asume el programa."
    if entry.paid_again_on:
        follows = f" Se volvió a enviar el {text.day_in(statement.year, entry.paid_again_on)}."
    else:
        follows = " No se pierde: se paga de nuevo cuando la cuenta esté verificada."
    return (
        f"El pago de {amount} del {left} a la cuenta terminada en {entry.account_last_four} volvió el {back}{reason}."
        f"{charges}{follows}"
    )


def assay_note(posting: StatementPosting, text: LocaleText) -> str | None:
    """By whose assay the fineness counts. None where nothing was assayed or the rule is not one of ours."""
    step = step_of(posting.explanation, "assay")
    return None if step is None or posting.fineness_permille is None else assay_sentence(step, text)


def sharing_note(posting: StatementPosting, text: LocaleText) -> str | None:
    """Where a lot is of several organizations: the lot's fine weight and the payee's part of it."""
    organizations = int(step_values(posting, "sharing").get("organizations", "1"))
    lot, own = posting.lot_fine_weight_g, posting.own_fine_weight_g
    if organizations < 2 or lot is None or own is None:
        return None
    many = text.count(organizations, "organización", "organizaciones")
    return f"Lote de {many}: oro fino total {text.weight(lot)} g; su parte {text.weight(own)} g ({text.troy_ounces(own)} oz t)."


def document_label(document: StatementDocument, text: LocaleText) -> str:
    """`DAM 118-2025-40-012345`."""
    return explanation_text.document_label(document.kind, document.number, text)


def stage_label(posting: StatementPosting, statement: Statement, text: LocaleText) -> str:
    """`final 26/03`."""
    again = " (recálculo)" if posting.calculation > 0 else ""
    return f"{stage_word(posting.stage, text)} {text.day_in(statement.year, posting.effective_on)}{again}"


def terms_sentence(terms: SchemeTerms, text: LocaleText) -> str:
    """The rate in words, its source and version, and the payee's status in the scheme."""
    sentence = explanation_text.terms_sentence(
        terms.rate, terms.currency, name=scheme_name(terms), version=terms.scheme_version, text=text
    )
    if terms.floor_min_share_of_benchmark is not None:
        sentence += f" {floor_sentence(terms.floor_min_share_of_benchmark, text)}"
    if terms.status is not None:
        since = f", desde {text.day(terms.status_since)}" if terms.status_since else ""
        sentence += f" Estado de su organización en el {text.word('scheme')}: {status_word(terms.status, text)}{since}."
    return sentence


def scheme_name(terms: SchemeTerms) -> str:
    """The scheme's name, else its id in capitals (`SBG`)."""
    return terms.name or terms.scheme_id.upper()


def fund_sentence(terms: SchemeTerms, statement: Statement, text: LocaleText) -> str:
    """Whether the scheme gives a part to a community fund."""
    name = scheme_name(terms)
    if terms.community_fund_share is None:
        return f"El {text.word('scheme')} {name} no destina una parte al fondo."
    share = text.percent(terms.community_fund_share)
    if statement.payee.kind == "fund":
        return f"Este estado de cuenta es del fondo: recibe el {share} de las primas del {text.word('scheme')} {name}."
    fund = f" ({terms.community_fund_name})" if terms.community_fund_name else ""
    return f"El {text.word('scheme')} {name} destina el {share} de la prima al fondo{fund}."


def complaints_paragraph(statement: Statement, text: LocaleText) -> str:
    """Whom to turn to about a line."""
    contact = statement.programme.complaints
    whom = statement.programme.name
    if contact is not None:
        ways = ", ".join(way for way in (contact.phone, contact.email) if way)
        whom = f"{contact.name} ({ways})" if ways else contact.name
    days = statement.programme.answer_within_business_days
    answer = f" Le respondemos en {text.count(days, 'día hábil', 'días hábiles')}." if days else ""
    return (
        f"Puede reclamar una línea ante {whom}, con este número de estado de cuenta.{answer} "
        "No responder no significa que esté de acuerdo."
    )


def verification_paragraph(statement: Statement, digest: str, attachment: str, text: LocaleText) -> str:
    """How anybody can check that the figures are on record and unchanged, as of now: attachment, hash and leaf numbers."""
    leaves = sorted({posting.leaf_index for posting in statement.postings})
    named = f" Sus {text.word('posting')}s van del {leaves[0]} al {leaves[-1]}." if leaves else ""
    return (
        f"Los datos de este documento están adjuntos al PDF ({attachment}). Su huella SHA-256 queda registrada en el "
        f"{text.word('ledger')} del programa, que tenía {statement.tree_size} {text.word('posting')}s al emitirlo: {digest}."
        f"{named} Prueba que los montos están registrados y no se cambiaron. El peso y la ley los acreditan los documentos."
    )


def disclaimer(country: str) -> str:
    """What this paper is not, by the words of the country."""
    match country:
        case "PE":
            return "Este documento no es comprobante de pago ni liquidación de compra (SUNAT). Consulte a su contador."
        case "CO":
            return (
                "Este documento no es comprobante de pago ni factura. Su banco puede pedirle la declaración de cambio "
                "(monetización). Consulte a su contador."
            )
        case _:
            return "Este documento no es comprobante de pago ni factura. Consulte a su contador."
