"""The programme's example statement (March 2025), figure by figure. All names and accounts are invented."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID, uuid5

from schemas.statement import Statement

NAMESPACE: Final = UUID("b7f6f0a2-6a5e-4a51-8f7e-2d3c4b5a6978")


def identifier(name: str) -> str:
    """A fixed UUID for a name."""
    return str(uuid5(NAMESPACE, name))


def step(name: str, rule: str, **values: str) -> dict[str, Any]:
    """A step of the explanation."""
    return {"step": name, "rule": rule, "values": values}


def premium_step(eligible: str, full: str, total: str, *, provisional: bool = False, **changes: str) -> dict[str, Any]:
    """The step of a premium by weight under sbg."""
    values = {
        "scheme_id": "sbg",
        "scheme_version": "2019-07",
        "currency": "USD",
        "amount": "0.70",
        "unit": "GRM",
        "eligible_fine_weight_g": eligible,
        "full_amount": full,
        "total": total,
    }
    if provisional:
        values["provisional_share"] = "0.90"
    return step("premium", "per_mass", **(values | changes))


def line(amount: str, previous: str, posted: str, fine_weight_g: str | None, **changes: Any) -> dict[str, Any]:
    """What a posting moved."""
    fields: dict[str, Any] = {
        "scheme_id": "sbg",
        "scheme_version": "2019-07",
        "payer_id": "PAY-01",
        "role": "producer",
        "currency": "USD",
        "fine_weight_g": fine_weight_g,
        "amount": amount,
        "previous_amount": previous,
        "posted": posted,
        "counts_as": "premium",
        "eligible": True,
        "reason": None,
        "state": "transferred",
    }
    return fields | changes


def posting(leaf_index: int, lot_id: str, effective_on: str, *lines: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """One leaf."""
    own = lines[0]["fine_weight_g"] if lines else None
    fields: dict[str, Any] = {
        "leaf_index": leaf_index,
        "transaction_id": identifier(f"leaf {leaf_index}"),
        "effective_on": effective_on,
        "refiner_id": "REF-CH-01",
        "lot_id": lot_id,
        "revision": 1,
        "calculation": 0,
        "stage": "final",
        "status": "settleable",
        "sold_on": effective_on,
        "fineness_permille": "873.3",
        "lot_fine_weight_g": own,
        "own_fine_weight_g": own,
        "previous_own_fine_weight_g": None,
        "documents": [],
        "explanation": [],
        "lines": list(lines),
    }
    return fields | changes


SELLER: Final = step("assay", "seller", seller="873.5", fineness_permille="873.5")
MEAN: Final = step("assay", "mean", seller="873.5", buyer="873.1", limit_permille="0.5", fineness_permille="873.3")
MELT: Final = step("melt_weight", "stated", value="2450.60", unit="GRM", melt_weight_g="2450.6")
DAM: Final = [{"kind": "export_declaration", "number": "118-2025-40-012345", "issuer": "SUNAT"}]

SBG: Final[dict[str, Any]] = {
    "scheme_id": "sbg",
    "scheme_version": "2019-07",
    "name": "SBG",
    "currency": "USD",
    "rate": {"kind": "per_mass", "amount": "0.70", "unit": "GRM"},
    "provisional_share": "0.90",
    "status": "step_2",
    "status_since": "2021-01-01",
}


def postings() -> list[dict[str, Any]]:
    """March: a lot advanced and settled, one shared by three, one on hold, one corrected."""
    return [
        posting(
            4101,
            "PE-2025-000123",
            "2025-03-14",
            line("1348.58", "0.00", "1348.58", "2140.599"),
            stage="provisional",
            fineness_permille="873.5",
            documents=DAM,
            explanation=[MELT, SELLER, premium_step("2140.599", "1498.42", "1348.58", provisional=True)],
        ),
        posting(
            4127,
            "PE-2025-000087",
            "2025-03-17",
            line("839.12", "843.02", "-3.90", "1198.744", counts_as="adjustment"),
            revision=3,
            sold_on="2025-02-10",
            previous_own_fine_weight_g="1204.310",
            explanation=[premium_step("1198.744", "839.12", "839.12")],
        ),
        posting(
            4160,
            "PE-2025-000131",
            "2025-03-19",
            line("568.61", "0.00", "568.61", "812.300"),
            fineness_permille="871.8",
            lot_fine_weight_g="2136.433",
            explanation=[
                MELT,
                step("assay", "agreed", agreed="871.8", fineness_permille="871.8"),
                step("sharing", "melt_weight", organizations="3", fine_weight_g="2136.433"),
                premium_step("2136.433", "1495.50", "1495.50"),
            ],
        ),
        posting(
            4198,
            "PE-2025-000140",
            "2025-03-24",
            line("448.22", "0.00", "448.22", "640.310", state="on_hold"),
            fineness_permille="871.2",
            explanation=[
                step("melt_weight", "stated", value="734.98", unit="GRM", melt_weight_g="734.98"),
                premium_step("640.310", "448.22", "448.22"),
            ],
        ),
        posting(
            4203,
            "PE-2025-000123",
            "2025-03-26",
            line("1498.08", "1348.58", "149.50", "2140.109"),
            revision=2,
            previous_own_fine_weight_g="2140.599",
            documents=DAM,
            explanation=[MELT, MEAN, premium_step("2140.109", "1498.08", "1498.08")],
        ),
    ]


def balance() -> dict[str, Any]:
    """The money of March."""
    first, second = identifier("order 1"), identifier("order 2")
    return {
        "currency": "USD",
        "opening": "412.36",
        "premiums": "2514.91",
        "adjustments": "-3.90",
        "deducted": "0.00",
        "transferred": "2887.51",
        "returned": "412.36",
        "closing": "448.22",
        "breakdown": {
            "available": "0.00",
            "on_hold": "448.22",
            "carried_over": "0.00",
            "scheduled": "0.00",
            "in_transit": "0.00",
        },
        "ledger_payable": "448.22",
        "ledger_in_transit": "0.00",
        "premiums_year_to_date": "6237.85",
        "transferred_year_to_date": "5789.63",
        "transfers": [
            {
                "on": "2025-03-05",
                "amount": "412.36",
                "order_id": first,
                "end_to_end_id": "1f0e8b3d5c7a49e2b6d4f1a2c3e5d7b9",
                "account_last_four": "1177",
                "bank_name": "Banco Ejemplo",
                "leaf_index": 4077,
            },
            {
                "on": "2025-03-28",
                "amount": "2475.15",
                "order_id": second,
                "end_to_end_id": "7c1e9a40b2d84f6f9e0d5a3b61c2f8d7",
                "account_last_four": "8890",
                "bank_name": "Banco Ejemplo",
                "leaf_index": 4230,
            },
        ],
        "returns": [
            {
                "on": "2025-03-11",
                "amount": "412.36",
                "charges": "25.00",
                "order_id": first,
                "end_to_end_id": "1f0e8b3d5c7a49e2b6d4f1a2c3e5d7b9",
                "transferred_on": "2025-03-05",
                "account_last_four": "1177",
                "reason_code": "AC04",
                "paid_again_on": "2025-03-28",
                "leaf_index": 4095,
            }
        ],
        "holds": [
            {
                "code": "HOLD_DOCUMENT_REUSED",
                "amount": "448.22",
                "since": "2025-03-24",
                "lot_ids": ["PE-2025-000140"],
                "values": {"document": "la guía de remisión 0001-004512"},
            }
        ],
    }


def document(**changes: Any) -> dict[str, Any]:
    """The statement as JSON, to vary."""
    fields: dict[str, Any] = {
        "statement_number": "0012-2025-03",
        "number": 12,
        "payee": {
            "kind": "org",
            "id": "ORG-PE-012",
            "name": "Asociación Minera Ejemplo",
            "country": "PE",
            "town": "Chala",
            "tax_id": {"scheme": "RUC", "value": "20601234567"},
        },
        "programme": {
            "id": "demo",
            "name": "Programa de Primas",
            "synthetic": True,
            "complaints": {"name": "Oficina del programa", "phone": "+51 1 5550100", "email": "reclamos@premia.example"},
        },
        "locale": "es_PE",
        "period_from": "2025-03-01",
        "period_to": "2025-03-31",
        "issued_on": "2025-04-01",
        "tree_size": 4260,
        "year": 2025,
        "fine_weight_year_to_date_g": "8911.204",
        "schemes": [SBG],
        "postings": postings(),
        "balances": [balance()],
    }
    return fields | changes


def statement(**changes: Any) -> Statement:
    """The statement, valid unless the changes make it otherwise."""
    return Statement.model_validate(document(**changes))


def quiet_balance(currency: str = "USD", **changes: Any) -> dict[str, Any]:
    """A balance in which nothing moved."""
    nothing = "0.00"
    fields: dict[str, Any] = {
        "currency": currency,
        "opening": nothing,
        "premiums": nothing,
        "adjustments": nothing,
        "deducted": nothing,
        "transferred": nothing,
        "returned": nothing,
        "closing": nothing,
        "breakdown": dict.fromkeys(("available", "on_hold", "carried_over", "scheduled", "in_transit"), nothing),
        "ledger_payable": nothing,
        "ledger_in_transit": nothing,
        "premiums_year_to_date": nothing,
        "transferred_year_to_date": nothing,
    }
    return fields | changes


def breakdown(**parts: str) -> dict[str, str]:
    """Where the closing balance is; the rest is nothing."""
    return dict.fromkeys(("available", "on_hold", "carried_over", "scheduled", "in_transit"), "0.00") | parts


BOLIVIAN: Final = {
    "kind": "org",
    "id": "ORG-BO-044",
    "name": "Cooperativa Minera Aurífera Nuestra Señora de la Candelaria de Ñuñoa y Pueblos Asociados del Altiplano R.L.",
    "country": "BO",
    "town": "San Pedro de Buena Vista del Altiplano Modelo",
    "tax_id": {"scheme": "NIT", "value": "123456789012"},
}
TROY_OUNCE_TERMS: Final[dict[str, Any]] = {
    "scheme_id": "fairtrade-ecological",
    "scheme_version": "2013-08",
    "name": "Fairtrade ecológico",
    "currency": "USD",
    "rate": {"kind": "percent_of_benchmark", "percent": "15"},
    "floor_min_share_of_benchmark": "0.95",
    "provisional_share": "0.90",
    "community_fund_share": "0.20",
    "community_fund_name": "Fondo Comunitario Modelo",
    "status": "certified",
    "status_since": "2020-07-01",
}


def yearly(lots: int) -> Statement:
    """A Bolivian year with `lots` lots, each advanced and settled, nothing paid yet."""
    entries = []
    total_minor = 0
    for lot in range(lots):
        weight_mg = 500_000 + lot * 1_237
        weight = f"{weight_mg // 1000}.{weight_mg % 1000:03d}"
        full_minor = round(weight_mg * 7 / 100)
        advance_minor = round(full_minor * 9 / 10)
        full, advance, rest = (
            f"{minor // 100}.{minor % 100:02d}" for minor in (full_minor, advance_minor, full_minor - advance_minor)
        )
        day = f"2025-{lot * 12 // lots + 1:02d}-{lot % 28 + 1:02d}"
        identity = f"BO-2025-{lot:06d}"
        provisional = premium_step(weight, full, advance, provisional=True)
        advanced = line(advance, "0.00", advance, weight, state="calculated")
        settled = line(full, advance, rest, weight, state="calculated")
        entries.append(posting(2 * lot, identity, day, advanced, stage="provisional", explanation=[MELT, SELLER, provisional]))
        explained = [MELT, MEAN, premium_step(weight, full, full)]
        entries.append(posting(2 * lot + 1, identity, day, settled, revision=2, documents=DAM, explanation=explained))
        total_minor += full_minor
    total = f"{total_minor // 100}.{total_minor % 100:02d}"
    money = quiet_balance(
        premiums=total,
        closing=total,
        breakdown=breakdown(available=total),
        ledger_payable=total,
        premiums_year_to_date=total,
        minimum_payout="100.00",
    )
    return statement(
        statement_number="0001-2025",
        number=1,
        payee=BOLIVIAN,
        locale="es_BO",
        period_from="2025-01-01",
        period_to="2025-12-31",
        issued_on="2026-01-05",
        postings=entries,
        balances=[money],
    )


def every_kind_of_line() -> Statement:
    """Two currencies, two schemes on one lot, a floor, an umpire pending, a lot without premium, a cancelled one."""
    floor_step = step(
        "premium",
        "percent_of_benchmark",
        scheme_id="fairtrade-ecological",
        scheme_version="2013-08",
        currency="USD",
        percent="15",
        eligible_fine_weight_g="2136.433",
        benchmark_price="2650.00",
        benchmark_unit="APZ",
        floor="0.95",
        price_share_of_benchmark="0.935",
        top_up_share="0.015",
        full_amount="30034.07",
        total="30034.07",
    )
    fair = {"scheme_id": "fairtrade-ecological", "scheme_version": "2013-08", "payer_id": "PAY-03", "state": "sent_to_the_bank"}
    lower = step("assay", "lower", seller="873.5", buyer="871.8", limit_permille="0.5", fineness_permille="871.8")
    entries = [
        posting(
            10,
            "BO-2025-000007",
            "2025-11-03",
            line("24027.26", "0.00", "24027.26", "2136.433", **fair),
            line("1495.50", "0.00", "1495.50", "2136.433", state="scheduled"),
            fineness_permille="871.8",
            status="umpire_pending",
            documents=[
                *DAM,
                {"kind": "transport_guide", "number": "0001-004512"},
                {"kind": "royalty_form", "number": "77-123456"},
            ],
            explanation=[MELT, lower, floor_step, premium_step("2136.433", "1495.50", "1495.50")],
        ),
        posting(
            11,
            "BO-2025-000008",
            "2025-11-04",
            line("0.00", "0.00", "0.00", "500.000", eligible=False, reason="status:suspended", state=None),
            explanation=[MELT, MEAN],
        ),
        posting(
            12,
            "BO-2025-000009",
            "2025-11-20",
            line("0.00", "700.00", "-700.00", None, scheme_version=None, eligible=False, state="calculated"),
            stage="cancelled",
            status="cancelled",
            revision=4,
            fineness_permille=None,
            explanation=[],
        ),
        posting(
            13,
            "BO-2025-000002",
            "2025-12-01",
            line(
                "0.00", "50.00", "-50.00", None, scheme_version=None, counts_as="adjustment", eligible=False, state="calculated"
            ),
            stage="cancelled",
            status="cancelled",
            fineness_permille=None,
            explanation=[],
            previous_own_fine_weight_g="71.429",
        ),
        posting(
            14,
            "BO-2025-000003",
            "2025-12-02",
            line("140.00", "70.00", "70.00", "200.000", counts_as="adjustment", currency="BOB", state="calculated"),
            calculation=1,
            previous_own_fine_weight_g="100.000",
            explanation=[premium_step("200.000", "140.00", "140.00")],
        ),
    ]
    dollars = quiet_balance(
        premiums="24822.76",
        adjustments="-50.00",
        closing="24772.76",
        breakdown=breakdown(available="-750.00", scheduled="1495.50", in_transit="24027.26"),
        ledger_payable="-750.00",
        ledger_in_transit="25522.76",
        premiums_year_to_date="24772.76",
    )
    bolivianos = quiet_balance(
        "BOB",
        adjustments="70.00",
        closing="70.00",
        breakdown=breakdown(on_hold="70.00"),
        ledger_payable="70.00",
        holds=[{"code": "HOLD_RATE_MISSING", "amount": "70.00"}],
    )
    return statement(
        statement_number="0003-2025-T4",
        number=3,
        payee=BOLIVIAN,
        locale="es_BO",
        programme={"id": "real", "name": "Programa de Primas", "synthetic": False, "answer_within_business_days": 10},
        period_from="2025-10-01",
        period_to="2025-12-31",
        issued_on="2026-01-05",
        schemes=[SBG, TROY_OUNCE_TERMS],
        postings=entries,
        balances=[dollars, bolivianos],
    )


def nothing_moved() -> Statement:
    """A Colombian month without lots or payments: issued too, because numbers run without gaps."""
    return statement(
        statement_number="0013-2025-04",
        number=13,
        payee={"kind": "org", "id": "ORG-CO-058", "name": "Barequeros Modelo", "country": "CO"},
        locale="es_CO",
        period_from="2025-04-01",
        period_to="2025-04-30",
        issued_on="2025-05-02",
        postings=[],
        schemes=[],
        balances=[quiet_balance()],
    )
