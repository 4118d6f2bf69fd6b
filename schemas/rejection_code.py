"""Why a sale is rejected: stable codes, in the order in which they apply.

Goal: a code means the same for ever; a refiner's software acts on it. None is renamed or used again.
Method: a sale is rejected for the first that applies; the order of the members is that order. CONFLICTING_PAYLOAD is
found later, by the ledger.
"""

from __future__ import annotations

from enum import StrEnum


class RejectionCode(StrEnum):
    """The codes of dead letters and of `sale.outcomes.v1`."""

    SCHEMA_INVALID = "SCHEMA_INVALID"  # not readable, or a field is wrong, unknown or missing
    SIGNATURE_INVALID = "SIGNATURE_INVALID"  # the refiner must sign, and the signature is absent or wrong
    FUTURE_DATED = "FUTURE_DATED"  # sold_on is after the UTC day on which the event was published
    UNKNOWN_ORGANIZATION = "UNKNOWN_ORGANIZATION"  # not in the registry, or of a kind that does not fit
    UNKNOWN_SCHEME = "UNKNOWN_SCHEME"
    NO_SCHEME_VERSION = "NO_SCHEME_VERSION"  # no version of the scheme is in force on sold_on
    SOURCE_MASS_MISMATCH = "SOURCE_MASS_MISMATCH"  # the sources' melt weights do not add up to the lot's
    ASSAY_MISSING = "ASSAY_MISSING"  # the stage needs an assay that is not there
    FINENESS_OUT_OF_RANGE = "FINENESS_OUT_OF_RANGE"
    FINE_WEIGHT_MISMATCH = "FINE_WEIGHT_MISMATCH"  # stated and computed fine weight differ
    BENCHMARK_REQUIRED = "BENCHMARK_REQUIRED"  # a rate or a floor needs a benchmark in the scheme's currency
    CONFLICTING_PAYLOAD = "CONFLICTING_PAYLOAD"  # the same event id or revision came with other content
