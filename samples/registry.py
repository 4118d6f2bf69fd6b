"""The sample's registry file, and what two persons know of its payment accounts.

Goal: `programme.yaml` as `premia registry apply` takes it, and `accounts.yaml` with the evidence that a driver proposes
and verifies accounts by.
Method: capacity follows from what each producer sells in its best year; accounts are in ranges that no bank issues.
Refuses: a producer that sells more than a capacity that its story sets.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from fractions import Fraction
from typing import Final

from samples.cast import Producer
from samples.chance import Chance
from samples.cycles import CYCLES, first_workday
from samples.lot import Lot

Yaml = Mapping[str, object]

MG_PER_KG: Final = 1_000_000
CAPACITY_STEP_KG: Final = 5
ACCOUNT_VERIFIED_DAYS_BEFORE: Final = 12  # Longer than the seven days that payout waits after a change of account.

# Payees whose account was closed: its number, and the days on which another one was proposed and verified.
CLOSED_ACCOUNTS: Final = {"ORG-PE-012": ("00110345020011223344", date(2025, 3, 12), date(2025, 3, 13))}
VERIFIED_LATE: Final = {"ORG-CO-058": date(2025, 6, 12)}
NEVER_VERIFIED: Final = {"ORG-BO-049": date(2025, 12, 11)}

PROPOSERS: Final = ("persona-3", "persona-4")
VERIFIERS: Final = ("persona-4", "persona-3")
METHODS: Final = ("call_back", "bank_certificate")

PROGRAMME: Final[Yaml] = {
    "id": "demo-asgm",
    "name": "Programa de primas – muestra",  # noqa: RUF001  the dash of Spanish typography
    "synthetic": True,
    "minimum_payouts": [{"currency": "USD", "amount": "100.00"}],
    "debtor_account": {
        "currency": "USD",
        "account": "CH4499999000000202501",
        "bic": "XMPLCHZZ",
        "holder": "Programa de primas - muestra",
        "bank_name": "Banque Exemple SA",
    },
    "actors": [
        {"id": "persona-1", "name": "Ana Ejemplo", "roles": ["prepare"]},
        {"id": "persona-2", "name": "Bruno Muestra", "roles": ["approve"]},
        {"id": "persona-3", "name": "Carla Modelo", "roles": ["accounts", "statements"]},
        {"id": "persona-4", "name": "Diego Ejemplo", "roles": ["accounts", "approve"]},
        {"id": "persona-5", "name": "Elena Muestra", "roles": ["prepare", "statements"]},
    ],
    "calendar": "CH",
    "provisional_payer_id": "PAY-03",
}

PARTNERS: Final[tuple[Yaml, ...]] = (
    {"id": "REF-CH-01", "name": "Refinería Ejemplo SA", "country": "CH", "kind": "refiner", "language": "fr"},
    {"id": "REF-CH-02", "name": "Affinage Modèle SA", "country": "CH", "kind": "refiner", "language": "fr"},
    {"id": "REF-CH-03", "name": "Raffineria Campione SA", "country": "CH", "kind": "refiner", "language": "fr"},
    *(
        {"id": f"EXP-{country}-{number:02d}", "name": name, "country": country, "kind": "exporter", "language": "es"}
        for country, names in {
            "PE": (
                "Exportadora Muestra del Sur SAC", "Comercial Aurífera Modelo SAC", "Metales Ejemplo del Perú SAC",
                "Exportadora Modelo Andina SAC", "Acopio Muestra SAC", "Oro Ejemplo Comercial SAC",
                "Exportadora Ejemplo del Perú SAC",
            ),
            "CO": ("Comercializadora Muestra SAS", "Comercializadora Ejemplo SAS", "Metales Modelo SAS"),
            "BO": ("Exportadora Muestra Bolivia SRL", "Comercial Ejemplo Bolivia SRL"),
        }.items()
        for number, name in enumerate(names, start=1)
    ),
    {"id": "PAY-01", "name": "Example Jewellers Ltd", "country": "CH", "kind": "payer", "language": "en"},
    {"id": "PAY-02", "name": "Example Watches SA", "country": "CH", "kind": "payer", "language": "fr"},
    {"id": "PAY-03", "name": "Specimen Bank Gold Fund", "country": "CH", "kind": "payer", "language": "en"},
    {"id": "PAY-04", "name": "Sample Refined Goods AG", "country": "CH", "kind": "payer", "language": "en"},
    {"id": "PAY-05", "name": "Model Rings GmbH", "country": "DE", "kind": "payer", "language": "en"},
    {"id": "PAY-06", "name": "Specimen Bullion Dealers Ltd", "country": "GB", "kind": "payer", "language": "en"},
    {"id": "FUND-PE-01", "name": "Fondo Comunitario Ejemplo Sur", "country": "PE", "kind": "community_fund",
     "language": "es"},
    {"id": "FUND-PE-02", "name": "Fondo Comunitario Muestra Norte", "country": "PE", "kind": "community_fund",
     "language": "es"},
    {"id": "FUND-CO-01", "name": "Fondo Comunitario Ejemplo Colombia", "country": "CO", "kind": "community_fund",
     "language": "es"},
    {"id": "FUND-BO-01", "name": "Fondo Comunitario Ejemplo Bolivia", "country": "BO", "kind": "community_fund",
     "language": "es"},
)  # fmt: skip

_TAX_SCHEME: Final = {"PE": "RUC", "CO": "NIT", "BO": "NIT"}
_BANKS: Final = {
    "PE": ("XMPLPEPL", "Banco Ejemplo", "Lima"),
    "CO": ("XMPLCOBB", "Banco Muestra", "Bogotá"),
    "BO": ("XMPLBOLX", "Banco Modelo", "La Paz"),
}


def registry(producers: Iterable[Producer], lots: Iterable[Lot]) -> Yaml:
    """Return the registry file's content."""
    best_year_kg = _best_year_kg(lots)
    entries = [_producer_entry(producer, best_year_kg.get(producer.organization_id, 0)) for producer in producers]
    return {"programme": PROGRAMME, "organizations": [*PARTNERS, *entries]}


def accounts(producers: Iterable[Producer]) -> Yaml:
    """Return who proposed and who verified each account, when and how. `verified_on: null`: the account still waits."""
    rows = [row for producer in producers if producer.trade is not None for row in _accounts_of(producer)]
    return {"synthetic": True, "accounts": rows}


def _best_year_kg(lots: Iterable[Lot]) -> dict[str, int]:
    """Melt weight that each producer delivered in its best year, in whole kilograms rounded up. Every revision counts
    with its largest weight: a capacity must hold on the way too."""
    melt_mg: dict[tuple[str, int], Fraction] = defaultdict(Fraction)
    for lot in lots:
        for organization in lot.organizations:
            melt_mg[organization, lot.sold_on.year] += max(
                sum(source.melt_steps for source in revision.sources if source.organization_id == organization)
                * lot.unit.step_mg
                for revision in lot.revisions
            )
    best: dict[str, int] = defaultdict(int)
    for (organization, _), mg in melt_mg.items():
        best[organization] = max(best[organization], -(-mg.numerator // (mg.denominator * MG_PER_KG)))
    return best


def _producer_entry(producer: Producer, best_year_kg: int) -> Yaml:
    funds = {"PE": f"FUND-PE-0{1 + producer.number % 2}", "CO": "FUND-CO-01", "BO": "FUND-BO-01"}
    account = _payment_account(producer)
    return {
        "id": producer.organization_id,
        "name": producer.name,
        "country": producer.country,
        "kind": "producer",
        "language": "es",
        "beneficiaries": producer.beneficiaries,
        "annual_capacity": {"value": str(_capacity_kg(producer, best_year_kg)), "unit": "KGM"},
        "community_fund_id": funds[producer.country],
        "tax_id": {"scheme": _TAX_SCHEME[producer.country], "value": _tax_number(producer)},
        "address": {"street": producer.street, "town": producer.town, "country": producer.country},
        "support_periods": [_range(starts_on, ends) for starts_on, ends in producer.support],
        "statuses": [
            {"scheme": row.scheme, "status": row.status, **_range(row.starts_on, row.ends_before)} for row in producer.statuses
        ],
        "payment_accounts": [account] if producer.trade is not None else [],
    }


def _range(starts_on: date, ends_before: date | None) -> dict[str, date]:
    return {"from": starts_on} if ends_before is None else {"from": starts_on, "to": ends_before}


def _capacity_kg(producer: Producer, best_year_kg: int) -> int:
    chance = Chance("capacity", producer.number)
    if producer.told_capacity_kg is not None:
        assert best_year_kg <= producer.told_capacity_kg, f"{producer.organization_id} sells more than its story allows"
        return producer.told_capacity_kg
    if best_year_kg == 0:
        return CAPACITY_STEP_KG * chance.between(1, 16)
    with_room = best_year_kg * chance.between(112, 165) // 100
    return max(1, -(-with_room // CAPACITY_STEP_KG)) * CAPACITY_STEP_KG


def _tax_number(producer: Producer) -> str:
    if producer.number == 12:
        return "20601234567"  # As in the specification's story; no check digit is right by chance.
    return f"2099{producer.number:07d}" if producer.country == "PE" else f"999{producer.number:06d}"


def _payment_account(producer: Producer) -> dict[str, object]:
    bic, bank_name, bank_town = _BANKS[producer.country]
    numbers = {
        "PE": f"999{producer.number:03d}{20_000_000_000_000 + producer.number * 7_919:014d}",  # CCI: 20 digits
        "CO": f"999{producer.number:08d}",
        "BO": f"1999{producer.number:06d}",
    }
    return {
        "currency": "USD",
        "account": "00110345020011228890" if producer.number == 12 else numbers[producer.country],
        "kind": "savings" if producer.country == "CO" and producer.number % 2 else "current",
        "bic": bic,
        "bank_name": bank_name,
        "bank_town": bank_town,
        "bank_country": producer.country,
        "holder": producer.name,
    }


def _account_evidence(producer: Producer) -> Yaml:
    assert producer.trade is not None
    place = producer.number % 2
    unverified_on = NEVER_VERIFIED.get(producer.organization_id)
    verified_on = VERIFIED_LATE.get(producer.organization_id) or _ready_before_first_cycle(producer)
    proposed_on = unverified_on or verified_on - timedelta(days=2)
    evidence = {
        "verified_by": VERIFIERS[place],
        "verified_on": verified_on,
        "method": METHODS[producer.number % len(METHODS)],
        "evidence": f"MUESTRA-CTA-{producer.number:03d}",
    }
    return {
        "organization_id": producer.organization_id,
        **_payment_account(producer),
        "proposed_by": PROPOSERS[place],
        "proposed_on": proposed_on,
        **(dict.fromkeys(evidence) if unverified_on else evidence),
    }


def _accounts_of(producer: Producer) -> list[Yaml]:
    """The account of the registry, and before it one that was closed."""
    evidence = _account_evidence(producer)
    if producer.organization_id not in CLOSED_ACCOUNTS:
        return [evidence]
    closed, proposed_on, verified_on = CLOSED_ACCOUNTS[producer.organization_id]
    renewed = {"proposed_on": proposed_on, "verified_on": verified_on, "evidence": f"{evidence['evidence']}-2"}
    return [{**evidence, "account": closed}, {**evidence, **renewed}]


def _ready_before_first_cycle(producer: Producer) -> date:
    assert producer.trade is not None
    exports_from = date(producer.trade.since[0], producer.trade.since[1], 1)
    cycle = next(cycle for cycle in CYCLES if cycle.settles_on > exports_from)
    earliest = cycle.settles_on - timedelta(days=ACCOUNT_VERIFIED_DAYS_BEFORE + 60)
    return first_workday(max(exports_from, earliest) + timedelta(days=producer.number % 30))
