"""The public contracts: what is published of which model, where it travels, and what its readers may rely on.

Goal: one table that schemas, the AsyncAPI document, the page for people and the evolution check are made from.
Method: purpose and details come from the docstrings of the model's module; here stands only what no model can say: topic, key,
headers, who writes and who reads.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pydantic import BaseModel, TypeAdapter

from schemas import ledger_command, payout_event, recalculation, registry, scheme, statement
from schemas.dead_letter import ORIGIN_PATTERN
from schemas.entitlement import ENTITLEMENT_TYPE, Entitlement
from schemas.gold_sale import SALE_TYPE, Sale
from schemas.ledger_checkpoint import LEDGER_CHECKPOINT_TYPE, LedgerCheckpoint
from schemas.ledger_checkpoint import ORIGIN_PATTERN as LOG_ORIGIN_PATTERN
from schemas.ledger_command import LEDGER_COMMAND_TYPE
from schemas.ledger_transaction import LEDGER_OUTCOME_TYPE, LEDGER_TRANSACTION_TYPE, CommandOutcome, LedgerTransaction
from schemas.payout_event import PAYOUT_EVENT_TYPE, STATEMENT_ISSUED_TYPE, StatementIssued
from schemas.recalculation import RECALCULATION_LOTS_TYPE, RECALCULATION_STEP_TYPE, RecalculationLots
from schemas.registry import MARKER_TYPE, PRIVATE_TYPE, RECORD_TYPE, PrivateRecord, RegistryFile, RegistryMarker
from schemas.sale_outcome import SALE_OUTCOME_TYPE, SaleOutcome
from schemas.scheme import Scheme
from schemas.statement import STATEMENT_TYPE, Statement
from schemas.topics import (
    ENTITLEMENTS,
    LEDGER_CHECKPOINTS,
    LEDGER_COMMANDS,
    LEDGER_TRANSACTIONS,
    PAYOUT_EVENTS,
    RECALCULATIONS,
    REGISTRY,
    REGISTRY_PRIVATE,
    SALE_OUTCOMES,
    SALES,
    STATEMENTS,
)


class Service(StrEnum):
    """Who writes and reads topics."""

    REFINER = "refiner"
    COMMAND_LINE = "premia"
    CALCULATOR = "premium_calculator"
    LEDGER = "ledger"
    PAYOUT = "payout"
    PORTAL = "portal"


class Side(StrEnum):
    """Who reads, and so who cannot be upgraded together with us (docs/adr/0010).

    ONLY_WE_READ: our services refuse unknown fields; what old writers send stays valid.
    OTHERS_READ: others read it too, now and twelve years of it. They ignore unknown fields, and what they rely on stays there.
    """

    ONLY_WE_READ = "only_we_read"
    OTHERS_READ = "others_read"


@dataclass(frozen=True, slots=True)
class Header:
    """A CloudEvents extension attribute, as the Kafka header it is."""

    name: str
    meaning: str
    pattern: str
    required: bool = True


@dataclass(frozen=True, slots=True)
class PublishedContract:
    """One message or file. `name` is the ce_type of an event. `key` is in words, None for files."""

    name: str
    model: type[BaseModel] | TypeAdapter[object]
    module: str
    side: Side
    written_by: tuple[Service, ...]
    read_by: tuple[Service, ...]
    guarantees: tuple[str, ...]
    topic: str | None = None
    key: str | None = None
    key_pattern: str | None = None
    source: str | None = None
    headers: tuple[Header, ...] = ()

    @property
    def adapter(self) -> TypeAdapter[object]:
        """Reads values of the contract."""
        return self.model if isinstance(self.model, TypeAdapter) else TypeAdapter(self.model)

    @property
    def docstring(self) -> str:
        """Of the module that the model is in."""
        text = sys.modules[self.module].__doc__
        assert text is not None, "every module says its goal (style R1)"
        return text


TIME_PATTERN: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$"
LOT_KEY_PATTERN: Final = r"^[^/\x00-\x1F\x7F-\x9F]{1,256}/[^/\x00-\x1F\x7F-\x9F]{1,256}$"
ID_KEY_PATTERN: Final = r"^[^/\x00-\x1F\x7F-\x9F]{1,256}$"

_LOT_KEY: Final = "refiner_id/lot_id, so that revisions of a lot keep their order"

CONTRACTS: Final[tuple[PublishedContract, ...]] = (
    PublishedContract(
        name=SALE_TYPE,
        model=Sale,
        module=Sale.__module__,
        side=Side.ONLY_WE_READ,
        written_by=(Service.REFINER, Service.COMMAND_LINE, Service.PORTAL),
        read_by=(Service.CALCULATOR,),
        guarantees=(
            "`ce_id` is yours to choose: up to 256 characters, another one for each revision. `ce_time` is when you publish; "
            "`sold_on` may not be after its UTC day.",
            "Sending an event again is always safe: the same id with the same content is a duplicate and changes nothing.",
            "Every event gets its outcome on `sale.outcomes.v1`; a rejected one lies in the dead-letter topic, unchanged. "
            "[errors.md](errors.md) has the codes and what to do.",
            "What is valid today stays valid. New fields are always optional.",
            "Of a Kafka transaction counts what is committed. Keep it short: later sales of the partition wait for its end.",
        ),
        topic=SALES,
        key=_LOT_KEY,
        key_pattern=LOT_KEY_PATTERN,
        source="/refiners/{refiner_id}",
        headers=(
            Header(
                "signature",
                "detached JWS (RFC 7515, appendix F) with Ed25519 over the value's canonical JSON; its `kid` names the key; "
                "step by step in docs/publishing.md",
                r"^[A-Za-z0-9_-]{1,512}\.\.[A-Za-z0-9_-]{86}$",
                required=False,
            ),
        ),
    ),
    PublishedContract(
        name=SALE_OUTCOME_TYPE,
        model=SaleOutcome,
        module=SaleOutcome.__module__,
        side=Side.OTHERS_READ,
        written_by=(Service.CALCULATOR, Service.LEDGER),
        read_by=(Service.LEDGER, Service.COMMAND_LINE, Service.PORTAL),
        guarantees=(
            "Count by `origin`: a redriven sale keeps its origin, and its last outcome holds.",
            "An outcome may be delivered more than once, with the same id and the same content.",
        ),
        topic=SALE_OUTCOMES,
        key=f"{_LOT_KEY}; for a sale that could not be read, the key it was sent with",
        source="/premium-calculator or /ledger",
    ),
    PublishedContract(
        name=ENTITLEMENT_TYPE,
        model=Entitlement,
        module=Entitlement.__module__,
        side=Side.OTHERS_READ,
        written_by=(Service.CALCULATOR,),
        read_by=(Service.LEDGER, Service.PORTAL),
        guarantees=(
            "The highest (revision, calculation) of a lot counts, in whatever order they arrive.",
            "The value is canonical JSON (RFC 8785): the same sale under the same registry gives the same bytes and id.",
            "Lines sum to the total. Premiums are in the order of the sale's schemes, lines in that of organization ids.",
        ),
        topic=ENTITLEMENTS,
        key=_LOT_KEY,
        key_pattern=LOT_KEY_PATTERN,
        source="/premium-calculator",
        headers=(
            Header("origin", "topic/partition/offset where the sale was first read", ORIGIN_PATTERN),
            Header("salesequence", "sequence of the sale", r"^[0-9]{1,16}$"),
            Header("salesource", "ce_source of the sale", r"^/refiners/.{1,256}$"),
            Header("saletime", "ce_time of the sale; its UTC day is when the premium takes effect", TIME_PATTERN),
        ),
    ),
    PublishedContract(
        name=LEDGER_COMMAND_TYPE,
        model=ledger_command.LEDGER_COMMAND,  # type: ignore[arg-type]  # an adapter of a union
        module=ledger_command.__name__,
        side=Side.ONLY_WE_READ,
        written_by=(Service.PAYOUT, Service.PORTAL),
        read_by=(Service.LEDGER,),
        guarantees=(
            "Every command gets exactly one outcome on `ledger.transactions.v1`; the same command again gets the same one.",
            "A command under a known id with other content is answered CONFLICTING_PAYLOAD and changes nothing.",
        ),
        topic=LEDGER_COMMANDS,
        key="subject.id, so that a subject's commands keep their order",
        key_pattern=ID_KEY_PATTERN,
        source="/payout",
    ),
    PublishedContract(
        name=LEDGER_TRANSACTION_TYPE,
        model=LedgerTransaction,
        module=LedgerTransaction.__module__,
        side=Side.OTHERS_READ,
        written_by=(Service.LEDGER,),
        read_by=(Service.PAYOUT, Service.PORTAL),
        guarantees=(
            "`leaf_index` counts without gaps over the log, `subject_number` over a subject: you know what you have not seen.",
            "A transaction never changes. A correction is another transaction.",
            "The value is byte for byte the leaf whose hash is in the log.",
        ),
        topic=LEDGER_TRANSACTIONS,
        key="subject.id",
        key_pattern=ID_KEY_PATTERN,
        source="/ledger",
    ),
    PublishedContract(
        name=LEDGER_OUTCOME_TYPE,
        model=CommandOutcome,
        module=CommandOutcome.__module__,
        side=Side.OTHERS_READ,
        written_by=(Service.LEDGER,),
        read_by=(Service.PAYOUT,),
        guarantees=("One outcome for each command, the same however often it is told.",),
        topic=LEDGER_TRANSACTIONS,
        key="the command's key",
        source="/ledger",
    ),
    PublishedContract(
        name=LEDGER_CHECKPOINT_TYPE,
        model=LedgerCheckpoint,
        module=LedgerCheckpoint.__module__,
        side=Side.OTHERS_READ,
        written_by=(Service.LEDGER,),
        read_by=(),
        guarantees=(
            "Every checkpoint extends all that came before it; one that does not is a fork, and proof of it.",
            "A size may be published again with more signatures. Take the note apart and judge it by keys that you trust.",
        ),
        topic=LEDGER_CHECKPOINTS,
        key="the log's origin",
        key_pattern=LOG_ORIGIN_PATTERN,
        source="/ledger",
    ),
    PublishedContract(
        name=PAYOUT_EVENT_TYPE,
        model=payout_event.PAYOUT_EVENT,  # type: ignore[arg-type]  # an adapter of a union
        module=payout_event.__name__,
        side=Side.OTHERS_READ,
        written_by=(Service.PAYOUT,),
        read_by=(Service.PORTAL,),
        guarantees=(
            "Each event carries the whole of what it is about; no earlier one is needed.",
            "Sent is not paid: money is `transferred` only when the bank booked it.",
        ),
        topic=PAYOUT_EVENTS,
        key="organization_id",
        key_pattern=ID_KEY_PATTERN,
        source="/payout",
    ),
    PublishedContract(
        name=STATEMENT_ISSUED_TYPE,
        model=StatementIssued,
        module=StatementIssued.__module__,
        side=Side.OTHERS_READ,
        written_by=(Service.PAYOUT,),
        read_by=(Service.PORTAL,),
        guarantees=("A statement never changes; the hashes are those of the documents that were issued.",),
        topic=STATEMENTS,
        key="organization_id",
        key_pattern=ID_KEY_PATTERN,
        source="/payout",
    ),
    PublishedContract(
        name=RECORD_TYPE,
        model=registry.REGISTRY_RECORD,  # type: ignore[arg-type]  # an adapter of a union
        module=registry.__name__,
        side=Side.OTHERS_READ,
        written_by=(Service.COMMAND_LINE, Service.PORTAL),
        read_by=(Service.CALCULATOR, Service.LEDGER, Service.PAYOUT, Service.PORTAL),
        guarantees=("A record counts only once the marker of its `apply_id` is there and starts from the version you have.",),
        topic=REGISTRY,
        key="kind/id",
        source="/registry",
    ),
    PublishedContract(
        name=MARKER_TYPE,
        model=RegistryMarker,
        module=registry.__name__,
        side=Side.OTHERS_READ,
        written_by=(Service.COMMAND_LINE, Service.PORTAL),
        read_by=(Service.CALCULATOR, Service.LEDGER, Service.PAYOUT, Service.PORTAL),
        guarantees=(
            "Switch on a marker whose `previous_version` is yours and whose `count` records you have; ignore all others.",
        ),
        topic=REGISTRY,
        key="marker/apply_id",
        source="/registry",
    ),
    PublishedContract(
        name=PRIVATE_TYPE,
        model=PrivateRecord,
        module=registry.__name__,
        side=Side.OTHERS_READ,
        written_by=(Service.COMMAND_LINE, Service.PORTAL),
        read_by=(Service.PAYOUT, Service.PORTAL),
        guarantees=("The last record of a key counts. Accounts in it are claims; only payout's own events verify one.",),
        topic=REGISTRY_PRIVATE,
        key="organization_id",
        key_pattern=ID_KEY_PATTERN,
        source="/registry",
    ),
    PublishedContract(
        name=RECALCULATION_LOTS_TYPE,
        model=RecalculationLots,
        module=recalculation.__name__,
        side=Side.ONLY_WE_READ,
        written_by=(Service.CALCULATOR,),
        read_by=(Service.CALCULATOR, Service.PORTAL),
        guarantees=("Lots count only once the step `prepared` of their `recalculation_id` is there, with as many lots.",),
        topic=RECALCULATIONS,
        key="recalculation_id",
        key_pattern=ID_KEY_PATTERN,
        source="/premium-calculator",
    ),
    PublishedContract(
        name=RECALCULATION_STEP_TYPE,
        model=recalculation.RECALCULATION_STEP,  # type: ignore[arg-type]  # an adapter of a union
        module=recalculation.__name__,
        side=Side.ONLY_WE_READ,
        written_by=(Service.CALCULATOR,),
        read_by=(Service.CALCULATOR, Service.PORTAL),
        guarantees=(
            "The first decision after `prepared` counts. Whoever approves is another person than whoever prepared.",
            "`published` comes after every entitlement of the recalculation; each of them may be there more than once.",
        ),
        topic=RECALCULATIONS,
        key="recalculation_id",
        key_pattern=ID_KEY_PATTERN,
        source="/premium-calculator",
    ),
    PublishedContract(
        name=STATEMENT_TYPE,
        model=Statement,
        module=statement.__name__,
        side=Side.OTHERS_READ,
        written_by=(Service.PAYOUT,),
        read_by=(Service.PORTAL,),
        guarantees=(
            "Canonical JSON (RFC 8785): its SHA-256 is the one on record in the ledger and in `premium.statements.v1`.",
        ),
    ),
    PublishedContract(
        name="registry.file.v1",
        model=RegistryFile,
        module=registry.__name__,
        side=Side.ONLY_WE_READ,
        written_by=(),
        read_by=(Service.COMMAND_LINE,),
        guarantees=("What is valid today stays valid. New fields are always optional.",),
    ),
    PublishedContract(
        name="scheme.file.v1",
        model=Scheme,
        module=scheme.__name__,
        side=Side.ONLY_WE_READ,
        written_by=(),
        read_by=(Service.COMMAND_LINE,),
        guarantees=("What is valid today stays valid. New fields are always optional.",),
    ),
)
CONTRACT_BY_NAME: Final = {contract.name: contract for contract in CONTRACTS}
assert len(CONTRACT_BY_NAME) == len(CONTRACTS), "a name means one contract"
