"""A database that was taken back by a restore: what it lost comes from the folder or from Kafka, or nothing goes on."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import asyncpg
import orjson
import pytest

from schemas.message import Message
from schemas.note_signing import NoteKind, new_note_key
from schemas.topics import LEDGER_CHECKPOINTS, LEDGER_TRANSACTIONS
from services.ledger.adapters.checkpoint import Checkpoint
from services.ledger.adapters.growing_log import stored_checkpoint
from services.ledger.adapters.log_folder import LogFolder
from services.ledger.adapters.log_keys import LogKeys
from services.ledger.adapters.messages import checkpoint_message, transaction_message
from services.ledger.log_errors import LogError, LogFault
from services.ledger.use_cases import import_leaves, recover_log
from services.runtime.database import Connection
from services.runtime.kafka import publish, start_producer
from tests.conftest import DEADLINE_S, delete_topics
from tests.integration.command import premia
from tests.integration.ledger.backup import Backup, back_up, restore
from tests.integration.ledger.conftest import Ledger
from tests.integration.ledger.logs import KEYS, audit, seal
from tests.integration.ledger.records import entitlement, reserve, settle
from tests.integration.ledger.test_lost_history import state_of

VERIFIER: Final = KEYS.keys[0].verifier_key()
LOTS: Final = [
    entitlement(lot=f"LOT-{number}", lines=(("ORG-1", "producer", 100 + number), ("ORG-2", "producer", 50)))
    for number in range(60)
]
COMMANDS: Final = [
    reserve("too much", ["99999.00"]),
    reserve("one", ["10.00"], organization="ORG-2"),
    settle("one", "B-1", organization="ORG-2"),
]


class Story:
    """A ledger whose first twenty lots were backed up. What came since was sealed and told, then the backup was put back."""

    def __init__(self, ledger: Ledger, path: Path, servers: str) -> None:
        self.ledger = ledger
        self.path = path
        self.servers = servers
        self.backup = Backup()
        self.undisturbed: dict[str, list[tuple[object, ...]]] = {}
        self.told: list[bytes] = []

    async def tell(self, messages: Sequence[Message]) -> None:
        producer = await start_producer(self.servers)
        try:
            await publish(producer, messages)
        finally:
            await producer.stop()

    async def tell_checkpoint(self) -> None:
        stored = stored_checkpoint(LogFolder(self.path), KEYS)
        assert stored is not None
        await self.tell([checkpoint_message(*stored, now=(await self.ledger.conn.fetchval("SELECT now()")))])

    async def tell_forged(self, size: int, keys: LogKeys = KEYS) -> None:
        """Tell a checkpoint that the log never had."""
        forged = Checkpoint(keys.origin, size, b"\1" * 32)
        now = await self.ledger.conn.fetchval("SELECT now()")
        await self.tell([checkpoint_message(forged, keys.signed(forged.text), now)])

    async def begin_topics_anew(self) -> None:
        """Kafka knows of nothing."""
        await delete_topics(self.servers)
        assert (await premia(self.servers, "topics", "apply")).exit_code == 0

    async def recover(self) -> None:
        await recover_log.recover_log(self.ledger.conn, LogFolder(self.path), KEYS)

    async def read_again(self) -> None:
        """What led to it comes again, in another order, and what comes next is sealed."""
        await self.ledger.post(*reversed(COMMANDS[:2]))
        await self.ledger.post(*COMMANDS[2:], *LOTS[20:])

    async def refused(self) -> LogFault:
        before = await state_of(self.ledger)
        with pytest.raises(LogError) as error:
            await self.recover()
        assert await state_of(self.ledger) == before, "nothing was entered"
        return error.value.code


@pytest.fixture
async def story(ledger: Ledger, kafka: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Story:
    """A story that was lost."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", kafka)
    assert (await premia(kafka, "topics", "apply")).exit_code == 0
    path = tmp_path / "log"
    path.mkdir()
    story = Story(ledger, path, kafka)
    await ledger.post(*LOTS[:20])
    await seal(ledger.conn, path)
    story.backup = await back_up(ledger)
    await ledger.post(*LOTS[20:], *COMMANDS)
    await seal(ledger.conn, path)
    story.undisturbed = await state_of(ledger)
    await story.tell(await ledger.messages(LEDGER_TRANSACTIONS))
    await story.tell_checkpoint()
    await restore(ledger, story.backup)
    return story


async def test_an_old_backup_goes_on_where_the_log_ends(story: Story) -> None:
    before = audit(story.path, VERIFIER)
    await story.recover()
    assert [row["leaf"] for row in await story.ledger.rows("journal", "leaf_index")] == before.leaves
    await story.read_again()
    assert await state_of(story.ledger) == story.undisturbed
    assert await story.ledger.deviations() == []
    await story.ledger.post(entitlement(lot="LOT-NEW"))
    await seal(story.ledger.conn, story.path)
    after = audit(story.path, VERIFIER)
    assert after.size == before.size + 1
    assert after.extends(before)


async def test_a_command_that_was_refused_is_refused_again_though_it_would_now_be_carried_out(story: Story) -> None:
    await story.recover()
    # In another order: with the money of the lots that came before it, it was refused; now it comes when it could be paid.
    await story.ledger.post(entitlement(lot="RICH", lines=(("ORG-1", "producer", 99_999_00),)))
    await story.ledger.post(COMMANDS[0])
    (told,) = [value for value in await story.ledger.values(LEDGER_TRANSACTIONS) if value.get("code") == "INSUFFICIENT_PAYABLE"]
    assert told["command_id"] == orjson.loads(COMMANDS[0].value)["command_id"]


async def test_what_the_folder_has_lost_is_taken_from_kafka(story: Story) -> None:
    kept = audit(story.path, VERIFIER)
    shutil.rmtree(story.path)
    story.path.mkdir()
    await story.recover()
    await story.read_again()
    assert await state_of(story.ledger) == story.undisturbed
    await seal(story.ledger.conn, story.path)
    assert audit(story.path, VERIFIER) == kept


async def test_a_folder_that_is_older_than_the_backup_does_not_hide_what_was_lost(story: Story, tmp_path: Path) -> None:
    kept = audit(story.path, VERIFIER)
    shutil.rmtree(story.path)
    story.path.mkdir()
    await restore(story.ledger, Backup())
    await story.ledger.as_administrator(
        "INSERT INTO ledger.log_head (tree_size, recorded_at, last_account_id) VALUES (0, 'epoch', 0)",
        "INSERT INTO ledger.outbox_head DEFAULT VALUES",
        "INSERT INTO ledger.account_day_head (buckets) VALUES (0)",
    )
    await story.recover()
    assert [row["leaf"] for row in await story.ledger.rows("journal", "leaf_index")] == kept.leaves
    await story.ledger.post(*LOTS[:20])
    await story.read_again()
    assert (await state_of(story.ledger))["lot_head"] == story.undisturbed["lot_head"]
    assert await story.ledger.deviations() == []


EARLY: Final = entitlement(lot="EARLY")
UNSEALED: Final = [
    entitlement(lot=f"LATE-{number}", lines=(("ORG-1", "producer", 7), ("ORG-2", "producer", 7))) for number in range(3)
]


@pytest.fixture(params=["an old backup", "a backup of all that was sealed", "a backup of more than was sealed"])
async def unsealed_story(story: Story, request: pytest.FixtureRequest) -> Story:
    """A story of which some leaves were told, but not yet sealed, before it was lost. `told` are all of its leaves."""
    await story.recover()
    await story.read_again()
    await story.ledger.post(EARLY)
    if request.param == "a backup of all that was sealed":
        await seal(story.ledger.conn, story.path)
    if request.param != "an old backup":
        story.backup = await back_up(story.ledger)
    await story.ledger.post(*UNSEALED[:2], reserve("two", ["1.00"], organization="ORG-2"), UNSEALED[2])
    messages = await story.ledger.messages(LEDGER_TRANSACTIONS)
    story.told = [message.value for message in messages if b'"leaf_index"' in message.value]
    await story.tell(messages)
    await restore(story.ledger, story.backup)
    return story


async def test_leaves_that_were_told_and_not_yet_sealed_come_back_too(unsealed_story: Story) -> None:
    story = unsealed_story
    await story.recover()
    # The last lot's sources are two leaves; whether a third was to follow cannot be known, so it is posted anew.
    assert [row["leaf"] for row in await story.ledger.rows("journal", "leaf_index")] == story.told[:-2]
    await story.recover()
    await story.ledger.post(*LOTS[20:], *COMMANDS, EARLY, *UNSEALED)
    assert len(await story.ledger.rows("journal", "leaf_index")) == len(story.told), "nothing is posted twice"
    assert await story.ledger.deviations() == []


async def test_who_waits_for_the_folder_does_not_wait_for_leaves_that_were_told_by_half(unsealed_story: Story) -> None:
    await unsealed_story.recover()
    sealer = LogFolder(unsealed_story.path)
    assert sealer.hold()
    async with asyncio.timeout(DEADLINE_S):
        await unsealed_story.recover()


@pytest.mark.parametrize("value", [b"", b"{", b"[]", b"{}", b'{"leaf_index":"9"}', b'{"leaf_index":null}'])
async def test_a_broken_record_among_the_last_ones_does_not_keep_the_ledger_from_starting(story: Story, value: bytes) -> None:
    await story.recover()
    recovered = await state_of(story.ledger)
    (_, *_, last) = await story.ledger.messages(LEDGER_TRANSACTIONS)
    headers = transaction_message(transaction_id="t", subject_id="s", recorded_at=datetime.now(UTC), leaf=b"").headers
    await story.tell([last._replace(value=value, headers=headers)])
    await story.recover()
    assert await state_of(story.ledger) == recovered
    await restore(story.ledger, story.backup)
    await story.recover()
    assert await state_of(story.ledger) == recovered, "nor from recovering"


async def test_leaves_that_were_told_before_this_log_began_are_another_log_s(story: Story, tmp_path: Path) -> None:
    keys = LogKeys((new_note_key("another.example/ledger", NoteKind.LOG),))
    folder = tmp_path / "another"
    folder.mkdir()
    before = await state_of(story.ledger)
    await recover_log.recover_log(story.ledger.conn, LogFolder(folder), keys)
    assert await state_of(story.ledger) == before


async def test_leaves_that_are_nowhere_stop_it(story: Story) -> None:
    shutil.rmtree(story.path)
    story.path.mkdir()
    await story.tell_forged(200)
    assert await story.refused() is LogFault.LEAVES_MISSING


async def test_leaves_that_do_not_hash_to_what_was_signed_are_not_entered(story: Story) -> None:
    (bundle,) = (story.path / "tile/entries/000.p").glob("122")
    bundle.write_bytes(bundle.read_bytes().replace(b'"amount_minor":100', b'"amount_minor":900'))
    bundle.write_bytes(bundle.read_bytes().replace(b'"unit":"USD"', b'"unit":"EUR"'))
    assert await story.refused() is LogFault.TILES_DISAGREE


async def test_a_folder_and_a_checkpoint_on_kafka_of_two_stories_stop_it(story: Story) -> None:
    await story.recover()
    await story.ledger.post(entitlement(lot="LOT-NEW"))
    await story.tell_forged(123)
    assert await story.refused() is LogFault.TILES_DISAGREE, "the journal's 123 leaves have another root"
    await seal(story.ledger.conn, story.path)
    assert await story.refused() is LogFault.TILES_DISAGREE, "the folder's too"
    await restore(story.ledger, story.backup)
    assert await story.refused() is LogFault.TILES_DISAGREE, "and what would be taken from it"


async def test_a_checkpoint_of_another_story_that_is_older_than_the_backup_stops_it_too(story: Story) -> None:
    await story.begin_topics_anew()
    await story.tell_forged(30)
    assert await story.refused() is LogFault.TILES_DISAGREE


async def test_two_checkpoints_of_one_size_stop_it_and_those_of_others_mean_nothing(story: Story) -> None:
    await story.recover()
    await story.tell_forged(500, LogKeys((new_note_key(KEYS.origin, NoteKind.LOG),)))
    await story.tell_forged(500, LogKeys((new_note_key("other.example/log", NoteKind.LOG),)))
    await story.tell(
        [Message(LEDGER_CHECKPOINTS, b"x", value, ()) for value in (b"", b"{", b"[]", b'{"checkpoint": 1}', b"null")]
    )
    await story.recover()
    await story.tell_forged(122)
    assert await story.refused() is LogFault.TILES_DISAGREE


async def test_two_processes_that_start_together_recover_once(story: Story) -> None:
    other = await asyncpg.connect(story.ledger.environment["PREMIA_LEDGER_DATABASE_URL"])
    sealing = LogFolder(story.path)

    async def recover_on(conn: Connection) -> None:
        await recover_log.recover_log(conn, LogFolder(story.path), KEYS)
        await conn.execute("SELECT pg_advisory_unlock_all()")  # as the pool does: whichever was first lets the other go on

    async def recover_and_seal() -> None:
        await recover_on(story.ledger.conn)
        assert sealing.hold(), "nobody else has it for long"

    try:
        await asyncio.gather(recover_and_seal(), recover_on(other))
    finally:
        await other.close()
    await story.read_again()
    assert await state_of(story.ledger) == story.undisturbed


async def test_a_recovery_that_is_ended_in_the_middle_is_taken_up(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_leaves, "LEAVES_WANTED", 10)
    really = import_leaves.save_books
    left = 3

    async def ends(*arguments: object) -> int:
        nonlocal left
        left -= 1
        if left == 0:
            raise ConnectionError
        return await really(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(import_leaves, "save_books", ends)
    with pytest.raises(ConnectionError):
        await story.recover()
    assert 40 < await story.ledger.conn.fetchval("SELECT tree_size FROM ledger.log_head") < 122
    await story.ledger.conn.execute("DROP TABLE IF EXISTS spooled_leaf")  # as the end of its connection does
    await story.recover()
    await story.read_again()
    assert await state_of(story.ledger) == story.undisturbed
