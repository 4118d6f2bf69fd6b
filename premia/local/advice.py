"""The three things most worth doing, for `premia status`: each with its reason and the command, to be pasted as it is.

Method: one rule a line, the most urgent first: nothing runs, something died, something waits for a person, money is stuck. Only
when none of it applies, what one may look at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from premia.amounts import grouped
from premia.local.whole import BANK_ANSWERS_WITHIN_S, Whole

if TYPE_CHECKING:
    from premia.local.report import ProgramState

ADVICE_MAX: Final = 3
# What a service names as the way out, completed by what a person has to choose.
COMPLETED: Final = {"registry apply": "registry apply FILE --schemes DIR"}


@dataclass(frozen=True, slots=True)
class Advice:
    """One thing worth doing: why, and by which command."""

    why: str
    command: str


def advice(programs: Sequence[ProgramState], whole: Whole | None, *, premia: str) -> list[Advice]:
    """At most ADVICE_MAX, the most urgent first. `premia` is how the command is called; without a stack `whole` is None."""
    rules = (*_about_programs(programs), *(_about_money(whole) if whole else ()), *_to_look_at(programs))
    found: dict[str, Advice] = {}
    for why, command in rules:
        found.setdefault(command, Advice(why, f"{premia} {command}"))
    if not any(program.pid for program in programs):
        return [Advice("nothing runs", f"{premia} up")]
    return list(found.values())[:ADVICE_MAX]


def _about_programs(programs: Sequence[ProgramState]) -> Iterator[tuple[str, str]]:
    for program in programs:
        if program.state in ("failed", "restarting"):
            yield f"{program.title} died", f"logs {program.name} -n 50"
    if stopped := [program.title for program in programs if program.pid is None]:
        yield f"{', '.join(stopped)} stopped", "up"
    for program in programs:
        if program.pid and not program.ready:
            named = re.search(r"`premia ([^`]+)`", program.trouble or "")
            if named:
                yield f"{program.title} waits for it", COMPLETED.get(named[1], named[1])
            else:
                yield f"{program.title} is not ready", f"logs {program.name} -f"


def _about_money(whole: Whole) -> Iterator[tuple[str, str]]:
    if whole.unbalanced_units:
        yield f"the ledger does not balance in {', '.join(whole.unbalanced_units)}: stop payouts", "fsck"
    if whole.suspended_bookings:
        yield f"{_of(whole.suspended_bookings, 'booking')} of the bank that a person must clear", "logs payout -n 50"
    if whole.quarantined_files:
        yield f"{_of(whole.quarantined_files, 'file')} of the bank that could not be used", "logs payout -n 50"
    if whole.at_bank and (whole.oldest_order_at_bank_s or 0) > BANK_ANSWERS_WITHIN_S:
        yield "the bank has not answered for days: ask it", "payouts list"
    if whole.to_approve:
        yield f"{_of(whole.to_approve, 'payout')} prepared, a second person may approve", "payouts list"
    if held := money_by_code(whole.held_minor):
        yield f"held: {held}", "accounts list"
    if whole.sequence_gaps:
        yield f"{_of(whole.sequence_gaps, 'gap')} in what refiners numbered", "gaps"


def _to_look_at(programs: Sequence[ProgramState]) -> Iterator[tuple[str, str]]:
    if died := [program for program in programs if program.deaths]:
        were = "was" if len(died) == 1 else "were"
        titles = ", ".join(program.title for program in died)
        yield f"{titles} died and {were} started again", f"logs {died[0].name} -n 50"
    yield "what could not be used", "dlq list"
    yield "who has what", "balances"
    yield "what was paid", "payouts list"


def money_by_code(amounts: Mapping[str, Mapping[str, int]] | None) -> str:
    """`USD 1,156.41 (HOLD_ACCOUNT_MISSING)`; several codes with their amounts; empty if there is nothing or nobody knows."""
    parts = []
    for currency, by_code in sorted((amounts or {}).items()):
        codes = [code if len(by_code) == 1 else f"{code} {grouped(minor, currency)}" for code, minor in sorted(by_code.items())]
        parts.append(f"{currency} {grouped(sum(by_code.values()), currency)} ({', '.join(codes)})")
    return ", ".join(parts)


def _of(count: int, one: str) -> str:
    return f"{count:,} {one}{'' if count == 1 else 's'}"
