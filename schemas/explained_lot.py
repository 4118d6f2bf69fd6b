"""The calculation of one lot, step by step in words, every number with its source.

Goal: an auditor, an operator or a treasurer follows a premium from the scale to the cent, and knows for each figure who said
so: the party of an assay, a field of the sale, a clause of a scheme with its citation, a status in a version of the registry.
Method: the entitlement's `explanation` in the words of `schemas.explanation_text`; the registry version that it was calculated
with gives names, citations, splits and statuses. Without that registry the same is told by ids.
Refuses: nothing; a step of another release is shown as the data that it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from schemas.entitlement import Entitlement, Line, Premium, Step
from schemas.explanation_text import (
    assay_sentence,
    documents_sentence,
    fine_weight_sentence,
    grams_in,
    melt_weight_sentence,
    phrase,
    premium_sentences,
    share_formula,
    sharing_sentence,
    stage_word,
    status_word,
    step_of,
    terms_sentence,
    unit_word,
    without_premium,
)
from schemas.locale_figures import LocaleFigures
from schemas.registry_snapshot import RegistrySnapshot
from schemas.scheme import Scheme

REGISTRY_CHARS_SHOWN: Final = len("sha256:") + 12  # enough to tell versions apart; the head has the whole hash.
# Whose assays a rule looks at.
_PARTIES: Final[Mapping[str, tuple[str, ...]]] = {
    "seller": ("seller",),
    "agreed": ("agreed",),
    "mean": ("seller", "buyer"),
    "lower": ("seller", "buyer"),
    "umpire": ("umpire", "seller", "buyer"),
    "umpire_clamped": ("umpire", "seller", "buyer"),
}


_SENTENCES: Final[Mapping[str, Callable[[Step, LocaleFigures], str | None]]] = {
    "melt_weight": melt_weight_sentence,
    "assay": assay_sentence,
    "fine_weight": fine_weight_sentence,
    "sharing": sharing_sentence,
    "documents": documents_sentence,
}


@dataclass(frozen=True, slots=True)
class ToldStep:
    """One step: the data it is told from, its sentences, and where their numbers come from."""

    step: str
    rule: str
    values: Mapping[str, str]
    sentences: tuple[str, ...]
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ExplainedLot:
    """What the lot is and what it was calculated from; then its steps, the last ones being who gets what."""

    head: tuple[str, ...]
    steps: tuple[ToldStep, ...]


def explained_lot(entitlement: Entitlement, registry: RegistrySnapshot | None, text: LocaleFigures) -> ExplainedLot:
    """Tell the calculation. `registry`: of the entitlement's own registry version, where it is known."""
    assert registry is None or registry.version == entitlement.registry_version, "explained by what it was calculated with"
    teller = _Teller(entitlement, registry, text)
    steps = [teller.step(step) for step in entitlement.explanation]
    return ExplainedLot(tuple(teller.head()), (*steps, *teller.lines()))


@dataclass(frozen=True, slots=True)
class _Teller:
    entitlement: Entitlement
    registry: RegistrySnapshot | None
    text: LocaleFigures

    # --- the lot ------------------------------------------------------------------------------------------------------

    def head(self) -> Iterator[str]:
        lot, text = self.entitlement, self.text
        yield phrase(
            "lot_head",
            text,
            lot=f"{lot.refiner_id}/{lot.lot_id}",
            revision=str(lot.revision),
            stage=stage_word(lot.stage, text),
            day=text.day(lot.sold_on),
        )
        yield phrase("lot_basis", text, sale=lot.sale.id, refiner=lot.refiner_id, registry=lot.registry_version)
        if lot.calculation:
            yield phrase("lot_recalculated", text, calculation=str(lot.calculation))
        yield phrase("lot_nothing_due" if lot.status == "cancelled" else f"lot_{lot.status}", text)

    # --- steps --------------------------------------------------------------------------------------------------------

    def step(self, step: Step) -> ToldStep:
        sentences, sources = self._told(step)
        if not sentences:
            sentences = [f"{step.step} ({step.rule}): " + ", ".join(f"{name} {value}" for name, value in step.values.items())]
        return ToldStep(step.step, step.rule, step.values, tuple(sentences), tuple(sources))

    def _told(self, step: Step) -> tuple[list[str], list[str]]:
        if step.step == "premium":
            return self._premium(step)
        tell = _SENTENCES.get(step.step)
        sentence = None if tell is None else tell(step, self.text)
        return ([], []) if sentence is None else ([sentence], list(self._sources(step)))

    def _sources(self, step: Step) -> Iterator[str]:
        match step.step:
            case "assay":
                yield from self._assay_sources(step)
            case "fine_weight":
                yield phrase("source_steps", self.text)
            case "sharing":
                yield self._sale("sources")
            case name:
                yield self._sale(name)
                if step.rule == "converted":
                    yield self._unit(step.values["unit"])

    def _assay_sources(self, step: Step) -> Iterator[str]:
        parties = _PARTIES.get(step.rule, ())
        if parties:
            named = ", ".join(phrase(f"party_{party}", self.text) for party in parties)
            yield phrase("source_assay", self.text, parties=named, sale=self.entitlement.sale.id)
        limit = step.values.get("limit_permille")
        if limit is None:
            return
        shown = self.text.plain(limit)
        for premium in self.entitlement.premiums:
            scheme = self._scheme(premium)
            own = scheme.splitting_limit_permille if scheme is not None else None
            if own is not None and Decimal(own) == Decimal(limit):
                yield phrase("source_limit", self.text, limit=shown, scheme=self._scheme_id(premium))
                return
        yield phrase("source_limit_standard", self.text, limit=shown)

    def _premium(self, step: Step) -> tuple[list[str], list[str]]:
        values, text = step.values, self.text
        premium = next((entry for entry in self.entitlement.premiums if entry.scheme_id == values.get("scheme_id")), None)
        if premium is None:
            return [], []
        scheme = self._scheme(premium)
        name = (scheme.name if scheme is not None else None) or premium.scheme_id.upper()
        terms = terms_sentence(premium.rate, premium.currency, name=name, version=premium.scheme_version, text=text)
        clauses = ["rate", "eligible_statuses"]
        if "floor" in values:
            clauses.append("floor")
        if "provisional_share" in values:
            clauses.append("provisional_share")
        sources = [self._clauses(premium, clauses)]
        if "unit" in values and values["unit"] != "GRM":
            sources.append(self._unit(values["unit"]))
        if "benchmark_price" in values:
            price = text.price(values["benchmark_price"], premium.currency)
            unit = unit_word(values["benchmark_unit"], text)
            sources.append(phrase("source_benchmark", text, price=price, unit=unit, sale=self.entitlement.sale.id))
            if values["benchmark_unit"] != "GRM":
                sources.append(self._unit(values["benchmark_unit"]))
        if "price_share_of_benchmark" in values:
            sources.append(self._sale("price_share_of_benchmark"))
        if any(line.eligible for line in premium.lines):
            told = premium_sentences(step, self.entitlement.fine_weight_g, text)
        else:
            told = [phrase("nobody_eligible", text)]
        return [terms, *told], list(dict.fromkeys(sources))

    # --- who gets what ------------------------------------------------------------------------------------------------

    def lines(self) -> Iterator[ToldStep]:
        for premium in self.entitlement.premiums:
            for line in premium.lines:
                values = {
                    "scheme_id": premium.scheme_id,
                    "scheme_version": premium.scheme_version,
                    "organization_id": line.organization_id,
                    "role": line.role,
                    "fine_weight_g": line.fine_weight_g,
                    "amount": line.amount,
                    "currency": premium.currency,
                }
                sentence = phrase(
                    "line",
                    self.text,
                    organization=self._organization(line.organization_id),
                    role=self._role(premium, line),
                    calculation=self._part(premium, line),
                )
                rule = "eligible" if line.eligible else line.reason or "ineligible"
                yield ToldStep("line", rule, values, (f"{sentence}.",), tuple(self._line_sources(premium, line)))

    def _part(self, premium: Premium, line: Line) -> str:
        text, currency = self.text, premium.currency
        if not line.eligible:
            return without_premium(line.reason, text)
        if line.amount == premium.total:
            return phrase("line_whole", text, amount=text.money(line.amount, currency))
        step = step_of(self.entitlement.explanation, "premium", premium.scheme_id)
        eligible = line.fine_weight_g if step is None else step.values["eligible_fine_weight_g"]
        scheme = self._scheme(premium)
        role_share = Decimal(1)
        if scheme is not None:
            role_share = Decimal(scheme.split.producer if line.role == "producer" else scheme.split.community_fund or "1")
        return share_formula(
            premium.total,
            line.amount,
            currency,
            text,
            weights_g=(line.fine_weight_g, eligible) if line.fine_weight_g != eligible and Decimal(eligible) else None,
            role_share=role_share,
            states_part=True,
        )

    def _line_sources(self, premium: Premium, line: Line) -> Iterator[str]:
        if line.eligible:
            yield phrase("source_steps", self.text)  # the premium, and the weights it is shared by
        if self.registry is None:
            return
        shown = self.registry.version[:REGISTRY_CHARS_SHOWN] + "…"
        if line.role == "community_fund":
            producers = ", ".join(
                other.organization_id
                for other in premium.lines
                if other.role == "producer" and other.eligible and self._fund_of(other.organization_id) == line.organization_id
            )
            yield phrase("source_fund", self.text, organizations=producers, registry=shown)
            yield self._clauses(premium, ["split"])
            return
        organization = self.registry.organizations[line.organization_id]
        day = self.entitlement.sold_on
        status = next((one for one in organization.statuses if one.scheme == premium.scheme_id and one.contains(day)), None)
        if status is None:
            yield phrase("source_no_status", self.text, id=premium.scheme_id, day=self.text.day(day), registry=shown)
            return
        yield phrase(
            "source_status",
            self.text,
            status=status_word(status.status, self.text),
            id=premium.scheme_id,
            since=self.text.day(status.starts_on),
            registry=shown,
        )

    def _fund_of(self, organization_id: str) -> str | None:
        organization = self.registry.organizations.get(organization_id) if self.registry is not None else None
        return None if organization is None else organization.community_fund_id

    def _role(self, premium: Premium, line: Line) -> str:
        role = phrase("role_producer", self.text) if line.role == "producer" else self.text.word("community_fund")
        return role if len(self.entitlement.premiums) == 1 else f"{role}, {premium.scheme_id}"

    def _organization(self, organization_id: str) -> str:
        organization = self.registry.organizations.get(organization_id) if self.registry is not None else None
        return organization_id if organization is None else f"{organization_id} {organization.name}"

    # --- sources ------------------------------------------------------------------------------------------------------

    def _sale(self, fields: str) -> str:
        lot = self.entitlement
        return phrase("source_sale", self.text, sale=lot.sale.id, refiner=lot.refiner_id, fields=fields)

    def _unit(self, unit: str) -> str:
        return phrase("source_unit", self.text, unit=unit_word(unit, self.text), grams=self.text.plain(grams_in(unit)))

    def _scheme(self, premium: Premium) -> Scheme | None:
        key = f"{premium.scheme_id}@{premium.scheme_version}"
        return None if self.registry is None else self.registry.schemes.get(key)

    def _scheme_id(self, premium: Premium) -> str:
        return phrase("source_scheme_id", self.text, id=premium.scheme_id, version=premium.scheme_version)

    def _clauses(self, premium: Premium, clauses: list[str]) -> str:
        scheme = self._scheme(premium)
        if scheme is None:
            return self._scheme_id(premium)
        return phrase(
            "source_scheme",
            self.text,
            id=scheme.id,
            version=scheme.version,
            since=self.text.day(scheme.valid.starts_on),
            clauses=", ".join(phrase(f"clause_{clause}", self.text) for clause in clauses),
            citations=", ".join(scheme.citations),
            verified=phrase(f"verified_{scheme.verified}", self.text),
        )
