"""The whole sample through the ledger alone: outcomes and totals as its generator planned them, and clean books.

The calculator's pure decision makes the entitlements, so neither Kafka nor a service takes part.
"""

from __future__ import annotations

from collections import Counter

import orjson

from benchmarks.sample_entitlements import sample_entitlements
from samples.reader import FOLDER
from services.ledger.use_cases.programme_totals import programme_totals
from tests.integration.ledger.conftest import Ledger

BATCH_RECORDS = 2_000


async def test_the_sample_comes_out_as_planned_to_the_cent_and_the_milligram(ledger: Ledger) -> None:
    planned = orjson.loads((FOLDER / "planned.json").read_bytes())
    records = sample_entitlements()
    outcomes: Counter[str] = Counter()
    for first in range(0, len(records), BATCH_RECORDS):
        outcomes += (await ledger.post(*records[first : first + BATCH_RECORDS])).entitlements
    assert outcomes == {
        **planned["details"],
        "duplicate": planned["duplicates"],
        "CONFLICTING_PAYLOAD": planned["conflicts"],
    }
    totals = await programme_totals(ledger.conn)
    assert totals.lots == planned["lots"]
    assert totals.lots_by_stage == planned["latest_stages"]
    assert totals.fine_gold_mg == planned["fine_weight_mg"]["final"]
    assert totals.provisional_gold_mg == planned["fine_weight_mg"]["provisional"]
    assert totals.premiums_minor_by_currency == {"USD": planned["premiums_minor"]["USD"]}
    assert totals.premiums_minor_by_scheme == {
        ("fairmined", "USD"): planned["premiums_minor"]["USD of fairmined"],
        ("sbg", "USD"): planned["premiums_minor"]["USD of sbg"],
    }
    assert totals.organizations_with_gold == planned["producers_exporting"]
    assert await ledger.deviations() == []
