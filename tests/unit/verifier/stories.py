"""The story that tests of bundles and logs are told with, and its keys."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from datetime import date
from hashlib import sha256

from schemas.note_signing import NoteKind, new_note_key
from tests.ledger_story import Json, Story, canonical, order_id
from verifier.checkpoint import TrustedKeys
from verifier.note import read_verifier_key

ORG = "org:ORG-PE-012"
OTHER = "org:ORG-PE-013"
LOG = new_note_key("log.example.org/premia", NoteKind.LOG)
WITNESS = new_note_key("witness.example.org", NoteKind.WITNESS)
KEYS = TrustedKeys(
    (read_verifier_key(LOG.verifier_key(), LOG.kind),), (read_verifier_key(WITNESS.verifier_key(), WITNESS.kind),), 1
)


@dataclass
class TwoMonths:
    """March and April of one organization, beside another one: paid, returned, paid again; a correction of a settled lot."""

    story: Story
    march: Json
    april: Json

    def bundle(self, *, with_previous: bool = True) -> Json:
        """April's bundle; it holds all leaves of the organization."""
        previous = {"previous_statement": self.march} if with_previous else {}
        return deepcopy(self.story.bundle({"kind": "statement"}, (LOG, WITNESS), _of_org, statement=self.april, **previous))

    def record(self, statement: Json) -> None:
        """Have the last record of a statement hold the hash of another one."""
        record = next(leaf for leaf in reversed(self.story.told) if leaf["kind"] == "attested")
        record["attestation"]["sha256"] = sha256(canonical(statement)).hexdigest()


def _of_org(leaf: Json) -> bool:
    return bool(leaf["subject"]["id"] == ORG.partition(":")[2])


def two_months(change: Callable[[Story], object] = lambda story: None) -> TwoMonths:
    """`change` is told before April is closed."""
    story = Story()
    story.premium(ORG, "PE-0087", "2025-03-03", amount=84_302, milligrams=1_204_310)
    story.premium(OTHER, "PE-0088", "2025-03-03", amount=10_000, milligrams=142_857)
    story.payment(ORG, order_id(1), "2025-03-10", 40_000, ("reserved", "settled", "returned"))
    story.payment(ORG, order_id(2), "2025-03-28", 44_302)
    march = story.statement(ORG, 1, date(2025, 3, 1), date(2025, 3, 31))
    story.premium(ORG, "PE-0123", "2025-04-02", amount=134_858, milligrams=2_140_599, stage="provisional")  # before the record
    story.attest(ORG, "2025-04-01", canonical(march))
    story.premium(OTHER, "PE-0124", "2025-04-05", amount=20_000, milligrams=285_714)
    story.premium(ORG, "PE-0123", "2025-04-14", amount=149_808, milligrams=2_140_109)
    story.premium(ORG, "PE-0087", "2025-04-17", amount=83_912, milligrams=1_198_744)
    story.payment(ORG, order_id(3), "2025-04-20", 30_000, ("reserved", "voided"))
    story.payment(ORG, order_id(4), "2025-04-28", 100_000)
    change(story)
    april = story.statement(ORG, 2, date(2025, 4, 1), date(2025, 4, 30), before=march)
    story.premium(ORG, "PE-0140", "2025-05-02", amount=1_000, milligrams=14_286)  # of May, but before April is on record
    story.attest(ORG, "2025-05-02", canonical(april))
    story.premium(OTHER, "PE-0150", "2025-05-05", amount=20_000, milligrams=285_714)
    return TwoMonths(story, deepcopy(march), deepcopy(april))
