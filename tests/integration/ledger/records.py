"""Records as Kafka gives them, made by hand: entitlements and commands with figures that a person can add up."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any, Final
from uuid import UUID, uuid5

import orjson
from aiokafka import ConsumerRecord

from schemas.canonical_json import canonical_json, payload_hash
from schemas.fixed_point import fixed_text
from schemas.topics import ENTITLEMENTS, LEDGER_COMMANDS, SALES

NAMESPACE: Final = UUID("00000000-0000-4000-8000-000000000001")
REGISTRY_VERSION: Final = "sha256:" + "b" * 64
SALE_TIME: Final = "2025-03-14T23:30:00-05:00"  # already 15 March in UTC
_offsets = itertools.count()

Line = tuple[str, str, int]  # organization, role, amount in US cents


def uuid_of(name: str) -> UUID:
    """The same name, the same id."""
    return uuid5(NAMESPACE, name)


def entitlement_value(
    *,
    lot: str = "LOT-1",
    refiner: str = "REF-1",
    revision: int = 1,
    calculation: int = 0,
    cause: str = "sale",
    replaces: tuple[int, int] | None = None,
    sale_id: str | None = None,
    content: str = "",
    stage: str = "final",
    status: str = "settleable",
    payer: str = "PAY-1",
    scheme: str = "sbg",
    lines: Sequence[Line] = (("ORG-1", "producer", 149808),),
    gold_mg: dict[str, int] | None = None,
    currency: str = "USD",
    documents: int = 1,
) -> dict[str, Any]:
    """The value of an entitlement. Fine gold is a gram for each organization unless `gold_mg` says otherwise."""
    gold = {organization: 1000 for organization, role, _ in lines if role == "producer"} if gold_mg is None else gold_mg
    sale_id = f"{refiner}-{lot}-{revision}" if sale_id is None else sale_id
    sold = {"refiner": refiner, "lot": lot, "revision": revision, "stage": stage, "payer": payer, "content": content}
    value = {
        "entitlement_id": "",
        "refiner_id": refiner,
        "lot_id": lot,
        "revision": revision,
        "calculation": calculation,
        "cause": cause,
        "sale": {"source": f"/refiners/{refiner}", "id": sale_id, "hash": payload_hash(sold)},
        "stage": stage,
        "sold_on": "2025-03-14",
        "exporter_id": "EXP-1",
        "payer_id": payer,
        "registry_version": REGISTRY_VERSION,
        "status": status,
        "fineness_permille": None if stage == "cancelled" else "873.3",
        "fine_weight_g": None if stage == "cancelled" else fixed_text(sum(gold.values()), 3),
        "sources": [{"organization_id": name, "fine_weight_g": fixed_text(mg, 3)} for name, mg in sorted(gold.items())],
        "premiums": [
            {
                "scheme_id": scheme,
                "scheme_version": "2019-07",
                "currency": currency,
                "rate": {"kind": "per_mass", "amount": "0.70", "unit": "GRM"},
                "total": fixed_text(sum(amount for _, _, amount in lines), 2),
                "lines": [
                    {
                        "organization_id": organization,
                        "role": role,
                        "fine_weight_g": "1.000",
                        "amount": fixed_text(amount, 2),
                        "eligible": amount != 0,
                        "reason": None if amount else "no_status",
                    }
                    for organization, role, amount in lines
                ],
            }
        ],
        "explanation": [
            {"step": "melt_weight", "rule": "stated", "values": {"value": "2450.60", "unit": "GRM"}},
            {"step": "sharing", "rule": "melt_weight", "values": {"organizations": "2"}},
            {
                "step": "documents",
                "rule": "stated",
                "values": {f"number.{row}": f"118-2025-40-{row:06d}" for row in range(documents)},
            },
        ],
    }
    if replaces is not None:
        value["replaces"] = {"revision": replaces[0], "calculation": replaces[1]}
    value["entitlement_id"] = str(uuid_of(payload_hash(value)))
    return value


def entitlement_record(
    value: dict[str, Any], *, origin_offset: int | None = None, sale_time: str = SALE_TIME
) -> ConsumerRecord[Any, Any]:
    """A record of premium.entitlements.v1. The sale's origin is derived from its id unless it is given."""
    sale_id = value["sale"]["id"]
    if origin_offset is None:
        origin_offset = int.from_bytes(sha256(sale_id.encode()).digest()[:5], "big")
    headers = (
        ("ce_id", value["entitlement_id"].encode()),
        ("ce_origin", f"{SALES}/0/{origin_offset}".encode()),
        ("ce_salesequence", b"17"),
        ("ce_saletime", sale_time.encode()),
    )
    key = f"{value['refiner_id']}/{value['lot_id']}".encode()
    return record(ENTITLEMENTS, key, canonical_json(value), headers)


def entitlement(*, origin_offset: int | None = None, **members: Any) -> ConsumerRecord[Any, Any]:
    """A record with an entitlement; see `entitlement_value`."""
    return entitlement_record(entitlement_value(**members), origin_offset=origin_offset)


def command_record(value: dict[str, Any]) -> ConsumerRecord[Any, Any]:
    """A record of ledger.commands.v1."""
    return record(LEDGER_COMMANDS, value["subject"]["id"].encode(), orjson.dumps(value), ())


def command(name: str, kind: str, subject: tuple[str, str], **members: Any) -> ConsumerRecord[Any, Any]:
    """A command whose id derives from `name`; reservations are named too."""
    if "reservation" in members:
        members["reservation_id"] = str(uuid_of(members.pop("reservation")))
    value = {
        "command_id": str(uuid_of(name)),
        "kind": kind,
        "subject": {"kind": subject[0], "id": subject[1]},
        "effective_on": "2025-03-27",
        **members,
    }
    return command_record(value)


def reserve(
    name: str, amounts: Iterable[str], *, organization: str = "ORG-1", seen: int = 1_000, currency: str = "USD"
) -> ConsumerRecord[Any, Any]:
    """Reserve under the name `name`, one part for each amount."""
    parts = [{"scheme_id": "sbg", "payer_id": f"PAY-{row + 1}", "amount": text} for row, text in enumerate(amounts)]
    return command(
        f"reserve {name}",
        "reserve",
        ("org", organization),
        reservation=name,
        currency=currency,
        parts=parts,
        seen_subject_number=seen,
    )


def settle(name: str, booking_key: str, *, organization: str = "ORG-1", command_name: str = "") -> ConsumerRecord[Any, Any]:
    """Settle the reservation `name`."""
    command_name = command_name or f"settle {name}"
    return command(command_name, "settle", ("org", organization), reservation=name, booking_key=booking_key)


def suspend(booking_key: str, amount: str, *, direction: str = "CRDT", currency: str = "USD") -> ConsumerRecord[Any, Any]:
    """Put a booking into suspense; the command is named after it."""
    return command(
        f"suspend {booking_key}",
        "suspend",
        ("programme", "sample"),
        currency=currency,
        amount=amount,
        direction=direction,
        booking_key=booking_key,
    )


def clear(
    name: str, booking_key: str, amount: str, subject: tuple[str, str], /, *, currency: str = "USD", **against: str
) -> ConsumerRecord[Any, Any]:
    """Clear a booking in suspense against what `against` says; `reservation` names one."""
    if "reservation" in against:
        against["reservation_id"] = str(uuid_of(against.pop("reservation")))
    return command(name, "clear", subject, booking_key=booking_key, currency=currency, amount=amount, against=against)


def record(
    topic: str, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes]]
) -> ConsumerRecord[Any, Any]:
    """A record at the next offset."""
    return ConsumerRecord(
        topic=topic,
        partition=0,
        offset=next(_offsets),
        timestamp=0,
        timestamp_type=0,
        key=key,
        value=value,
        checksum=None,
        serialized_key_size=len(key or b""),
        serialized_value_size=len(value or b""),
        headers=tuple(headers),
    )
