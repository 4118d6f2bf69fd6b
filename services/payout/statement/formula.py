"""How a line's amount came about, as a formula with its numbers filled in.

Goal: `2,140.599 x 0.70 = 1,498.42; adelanto 90 % 1,348.58`: whoever has a pocket calculator gets the same amount.
Method: the ledger's explanation of the lot holds every figure. Steps in order: the lot's premium, its advance while it is
provisional, the payee's share by fine weight, the difference to what was posted before. A step that changes nothing is left
out; a share that differs by the rounding of shares to whole cents says so.
Source: design, section 5; services of the calculation write the steps (`premium`, `assay`, `sharing`, …).
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from typing import Final

from schemas.currencies import minor_digits
from schemas.entitlement import Step
from schemas.statement import SchemeTerms, StatementLine, StatementPosting
from services.payout.statement.locale_text import LocaleText

TIMES: Final = " \u00d7 "
_PRECISION: Final = 60
# A lot is shared over sources, then over roles, each to whole minor units by largest remainder: one unit each.
ROUNDINGS_MAX: Final = 2
_GRAMS_PER_UNIT: Final = {"GRM": "1", "KGM": "1000", "APZ": "31.1034768"}


def step_values(posting: StatementPosting, step: str, scheme_id: str | None = None) -> dict[str, str]:
    """The values of one step of the lot's explanation; of the premium step of one scheme. Empty if there is none."""
    for entry in posting.explanation:
        if entry.step == step and (scheme_id is None or entry.values.get("scheme_id") == scheme_id):
            return entry.values
    return {}


def step_rule(posting: StatementPosting, step: str) -> str | None:
    """The rule of one step of the lot's explanation."""
    found: Step | None = next((entry for entry in posting.explanation if entry.step == step), None)
    return None if found is None else found.rule


def formula(posting: StatementPosting, line: StatementLine, terms: SchemeTerms | None, text: LocaleText) -> str:
    """The line's calculation; why there is no premium, where there is none. `terms`: of the line's scheme version."""
    if posting.stage == "cancelled" or posting.status == "cancelled":
        return f"lote anulado: {_difference(line, text)}"
    values = step_values(posting, "premium", line.scheme_id)
    if not line.eligible:
        return "; ".join([_without_premium(line), *_difference_step(line, text)])
    if not values:
        # A scheme that the revision dropped: nothing of it is left but the difference.
        return _difference(line, text)
    steps = [_premium_of_lot(values, line, text)]
    reached = values["full_amount"]
    if "provisional_share" in values:
        share = text.percent(values["provisional_share"])
        steps.append(f"{text.word('advance')} {share} {text.amount(values['total'], line.currency)}")
        reached = values["total"]
    if reached != line.amount:
        steps.append(_share(reached, values["eligible_fine_weight_g"], line, terms, text))
    if _has_previous(line):
        steps.append(_difference(line, text))
    elif len(steps) == 1:
        # The amount stands beside the formula already.
        steps = [steps[0].rpartition(" = ")[0]]
    return "; ".join(steps)


def _premium_of_lot(values: dict[str, str], line: StatementLine, text: LocaleText) -> str:
    weight = text.weight(values["eligible_fine_weight_g"])
    if "percent" in values:
        benchmark = _benchmark_value(weight, values, text)
        calculation = f"{benchmark}{TIMES}{text.plain(values['percent'])} %"
    else:
        calculation = f"{weight}{TIMES}{text.factor(values['amount'])}{_per_unit(values['unit'], text)}"
    if Decimal(values.get("top_up_share", "0")):
        difference = f"({text.factor(values['floor'])} - {text.factor(values['price_share_of_benchmark'])})"
        calculation += f" + {difference}{TIMES}{_benchmark_value(weight, values, text)}"
    return f"{calculation} = {text.amount(values['full_amount'], line.currency)}"


def _benchmark_value(weight: str, values: dict[str, str], text: LocaleText) -> str:
    return f"{weight}{_per_unit(values['benchmark_unit'], text)}{TIMES}{text.factor(values['benchmark_price'])}"


def _per_unit(unit: str, text: LocaleText) -> str:
    """Grams are what weights are in; for the other units the grams in one of them divide."""
    return "" if unit == "GRM" else f" / {text.plain(_GRAMS_PER_UNIT[unit])}"


def _share(reached: str, eligible: str, line: StatementLine, terms: SchemeTerms | None, text: LocaleText) -> str:
    """`1,495.50 x 812.300 / 2,136.433`: the payee's part of what the lot earned, by fine weight and by role."""
    start, amount = text.amount(reached, line.currency), text.amount(line.amount, line.currency)
    written, exact = start, Decimal(reached)
    with localcontext() as context:
        context.prec = _PRECISION
        own = line.fine_weight_g
        if own is not None and own != eligible and Decimal(eligible):
            written += f"{TIMES}{text.weight(own)} / {text.weight(eligible)}"
            exact = exact * Decimal(own) / Decimal(eligible)
        role_share = _role_share(line, terms)
        if role_share != 1:
            written += f"{TIMES}{text.percent(str(role_share))}"
            exact *= role_share
        rounding = exact.quantize(_minor_unit(line.currency), ROUND_HALF_EVEN) - Decimal(line.amount)
    if abs(rounding) > ROUNDINGS_MAX * _minor_unit(line.currency):
        # What we know does not lead to the amount: say whose part it is, and nothing that does not redo.
        return f"de {start}, su parte {amount}"
    if rounding:
        return f"{written} = {amount} (redondeo)"
    return f"{written} = {amount}" if _has_previous(line) else written


def _role_share(line: StatementLine, terms: SchemeTerms | None) -> Decimal:
    fund_share = Decimal(terms.community_fund_share or "0") if terms is not None else Decimal(0)
    if line.role == "community_fund":
        return fund_share or Decimal(1)
    return 1 - fund_share


def _minor_unit(currency: str) -> Decimal:
    return Decimal(1).scaleb(-minor_digits(currency))


def _has_previous(line: StatementLine) -> bool:
    return bool(Decimal(line.previous_amount))


def _difference_step(line: StatementLine, text: LocaleText) -> list[str]:
    return [_difference(line, text)] if _has_previous(line) else []


def _difference(line: StatementLine, text: LocaleText) -> str:
    return f"{text.amount(line.amount, line.currency)} - {text.amount(line.previous_amount, line.currency)}"


def _without_premium(line: StatementLine) -> str:
    reason, _, status = (line.reason or "").partition(":")
    if reason == "status" and status:
        return f"sin prima: en la fecha de venta su estado en el esquema era {status_word(status)}"
    if reason == "no_status":
        return "sin prima: en la fecha de venta no tenía estado en el esquema"
    return "sin prima"


_STATUS_WORDS: Final = {
    "certified": "certificada",
    "member": "miembro",
    "suspended": "suspendida",
    "terminated": "terminada",
    "lapsed": "vencida",
    "applicant": "postulante",
}


def status_word(status: str) -> str:
    """`paso 2` for step_2; a status of the programme's own is shown as it is."""
    name, _, number = status.rpartition("_")
    if name == "step" and number.isdecimal():
        return f"paso {number}"
    return _STATUS_WORDS.get(status, status)
