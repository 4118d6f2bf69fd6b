"""Ledger and payout on one real PostgreSQL, with a bank written by others; messages are carried over by the test itself.

Goal: tests of payout meet the ledger's own rules and the bank's own files, and decide themselves when a message arrives.
Method: both schemas are migrated; commands are taken from payout's outbox to the ledger's use case, and what the ledger would
publish is taken to payout's, in order, as often as it takes until nothing moves. Every value is made up.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import asyncpg

import schemes
from premia.fsck.deviation import Deviation, DeviationCode
from schemas.canonical_json import canonical_json, payload_hash
from schemas.cloudevents import CloudEventAttributes
from schemas.identity import derived_id
from schemas.message import Message
from schemas.registry import Organization, PrivateData, Programme, RegistryFile
from schemas.registry_file import load_schemes
from schemas.registry_log import plan_apply
from schemas.registry_snapshot import LoadedRegistry, registry_snapshot
from schemas.topics import ENTITLEMENTS, LEDGER_COMMANDS, LEDGER_TRANSACTIONS
from services.ledger.use_cases.post_batch import post_batch
from services.ledger.use_cases.relay_journal import journal_after
from services.payout.adapters.bank_intake import BankIntake
from services.payout.adapters.document_store import read_document
from services.payout.adapters.ledger_topic import read_ledger_record
from services.payout.adapters.statement_office import StatementOffice, StatementsAsked
from services.payout.adapters.statement_printer import StatementPrinter
from services.payout.errors import Refused
from services.payout.registry_view import RegistryView
from services.payout.use_cases.apply_ledger_batch import apply_ledger_batch
from services.payout.use_cases.apply_registry_batch import apply_registry_batch
from services.payout.use_cases.approve_cycle import approve_cycle
from services.payout.use_cases.prepare_cycle import prepare_cycle
from services.payout.use_cases.propose_account import propose_account
from services.payout.use_cases.send_bank_files import send_bank_files
from services.payout.use_cases.verify_account import verify_account
from services.payout.use_cases.write_bank_files import write_bank_files
from services.runtime.database import Pool
from services.runtime.outbox import outbox_after
from tests.integration.damage import damage_database
from tests.integration.ledger.conftest import deviations_on
from tests.integration.ledger.decisions import decided
from tests.mock_bank import PROGRAMME_IBAN, MockBank

NOW: Final = datetime(2025, 3, 27, 12, 0, tzinfo=UTC)
ALL_ROWS: Final = 100_000
LEDGER_BALANCE: Final = """
    SELECT sum(CASE WHEN a.account_id = t.credit_account_id THEN t.amount ELSE -t.amount END)::bigint
    FROM ledger.transfer AS t JOIN ledger.account AS a ON a.account_id IN (t.credit_account_id, t.debit_account_id)
    WHERE a.purpose = $1 AND a.unit = 'USD' AND ($2::text IS NULL OR a.owner_id = $2)"""
ACCOUNTS: Final = {
    "ORG-PE-012": "00110345020011223344",
    "ORG-PE-013": "99901320000000102947",
    "FUND-PE-01": "99900000000000000001",
}


@dataclass(frozen=True, slots=True)
class Carried:
    """A record on its way: what the use cases read of one."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


def registry_file(**programme: Any) -> RegistryFile:
    """A small programme: two producers, a fund, two payers; ana prepares, bruno approves, carla and diego keep accounts."""
    address = {"street": "Jr. Comercio 120", "town": "Chala", "country": "PE"}
    payees = [
        {
            "id": id_,
            "name": name,
            "country": "PE",
            "kind": kind,
            "language": "es",
            "address": address,
            "payment_accounts": [
                {"currency": "USD", "account": ACCOUNTS[id_], "kind": "current", "bic": "XMPLPEPL", "holder": name,
                 "bank_name": "Banco Ejemplo", "bank_town": "Lima"}
            ],
        }
        for id_, name, kind in (
            ("ORG-PE-012", "Asociación Minera Ejemplo", "producer"),
            ("ORG-PE-013", "Cooperativa Minera Muestra", "producer"),
            ("FUND-PE-01", "Fondo Comunitario Ejemplo", "community_fund"),
        )
    ]  # fmt: skip
    partners = [
        {"id": "PAY-01", "name": "Example Jewellers Ltd", "country": "CH", "kind": "payer"},
        {"id": "PAY-02", "name": "Example Watches SA", "country": "CH", "kind": "payer"},
        {"id": "REF-CH-01", "name": "Refinería Ejemplo SA", "country": "CH", "kind": "refiner"},
        {"id": "EXP-PE-01", "name": "Exportadora Ejemplo SAC", "country": "PE", "kind": "exporter"},
    ]
    actors = {
        "ana": ["prepare"], "bruno": ["approve"], "carla": ["accounts", "statements"],
        "diego": ["accounts", "approve", "prepare"],
    }  # fmt: skip
    terms = {
        "id": "demo",
        "name": "Programa de primas - muestra",
        "synthetic": True,
        "minimum_payouts": [{"currency": "USD", "amount": "100.00"}],
        "actors": [{"id": id_, "name": id_.title(), "roles": roles} for id_, roles in actors.items()],
        "debtor_account": {"currency": "USD", "account": PROGRAMME_IBAN, "bic": "XMPLCHZZ", "holder": "Programa de Primas"},
    } | programme
    return RegistryFile.model_validate({"programme": terms, "organizations": [*payees, *partners]})


def entitlement_message(
    amount: str,
    *,
    offset: int,
    now: datetime = NOW,
    organization_id: str = "ORG-PE-012",
    lot_id: str = "PE-2025-000123",
    revision: int = 1,
    stage: str = "final",
    scheme_id: str = "sbg",
    payer_id: str = "PAY-01",
    on: date = date(2025, 3, 14),
    role: str = "producer",
    fine_weight_g: str = "2140.109",
    instead_of: str | None = None,
    reason: str | None = None,
) -> Message:
    """What the premium calculator would publish: as of this revision the lot earns `amount`, all of it one line.

    `instead_of`: it is the recalculation of a lot that earned this much.
    """
    reference = {
        "source": "/refiners/REF-CH-01",
        "id": f"{lot_id}/{revision}",
        "hash": payload_hash([lot_id, revision, instead_of or amount]),
    }
    line = {
        "organization_id": organization_id, "role": role, "fine_weight_g": fine_weight_g, "amount": amount,
        "eligible": reason is None, "reason": reason,
    }  # fmt: skip
    source = organization_id if role == "producer" else "ORG-PE-012"
    entitlement_id = str(derived_id("entitlement", lot_id, str(revision), amount))
    body = {
        "entitlement_id": entitlement_id,
        "refiner_id": "REF-CH-01", "lot_id": lot_id, "revision": revision,
        "calculation": 0 if instead_of is None else 1, "cause": "sale" if instead_of is None else "recalculation",
        "sale": reference, "stage": stage, "sold_on": on.isoformat(), "exporter_id": "EXP-PE-01", "payer_id": payer_id,
        "registry_version": "sha256:" + "0" * 64, "status": "settleable", "fineness_permille": "873.3",
        "fine_weight_g": fine_weight_g,
        "sources": [{"organization_id": source, "fine_weight_g": fine_weight_g}],
        "premiums": [
            {"scheme_id": scheme_id, "scheme_version": "2019-07", "currency": "USD",
             "rate": {"kind": "per_mass", "amount": "0.70", "unit": "GRM"}, "total": amount, "lines": [line]}
        ],
        "explanation": [{"step": "assay", "rule": "mean", "values": {"seller": "873.5", "buyer": "873.1"}}],
    }  # fmt: skip
    if instead_of is not None:
        body["replaces"] = {"revision": revision, "calculation": 0}
    attributes = CloudEventAttributes(id=entitlement_id, source="/premium-calculator", type=ENTITLEMENTS, time=now)
    headers = (
        *attributes.to_headers(),
        ("ce_origin", f"gold.sales.v1/0/{offset}".encode()),
        ("ce_saletime", f"{on.isoformat()}T10:00:00Z".encode()),
    )
    return Message(ENTITLEMENTS, f"REF-CH-01/{lot_id}".encode(), canonical_json(body), headers)


def loaded(file: RegistryFile) -> LoadedRegistry:
    """The file as it is applied, with the schemes that the project ships."""
    public = {
        entry.id: Organization.model_validate(entry.model_dump(include=set(Organization.model_fields), by_alias=True))
        for entry in file.organizations
    }
    private = {
        entry.id: PrivateData.model_validate(entry.model_dump(exclude=set(Organization.model_fields), by_alias=True))
        for entry in file.organizations
    }
    assert file.programme is not None
    programme = Programme.model_validate(file.programme.model_dump(exclude={"debtor_account"}, by_alias=True))
    private[programme.id] = PrivateData(debtor_account=file.programme.debtor_account)
    return LoadedRegistry(registry_snapshot(programme, public, load_schemes(Path(schemes.__path__[0]))), private)


@dataclass
class Books:
    """A programme at work. `now` is the services' clock, which the test moves. `damaged`: the test did what nobody may."""

    ledger: Pool
    payout: Pool
    bank: MockBank
    documents: Path
    admin_url: str
    printer: StatementPrinter
    registry: RegistryView = field(default_factory=RegistryView)
    now: datetime = NOW
    known: LoadedRegistry | None = None
    damaged: bool = False
    # What fsck may find at the end of the test, by code.
    deviates: set[str] = field(default_factory=set)
    _commands_taken: int = 0
    _leaves_taken: int = -1
    _ledger_outbox_taken: int = 0
    _offset: int = 0
    _sold_at: int = 0

    def clock(self) -> datetime:
        """What the services take for now."""
        return self.now

    @asynccontextmanager
    async def admin(self) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
        """A connection of the administrator."""
        conn = await asyncpg.connect(self.admin_url)
        try:
            yield conn
        finally:
            await conn.close()

    async def damage(self, *statements: str) -> None:
        """Do what only a superuser can."""
        self.damaged = True
        await damage_database(self.admin_url, *statements)

    async def deviations(self) -> list[Deviation]:
        """What fsck finds, in tables and documents."""
        async with self.admin() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
            return await self.deviations_on(conn)

    async def deviations_on(self, conn: asyncpg.Connection[asyncpg.Record]) -> list[Deviation]:
        """What fsck finds in the transaction that is open on a connection."""
        return await deviations_on(conn, documents=self.documents)

    # --- the world around ---------------------------------------------------------------------------------------------

    async def apply_registry(self, file: RegistryFile) -> None:
        """Publish a registry file and let payout read it."""
        wanted = loaded(file)
        current = self.known
        plan = plan_apply(None if current is None else current.snapshot, {} if current is None else current.private, wanted)
        records = [self._carried(message) for message in plan.messages(self.now)]
        async with self.payout.acquire() as conn, conn.transaction():
            await apply_registry_batch(conn, records, self.registry)
        self.known = wanted

    async def premium(self, amount: str, **changes: Any) -> None:
        """Let a refiner sell: the lot's cumulative premium is `amount` as of this revision. The ledger posts it."""
        self._offset += 1
        self._sold_at = self._offset
        await self._post(entitlement_message(amount, offset=self._sold_at, now=self.now, **changes))

    async def recalculated(self, amount: str, *, instead_of: str, **changes: Any) -> None:
        """Let the lot that was sold last be calculated again: it earns `amount` now, of the same sale. The ledger posts it."""
        await self._post(entitlement_message(amount, instead_of=instead_of, offset=self._sold_at, now=self.now, **changes))

    async def _post(self, entitlement: Message) -> None:
        async with self.ledger.acquire() as conn, conn.transaction():
            result = await post_batch(conn, [self._carried(entitlement)])
        assert result.entitlements == {"posted": 1}, result

    async def account(self, organization_id: str) -> UUID:
        """carla proposes what the registry claims, diego verifies it."""
        async with self.payout.acquire() as conn, conn.transaction():
            proposed = await propose_account(
                conn, organization_id=organization_id, currency="USD", details=None, actor="carla", registry=self.registry,
                now=self.now,
            )  # fmt: skip
        assert not isinstance(proposed, Refused), proposed
        async with self.payout.acquire() as conn, conn.transaction():
            verified = await verify_account(
                conn, account_id=proposed.account_id, method="call_back", checked_on=self.now.date(), evidence=None,
                actor="diego", registry=self.registry, now=self.now,
            )  # fmt: skip
        assert not isinstance(verified, Refused), verified
        return proposed.account_id

    async def command(self, record: Any) -> None:
        """Let somebody else than payout send the ledger a command; payout has not heard of it yet.

        A booking that payout has not read from the bank is one that fsck asks about.
        """
        if b'"suspend"' in record.value:
            self.deviates.add(DeviationCode.BOOKING_NOT_THE_BANKS)
        async with self.ledger.acquire() as conn, conn.transaction():
            result = await post_batch(conn, [record])
        assert result.commands == {"POSTED": 1}, result

    async def correct(self, proposal: dict[str, Any]) -> UUID:
        """Let two persons correct the ledger. Returns the transaction's id."""
        async with self.ledger.acquire() as conn, conn.transaction():
            answered = await decided(conn, proposal)
        assert answered.code == "POSTED", answered
        assert answered.transaction_id is not None
        return answered.transaction_id

    # --- messages -----------------------------------------------------------------------------------------------------

    async def carry(self) -> None:
        """Carry messages between ledger and payout until nothing moves."""
        while await self.carry_commands() + await self.carry_transactions():
            pass

    async def carry_commands(self) -> int:
        """Carry payout's commands to the ledger. Returns how many."""
        async with self.payout.acquire() as conn:
            rows = await outbox_after(conn, "payout", self._commands_taken, ALL_ROWS)
        self._commands_taken = rows[-1][0] if rows else self._commands_taken
        records = [self._carried(message) for _, message in rows if message.topic == LEDGER_COMMANDS]
        async with self.ledger.acquire() as conn, conn.transaction():
            await post_batch(conn, records)
        return len(records)

    async def carry_transactions(self) -> int:
        """Carry what the ledger publishes to payout. Returns how many messages."""
        records = await self.published()
        await self.take_in(records)
        return len(records)

    async def published(self) -> list[Carried]:
        """What the ledger has published since it was last asked."""
        async with self.ledger.acquire() as conn:
            leaves = await journal_after(conn, self._leaves_taken, ALL_ROWS)
            rows = await outbox_after(conn, "ledger", self._ledger_outbox_taken, ALL_ROWS)
        self._leaves_taken = leaves[-1][0] if leaves else self._leaves_taken
        self._ledger_outbox_taken = rows[-1][0] if rows else self._ledger_outbox_taken
        messages = [message for _, message in (*leaves, *rows) if message.topic == LEDGER_TRANSACTIONS]
        return [self._carried(message) for message in messages]

    async def take_in(self, records: list[Carried]) -> None:
        """Let payout take these records of the ledger in, as one batch."""
        batch = [read_ledger_record(record) for record in records]
        async with self.payout.acquire() as conn, conn.transaction():
            await apply_ledger_batch(conn, batch, registry=self.registry, now=self.now)

    # --- the day of a programme ---------------------------------------------------------------------------------------

    async def prepare(self, on: date = date(2025, 3, 27), actor: str = "ana") -> Any:
        """Prepare a cycle; the ledger is not asked yet."""
        async with self.payout.acquire() as conn, conn.transaction():
            return await prepare_cycle(conn, on=on, actor=actor, registry=self.registry, now=self.now)

    async def approve(self, cycle_id: UUID, actor: str = "bruno") -> Any:
        """Approve a cycle."""
        async with self.payout.acquire() as conn, conn.transaction():
            return await approve_cycle(conn, cycle_id=cycle_id, actor=actor, registry=self.registry, now=self.now)

    async def write_files(self) -> int:
        """Fix approved orders in files, without touching a folder."""
        async with self.payout.acquire() as conn, conn.transaction():
            return await write_bank_files(conn, registry=self.registry, now=self.now)

    async def send(self) -> int:
        """Write and send bank files."""
        await self.write_files()
        return await send_bank_files(self.payout, self.bank.outgoing, self.clock)

    async def scan_bank(self) -> list[dict[str, Any]]:
        """Read what the bank put into the pickup folder."""
        return await self.intake().scan()

    def intake(self) -> BankIntake:
        """A reader of the pickup folder."""
        return BankIntake(self.payout, self.registry, self.bank.incoming, self.clock, lambda: None)

    async def bank_day(self, day: str) -> None:
        """Let the bank take its files and move to `day`; read its answers, and carry what follows to the ledger and back."""
        await asyncio.to_thread(self.bank.scan)
        await asyncio.to_thread(self.bank.advance_to, day)
        await self.scan_bank()
        await self.carry()

    async def settle(self, on: date = date(2025, 3, 27)) -> UUID:
        """Prepare, approve and send a cycle; the bank has its file, and nothing is read of its answers yet."""
        await self.carry()
        prepared = await self.prepare(on)
        assert not isinstance(prepared, Refused), prepared
        await self.carry()
        approved = await self.approve(prepared.cycle_id)
        assert not isinstance(approved, Refused), approved
        await self.carry()
        await self.send()
        cycle_id: UUID = prepared.cycle_id
        return cycle_id

    async def statements(self, first: date, last: date, organizations: Any = "paid", actor: str = "carla") -> Any:
        """Issue statements."""
        office = StatementOffice(self.payout, self.registry, self.documents, self.printer, self.clock, lambda: None)
        return await office.issue(StatementsAsked(first, last, None, organizations), actor)

    def document(self, digest: str) -> bytes:
        """A stored document."""
        content = read_document(self.documents, digest)
        assert content is not None
        return content

    # --- what is so ---------------------------------------------------------------------------------------------------

    async def fetch(self, query: str, *arguments: Any) -> list[dict[str, Any]]:
        """Rows of payout's database."""
        async with self.payout.acquire() as conn:
            return [dict(row) for row in await conn.fetch(query, *arguments)]

    async def value(self, query: str, *arguments: Any) -> Any:
        """One value of payout's database."""
        async with self.payout.acquire() as conn:
            return await conn.fetchval(query, *arguments)

    async def order_states(self) -> dict[str, str]:
        """Organization -> state of its newest order."""
        rows = await self.fetch(
            "SELECT o.subject_id, o.state FROM payout.payout_order AS o JOIN payout.cycle AS c USING (cycle_id)"
            " ORDER BY c.settles_on, c.number"
        )
        return {row["subject_id"]: row["state"] for row in rows}

    async def history(self, organization_id: str = "ORG-PE-012") -> list[str]:
        """States that the organization's newest order went through."""
        rows = await self.fetch(
            "SELECT e.state FROM payout.order_event AS e JOIN payout.payout_order AS o USING (order_id)"
            " JOIN payout.cycle AS c USING (cycle_id) WHERE o.subject_id = $1"
            " AND c.settles_on = (SELECT max(settles_on) FROM payout.cycle JOIN payout.payout_order AS p USING (cycle_id)"
            "   WHERE p.subject_id = $1) ORDER BY e.number",
            organization_id,
        )
        return [row["state"] for row in rows]

    async def results(self, cycle_id: UUID) -> dict[str, tuple[str, int, str | None]]:
        """Organization -> what the cycle decided (its first result)."""
        rows = await self.fetch(
            "SELECT subject_id, outcome, amount_minor, code FROM payout.cycle_result WHERE cycle_id = $1"
            " ORDER BY position DESC",
            cycle_id,
        )
        return {row["subject_id"]: (row["outcome"], row["amount_minor"], row["code"]) for row in rows}

    async def ledger_balance(self, purpose: str, owner_id: str | None = None) -> int:
        """A balance in the ledger, credit positive, in minor units of USD."""
        async with self.ledger.acquire() as conn:
            return int(await conn.fetchval(LEDGER_BALANCE, purpose, owner_id) or 0)

    def _carried(self, message: Message) -> Carried:
        self._offset += 1
        return Carried(message.topic, 0, self._offset, message.key, message.value, message.headers)


def files_in(folder: Path) -> list[str]:
    """Names of the files in a folder and below it."""
    return sorted(path.name for path in folder.rglob("*") if path.is_file())
