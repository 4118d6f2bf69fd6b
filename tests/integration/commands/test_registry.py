"""`premia registry validate`, `diff`, `show` and `apply`, as a user runs them; what changes the past is asked about."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from schemas.registry_file import load_registry
from schemas.registry_snapshot import RegistrySnapshot, registry_snapshot
from tests.integration.command import Finished, premia
from tests.integration.premium_calculator.programme import PROGRAMME, token_of, with_rate
from tests.unit.premium_calculator import programme

DEADLINE_S: Final = 60.0
BASE: Final = registry_snapshot(PROGRAMME, programme.snapshot().organizations, programme.snapshot().schemes)
ACCOUNT: Final = "00110345020011228890"
TAX_ID: Final = "20601234567"
PRIVATE: Final[dict[str, Any]] = {
    "ORG-A": {
        "tax_id": {"scheme": "RUC", "value": TAX_ID},
        "payment_accounts": [{"currency": "USD", "account": ACCOUNT, "holder": "Mine A"}],
    }
}


@dataclass
class Files:
    """A registry file and a folder of schemes, and the programme that they are applied to."""

    brokers: str
    folder: Path

    def write(self, snapshot: RegistrySnapshot, private: dict[str, Any] = PRIVATE) -> None:
        organizations = [
            one.model_dump(mode="json", by_alias=True) | private.get(one.id, {}) for one in snapshot.organizations.values()
        ]
        content = {"programme": PROGRAMME.model_dump(mode="json"), "organizations": organizations}
        (self.folder / "registry.json").write_text(json.dumps(content, indent=1), encoding="utf-8")
        schemes = self.folder / "schemes"
        schemes.mkdir(exist_ok=True)
        for file in schemes.iterdir():
            file.unlink()
        for scheme in snapshot.schemes.values():
            text = json.dumps(scheme.model_dump(mode="json", by_alias=True), indent=1)
            (schemes / f"{scheme.record_id}.json").write_text(text, encoding="utf-8")

    @property
    def arguments(self) -> tuple[object, ...]:
        return (self.folder / "registry.json", "--schemes", self.folder / "schemes")

    async def registry(self, command: str, *arguments: object) -> Finished:
        return await premia(self.brokers, "registry", command, *self.arguments, *arguments)

    async def show(self, *arguments: object) -> Finished:
        return await premia(self.brokers, "registry", "show", *arguments)

    async def publish(self, *sales: dict[str, Any]) -> None:
        file = self.folder / "sales.jsonl"
        file.write_bytes(b"".join(programme.encoded(sale) + b"\n" for sale in sales))
        assert (await premia(self.brokers, "publish", file, "--wait")).exit_code == 0


@pytest.fixture
async def files(brokers: str, tmp_path: Path) -> Files:
    """The base is applied, whatever a test before left."""
    found = Files(brokers, tmp_path)
    found.write(BASE)
    applied = await found.registry("apply", "--yes")
    assert applied.exit_code == 0, applied
    return found


def with_status(*ranges: tuple[str, str, str | None]) -> RegistrySnapshot:
    """The base, with other statuses of ORG-A in the scheme gram."""
    organization = BASE.organizations["ORG-A"].model_dump(mode="json", by_alias=True)
    others = [status for status in organization["statuses"] if status["scheme"] != "gram"]
    mine = [{"scheme": "gram", "status": status, "from": start, "to": end} for status, start, end in ranges]
    changed = type(BASE.organizations["ORG-A"]).model_validate(organization | {"statuses": [*others, *mine]})
    return registry_snapshot(PROGRAMME, {**BASE.organizations, "ORG-A": changed}, BASE.schemes)


SUSPENDED: Final = with_status(("in", "2015-01-01", "2025-03-10"), ("suspended", "2025-03-10", None))


# --- validate -----------------------------------------------------------------------------------------------------------


async def test_every_mistake_is_told_with_file_line_and_field(tmp_path: Path) -> None:
    mistaken = Files("127.0.0.1:1", tmp_path)  # no broker is asked
    mistaken.write(BASE)
    assert (await mistaken.registry("validate")).exit_code == 0
    file = tmp_path / "registry.json"
    text = file.read_text(encoding="utf-8").replace('"country": "PE"', '"country": "Peru"', 1)
    file.write_text(text.replace('"kind": "payer"', '"kind": "payers"', 1), encoding="utf-8")
    scheme = tmp_path / "schemes" / "gram@1.json"
    scheme.write_text(scheme.read_text(encoding="utf-8").replace('"0.90"', "0.9", 1), encoding="utf-8")
    told = await mistaken.registry("validate")
    assert told.exit_code == 2
    assert [line.split(": ")[:3] for line in told.lines] == [
        [f"{file}:{line_of(file, 'Peru')}", "error INVALID", "organizations.0.country"],
        [f"{file}:{line_of(file, 'payers')}", "error INVALID", "organizations.2.kind"],
        [f"{scheme}:{line_of(scheme, 'provisional_share')}", "error INVALID", "provisional_share"],
    ]
    as_json = json.loads((await mistaken.registry("validate", "--json")).stdout)
    assert len(as_json["mistakes"]) == 3


async def test_a_programme_with_the_id_of_an_organization_is_a_mistake_of_the_file(tmp_path: Path) -> None:
    mistaken = Files("127.0.0.1:1", tmp_path)
    mistaken.write(BASE)
    file = tmp_path / "registry.json"
    file.write_text(file.read_text(encoding="utf-8").replace('"id": "demo"', '"id": "ORG-A"'), encoding="utf-8")
    told = await mistaken.registry("validate")
    assert (told.exit_code, "programme.id: is the id of an organization too" in told.stdout) == (2, True)


def line_of(file: Path, word: str) -> int:
    return next(number for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1) if word in line)


# --- diff and apply -----------------------------------------------------------------------------------------------------


async def test_the_files_that_are_in_force_differ_in_nothing(files: Files) -> None:
    same = await files.registry("diff")
    assert (same.exit_code, same.lines) == (0, [f"version {BASE.version}"])
    assert (await files.registry("apply")).lines == [f"unchanged {BASE.version}"]


async def test_a_difference_is_told_field_by_field_and_statuses_by_their_days(files: Files) -> None:
    renamed = BASE.organizations["ORG-B"].model_copy(update={"name": "Mine B", "beneficiaries": 90})
    wanted = with_status(
        ("in", "2015-01-01", "2025-03-10"), ("suspended", "2025-03-10", "2025-05-01"), ("in", "2025-05-01", None)
    )
    rate = programme.scheme(rate={"kind": "per_mass", "amount": "0.80", "unit": "GRM"})
    organizations = {id_: one for id_, one in wanted.organizations.items() if id_ != "ORG-D"} | {"ORG-B": renamed}
    files.write(
        registry_snapshot(PROGRAMME, organizations, {**BASE.schemes, rate.record_id: rate}),
        {"ORG-A": {"payment_accounts": [{"currency": "USD", "account": "00110345020011229988", "holder": "Mine A"}]}},
    )
    told = await files.registry("diff")
    assert told.exit_code == 1
    assert told.lines[:12] == [
        "changed organization ORG-A ORG-A",
        "  status in gram: in becomes suspended from 2025-03-10 up to, but not on, 2025-05-01",
        "changed organization ORG-B Mine B",
        "  name: ORG-B becomes Mine B",
        "  beneficiaries: none becomes 90",
        "removed organization ORG-D ORG-D",
        "changed scheme gram@1",
        "  rate: USD 0.70 per gram of fine gold becomes USD 0.80 per gram of fine gold (14.3% more)",
        "changed private data ORG-A ORG-A",
        "  tax_id: on record becomes none",
        "  payment_accounts: USD …8890 becomes USD …9988",
        f"version {registry_version(files)} (now {BASE.version})",
    ]
    as_json = json.loads((await files.registry("diff", "--json")).stdout)
    assert (as_json["equal"], len(as_json["records"]), as_json["version"]["before"]) == (False, 5, BASE.version)
    for output in (told.stdout, json.dumps(as_json)):
        assert ACCOUNT not in output
        assert TAX_ID not in output


def registry_version(files: Files) -> str:
    return load_registry(files.folder / "registry.json", files.folder / "schemes").snapshot.version


async def test_an_apply_that_changes_the_past_says_which_lots_and_asks(files: Files) -> None:
    await files.publish(
        programme.sale(lot_id="PAST-1"),
        programme.sale(lot_id="PAST-2", sold_on="2025-03-01"),
        programme.sale(lot_id="PAST-3", sources=programme.sources(("ORG-A", "1000"), ("ORG-B", "1450.60"))),
    )
    files.write(SUSPENDED)
    told = await files.registry("diff")
    assert "2 lots of the past would be calculated otherwise, of 3 that were compared." in told.stderr
    assert {line.split()[0] for line in told.lines if line.startswith("REF/")} == {"REF/PAST-1", "REF/PAST-3"}

    refused = await files.registry("apply")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "REF/PAST-1" in refused.stderr
    assert refused.stderr.splitlines()[-1].startswith("Nothing was applied: there is no terminal to ask at.")
    assert (await on_a_terminal(files, "n"))[0] == 1
    assert (await files.registry("diff")).exit_code == 1, "nothing was applied"
    status, said = await on_a_terminal(files, "y")
    assert (status, "Apply it? [y/N]" in said, "premia recalculate --dry-run" in said) == (0, True, True)
    assert (await files.registry("diff")).exit_code == 0

    # What waits for a recalculation is not asked about again by an apply that has nothing to do with it.
    more = SUSPENDED.organizations["EXP"].model_copy(update={"id": "EXP-2"})
    files.write(registry_snapshot(PROGRAMME, {**SUSPENDED.organizations, "EXP-2": more}, SUSPENDED.schemes))
    unconcerned = await files.registry("apply")
    assert (unconcerned.exit_code, unconcerned.lines[0]) == (0, "added organization EXP-2")
    # And undoing the change changes nothing of what was posted.
    files.write(BASE)
    undone = await files.registry("apply")
    assert undone.exit_code == 0, undone
    nothing = await premia(files.brokers, "recalculate", "--dry-run", token=token_of("ana"))
    assert "0 lots would change" in nothing.stderr


async def test_a_lot_that_could_not_be_calculated_any_more_is_asked_about_too(files: Files) -> None:
    await files.publish(programme.sale(lot_id="GONE", payer_id="PAY"))
    organizations = {id_: one for id_, one in BASE.organizations.items() if id_ != "PAY"}
    files.write(registry_snapshot(PROGRAMME, organizations, BASE.schemes))
    refused = await files.registry("apply")
    assert refused.exit_code == 2
    assert "REF/GONE cannot be calculated again and stays: UNKNOWN_ORGANIZATION payer_id" in refused.stderr


async def test_without_the_ledger_the_effect_is_unknown_and_asked_about(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREMIA_READER_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/premia")
    files.write(with_rate("0.80"))
    told = await files.registry("diff")
    assert (told.exit_code, "is unknown: PostgreSQL at 127.0.0.1:1/premia cannot be used" in told.stderr) == (1, True)
    assert json.loads((await files.registry("diff", "--json")).stdout)["past"] is None
    assert (await files.registry("apply")).exit_code == 2
    renamed = BASE.organizations["ORG-B"].model_copy(update={"name": "Mine B"})
    files.write(registry_snapshot(PROGRAMME, {**BASE.organizations, "ORG-B": renamed}, BASE.schemes))
    assert (await files.registry("apply")).exit_code == 0, "a name changes nothing of the past, with or without a ledger"


async def on_a_terminal(files: Files, answer: str) -> tuple[int, str]:
    """Exit code of an apply that is answered at a terminal, and all it said."""
    return await asyncio.to_thread(_on_a_terminal, files, answer)


def _on_a_terminal(files: Files, answer: str) -> tuple[int, str]:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "premia", "registry", "apply", *map(str, files.arguments)],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "KAFKA_BOOTSTRAP_SERVERS": files.brokers, "PREMIA_DATA_DIR": str(files.folder / "no-stack")},
    )
    try:
        os.write(ours, f"{answer}\n".encode())
        said, _ = process.communicate(timeout=DEADLINE_S)
    finally:
        process.kill()
        os.close(ours)
        os.close(theirs)
    return process.returncode, said.decode()


# --- show ---------------------------------------------------------------------------------------------------------------


async def test_what_is_in_force_and_what_was_is_shown_without_what_is_private(files: Files) -> None:
    files.write(SUSPENDED)
    assert (await files.registry("apply", "--yes")).exit_code == 0
    whole = await files.show()
    assert whole.lines[0] == f"registry {SUSPENDED.version}, in force"
    assert "  actors: ana (prepare), bruno (approve), diego (approve, prepare), carla (accounts)" in whole.lines
    assert any(line.split()[3:4] == [BASE.version] for line in whole.lines), "the versions before are listed"
    mine = await files.show("ORG-A")
    assert mine.lines[0] == "organization ORG-A ORG-A"
    assert "  tax_id: on record" in mine.lines
    assert "  payment_accounts: USD …8890" in mine.lines
    assert "  gram: in from 2015-01-01 up to, but not on, 2025-03-10" in mine.lines
    assert "  gram: suspended from 2025-03-10" in mine.lines
    as_json = json.loads((await files.show("ORG-A", "--json", "--on", "2025-03-09")).stdout)
    assert (as_json["statuses_on"]["gram"], as_json["private"]["tax_id"]) == ("in", "on record")
    assert "  gram on 2025-03-10: suspended" in (await files.show("ORG-A", "--on", "2025-03-10")).lines
    assert "  gram on 2010-01-01: no status" in (await files.show("ORG-A", "--on", "2010-01-01")).lines
    before = await files.show("ORG-A", "--version", BASE.version[len("sha256:") :][:10], "--on", "2025-03-10")
    assert "  gram on 2025-03-10: in" in before.lines
    for shown in (whole, mine):
        assert ACCOUNT not in shown.stdout
        assert TAX_ID not in shown.stdout


async def test_statuses_of_a_day_schemes_and_what_is_not_there(files: Files) -> None:
    day = json.loads((await files.show("--on", "2025-03-14", "--json")).stdout)
    assert {"organization_id": "ORG-D", "scheme": "gram", "status": "out"} in day["statuses"]
    scheme = await files.show("gram")
    assert scheme.lines[0] == "scheme gram@1"
    assert "  Rate: USD 0.70 per gram of fine gold." in scheme.lines
    assert (await files.show("strict", "--on", "2019-12-31")).exit_code == 2
    assert json.loads((await files.show("demo", "--json")).stdout)["id"] == "demo"
    missing = await files.show("ORG-X")
    assert (missing.exit_code, "did you mean ORG-" in missing.stderr) == (2, True)
    assert (await files.show("--version", "ffff")).exit_code == 2
