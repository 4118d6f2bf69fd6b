"""Records of premium.entitlements.v1, read.

Goal: the domain gets whole minor units and milligrams, and never a pydantic model.
Method: the contract validates; amounts are checked against their currency's digits here, once. The sale's time, sequence and
origin travel in headers, outside the hash.
Refuses: anything unreadable, by UnreadableEntitlementError: the calculator writes this topic, and inside nothing is skipped.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, Final

import orjson
from pydantic import ValidationError

from schemas.cloudevents import time_from_text
from schemas.contract import first_fault
from schemas.currencies import minor_digits_by_currency
from schemas.dead_letter import Origin
from schemas.entitlement import Entitlement as EntitlementContract
from services.ledger.adapters.entitlement_bytes import DecodedEntitlement, decode_entitlement
from services.ledger.domain.amount import minor_units
from services.ledger.domain.entitlement import (
    Cause,
    Entitlement,
    LineKey,
    LotKey,
    Position,
    PremiumLine,
    SaleKey,
    SourceWeight,
    gold_line,
)
from services.ledger.errors import UnreadableEntitlementError

if TYPE_CHECKING:
    from aiokafka import ConsumerRecord

ORIGIN_HEADER: Final = "ce_origin"
SEQUENCE_HEADER: Final = "ce_salesequence"
SALE_TIME_HEADER: Final = "ce_saletime"
# What leaves tell of the explanation. The sharing step is left out: it speaks of the lot's other sources.
EXPLAINED_STEPS: Final = frozenset({"melt_weight", "assay", "fine_weight", "documents", "premium"})
CAUSES: Final = {cause.value: cause for cause in Cause}  # measured: a quarter of the time of calling the enumeration
GRAM_DIGITS: Final = 3  # weights in grams have three decimals: whole milligrams


def read_entitlement(record: ConsumerRecord[Any, Any]) -> Entitlement:
    """One record as an entitlement. Raises UnreadableEntitlementError."""
    value = record.value or b""
    try:
        sent = decode_entitlement(value) or EntitlementContract.model_validate_json(value)
        return _entitlement(sent, dict(record.headers), value)
    except ValidationError as error:
        fault = first_fault(error)
        raise _unreadable(record, f"{fault.field} {fault.message}") from error
    except (KeyError, ValueError) as error:
        raise _unreadable(record, repr(error)) from error


def read_stored_entitlement(value: bytes, *, origin: str, effective_on: date) -> Entitlement:
    """An entitlement as the ledger stored it, without its sale's sequence. Raises UnreadableEntitlementError."""
    headers = {ORIGIN_HEADER: origin.encode(), SALE_TIME_HEADER: f"{effective_on}T00:00:00Z".encode()}
    try:
        return _entitlement(decode_entitlement(value) or EntitlementContract.model_validate_json(value), headers, value)
    except ValueError as error:  # pydantic's is one too
        raise UnreadableEntitlementError(f"the stored entitlement of {origin}: {error}") from error


def _unreadable(record: ConsumerRecord[Any, Any], why: str) -> UnreadableEntitlementError:
    return UnreadableEntitlementError(f"{record.topic}/{record.partition}/{record.offset}: {why}")


def _entitlement(sent: EntitlementContract | DecodedEntitlement, headers: dict[str, bytes], value: bytes) -> Entitlement:
    replaces = sent.replaces
    sequence = headers.get(SEQUENCE_HEADER)
    fine_weight_g = sent.fine_weight_g
    origin = headers[ORIGIN_HEADER].decode()
    Origin.parse(origin)
    return Entitlement(
        entitlement_id=str(sent.entitlement_id),
        lot=LotKey(sent.refiner_id, sent.lot_id),
        position=Position(sent.revision, sent.calculation),
        cause=CAUSES[sent.cause],
        replaces=None if replaces is None else Position(replaces.revision, replaces.calculation),
        sale=SaleKey(sent.sale.source, sent.sale.id),
        sale_hash=sent.sale.hash,
        origin=origin,
        sequence=None if sequence is None else int(sequence),
        effective_on=_day(headers[SALE_TIME_HEADER]),
        stage=sent.stage,
        status=sent.status,
        sold_on=sent.sold_on,
        registry_version=sent.registry_version,
        fineness_permille=sent.fineness_permille,
        fine_weight_g=fine_weight_g,
        fine_weight_mg=0 if fine_weight_g is None else _milligrams(fine_weight_g),
        lines=_lines(sent),
        sources=tuple(
            [SourceWeight(gold_line(source.organization_id), _milligrams(source.fine_weight_g)) for source in sent.sources]
        ),
        explanation=orjson.dumps(
            [
                {"rule": step.rule, "step": step.step, "values": step.values}
                for step in sent.explanation
                if step.step in EXPLAINED_STEPS
            ],
            option=orjson.OPT_SORT_KEYS,
        ),
        value=value,
    )


def _lines(sent: EntitlementContract | DecodedEntitlement) -> tuple[PremiumLine, ...]:
    lines = []
    for premium in sent.premiums:
        digits = minor_digits_by_currency()[premium.currency]
        for line in premium.lines:
            amount = line.amount
            amount_minor = minor_units(amount, digits)
            if amount_minor is None:
                raise ValueError(f"{amount} is no amount in {premium.currency}")
            key = LineKey(line.organization_id, line.role, premium.currency, premium.scheme_id, sent.payer_id)
            lines.append(
                PremiumLine(key, premium.scheme_version, line.fine_weight_g, amount, amount_minor, line.eligible, line.reason)
            )
    if len(lines) > 1 and len({line.key for line in lines}) != len(lines):
        raise ValueError("a scheme has two lines for one organization and role")
    return tuple(lines)


def _milligrams(grams: str) -> int:
    milligrams = minor_units(grams, GRAM_DIGITS)
    assert milligrams is not None, "the contract takes weights with three decimals only"
    return milligrams


def _day(moment: bytes) -> date:
    """The UTC day of the sale's ce_time: what effective_on is."""
    return time_from_text(moment.decode()).date()
