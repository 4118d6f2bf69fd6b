"""Records of premium.entitlements.v1, read.

Goal: the domain gets whole minor units and milligrams, and never a pydantic model.
Method: the contract validates; amounts are checked against their currency's digits here, once. The sale's time, sequence and
origin travel in headers, outside the hash.
Refuses: anything unreadable, by UnreadableEntitlementError: the calculator writes this topic, and inside nothing is skipped.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from schemas.cloudevents import time_from_text
from schemas.contract import first_fault
from schemas.currencies import minor_digits_by_currency
from schemas.dead_letter import Origin
from schemas.entitlement import Entitlement as EntitlementContract
from services.ledger.domain.amount import minor_units
from services.ledger.domain.entitlement import (
    Cause,
    Entitlement,
    LotKey,
    Position,
    PremiumLine,
    SaleKey,
    SourceWeight,
    Step,
)
from services.ledger.errors import UnreadableEntitlementError

if TYPE_CHECKING:
    from aiokafka import ConsumerRecord

ORIGIN_HEADER: Final = "ce_origin"
SEQUENCE_HEADER: Final = "ce_salesequence"
SALE_TIME_HEADER: Final = "ce_saletime"
GRAM_DIGITS: Final = 3  # weights in grams have three decimals: whole milligrams


def read_entitlement(record: ConsumerRecord[Any, Any]) -> Entitlement:
    """One record as an entitlement. Raises UnreadableEntitlementError."""
    headers = dict(record.headers)
    try:
        contract = EntitlementContract.model_validate_json(record.value or b"")
        return _entitlement(contract, headers, record.value or b"")
    except ValidationError as error:
        fault = first_fault(error)
        raise _unreadable(record, f"{fault.field} {fault.message}") from error
    except (KeyError, ValueError) as error:
        raise _unreadable(record, repr(error)) from error


def _unreadable(record: ConsumerRecord[Any, Any], why: str) -> UnreadableEntitlementError:
    return UnreadableEntitlementError(f"{record.topic}/{record.partition}/{record.offset}: {why}")


def _entitlement(contract: EntitlementContract, headers: dict[str, bytes], value: bytes) -> Entitlement:
    replaces = contract.replaces
    sequence = headers.get(SEQUENCE_HEADER)
    return Entitlement(
        entitlement_id=contract.entitlement_id,
        lot=LotKey(contract.refiner_id, contract.lot_id),
        position=Position(contract.revision, contract.calculation),
        cause=Cause(contract.cause),
        replaces=None if replaces is None else Position(replaces.revision, replaces.calculation),
        sale=SaleKey(contract.sale.source, contract.sale.id),
        sale_hash=contract.sale.hash,
        origin=str(Origin.parse(headers[ORIGIN_HEADER].decode())),
        sequence=None if sequence is None else int(sequence),
        effective_on=_day(headers[SALE_TIME_HEADER]),
        stage=contract.stage,
        status=contract.status,
        sold_on=contract.sold_on,
        registry_version=contract.registry_version,
        fineness_permille=contract.fineness_permille,
        fine_weight_g=contract.fine_weight_g,
        fine_weight_mg=0 if contract.fine_weight_g is None else _milligrams(contract.fine_weight_g),
        lines=_lines(contract),
        sources=tuple(SourceWeight(source.organization_id, _milligrams(source.fine_weight_g)) for source in contract.sources),
        explanation=tuple(Step(step.step, step.rule, step.values) for step in contract.explanation),
        value=value,
    )


def _lines(contract: EntitlementContract) -> tuple[PremiumLine, ...]:
    lines = []
    keys = set()
    for premium in contract.premiums:
        digits = minor_digits_by_currency()[premium.currency]
        for line in premium.lines:
            amount_minor = minor_units(line.amount, digits)
            if amount_minor is None:
                raise ValueError(f"{line.amount} is no amount in {premium.currency}")
            keys.add((premium.scheme_id, line.organization_id, line.role))
            lines.append(
                PremiumLine(
                    premium.scheme_id,
                    premium.scheme_version,
                    contract.payer_id,
                    line.organization_id,
                    line.role,
                    premium.currency,
                    line.fine_weight_g,
                    line.amount,
                    amount_minor,
                    line.eligible,
                    line.reason,
                )
            )
    if len(keys) != len(lines):
        raise ValueError("a scheme has two lines for one organization and role")
    return tuple(lines)


def _milligrams(grams: str) -> int:
    milligrams = minor_units(grams, GRAM_DIGITS)
    assert milligrams is not None, "the contract takes weights with three decimals only"
    return milligrams


def _day(moment: bytes) -> date:
    """The UTC day of the sale's ce_time: what effective_on is."""
    return time_from_text(moment.decode()).date()
