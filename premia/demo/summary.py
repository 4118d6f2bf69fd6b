"""The demo's last words: what happened, in figures, and what to look at next.

Goal: a newcomer sees the programme on one screen, and every command can be pasted as it is printed.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Final

from premia.demo.facts import Facts
from premia.local.environment import LOG_VERIFIER_FILE
from premia.local.invocation import premia_command, shown_path

LABEL_CHARS: Final = 24
GRAMS_IN_TONNE: Final = 1_000_000


def figures(facts: Facts, *, programme: str, synthetic: bool, documents: Path) -> list[str]:
    """The programme in figures, a line each."""
    codes = sorted(facts.rejected.items(), key=lambda found: (-found[1], found[0]))
    rejected = ", ".join(f"{code} {count}" for code, count in codes)
    lines = [f"{programme}{' · MUESTRA, DATOS SINTÉTICOS (synthetic)' if synthetic else ''}", ""]
    for label, text in (
        ("Sales in", f"{facts.events:,} events of {facts.lots:,} lots; {facts.duplicates:,} duplicates recognised"),
        ("Rejected, as planned", f"{sum(facts.rejected.values())}: {rejected}"),
        (
            "Fine gold",
            f"{facts.fine_weight_g / GRAMS_IN_TONNE:.1f} t ({facts.fine_weight_g:,.3f} g; provisional apart: "
            f"{facts.provisional_g:,.3f} g)",
        ),
        ("Premiums accrued", f"USD {facts.accrued:,.2f}"),
        (
            "Transferred",
            f"USD {facts.transferred:,.2f}; on the way USD {facts.in_transit:,.2f}",
        ),
        ("Returned by banks", f"USD {facts.returned:,.2f} ({_payments(facts.payments_returned)}), payable again"),
        ("Carried over", _money(facts.carried_over)),
        ("Held", _money(facts.held)),
        ("Mines supported", f"{facts.producers_supported}, of which {facts.producers_exported} have exported"),
        ("Beneficiaries, declared", f"{facts.beneficiaries:,} in {', '.join(facts.countries)}"),
        ("Trial balance", _trial_balance(facts.unbalanced)),
        ("Ledger", f"{facts.transactions:,} transactions in one order"),
        ("Statements", f"{facts.statements:,} as PDF, each with its data inside, by hash in {shown_path(documents)}"),
    ):
        lines.append(f"{label:<{LABEL_CHARS}}{text}")
    return lines


def time_table(seconds: Mapping[str, float], elapsed_s: float, peak_bytes: int) -> list[str]:
    """Where the time went, and the highest memory of all processes together."""
    lines = [f"{'Elapsed':<{LABEL_CHARS}}{elapsed_s:.1f} s; at most {peak_bytes / 1e9:.2f} GB of memory in all processes"]
    lines += [f"  {took_s:6.1f} s  {step}" for step, took_s in seconds.items()]
    rest_s = elapsed_s - sum(seconds.values())
    return [*lines, f"  {rest_s:6.1f} s  everything else"]


def next_steps(data_dir: Path, *, runs: bool) -> list[str]:
    """Commands worth pasting. Where the stack does not run any more, the first of them starts it again."""
    command = premia_command(data_dir)
    steps = [] if runs else [("start it again, on what is there", f"{command} up")]
    steps += [
        ("one lot: provisional, final, corrected", f"{command} lot REF-CH-01/PE-2025-000123"),
        ("the same with its payments, statements and proofs", f"{command} trace REF-CH-01/PE-2025-000123"),
        ("one cooperative: earned, paid, lot by lot", f"{command} organization ORG-PE-012"),
        ("its newest statement, as PDF and JSON", f"{command} statements show ORG-PE-012 --save ."),
        ("what proves it, in one file", f"{command} proof statement ORG-PE-012 --save ./ORG-PE-012.proof.json"),
        (
            "and the proof, checked with nothing but the log's key",
            f"{command} verify statement ./ORG-PE-012.proof.json --key {shown_path(data_dir / LOG_VERIFIER_FILE)}",
        ),
        ("a payment that came back, and was paid again", f"{command} trace REF-CH-01/PE-2025-000061"),
        ("one rejection: a fraction where permille is due", f"{command} dlq list --code FINENESS_OUT_OF_RANGE"),
        ("recompute every balance from the journal", f"{command} fsck"),
        ("publish a lot of your own", f"{command} publish samples/first-lot.json --wait"),
        ("and see what became of it", f"{command} lot REF-CH-01/PE-2025-MI-PRIMER-LOTE"),
    ]
    return ["Worth looking at:"] + [line for what, step in steps for line in (f"  {what}", f"    {step}")]


def _money(amounts: Mapping[str, Decimal]) -> str:
    total = sum(amounts.values(), Decimal(0))
    by_code = ", ".join(f"{code} {amount:,.2f}" for code, amount in sorted(amounts.items()))
    return f"USD {total:,.2f}" + (f" ({by_code})" if by_code else "")


def _payments(count: int) -> str:
    return f"{count} payment{'' if count == 1 else 's'}"


def _trial_balance(unbalanced: Mapping[str, int]) -> str:
    if not unbalanced:
        return "debits equal credits in every unit"
    return "DOES NOT BALANCE: " + ", ".join(f"{unit} off by {difference}" for unit, difference in unbalanced.items())
