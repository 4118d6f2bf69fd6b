"""A premium scheme: one version of its terms, one file each.

Goal: the terms of a contract as data, so that a new rate is a new file and never a change of code.
Method: `Scheme` is the file and the body of a registry record, id `scheme_id@version`. Ranges are half-open: `from` is
the first day in force, `to` the first day that is not.
Refuses: a split that does not sum to 1, a rate of nothing, a version that ends before it starts or is too long for a record.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Final, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from schemas.contract import Contract, refuse_member
from schemas.currencies import Currency
from schemas.decimals import NonNegativeDecimal, PositiveDecimal, PriceShare, Share
from schemas.fixed_point import scaled_e12
from schemas.identifiers import FROM_A_FILE, ID_CHARS_MAX, Id, IsoDate, RegisteredId, SchemeVersion, Text
from schemas.units import MassUnit

# What holds unless a scheme says otherwise. Part of the format: these never change for v1.
SPLITTING_LIMIT_PERMILLE: Final = "0.5"
FINE_WEIGHT_TOLERANCE_G: Final = "0.05"
SOURCE_MASS_TOLERANCE_G: Final = "0.01"

Verified = Literal["contract", "public", "assumed"]


class DateRange(Contract):
    """Days from `from` on, up to but not including `to`; without `to` it is open."""

    starts_on: IsoDate = Field(alias="from")
    ends_before: IsoDate | None = Field(default=None, alias="to")

    @model_validator(mode="after")
    def _starts_before_it_ends(self) -> DateRange:
        if self.ends_before is not None and self.ends_before <= self.starts_on:
            refuse_member("range", "must be later than `from`: it is the first day no longer included", "to")
        return self

    def contains(self, day: date) -> bool:
        """Tell whether `day` lies in the range."""
        return self.starts_on <= day and (self.ends_before is None or day < self.ends_before)

    def overlaps(self, other: DateRange) -> bool:
        """Tell whether the two ranges share a day."""
        return (other.ends_before is None or self.starts_on < other.ends_before) and (
            self.ends_before is None or other.starts_on < self.ends_before
        )


class PerMass(Contract):
    """So much currency per unit of fine gold."""

    kind: Literal["per_mass"]
    amount: PositiveDecimal
    unit: MassUnit


class PercentOfBenchmark(Contract):
    """So many percent of the benchmark value of the fine gold."""

    kind: Literal["percent_of_benchmark"]
    percent: PositiveDecimal


Rate = Annotated[PerMass | PercentOfBenchmark, Field(discriminator="kind")]


class Floor(Contract):
    """The least share of the benchmark that the gold itself must have been sold at; what is missing is topped up."""

    min_share_of_benchmark: PriceShare


class Split(Contract):
    """How a premium is shared between a source and its community fund. Parts sum to 1; a role without part is left out."""

    producer: Share
    community_fund: Share | None = None

    @model_validator(mode="after")
    def _parts_sum_to_one(self) -> Split:
        parts = scaled_e12(self.producer) + scaled_e12(self.community_fund or "0")
        if parts != scaled_e12("1"):
            refuse_member("split", "must sum to exactly 1")
        if self.community_fund is not None and scaled_e12(self.community_fund) == 0:
            refuse_member("split", "gives nothing: leave the role out", "community_fund")
        return self


class Scheme(Contract):
    """One version of a scheme."""

    id: RegisteredId
    version: SchemeVersion
    name: Text | None = None
    valid: DateRange
    currency: Currency
    rate: Rate
    floor: Floor | None = None
    eligible_statuses: Annotated[tuple[Id, ...], Field(min_length=1, max_length=64, json_schema_extra={"uniqueItems": True})]
    provisional_share: Share
    split: Split
    splitting_limit_permille: NonNegativeDecimal | None = None
    fine_weight_tolerance_g: NonNegativeDecimal | None = None
    source_mass_tolerance_g: NonNegativeDecimal | None = None
    citations: Annotated[tuple[Text, ...], Field(min_length=1, max_length=64)]
    verified: Verified

    @property
    def record_id(self) -> str:
        """Id in the registry log; a version holds no "@", so it reads back."""
        return f"{self.id}@{self.version}"

    @field_validator("version")
    @classmethod
    def _record_id_is_an_id(cls, version: str, info: ValidationInfo) -> str:
        """The record of this version in the registry log has both in its id: told where they are chosen."""
        if info.context == FROM_A_FILE and len(info.data.get("id", "")) + len("@") + len(version) > ID_CHARS_MAX:
            refuse_member("record_id", f"must be shorter: with the id and an @ it has over {ID_CHARS_MAX} characters")
        return version

    @field_validator("eligible_statuses")
    @classmethod
    def _each_status_once(cls, statuses: tuple[str, ...]) -> tuple[str, ...]:
        for row, status in enumerate(statuses):
            if status in statuses[:row]:
                refuse_member("duplicate", "names a status for the second time", row)
        return statuses
