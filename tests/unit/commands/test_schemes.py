"""`premia schemes lint`, `show` and `diff`, as a user runs them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from click.testing import CliRunner, Result

from premia.__main__ import main
from premia.commands.schemes import SHIPPED_DIR
from samples.reader import PROGRAMME_FILE

TERMS: Final[dict[str, Any]] = {
    "id": "gram",
    "version": "1",
    "valid": {"from": "2010-01-01"},
    "currency": "USD",
    "rate": {"kind": "per_mass", "amount": "0.70", "unit": "GRM"},
    "eligible_statuses": ["in"],
    "provisional_share": "0.90",
    "split": {"producer": "1"},
    "citations": ["https://example.org/terms"],
    "verified": "public",
}


def premia(*arguments: object) -> Result:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def write(folder: Path, name: str, **terms: Any) -> Path:
    file = folder / name
    file.write_text(yaml.safe_dump(TERMS | terms, sort_keys=False), encoding="utf-8")
    return file


def registry(folder: Path, *statuses: dict[str, str]) -> Path:
    file = folder / "registry" / "programme.yaml"
    file.parent.mkdir()
    mine = {"id": "ORG-A", "name": "Mine", "country": "PE", "kind": "producer", "statuses": list(statuses)}
    file.write_text(yaml.safe_dump({"organizations": [mine]}, sort_keys=False), encoding="utf-8")
    return file


def test_the_shipped_schemes_and_the_sample_have_no_error_and_what_is_assumed_is_noted() -> None:
    done = premia("schemes", "lint", SHIPPED_DIR, "--registry", PROGRAMME_FILE)
    assert done.exit_code == 0, done.output
    assert "sbg-2014-01.yaml:13: note ASSUMED: sbg@2014-01 is assumed" in done.stdout


def test_all_findings_are_told_at_once_with_file_and_line(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", version="1", valid={"from": "2010-01-01", "to": "2012-01-01"})
    write(tmp_path, "b.yaml", version="2", valid={"from": "2011-06-01", "to": "2013-01-01"})
    write(tmp_path, "c.yaml", version="2", valid={"from": "2014-01-01"}, split={"producer": "0.7", "community_fund": "0.2"})
    without = write(tmp_path, "d.yaml", id="other", rate={"kind": "per_mass", "amount": 0.7, "unit": "GRM"})
    without.write_text(without.read_text(encoding="utf-8").partition("citations:")[0] + "verified: public\n", encoding="utf-8")
    (tmp_path / "e.yaml").write_text("id: [", encoding="utf-8")
    found = premia("schemes", "lint", tmp_path)
    assert found.exit_code == 1
    lines = [line.removeprefix(f"{tmp_path}/") for line in found.stdout.splitlines()]
    assert lines == [
        "b.yaml:4: error OVERLAP: valid: overlaps version 1 of gram (a.yaml)",
        "c.yaml:2: error DUPLICATE_VERSION: version: gram@2 is in b.yaml too",
        "c.yaml:4: error GAP: valid: no version of gram is in force from 2013-01-01 up to 2014-01-01: "
        "sales of these days are rejected (NO_SCHEME_VERSION)",
        "c.yaml:13: error INVALID: split: must sum to exactly 1",
        "d.yaml:1: error CITATION_MISSING: citations: is required and missing: add it",
        "d.yaml:8: error INVALID: rate.amount: must be a text in quotes: numbers are sent as strings, since many readers make "
        "binary floats of them",
        "e.yaml:2: error INVALID: is not YAML: did not find expected node content",
    ]
    assert found.stderr == f"7 errors, 0 notes in {tmp_path}\n"


@pytest.mark.parametrize(("citations", "verified"), [(["-"], "contract"), (["the contract, clause 4"], "public")])
def test_a_citation_that_leads_nowhere_is_a_missing_one(citations: list[str], verified: str, tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", citations=citations, verified=verified)
    found = json.loads(premia("schemes", "lint", tmp_path, "--json").stdout)
    assert [(entry["code"], entry["severity"]) for entry in found["findings"]] == [("CITATION_MISSING", "error")]
    assert found["errors"] == 1


def test_statuses_that_nobody_has_and_schemes_that_do_not_exist_are_found_in_both_files(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", eligible_statuses=["in", "certifid"])
    statuses = [
        {"scheme": "gram", "status": "in", "from": "2015-01-01", "to": "2016-01-01"},
        {"scheme": "gram", "status": "certified", "from": "2016-01-01"},
        {"scheme": "grm", "status": "in", "from": "2015-01-01"},
    ]
    file = registry(tmp_path, *statuses)
    found = premia("schemes", "lint", tmp_path, "--registry", file)
    assert found.exit_code == 1
    assert found.stdout.splitlines() == [
        f"{tmp_path}/a.yaml:12: error UNKNOWN_STATUS: eligible_statuses.1: no organization ever has status certifid in gram: "
        "did you mean certified?",
        f"{file}:14: error UNKNOWN_SCHEME: organizations.0.statuses.2.scheme: there is no scheme grm: did you mean gram?",
    ]


def test_a_name_that_breaks_lines_is_told_on_one(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml")
    file = registry(tmp_path, {"scheme": "gra\u2028m", "status": "in", "from": "2015-01-01"})
    found = premia("schemes", "lint", tmp_path, "--registry", file)
    (line,) = [line for line in found.stdout.splitlines() if "UNKNOWN_SCHEME" in line]
    assert "there is no scheme gra\\u2028m: did you mean gram?" in line


def test_a_scheme_whose_file_cannot_be_read_is_not_said_to_be_missing(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml")
    (tmp_path / "b.yaml").write_text("id: [", encoding="utf-8")
    file = registry(tmp_path, {"scheme": "other", "status": "in", "from": "2015-01-01"})
    found = premia("schemes", "lint", tmp_path, "--registry", file)
    assert [line.split()[2] for line in found.stdout.splitlines() if " error " in line] == ["INVALID:"]


def test_a_scheme_that_nobody_takes_part_in_is_a_note_and_a_broken_registry_an_error(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml")
    file = registry(tmp_path)
    unused = premia("schemes", "lint", tmp_path, "--registry", file)
    assert (unused.exit_code, "note UNUSED: no organization of programme.yaml takes part in gram" in unused.stdout) == (0, True)
    file.write_text(file.read_text(encoding="utf-8").replace("PE", "Peru").replace("producer", "miner"), encoding="utf-8")
    broken = premia("schemes", "lint", tmp_path, "--registry", file)
    assert broken.exit_code == 1
    assert broken.stdout.count("error INVALID") == 2
    assert premia("schemes", "lint", tmp_path / "nowhere", "--registry", tmp_path / "none.yaml").stdout.count("error") == 2


def test_terms_are_told_in_words() -> None:
    told = premia("schemes", "show", "sbg@2019-07")
    assert told.exit_code == 0
    assert "  Rate: USD 0.70 per gram of fine gold." in told.stdout
    assert "  Eligible are organizations with status: step 2, step 3." in told.stdout
    assert "  In force from 1 Jul 2019, until it is replaced." in told.stdout
    assert premia("schemes", "show", "sbg").stdout == told.stdout, "without a version it is the newest"
    assert json.loads(premia("schemes", "show", "sbg", "--json").stdout)["rate"]["amount"] == "0.70"


def test_differences_are_told_in_words_with_their_size(tmp_path: Path) -> None:
    old = write(tmp_path, "old.yaml")
    new = write(
        tmp_path,
        "new.yaml",
        version="2",
        rate={"kind": "per_mass", "amount": "840", "unit": "KGM"},
        split={"producer": "0.8", "community_fund": "0.2"},
        splitting_limit_permille="0.5",
    )
    told = premia("schemes", "diff", old, new)
    assert told.stdout.splitlines() == [
        "gram@1 to gram@2",
        "  rate: USD 0.70 per gram of fine gold becomes USD 840.00 per kilogram of fine gold (20% more)",
        "  split: all to the producer becomes 80% to the producer, 20% to its community fund",
    ]
    same = write(tmp_path, "same.yaml", version="2", rate={"kind": "per_mass", "amount": "700", "unit": "KGM"})
    assert "(the same, in another unit)" in premia("schemes", "diff", old, same).stdout
    assert premia("schemes", "diff", old, old).stdout.splitlines()[1:] == ["  the same terms"]
    fields = json.loads(premia("schemes", "diff", old, new, "--json").stdout)["differences"]
    assert [entry["field"] for entry in fields] == ["rate", "split"]


def test_an_unknown_name_is_one_line_with_a_guess_and_exit_2(tmp_path: Path) -> None:
    wrong = premia("schemes", "show", "sgb")
    assert (wrong.exit_code, "did you mean sbg?" in wrong.stderr) == (2, True)
    broken = write(tmp_path, "broken.yaml", split={"producer": "0.9"})
    assert premia("schemes", "diff", broken, "sbg").exit_code == 2
    assert premia("schemes", "show", "gram", "--schemes", tmp_path).exit_code == 2


def test_what_is_wrong_between_organizations_is_told_also_while_one_breaks_the_format(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml")
    file = registry(tmp_path, {"scheme": "gram", "status": "in", "from": "2010-01-01"})
    registered = yaml.safe_load(file.read_text(encoding="utf-8"))
    (mine,) = registered["organizations"]
    refiner = {"id": "REF", "name": "Refiner", "country": "CH", "kind": "refiner", "signature_required": True}
    broken = {"id": "REF", "name": "Refiner", "country": "Switzerland", "kind": "refiner"}
    registered["organizations"] = [mine | {"community_fund_id": "REF"}, refiner, broken]
    file.write_text(yaml.safe_dump(registered, sort_keys=False), encoding="utf-8")
    told = premia("schemes", "lint", tmp_path, "--registry", file).stdout.splitlines()
    assert [line.split(": ", 2)[1:] for line in told] == [
        [
            "note UNKNOWN_FUND",
            "organizations.0.community_fund_id: REF is no community fund here: sales that owe it a part are rejected",
        ],
        [
            "note KEY_MISSING",
            "organizations.1.signing_keys: sales must be signed and there is no key: all are rejected (`premia keys new`)",
        ],
        ["error INVALID", "organizations.2.id: is the id of an organization before"],
        ["error INVALID", "organizations.2.country: must be a country of ISO 3166 in two capital letters, such as PE"],
    ]
    broken["country"] = "CH"
    file.write_text(yaml.safe_dump(registered, sort_keys=False), encoding="utf-8")
    assert premia("schemes", "lint", tmp_path, "--registry", file).stdout.count("before") == 1, "and only once"
