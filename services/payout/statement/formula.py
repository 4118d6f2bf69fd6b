"""How a line's amount came about, as a formula with its numbers filled in.

Goal: `2,140.599 x 0.70 = 1,498.42; adelanto 90 % 1,348.58`: whoever has a pocket calculator gets the same amount.
Method: the ledger's explanation of the lot holds every figure; `schemas.explanation_text` writes each step as everybody reads
it. Steps in order: the lot's premium, its advance while it is provisional, the payee's share by fine weight, the difference to
what was posted before. A step that changes nothing is left out.
Source: design, section 5.
"""

from __future__ import annotations

from decimal import Decimal

from schemas.explanation_text import advance_formula, phrase, premium_formula, share_formula, step_of, without_premium
from schemas.statement import SchemeTerms, StatementLine, StatementPosting
from services.payout.statement.locale_text import LocaleText


def step_values(posting: StatementPosting, step: str, scheme_id: str | None = None) -> dict[str, str]:
    """The values of one step of the lot's explanation; of the premium step of one scheme. Empty if there is none."""
    found = step_of(posting.explanation, step, scheme_id)
    return {} if found is None else found.values


def formula(posting: StatementPosting, line: StatementLine, terms: SchemeTerms | None, text: LocaleText) -> str:
    """The line's calculation; why there is no premium, where there is none. `terms`: of the line's scheme version."""
    if posting.stage == "cancelled" or posting.status == "cancelled":
        return f"{phrase('lot_cancelled', text)}: {_difference(line, text)}"
    values = step_values(posting, "premium", line.scheme_id)
    if not line.eligible:
        return "; ".join([without_premium(line.reason, text), *_difference_step(line, text)])
    if not values:
        # A scheme that the revision dropped: nothing of it is left but the difference.
        return _difference(line, text)
    steps = [premium_formula(values, line.currency, text)]
    reached = values["full_amount"]
    if "provisional_share" in values:
        steps.append(advance_formula(values, line.currency, text))
        reached = values["total"]
    if reached != line.amount:
        steps.append(_share(reached, values["eligible_fine_weight_g"], line, terms, text))
    if _has_previous(line):
        steps.append(_difference(line, text))
    elif len(steps) == 1:
        # The amount stands beside the formula already.
        steps = [steps[0].rpartition(" = ")[0]]
    return "; ".join(steps)


def _share(reached: str, eligible: str, line: StatementLine, terms: SchemeTerms | None, text: LocaleText) -> str:
    own = line.fine_weight_g
    return share_formula(
        reached,
        line.amount,
        line.currency,
        text,
        weights_g=(own, eligible) if own is not None and own != eligible and Decimal(eligible) else None,
        role_share=_role_share(line, terms),
        states_part=_has_previous(line),
    )


def _role_share(line: StatementLine, terms: SchemeTerms | None) -> Decimal:
    fund_share = Decimal(terms.community_fund_share or "0") if terms is not None else Decimal(0)
    if line.role == "community_fund":
        return fund_share or Decimal(1)
    return 1 - fund_share


def _has_previous(line: StatementLine) -> bool:
    return bool(Decimal(line.previous_amount))


def _difference_step(line: StatementLine, text: LocaleText) -> list[str]:
    return [_difference(line, text)] if _has_previous(line) else []


def _difference(line: StatementLine, text: LocaleText) -> str:
    return f"{text.amount(line.amount, line.currency)} - {text.amount(line.previous_amount, line.currency)}"
