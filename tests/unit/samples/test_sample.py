"""The committed sample is what its generator makes, and the real engine makes the published totals of it."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest

from samples.generate import Sample, sample
from samples.premium import NOTHING, expectation
from samples.reader import (
    ACCOUNTS_FILE,
    CYCLES_FILE,
    FOLDER,
    PROGRAMME_FILE,
    SALES_FILE,
    PublishedSale,
    read_accounts,
    read_cycles,
    read_sales,
)
from schemas.gold_sale import ParsedSale, parse_sale
from schemas.registry import RegistryFile
from schemas.registry_file import load_registry, load_registry_file
from services.payout.domain.settlement import CarriedOver, CarryCode, Held, HoldCode, Ordered, Result, Terms, settle
from services.premium_calculator.adapters.calculating_registry import calculating_registry
from services.premium_calculator.adapters.sale_decision import Rejected
from tests.unit.samples.ledger_by_hand import LedgerByHand, gold_mg, money_minor

SCHEMES: Final = FOLDER.parent / "schemes"
PLANNED_FILE: Final = FOLDER / "planned.json"
GENERATED: Final = ("programme.yaml", "accounts.yaml", "cycles.yaml", "planned.json", "sales.jsonl.gz")

SAMPLE_BYTES_MAX: Final = 2_000_000
SALES_BYTES_MAX: Final = 1_200_000
GENERATE_TIMEOUT_S: Final = 120  # takes 6 s; the test machine may be busy

# What the programme that the sample is calibrated to publishes.
FINE_MG: Final = 16_800_000_000
FINE_MG_APART_MAX: Final = 50_000
PREMIUMS_MINOR: Final = 1_360_000_000
PREMIUMS_MINOR_APART_MAX: Final = 200_000
SUPPORTED: Final = 128
EXPORTING: Final = 43

MARKS: Final = (
    "Ejemplo", "Muestra", "Modelo", "Example", "Specimen", "Sample", "Model", "Modèle", "Campione", "muestra",
    "Altiplano Modelo",
)  # fmt: skip


@pytest.fixture(scope="module")
def sales() -> list[PublishedSale]:
    return list(read_sales())


@pytest.fixture(scope="module")
def planned() -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(PLANNED_FILE.read_bytes())
    return found


@pytest.fixture(scope="module")
def made() -> Sample:
    return sample()


@pytest.fixture(scope="module")
def registry_file() -> RegistryFile:
    return load_registry_file(PROGRAMME_FILE)


@pytest.fixture(scope="module")
def ledger() -> LedgerByHand:
    return LedgerByHand(calculating_registry(load_registry(PROGRAMME_FILE, SCHEMES).snapshot))


@pytest.fixture(scope="module")
def answers(ledger: LedgerByHand, sales: list[PublishedSale]) -> list[dict[str, Any] | Rejected]:
    return ledger.take_all(sales)


# --- the files ---------------------------------------------------------------------------------------------------------


def test_the_generator_writes_the_committed_files_again_whatever_the_hash_seed(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from samples.generate import sample, write;"
        "write(sample().texts, Path(sys.argv[1]))"
    )
    environment = os.environ | {"PYTHONHASHSEED": "4711", "TZ": "America/Lima"}
    subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        check=True, cwd=FOLDER.parent, env=environment, timeout=GENERATE_TIMEOUT_S,
    )  # fmt: skip
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(GENERATED)
    for name in GENERATED:
        again, committed = (tmp_path / name).read_bytes(), (FOLDER / name).read_bytes()
        if name.endswith(".gz"):  # Another build of zlib may pack the same bytes otherwise.
            again, committed = gzip.decompress(again), gzip.decompress(committed)
        assert again == committed, f"{name} is not what `python -m samples.generate` writes"


def test_writing_the_sample_again_leaves_an_archive_of_the_same_events_alone(tmp_path: Path, made: Sample) -> None:
    from samples.generate import write

    packed_otherwise = gzip.compress(made.texts["sales.jsonl"].encode(), 1, mtime=0)
    (tmp_path / "sales.jsonl.gz").write_bytes(packed_otherwise)
    write(made.texts, tmp_path)
    assert (tmp_path / "sales.jsonl.gz").read_bytes() == packed_otherwise


def test_the_sample_is_small_and_carries_no_time_of_packing() -> None:
    assert sum((FOLDER / name).stat().st_size for name in GENERATED) < SAMPLE_BYTES_MAX
    packed = SALES_FILE.read_bytes()
    assert len(packed) < SALES_BYTES_MAX
    assert packed[4:8] == bytes(4), "the time in the gzip header is 0"


def test_everything_says_that_it_is_synthetic(registry_file: RegistryFile) -> None:
    assert registry_file.programme is not None
    assert registry_file.programme.synthetic
    for organization in registry_file.organizations:
        assert any(mark in organization.name for mark in MARKS), organization.name
    for actor in registry_file.programme.actors:
        assert any(mark in actor.name for mark in MARKS), actor.name
    for line in gzip.decompress(SALES_FILE.read_bytes()).splitlines():
        assert line.startswith(b'{"synthetic":true,')
    for file in (ACCOUNTS_FILE, CYCLES_FILE):
        assert "\nsynthetic: true\n" in file.read_text(encoding="utf-8")
    assert b'"fixing":"LBMA' not in gzip.decompress(SALES_FILE.read_bytes())


def test_no_event_is_later_than_the_last_cycle_or_published_while_refiners_are_closed(sales: list[PublishedSale]) -> None:
    cycles = read_cycles()
    assert sales[-1].at < datetime.combine(cycles[-1].settles_on, time(), UTC)
    assert [cycle.settles_on for cycle in cycles] == sorted(cycle.settles_on for cycle in cycles)
    for sale in sales:
        statements = next(cycle.statements for cycle in cycles if sale.at.date() < cycle.settles_on and cycle.statements)
        assert statements.period.starts_on <= sale.at.date(), "each event lies in the period whose statements tell of it"


def test_cycles_are_yearly_to_2024_and_quarterly_in_2025_on_workdays_and_one_lies_in_between() -> None:
    cycles = read_cycles()
    assert Counter(cycle.settles_on.year for cycle in cycles) == {**dict.fromkeys(range(2014, 2025), 1), 2025: 5}
    assert [cycle.settles_on for cycle in cycles if cycle.statements is None] == [date(2025, 3, 4)]
    assert all(cycle.settles_on.weekday() < 5 for cycle in cycles)
    with_statements = [(cycle.settles_on, cycle.statements) for cycle in cycles if cycle.statements is not None]
    for number, (settles_on, statements) in enumerate(with_statements):
        assert statements.period.ends_before is not None
        assert statements.period.contains(settles_on)
        assert statements.period.ends_before <= statements.issued_on
        assert statements.issued_on.weekday() < 5
        before = with_statements[number - 1][1] if number else None
        assert before is None or before.period.ends_before == statements.period.starts_on


# --- the registry ------------------------------------------------------------------------------------------------------


def test_there_are_128_supported_producers_and_their_partners(registry_file: RegistryFile) -> None:
    kinds = Counter(organization.kind for organization in registry_file.organizations)
    assert kinds == {"producer": SUPPORTED, "exporter": 12, "refiner": 3, "payer": 6, "community_fund": 4}
    found = [organization for organization in registry_file.organizations if organization.kind == "producer"]
    assert all(organization.support_periods for organization in found)
    assert {organization.country for organization in found} == {"PE", "CO", "BO"}
    assert sum(organization.beneficiaries or 0 for organization in found) > 32_000


def test_names_tax_numbers_and_accounts_are_there_once(registry_file: RegistryFile) -> None:
    entries = registry_file.organizations
    names = [entry.name for entry in entries]
    taxes = [(entry.tax_id.scheme, entry.country, entry.tax_id.value) for entry in entries if entry.tax_id]
    accounts = [account.account for entry in entries for account in entry.payment_accounts]
    for found in (names, taxes, accounts):
        assert len(set(found)) == len(found)
    assert len(accounts) == EXPORTING


def test_the_programme_has_a_swiss_account_and_people_for_four_eyes(registry_file: RegistryFile) -> None:
    programme = registry_file.programme
    assert programme is not None
    assert programme.debtor_account is not None
    iban = programme.debtor_account.account
    assert iban.startswith("CH")
    assert len(iban) == 21
    assert int("".join(str(int(sign, 36)) for sign in iban[4:] + iban[:4])) % 97 == 1
    assert programme.debtor_account.bic is not None
    for role in ("prepare", "approve", "accounts", "statements"):
        assert sum(role in actor.roles for actor in programme.actors) >= 2, role


def test_accounts_are_verified_by_another_person_in_time_and_agree_with_the_registry(registry_file: RegistryFile) -> None:
    assert registry_file.programme is not None
    roles = {actor.id: actor.roles for actor in registry_file.programme.actors}
    claimed = {entry.id: entry.payment_accounts for entry in registry_file.organizations if entry.payment_accounts}
    evidence = read_accounts()
    latest = {row.organization_id: row for row in evidence}
    assert sorted(claimed) == sorted(latest)
    assert len(evidence) == len(latest) + 1, "one payee's account was closed, and another one verified"
    for row in latest.values():
        (account,) = claimed[row.organization_id]
        assert account == type(account).model_validate(row.model_dump(include=set(type(account).model_fields)))
    for row in evidence:
        assert "accounts" in roles[row.proposed_by]
        if row.verified_by is not None:
            assert row.verified_by != row.proposed_by
            assert "accounts" in roles[row.verified_by]
            assert row.verified_on is not None
            assert row.proposed_on <= row.verified_on


def test_nobody_sells_more_than_the_declared_capacity(registry_file: RegistryFile, made: Sample) -> None:
    capacity_g = {
        entry.id: Decimal(entry.annual_capacity.value) * 1000
        for entry in registry_file.organizations
        if entry.annual_capacity is not None and entry.annual_capacity.unit == "KGM"
    }
    sold_g: dict[tuple[str, int], Decimal] = defaultdict(Decimal)
    for lot in made.lots:
        for source in lot.latest.sources:
            step_g = Decimal(lot.unit.step_mg.numerator) / Decimal(lot.unit.step_mg.denominator) / 1000
            sold_g[source.organization_id, lot.sold_on.year] += source.melt_steps * step_g
    for (organization_id, year), grams in sold_g.items():
        assert grams <= capacity_g[organization_id], (organization_id, year)


# --- what comes of the events ------------------------------------------------------------------------------------------


def test_rejections_are_the_planned_ones(
    ledger: LedgerByHand, answers: list[dict[str, Any] | Rejected], planned: Mapping[str, Any], made: Sample
) -> None:
    assert dict(ledger.rejected) == planned["rejected"]
    assert sum(ledger.rejected.values()) == planned["rejected_total"]
    for event, answer in zip(made.events, answers, strict=True):
        code = answer.code.value if isinstance(answer, Rejected) else None
        assert code == event.code, f"{event.event_id}: {answer}"


def test_outcomes_are_the_planned_ones(
    ledger: LedgerByHand, answers: list[dict[str, Any] | Rejected], planned: Mapping[str, Any]
) -> None:
    assert planned["events"] == len(answers)
    assert planned["lots"] == len(ledger.heads)
    expected = {"accepted": planned["accepted"], "duplicate": planned["duplicates"], "conflict": planned["conflicts"]}
    assert dict(ledger.outcomes) == expected | planned["details"]
    in_all = expected["accepted"] + expected["duplicate"] + expected["conflict"] + planned["rejected_total"]
    assert in_all == planned["events"]


def test_the_latest_revisions_come_to_the_published_totals(
    ledger: LedgerByHand, answers: list[dict[str, Any] | Rejected], planned: Mapping[str, Any]
) -> None:
    assert answers
    by_stage: Counter[str] = Counter()
    for head in ledger.heads.values():
        by_stage[head.entitlement["stage"]] += sum(head.gold.values())
    fine_mg = by_stage["final"] + by_stage["umpire"]
    premiums_minor = sum(sum(head.money.values()) for head in ledger.heads.values())
    assert abs(fine_mg - FINE_MG) <= FINE_MG_APART_MAX
    assert abs(premiums_minor - PREMIUMS_MINOR) <= PREMIUMS_MINOR_APART_MAX
    assert fine_mg == planned["fine_weight_mg"]["final"]
    assert by_stage["provisional"] == planned["fine_weight_mg"]["provisional"]
    assert premiums_minor == planned["premiums_minor"]["USD"]


def test_exactly_43_producers_have_exported(ledger: LedgerByHand, answers: list[dict[str, Any] | Rejected]) -> None:
    assert answers
    exporting = {
        organization
        for head in ledger.heads.values()
        if head.entitlement["stage"] in ("final", "umpire")
        for organization in head.gold
    }
    named = {organization for head in ledger.heads.values() for organization in head.gold}
    assert len(exporting) == EXPORTING
    assert named == exporting


def test_the_engine_agrees_with_the_arithmetic_that_the_sample_was_calibrated_with(
    answers: list[dict[str, Any] | Rejected], made: Sample
) -> None:
    for event, answer in zip(made.events, answers, strict=True):
        if isinstance(answer, Rejected):
            continue
        expected = expectation(event.lot, event.revision, made.world.status_on)
        found = money_minor(answer)
        by_organization = {organization: minor for (organization, _, _), minor in found.items()}
        assert by_organization == {who: minor for who, minor in expected.lines_minor.items() if minor}, event.event_id
        if expected is not NOTHING:
            assert gold_mg(answer) == expected.fine_mg_by_organization, event.event_id
            assert (answer["status"] == "umpire_pending") == expected.umpire_pending


def test_each_refiners_numbers_run_without_gap_in_the_end_and_one_gap_is_closed_late(
    sales: list[PublishedSale], made: Sample
) -> None:
    numbers: dict[str, list[int]] = defaultdict(list)
    for event in made.events:
        if event.sequence and event.code is None:
            numbers[event.source].append(event.sequence)
    assert len(numbers) == 3
    for found in numbers.values():
        assert set(found) == set(range(1, max(found) + 1))
    first_seen = list(dict.fromkeys(numbers["/refiners/REF-CH-03"]))
    late = {number for place, number in enumerate(first_seen) if any(earlier > number + 3 for earlier in first_seen[:place])}
    runs = [number for number in late if {number, number + 1, number + 2} <= late]
    assert runs, "three numbers in a row came after later ones"


def test_what_real_life_has_is_in_the_sample(
    ledger: LedgerByHand, sales: list[PublishedSale], planned: Mapping[str, Any]
) -> None:
    text = b"\n".join(sale.message.value for sale in sales)
    for unit in (b'"unit":"APZ"', b'"unit":"KGM"', b'"unit":"GRM"'):
        assert text.count(unit) > 100, unit
    for field in (b'"stated_fine_weight"', b'"benchmark"', b'"documents"', b'"refiner_reference"', b'"party":"agreed"'):
        assert text.count(field) > 100, field
    sources = Counter(len(head.entitlement["sources"]) for head in ledger.heads.values())
    assert {2, 3, 4, 5} <= set(sources)
    assert planned["latest_stages"]["umpire"] > 50
    assert planned["latest_stages"]["cancelled"] > 10
    years = Counter(head.entitlement["sold_on"][:4] for head in ledger.heads.values())
    assert sorted(years) == [str(year) for year in range(2014, 2026)]
    assert years["2014"] * 10 < years["2024"]
    negative = [item for item in ledger.items if item.amount_minor < 0]
    assert len(negative) > 100, "corrections and cancellations take money back"


def test_the_first_lot_of_ones_own_goes_on_where_its_refiner_stopped(sales: list[PublishedSale]) -> None:
    own = json.loads((FOLDER / "first-lot.json").read_text(encoding="utf-8"))
    numbers = [
        parsed.sale.sequence
        for sale in sales
        if isinstance(parsed := parse_sale(sale.message.value), ParsedSale) and parsed.sale.refiner_id == own["refiner_id"]
    ]
    assert own["sequence"] == max(numbers) + 1, "else `premia gaps` tells of numbers that nobody ever counted"


# --- the stories -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def settled(ledger: LedgerByHand, answers: list[dict[str, Any] | Rejected]) -> dict[date, list[Result]]:
    """Results of all cycles, by the rules of payout, with accounts verified as the evidence says."""
    assert answers
    results: dict[date, list[Result]] = {}
    open_items = list(ledger.items)
    for cycle in read_cycles():
        on = cycle.settles_on
        verified = frozenset(
            (row.organization_id, row.currency)
            for row in read_accounts()
            if row.verified_on is not None and row.verified_on <= on
        )
        terms = Terms("USD", {"USD": 10_000}, verified)
        due = [item for item in open_items if item.effective_on < on]
        results[on] = settle(due, on=on, terms=terms)
        came_back = cycle.returned.organization_id if cycle.returned else None
        paid = {
            item
            for row in results[on]
            if isinstance(row, Ordered) and row.payee.id != came_back
            for part in row.parts
            for item in part.items
        }
        open_items = [item for item in open_items if item not in paid]
    return results


def _of(results: list[Result], organization_id: str) -> list[Result]:
    return [row for row in results if row.payee.id == organization_id]


def test_the_story_lot_goes_from_provisional_to_corrected(
    ledger: LedgerByHand, answers: list[dict[str, Any] | Rejected], sales: list[PublishedSale]
) -> None:
    told = [
        (sale.at.date(), answer["fine_weight_g"], answer["premiums"][0]["total"])
        for sale, answer in zip(sales, answers, strict=True)
        if not isinstance(answer, Rejected) and answer["lot_id"] == "PE-2025-000123"
    ]
    assert told == [
        (date(2025, 3, 14), "2140.599", "1348.58"),
        (date(2025, 3, 14), "2140.599", "1348.58"),
        (date(2025, 3, 26), "2140.109", "1498.08"),
        (date(2025, 5, 5), "2137.052", "1495.94"),
    ]
    changes = [item.amount_minor for item in ledger.items if item.payee.id == "ORG-PE-012" and item.amount_minor < 0]
    assert changes == [-390, -214]


def test_the_first_quarter_pays_the_asociacion_what_the_story_says(settled: dict[date, list[Result]]) -> None:
    (february,) = _of(settled[date(2025, 3, 4)], "ORG-PE-012")
    assert isinstance(february, Ordered)
    assert february.amount_minor == 41_236, "sent, and returned: its account was closed"
    (order,) = _of(settled[date(2025, 3, 27)], "ORG-PE-012")
    assert isinstance(order, Ordered)
    assert order.amount_minor == 247_515
    assert all(isinstance(row, Ordered) for on in settled if on.year >= 2021 for row in _of(settled[on], "ORG-PE-012"))


def test_pallaqueras_are_carried_over_for_three_quarters_and_then_paid(settled: dict[date, list[Result]]) -> None:
    rows = [row for on in sorted(settled) for row in _of(settled[on], "ORG-PE-027")]
    assert [type(row) for row in rows] == [CarriedOver, CarriedOver, CarriedOver, CarriedOver, Ordered]
    assert {row.code for row in rows if isinstance(row, CarriedOver)} == {CarryCode.BELOW_MINIMUM}


def test_barequeros_wait_for_their_account_and_get_three_lots_at_once(settled: dict[date, list[Result]]) -> None:
    first, second, third, *later = [row for on in sorted(settled) for row in _of(settled[on], "ORG-CO-058")]
    assert isinstance(first, Held)
    assert isinstance(second, Held)
    assert {first.code, second.code} == {HoldCode.HOLD_ACCOUNT_MISSING}
    assert isinstance(third, Ordered)
    assert third.amount_minor > second.amount_minor > first.amount_minor
    lots = [item for part in third.parts for item in part.items]
    assert len(lots) == 6, "three lots, provisional and final"
    assert all(isinstance(row, Ordered) for row in later)


def test_nothing_else_is_held_but_one_newcomer_at_the_end(settled: dict[date, list[Result]]) -> None:
    held = [(on, row.payee.id) for on in sorted(settled) for row in settled[on] if isinstance(row, Held)]
    assert held == [
        (date(2025, 3, 4), "ORG-CO-058"),
        (date(2025, 3, 27), "ORG-CO-058"),
        (date(2025, 12, 18), "ORG-BO-049"),
    ]


def test_money_that_was_paid_too_much_is_recovered_in_later_cycles(settled: dict[date, list[Result]]) -> None:
    recovered = [
        item
        for rows in settled.values()
        for row in rows
        if isinstance(row, Ordered)
        for part in row.parts
        for item in part.items
        if item.amount_minor < 0
    ]
    assert len(recovered) > 100
    carried = [row for rows in settled.values() for row in rows if isinstance(row, CarriedOver)]
    assert any(row.code is CarryCode.NET_NEGATIVE for row in carried)


def test_a_suspended_and_a_lapsed_producer_earn_nothing_for_what_they_sell_meanwhile(
    ledger: LedgerByHand, answers: list[dict[str, Any] | Rejected]
) -> None:
    assert answers
    lines = {
        (line["organization_id"], head.entitlement["sold_on"], line["amount"], line["reason"])
        for head in ledger.heads.values()
        for premium in head.entitlement["premiums"]
        for line in premium["lines"]
    }
    suspended = [row for row in lines if row[0] == "ORG-PE-020" and row[1] >= "2024-06-01"]
    lapsed = [row for row in lines if row[0] == "ORG-CO-031" and "2023-01-01" <= row[1] < "2023-07-01"]
    assert {row[2:] for row in suspended} == {("0.00", "status:suspended")}
    assert {row[2:] for row in lapsed} == {("0.00", "no_status")}


def test_blended_lots_of_the_cooperativa_have_a_fineness_for_each_source(made: Sample) -> None:
    blended = [lot for lot in made.lots if lot.latest.sources[0].organization_id == "ORG-PE-013"]
    assert len(blended) > 50
    for lot in blended:
        finenesses = {source.fineness_tenths for source in lot.latest.sources}
        assert None not in finenesses
        assert len(finenesses) > 1
