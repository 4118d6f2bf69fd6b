"""The calculation once more, independently: straight from the rules, with fractions, no code shared with the engine.

Slow and plain on purpose. It takes valid sales only and says nothing of rejections.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from tests.unit.premium_calculator.programme import PRODUCERS, SCHEMES

GRAMS = {"GRM": Fraction(1), "KGM": Fraction(1000), "APZ": Fraction("31.1034768")}
DIGITS = {"USD": 2, "CLP": 0, "KWD": 3}


def weight(stated: dict[str, str]) -> Fraction:
    return Fraction(stated["value"]) * GRAMS[stated["unit"]]


def share_out(total: int, parts: list[tuple[Any, Fraction]]) -> dict[Any, int]:
    """`parts` in the order in which ties are decided."""
    whole = sum(part for _, part in parts)
    if whole == 0:
        return {name: 0 for name, _ in parts}
    exact = {name: Fraction(total) * part / whole for name, part in parts}
    shares = {name: int(value) for name, value in exact.items()}
    missing = total - sum(shares.values())
    by_remainder = sorted(range(len(parts)), key=lambda row: (-(exact[parts[row][0]] - shares[parts[row][0]]), row))
    for row in by_remainder[:missing]:
        shares[parts[row][0]] += 1
    return shares


def fineness(sale: dict[str, Any], limit: Fraction) -> tuple[Fraction, bool]:
    found = {assay["party"]: Fraction(assay["fineness_permille"]) for assay in sale["assays"]}
    if sale["stage"] == "provisional":
        return found["seller"], False
    if sale["stage"] == "final":
        if "agreed" in found:
            return found["agreed"], False
        low, high = sorted((found["seller"], found["buyer"]))
        return ((low + high) / 2, False) if high - low <= limit else (low, True)
    low, high = sorted((found["seller"], found["buyer"]))
    return sorted((low, found["umpire"], high))[1], False


def status_of(organization_id: str, scheme_id: str, sold_on: date) -> str | None:
    for scheme, status, start, end in PRODUCERS[organization_id]["statuses"]:
        if scheme == scheme_id and date.fromisoformat(start) <= sold_on and (end is None or sold_on < date.fromisoformat(end)):
            return str(status)
    return None


def expected(sale: dict[str, Any]) -> dict[str, Any]:
    """Status, fineness, weights and premiums of a valid sale that is not cancelled."""
    schemes = {scheme["id"]: scheme for scheme in SCHEMES}
    named = [schemes[id_] for id_ in sale["schemes"]]
    limit = min(Fraction(scheme.get("splitting_limit_permille", "0.5")) for scheme in named)
    permille, disputed = fineness(sale, limit)
    milligrams = round(weight(sale["melt_weight"]) * permille)  # g x permille / 1000 x 1000; round() is half-even
    by_fineness = all("fineness_permille" in source for source in sale["sources"])
    weights: dict[str, Fraction] = {}
    for source in sale["sources"]:
        part = weight(source["melt_weight"]) * (Fraction(source["fineness_permille"]) if by_fineness else 1)
        weights[source["organization_id"]] = weights.get(source["organization_id"], Fraction(0)) + part
    shares = share_out(milligrams, sorted(weights.items()))
    premiums = [premium(sale, scheme, shares) for scheme in named]
    eligible = any(line["eligible"] for found in premiums for line in found["lines"])
    return {
        "status": "ineligible" if not eligible else "umpire_pending" if disputed else "settleable",
        "fineness_permille": permille,
        "fine_weight_g": text(milligrams, 3),
        "sources": [{"organization_id": id_, "fine_weight_g": text(shares[id_], 3)} for id_ in sorted(shares)],
        "premiums": premiums,
    }


def premium(sale: dict[str, Any], scheme: dict[str, Any], shares: dict[str, int]) -> dict[str, Any]:
    sold_on = date.fromisoformat(sale["sold_on"])
    digits = DIGITS[scheme.get("currency", "USD")]
    statuses = {id_: status_of(id_, scheme["id"], sold_on) for id_ in shares}
    eligible = sorted(id_ for id_ in shares if statuses[id_] == "in")
    fine_g = Fraction(sum(shares[id_] for id_ in eligible), 1000)
    value = Fraction(0)
    if "benchmark" in sale:
        value = Fraction(sale["benchmark"]["price"]) * fine_g / GRAMS[sale["benchmark"]["per"]]
    rate = scheme["rate"]
    if rate["kind"] == "per_mass":
        amount = Fraction(rate["amount"]) * fine_g / GRAMS[rate["unit"]]
    else:
        amount = value * Fraction(rate["percent"]) / 100
    if "floor" in scheme and "price_share_of_benchmark" in sale:
        floor = Fraction(scheme["floor"]["min_share_of_benchmark"])
        amount += max(Fraction(0), floor - Fraction(sale["price_share_of_benchmark"])) * value
    total = round(amount * 10**digits)
    if sale["stage"] == "provisional":
        total = round(total * Fraction(scheme["provisional_share"]))
    by_source = share_out(total, [(id_, Fraction(shares[id_])) for id_ in eligible])
    split = scheme.get("split", {"producer": "1"})
    lines: dict[tuple[str, int], dict[str, Any]] = {}
    for id_ in sorted(shares):
        earned = {"producer": 0}
        if id_ in eligible:
            roles = [(role, Fraction(split[role])) for role in ("producer", "community_fund") if role in split]
            earned = share_out(by_source[id_], roles) if sum(part for _, part in roles) else earned
        status = statuses[id_]
        lines[id_, 0] = {
            "organization_id": id_,
            "role": "producer",
            "weight": shares[id_],
            "minor": earned["producer"],
            "eligible": id_ in eligible,
            "reason": None if id_ in eligible else f"status:{status}" if status else "no_status",
        }
        if "community_fund" in earned:
            fund_id = PRODUCERS[id_]["community_fund_id"]
            assert isinstance(fund_id, str)
            fund = lines.setdefault(
                (fund_id, 1),
                {
                    "organization_id": fund_id,
                    "role": "community_fund",
                    "weight": 0,
                    "minor": 0,
                    "eligible": True,
                    "reason": None,
                },
            )
            fund["weight"] += shares[id_]
            fund["minor"] += earned["community_fund"]
    written = []
    for key in sorted(lines):
        line = lines[key]
        line["fine_weight_g"] = text(line.pop("weight"), 3)
        line["amount"] = text(line.pop("minor"), digits)
        written.append(line)
    return {"scheme_id": scheme["id"], "total": text(total, digits), "lines": written}


def text(units: int, digits: int) -> str:
    return f"{Decimal(units).scaleb(-digits):f}" if units < 10**27 else str(Fraction(units, 10**digits))
