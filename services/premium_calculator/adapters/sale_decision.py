"""What becomes of one record of `gold.sales.v1`.

Goal: the worker, recalculations and `premia calculate` ask one pure function, and every record gets exactly one answer: an
entitlement's bytes, or a code with the field at fault. Never an exception, whatever the bytes are.
Method: headers, value, contract, headers against value; then the signature, where the refiner must sign; then the
calculation; then the limits of what the ledger can hold, so that no entitlement of ours can stop it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

from schemas.canonical_json import NotCanonicalError, canonical_json_of_checked
from schemas.cloudevents import CloudEventAttributes, HeaderFault, from_headers, time_text
from schemas.contract import FieldFault
from schemas.entitlement import ENTITLEMENT_BYTES_MAX, ENTITLEMENT_TYPE, Replaced
from schemas.gold_sale import SALE_TYPE, ParsedSale, parse_sale, sale_hash, sent_object
from schemas.identifiers import INTEGER_MAX, is_id
from schemas.identity import entitlement_id
from schemas.ledger_words import AMOUNT_MINOR_MAX
from schemas.message import Headers
from schemas.rejection_code import RejectionCode
from schemas.sale_signature import SIGNATURE_EXTENSION, SIGNATURE_FIELD, signature_fault
from services.premium_calculator.adapters.entitlement_message import SaleEvent, entitlement_bytes
from services.premium_calculator.adapters.sale_message import calculating_sale
from services.premium_calculator.domain.calculate import Entitlement, Rejection, calculate
from services.premium_calculator.domain.registry import Registry

SOURCE: Final = "/premium-calculator"


@dataclass(frozen=True, slots=True)
class SaleRecord:
    """A record as Kafka gives it."""

    key: bytes | None
    value: bytes | None
    headers: Iterable[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True)
class SaleFacts:
    """What a record says of itself, as far as it can be read: for outcomes, also of a rejected sale."""

    source: str | None = None
    id: str | None = None
    hash: str | None = None
    refiner_id: str | None = None
    lot_id: str | None = None
    revision: int | None = None
    sequence: int | None = None


@dataclass(frozen=True, slots=True)
class Calculated:
    """A sale became an entitlement: its id and its bytes, under the key of the sale."""

    entitlement_id: UUID
    key: bytes
    value: bytes
    sale: CloudEventAttributes
    sequence: int

    def headers(self, origin: str) -> Headers:
        """Headers of the entitlement; the sale's time, sequence and origin (topic/partition/offset) go here.

        ce_time is the sale's own, so that a redelivery makes the same record.
        """
        return CloudEventAttributes(
            id=str(self.entitlement_id),
            source=SOURCE,
            type=ENTITLEMENT_TYPE,
            time=self.sale.time,
            extensions={
                "origin": origin,
                "salesequence": str(self.sequence),
                "salesource": self.sale.source,
                "saletime": time_text(self.sale.time),
            },
        ).to_headers()


@dataclass(frozen=True, slots=True)
class Rejected:
    """A sale is not calculated: why, and what can be read of it."""

    code: RejectionCode
    field: str
    message: str
    facts: SaleFacts


def decide(record: SaleRecord, registry: Registry) -> Calculated | Rejected:
    """Decide about one record. Pure: the same record and registry give the same answer."""
    return _decided(record, registry, replaces=None)


def recalculate(record: SaleRecord, registry: Registry, replaces: Replaced) -> Calculated | Rejected:
    """Calculate an accepted sale again, as the calculation after the one that it replaces. As pure as `decide`.

    Its signature is not looked at again: it was good when the sale was accepted, and its key may be gone from this registry.
    """
    return _decided(record, registry, replaces)


def _decided(record: SaleRecord, registry: Registry, replaces: Replaced | None) -> Calculated | Rejected:
    attributes = from_headers(record.headers)
    parsed = parse_sale(record.value)
    fault = _fault(attributes, parsed, record.key)
    if fault is not None or isinstance(attributes, HeaderFault) or isinstance(parsed, FieldFault):
        assert fault is not None, "what could not be read is a fault"
        return _rejected(Rejection(RejectionCode.SCHEMA_INVALID, *fault), record, attributes)
    unsigned = _unsigned(attributes, parsed, registry) if replaces is None else None
    if unsigned is not None:
        return _rejected(unsigned, record, attributes)
    sale = calculating_sale(parsed.sale)
    entitlement = calculate(sale, registry, attributes.time.date())
    if isinstance(entitlement, Rejection):
        return _rejected(entitlement, record, attributes)
    calculation = 0 if replaces is None else replaces.calculation + 1
    id_ = entitlement_id(
        sale_source=attributes.source,
        sale_id=attributes.id,
        sale_hash=parsed.sale_hash,
        registry_version=registry.version,
        scheme_versions=[f"{premium.scheme.id}@{premium.scheme.version}" for premium in entitlement.premiums],
        calculation=calculation,
    )
    value = entitlement_bytes(
        sale,
        entitlement,
        event=SaleEvent(attributes.source, attributes.id, parsed.sale_hash),
        entitlement_id=id_,
        registry_version=registry.version,
        calculation=calculation,
        replaces=replaces,
    )
    rejection = _beyond_the_ledger(entitlement, value)
    if rejection is not None:
        return _rejected(rejection, record, attributes)
    return Calculated(id_, record.key or b"", value, attributes, parsed.sale.sequence)


def preview(value: bytes, registry: Registry, published_on: date) -> bytes | Rejection:
    """Decide about a sale outside of Kafka: the entitlement's bytes with null for the ids that need headers."""
    parsed = parse_sale(value)
    if isinstance(parsed, FieldFault):
        return Rejection(RejectionCode.SCHEMA_INVALID, parsed.field, parsed.message)
    sale = calculating_sale(parsed.sale)
    entitlement = calculate(sale, registry, published_on)
    if isinstance(entitlement, Rejection):
        return entitlement
    return entitlement_bytes(
        sale,
        entitlement,
        event=SaleEvent(sale_source(sale.refiner_id), None, parsed.sale_hash),
        entitlement_id=None,
        registry_version=registry.version,
        calculation=0,
        replaces=None,
    )


def sale_source(refiner_id: str) -> str:
    """The ce_source of a refiner's sales."""
    return f"/refiners/{refiner_id}"


def _fault(
    attributes: CloudEventAttributes | HeaderFault, parsed: ParsedSale | FieldFault, key: bytes | None
) -> tuple[str, str] | None:
    """The first fault of form, as (field, message)."""
    if isinstance(attributes, HeaderFault):
        return attributes.name, attributes.message
    if attributes.type != SALE_TYPE:
        return "ce_type", f"must be {SALE_TYPE}"
    if isinstance(parsed, FieldFault):
        return parsed.field, parsed.message
    sale = parsed.sale
    if attributes.source != sale_source(sale.refiner_id):
        return "ce_source", f"must be {sale_source(sale.refiner_id)}, as the sale is of refiner {sale.refiner_id}"
    if key != f"{sale.refiner_id}/{sale.lot_id}".encode():
        return "key", "must be the refiner's id, a slash and the lot's id, so that revisions of a lot keep their order"
    return None


def _unsigned(attributes: CloudEventAttributes, parsed: ParsedSale, registry: Registry) -> Rejection | None:
    refiner = registry.organization(parsed.sale.refiner_id, "refiner")
    if refiner is None or not refiner.signature_required:
        return None
    signature = attributes.extensions.get(SIGNATURE_EXTENSION)
    canonical_sale = canonical_json_of_checked(parsed.sent)
    fault = signature_fault(signature, canonical_sale, refiner.signing_keys, attributes.time.date())
    return None if fault is None else Rejection(RejectionCode.SIGNATURE_INVALID, SIGNATURE_FIELD, fault)


def _beyond_the_ledger(entitlement: Entitlement, value: bytes) -> Rejection | None:
    largest = max([entitlement.fine_weight_mg or 0, *(premium.total_minor for premium in entitlement.premiums)])
    if largest > AMOUNT_MINOR_MAX:
        message = "makes a weight or an amount beyond what the ledger holds (2^53 - 1 units): check value and unit"
        return Rejection(RejectionCode.SCHEMA_INVALID, "melt_weight.value", message)
    if len(value) > ENTITLEMENT_BYTES_MAX:
        message = f"make an entitlement of {len(value):,} bytes, at most {ENTITLEMENT_BYTES_MAX:,}: split the lot"
        return Rejection(RejectionCode.SCHEMA_INVALID, "sources", message)
    return None


def _rejected(rejection: Rejection, record: SaleRecord, attributes: CloudEventAttributes | HeaderFault) -> Rejected:
    known = attributes if isinstance(attributes, CloudEventAttributes) else None
    source, id_ = (known.source, known.id) if known else (None, None)
    sent = sent_object(record.value)
    if isinstance(sent, FieldFault):
        facts = SaleFacts(source, id_)
    else:
        facts = SaleFacts(
            source=source,
            id=id_,
            hash=_hash_or_none(sent),
            refiner_id=_text_or_none(sent.get("refiner_id")),
            lot_id=_text_or_none(sent.get("lot_id")),
            revision=_integer_or_none(sent.get("revision")),
            sequence=_integer_or_none(sent.get("sequence")),
        )
    return Rejected(rejection.code, rejection.field, rejection.message, facts)


def _hash_or_none(sent: dict[str, object]) -> str | None:
    try:
        return sale_hash(sent)
    except NotCanonicalError:  # floats and the like: the contract refused it, and there is no hash to compare
        return None


def _text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) and is_id(value) else None


def _integer_or_none(value: object) -> int | None:
    return value if type(value) is int and 0 <= value <= INTEGER_MAX else None
