"""What the database knows by itself is what the code says."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import services.ledger
from schemas import ledger_command
from schemas.ledger_words import AMOUNT_MINOR_MAX, FINE_GOLD, AcceptedDetail, OwnerKind, Purpose
from services.ledger.adapters.command_topic import SUBJECT_KINDS
from services.ledger.domain.books import ReservationState

MIGRATIONS = Path(services.ledger.__path__[0]) / "migrations"


def test_the_database_knows_the_same_words_and_limits() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in sorted(MIGRATIONS.glob("*/up.sql")))
    assert f"BETWEEN 1 AND {AMOUNT_MINOR_MAX}" in text
    assert f"unit = '{FINE_GOLD}'" in text
    for word in (*OwnerKind, *Purpose, *AcceptedDetail, *ReservationState):
        assert f"'{word.value}'" in text


def test_every_kind_of_command_says_whose_accounts_it_may_touch() -> None:
    uses = {
        "clear": {f"clear {use}" for use in _kinds(ledger_command.ClearedAgainst)},
        "exchange": {f"exchange {use}" for use in ("bank", "payable")},
    }
    assert set(SUBJECT_KINDS) == {name for kind in _kinds(ledger_command.LedgerCommand) for name in uses.get(kind, {kind})}


def _kinds(union: object) -> list[str]:
    (variants, *_) = get_args(union)
    return [variant.model_fields["kind"].default for variant in get_args(variants)]
