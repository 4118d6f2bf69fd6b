"""One lot from sale to statement, through the real code of all services: every message that was produced on the way.

Goal: contract tests and stored examples show what really travels.
Method: the golden sale of 2,450.60 g goes through the calculator; ledger and payout run on a real PostgreSQL and a bank of
others (`Books`); nothing is written by hand but the refiner's sales.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from schemas.cloudevents import CloudEventAttributes
from schemas.entitlement import ENTITLEMENT_TYPE, Replaced
from schemas.gold_sale import SALE_TYPE
from schemas.identity import derived_id
from schemas.ledger_command import LEDGER_COMMAND
from schemas.message import Message
from schemas.recalculation import Approved, LotToRecalculate, Prepared, Published, recalculation_id
from schemas.registry import Organization, RegistryFile
from schemas.registry_log import plan_apply
from schemas.registry_snapshot import LoadedRegistry, RegistrySnapshot, registry_snapshot
from schemas.topics import ENTITLEMENTS, SALES
from services.ledger.adapters.growing_log import resumed
from services.ledger.adapters.log_folder import LogFolder
from services.ledger.adapters.messages import checkpoint_message
from services.ledger.use_cases.post_batch import post_batch
from services.ledger.use_cases.relay_journal import journal_after
from services.ledger.use_cases.seal_log import seal_log
from services.payout.adapters.ledger_topic import ledger_command_message
from services.premium_calculator.adapters.calculating_registry import calculating_registry
from services.premium_calculator.adapters.recalculation_topic import lots_message, parts_of, step_message
from services.premium_calculator.adapters.sale_answer import answer
from services.premium_calculator.adapters.sale_decision import Calculated, SaleRecord, recalculate
from services.runtime.outbox import outbox_after
from tests.integration.ledger.logs import KEYS
from tests.integration.payout.books import Books, Carried, loaded, registry_file

SOLD_AT: Final = datetime(2025, 3, 14, 10, 0, tzinfo=UTC)
REJECTED_AT: Final = datetime(2025, 3, 14, 10, 0, 1, tzinfo=UTC)
APPLIED_AT: Final = datetime(2025, 1, 7, 9, 0, tzinfo=UTC)
RECALCULATED_AT: Final = datetime(2025, 4, 28, 9, 0, tzinfo=UTC)
HEAD_OFFSET: Final = 1  # of the sale that counts, revision 2
ALL: Final = 100_000
MELT: Final = {"value": "2450.60", "unit": "GRM"}


@dataclass
class Story:
    """All messages in the order of their services, and the documents that are no messages."""

    registry: dict[str, Any]
    messages: list[Message] = field(default_factory=list)
    statement: dict[str, Any] = field(default_factory=dict)

    def of_type(self, type_: str) -> list[Message]:
        """The messages of one ce_type, but for dead letters."""
        wanted = ("ce_type", type_.encode())
        return [message for message in self.messages if wanted in message.headers and not message.topic.endswith(".dlq")]


def programme() -> RegistryFile:
    """The programme of the payout tests, in which the association has a status."""
    file = registry_file().model_dump(mode="json", by_alias=True, exclude_none=True)
    for organization in file["organizations"]:
        if organization["id"] == "ORG-PE-012":
            organization["statuses"] = [{"scheme": "sbg", "status": "step_2", "from": "2021-01-01"}]
            organization["annual_capacity"] = {"value": "120", "unit": "KGM"}
            organization["beneficiaries"] = 250
            organization["contacts"] = [{"name": "Tesorería", "email": "tesoreria@example.org"}]
            organization["tax_id"] = {"scheme": "RUC", "value": "20601234567"}
    return RegistryFile.model_validate(file)


def sale(revision: int, stage: str, assays: dict[str, str], **changes: Any) -> dict[str, Any]:
    """One revision of the golden lot."""
    return {
        "refiner_id": "REF-CH-01", "lot_id": "PE-2025-000123", "revision": revision, "sequence": 4180 + revision,
        "stage": stage, "exporter_id": "EXP-PE-01", "payer_id": "PAY-01", "sold_on": "2025-03-14", "melt_weight": MELT,
        "assays": [{"party": party, "fineness_permille": fineness} for party, fineness in assays.items()],
        "sources": [{"organization_id": "ORG-PE-012", "melt_weight": MELT}],
        "schemes": ["sbg"],
        "documents": [{"kind": "export_declaration", "number": "118-2025-40-012345", "issuer": "SUNAT"}],
    } | changes  # fmt: skip


SALES_TOLD: Final = (
    ("prov-1", sale(1, "provisional", {"seller": "873.5"})),
    ("final-2", sale(2, "final", {"seller": "873.5", "buyer": "873.1"}, benchmark={
        "price": "2650.00", "currency": "USD", "per": "APZ", "fixing": "LBMA-PM", "on": "2025-03-14",
    }, stated_fine_weight={"value": "2140.109", "unit": "GRM"}, price_share_of_benchmark="0.935")),
    ("final-2", sale(2, "final", {"seller": "873.5", "buyer": "873.1"}, benchmark={
        "price": "2650.00", "currency": "USD", "per": "APZ", "fixing": "LBMA-PM", "on": "2025-03-14",
    }, stated_fine_weight={"value": "2140.109", "unit": "GRM"}, price_share_of_benchmark="0.935")),
    ("other-2", sale(2, "final", {"seller": "873.5", "buyer": "872.9"})),
    ("late-1", sale(1, "provisional", {"seller": "873.5"}, sequence=4190)),
    ("slip-3", sale(3, "final", {"seller": "0.8735", "buyer": "0.8731"})),
)  # fmt: skip


# What payout does not ask for by itself.
PROGRAMME: Final = {"kind": "programme", "id": "demo"}
COMMANDS: Final = (
    {"command_id": str(derived_id("command", "suspend", "B")), "kind": "suspend", "subject": PROGRAMME,
     "effective_on": "2025-04-10", "currency": "USD", "amount": "50.00", "direction": "CRDT", "booking_key": "B"},
    {"command_id": str(derived_id("command", "clear", "B")), "kind": "clear", "subject": {"kind": "payer", "id": "PAY-01"},
     "effective_on": "2025-04-11", "booking_key": "B", "currency": "USD", "amount": "30.00", "against": {"kind": "receivable"}},
    {"command_id": str(derived_id("command", "exchange", "B")), "kind": "exchange", "subject": PROGRAMME,
     "effective_on": "2025-04-11", "sold": {"currency": "USD", "amount": "1000.00"},
     "bought": {"currency": "PEN", "amount": "3752.50"},
     "rate": {"value": "3.7525", "source": "SBS", "side": "ask", "on": "2025-04-10"}, "of": {"kind": "bank"}},
)  # fmt: skip
CORRECTION: Final = {
    "correction_id": str(derived_id("correction", "B")), "kind": "correct", "subject": {"kind": "payer", "id": "PAY-01"},
    "effective_on": "2025-04-14", "reason": {"code": "NOT_THEIRS", "text": "El abono era de otra entidad."},
    "lines": [{"purpose": "receivable", "unit": "USD", "side": "debit", "amount": "30.00"}],
}  # fmt: skip


async def told_by(books: Books) -> Story:
    """Let the lot be sold, posted, paid and stated; and persons decide what only persons can."""
    file = programme()
    await books.apply_registry(file)
    wanted = loaded(file)
    story = Story(file.model_dump(mode="json", by_alias=True, exclude_none=True))
    story.messages += plan_apply(None, {}, wanted).messages(APPLIED_AT)
    registry = calculating_registry(wanted.snapshot)
    for offset, (id_, value) in enumerate(SALES_TOLD):
        attributes = CloudEventAttributes(f"REF-CH-01-{id_}", "/refiners/REF-CH-01", SALE_TYPE, SOLD_AT)
        key = f"{value['refiner_id']}/{value['lot_id']}".encode()
        sold = Message(SALES, key, json.dumps(value).encode(), attributes.to_headers())
        made = answer(_carried(sold, offset), registry, REJECTED_AT)
        story.messages += [sold, *made]
        async with books.ledger.acquire() as conn, conn.transaction():
            await post_batch(conn, [_carried(one, offset) for one in made if one.topic == ENTITLEMENTS])
    await books.account("ORG-PE-012")
    await books.settle()
    await books.bank_day("2025-03-28")
    (issued,) = await books.statements(date(2025, 3, 1), date(2025, 3, 31))
    assert issued["refused"] is None, issued
    sold = story.of_type(SALE_TYPE)[HEAD_OFFSET]
    story.messages += recalculated(sold, wanted.snapshot)
    async with books.ledger.acquire() as conn, conn.transaction():
        again = story.of_type(ENTITLEMENT_TYPE)[-1]
        posted = await post_batch(conn, [_carried(again, len(SALES_TOLD))])
        assert posted.entitlements == {"posted": 1}
    for offset, command in enumerate(COMMANDS):
        message = ledger_command_message(LEDGER_COMMAND.validate_python(command), RECALCULATED_AT)
        story.messages.append(message)
        await books.command(_carried(message, offset))
    await books.correct(CORRECTION)
    await books.carry()
    async with books.ledger.acquire() as conn:
        story.messages += [message for _, message in await journal_after(conn, -1, ALL)]
        story.messages += [message for _, message in await outbox_after(conn, "ledger", 0, ALL)]
        with TemporaryDirectory() as folder:
            log = resumed(LogFolder(Path(folder)), KEYS, 0)
            sealed = await seal_log(conn, log)
        assert sealed is not None
        story.messages.append(checkpoint_message(sealed.checkpoint, sealed.note, sealed.oldest_recorded_at))
    async with books.payout.acquire() as conn:
        story.messages += [message for _, message in await outbox_after(conn, "payout", 0, ALL)]
    story.statement = json.loads(books.document(issued["json_sha256"]))
    return story


def recalculated(sold: Message, applied: RegistrySnapshot) -> list[Message]:
    """The association's status is withdrawn from a day before the sale, and the lot that counts is calculated again."""
    association = applied.organizations["ORG-PE-012"].model_dump(mode="json", by_alias=True)
    association["statuses"] = [{"scheme": "sbg", "status": "step_2", "from": "2021-01-01", "to": "2025-03-01"}]
    organizations = {**applied.organizations, "ORG-PE-012": Organization.model_validate(association)}
    changed = registry_snapshot(applied.programme, organizations, applied.schemes)
    replaces, origin = Replaced(revision=2, calculation=0), f"{SALES}/0/{HEAD_OFFSET}"
    sale = SaleRecord(sold.key, sold.value, sold.headers)
    calculated = recalculate(sale, calculating_registry(changed), replaces)
    assert isinstance(calculated, Calculated), calculated
    lot = LotToRecalculate(
        refiner_id="REF-CH-01",
        lot_id="PE-2025-000123",
        replaces=replaces,
        origin=origin,
        entitlement_id=calculated.entitlement_id,
    )
    id_ = recalculation_id(changed.version, [lot])
    steps = (
        Prepared(recalculation_id=id_, registry_version=changed.version, count=1, actor="ana"),
        Approved(recalculation_id=id_, actor="bruno"),
        Published(recalculation_id=id_, published=1, refused=0),
    )
    return [
        *plan_apply(applied, {}, LoadedRegistry(changed, {})).messages(RECALCULATED_AT),
        *(lots_message(part, RECALCULATED_AT) for part in parts_of(id_, [lot])),
        Message(ENTITLEMENTS, calculated.key, calculated.value, calculated.headers(origin)),
        *(step_message(step, RECALCULATED_AT) for step in steps),
    ]


def _carried(message: Message, offset: int) -> Carried:
    return Carried(message.topic, 0, offset, message.key, message.value, message.headers)
