"""Whether sales would be taken, before any is published.

Goal: a refiner's back office mends its file first, and finds everything in one go: one fault for each sale.
Method: the calculator's own function, with the headers that the event would have. With the programme's registry and schemes
that is the whole decision; without, only what no registry is needed for. Two sales of a file that are one revision of
one lot with different content are found too: the ledger would take the first and refuse the second.
"""

from __future__ import annotations

from typing import Final

from premia.publishing.files import too_large
from premia.publishing.sale_event import Fault, SaleEvent, no_sale
from schemas.contract import FieldFault
from schemas.gold_sale import parse_sale
from schemas.rejection_code import RejectionCode
from schemas.topics import SALE_MESSAGE_BYTES_MAX
from services.premium_calculator.adapters.sale_decision import Rejected, SaleRecord, decide
from services.premium_calculator.domain.registry import Registry

WITHOUT_REGISTRY: Final = frozenset({RejectionCode.SCHEMA_INVALID, RejectionCode.FUTURE_DATED})
_NO_REGISTRY: Final = Registry("", {}, {})


class SaleCheck:
    """Checks the sales of one call, in their order."""

    def __init__(self, registry: Registry | None) -> None:
        """Check against a registry, or only what needs none."""
        self._registry = registry
        self._seen: dict[tuple[bytes, int], tuple[str, str]] = {}

    def fault(self, event: SaleEvent) -> Fault | None:
        """The first thing against a sale, or None."""
        if event.size_bytes > SALE_MESSAGE_BYTES_MAX:
            return no_sale(event.place, too_large(event.size_bytes))
        decision = decide(SaleRecord(event.key, event.value, event.headers()), self._registry or _NO_REGISTRY)
        if isinstance(decision, Rejected) and (self._registry is not None or decision.code in WITHOUT_REGISTRY):
            return event.fault(decision.field, decision.message, code=decision.code.value)
        return self._conflict(event)

    def _conflict(self, event: SaleEvent) -> Fault | None:
        parsed = parse_sale(event.value)
        assert not isinstance(parsed, FieldFault), "it was decided, so it could be read"
        first_hash, first_place = self._seen.setdefault((event.key, parsed.sale.revision), (parsed.sale_hash, event.place))
        if first_hash == parsed.sale_hash:
            return None
        message = f"is the same lot and revision as {first_place} with other content: to correct a lot send the next revision"
        return event.fault("revision", message, code=RejectionCode.CONFLICTING_PAYLOAD.value)
