"""What a lot is entitled to: the event `premium.entitlements.v1`.

Goal: one message says everything that one revision of a lot earns, to whom, and why.
Method: cumulative; a scheme, payer or source that a revision drops simply is not there any more. (revision, calculation)
orders the entitlements of a lot; calculation counts recalculations of one revision from 0. The message is written by
the premium calculator in canonical JSON, so the same sale under the same registry gives the same bytes.
Refuses: amounts and weights in any but their one form (the currency's digits; three decimals).
"""

from __future__ import annotations

from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import Field

from schemas.contract import Contract
from schemas.currencies import Currency
from schemas.decimals import Amount, ComputedFineness, WeightGrams
from schemas.gold_sale import SCHEMES_MAX, SOURCES_MAX, Stage
from schemas.identifiers import Counting, CountingFromZero, Id, IsoDate, PayloadHash, SchemeVersion, Text
from schemas.scheme import Rate

ENTITLEMENT_TYPE: Final = "premium.entitlements.v1"
ENTITLEMENT_BYTES_MAX: Final = 4 * 1024 * 1024 - 64 * 1024  # The broker takes 4 MiB of a derived event, headers included.
LINES_MAX: Final = 2 * SOURCES_MAX  # A producer line for each source and a line for each community fund.

EntitlementStatus = Literal["settleable", "umpire_pending", "ineligible", "cancelled"]
Role = Literal["producer", "community_fund"]
Cause = Literal["sale", "recalculation"]


class SaleReference(Contract):
    """The sale event that this was calculated from."""

    source: Text
    id: Text
    hash: PayloadHash


class SourceWeight(Contract):
    """Fine weight of one organization in the lot, eligible or not."""

    organization_id: Id
    fine_weight_g: WeightGrams


class Line(Contract):
    """What one organization earns in one role. A fund's line carries the weight that it was computed from."""

    organization_id: Id
    role: Role
    fine_weight_g: WeightGrams
    amount: Amount
    eligible: bool = Field(strict=True)
    reason: str | None


class Premium(Contract):
    """What the lot earns under one scheme; the lines sum to the total."""

    scheme_id: Id
    scheme_version: SchemeVersion
    currency: Currency
    rate: Rate
    total: Amount
    lines: Annotated[tuple[Line, ...], Field(max_length=LINES_MAX)]


class Step(Contract):
    """One step of the calculation as data; it is put in words elsewhere, in the reader's language.

    Steps are melt_weight, assay, fine_weight, sharing, documents and one premium for each scheme. Figures are those of
    the whole lot only, never of one source: every source's proof carries the explanation, and must show no other's.
    """

    step: str
    rule: str
    values: dict[str, str]


class Entitlement(Contract):
    """All that a lot is entitled to as of one revision, under every scheme that it names."""

    entitlement_id: UUID
    refiner_id: Id
    lot_id: Id
    revision: Counting
    calculation: CountingFromZero
    cause: Cause
    sale: SaleReference
    stage: Stage
    sold_on: IsoDate
    exporter_id: Id
    payer_id: Id
    registry_version: PayloadHash
    status: EntitlementStatus
    fineness_permille: ComputedFineness | None
    fine_weight_g: WeightGrams | None
    sources: Annotated[tuple[SourceWeight, ...], Field(max_length=SOURCES_MAX)]
    premiums: Annotated[tuple[Premium, ...], Field(max_length=SCHEMES_MAX)]
    explanation: tuple[Step, ...]
    replaces: Replaced | None = None


class Replaced(Contract):
    """The (revision, calculation) that a recalculation replaces; a sale's own calculation replaces nothing."""

    revision: Counting
    calculation: CountingFromZero
