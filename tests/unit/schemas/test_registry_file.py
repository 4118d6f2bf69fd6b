"""Registry and scheme files: what is taken, and how the first mistake is told."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import UUID

import pytest
import yaml

from schemas import registry_file
from schemas.registry import SchemeRecord
from schemas.registry_file import RegistryFileError, load_registry, load_registry_file, load_schemes

REGISTRY = """\
# A programme
programme:
  id: PROG-1
  name: Programa Ejemplo
  synthetic: true
  minimum_payouts: [{currency: USD, amount: "100"}]
  debtor_account: {currency: USD, account: CH9300762011623852957, bic: XMPLCHZZ, holder: Programa, bank_name: Banque}
  actors:
    - {id: ana, name: Ana Ejemplo, roles: [prepare]}
    - {id: luis, name: Luis Muestra, roles: [approve, accounts]}
  calendar: CH
  provisional_payer_id: PAY-1
organizations:
  - id: ORG-1
    name: Asociación Ñusta
    country: "NO"
    kind: producer
    statuses:
      - {scheme: gram, status: in, from: 2019-07-01, to: 2021-01-01}
      - {scheme: gram, status: out, from: 2021-01-01}
    support_periods: [{from: 2015-01-01}]
    tax_id: {scheme: RUC, value: "20601234567"}
    address: {street: Jr. Comercio 120, town: Chala, country: PE}
    payment_accounts:
      - {currency: USD, account: "001", kind: current, holder: Ñusta, verified_at: 2021-02-01T10:00:00Z}
    contacts: [{name: Rosa, email: rosa@example.org}]
  - {id: PAY-1, name: Payer, country: CH, kind: payer}
"""

SCHEME = """\
id: gram
version: "2019-07"
valid: {from: 2019-07-01}
currency: USD
rate: {kind: per_mass, amount: "0.70", unit: GRM}
eligible_statuses: [in]
provisional_share: "0.90"
split: {producer: "1"}
citations: ["https://example.org/terms"]
verified: assumed
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "registry.yaml").write_text(REGISTRY, encoding="utf-8")
    (tmp_path / "schemes").mkdir()
    (tmp_path / "schemes" / "gram.yaml").write_text(SCHEME, encoding="utf-8")
    return tmp_path


def refusal(folder: Path) -> str:
    with pytest.raises(RegistryFileError) as raised:
        load_registry(folder / "registry.yaml", folder / "schemes")
    message = str(raised.value)
    assert "\n" not in message
    return message.removeprefix(f"{folder}/")


def test_public_and_private_parts_are_taken_apart(folder: Path) -> None:
    loaded = load_registry(folder / "registry.yaml", folder / "schemes")
    public = json.dumps(
        [entry.model_dump(mode="json") for entry in loaded.snapshot.organizations.values()]
        + [loaded.snapshot.programme.model_dump(mode="json") if loaded.snapshot.programme else None]
    )
    for secret in ("20601234567", "Comercio", "001", "rosa", "CH93"):
        assert secret not in public
    assert set(loaded.private) == {"ORG-1", "PROG-1"}
    assert loaded.private["ORG-1"].payment_accounts[0].account == "001"
    assert loaded.private["PROG-1"].debtor_account is not None
    assert list(loaded.snapshot.schemes) == ["gram@2019-07"]
    assert loaded.snapshot.organizations["ORG-1"].country == "NO"


def test_json_file_is_read_like_yaml(folder: Path) -> None:
    plain = yaml.load(REGISTRY.replace("2019-07-01", '"2019-07-01"'), Loader=yaml.BaseLoader)
    plain["programme"]["synthetic"] = True
    plain["organizations"][0]["name"] += " \U0001f600/"
    text = json.dumps(plain, indent="\t").replace("/", "\\/")
    (folder / "registry.json").write_text(text, encoding="utf-8")
    from_json = load_registry_file(folder / "registry.json")
    assert from_json.organizations[0].name == "Asociación Ñusta \U0001f600/"
    assert from_json.organizations[0].statuses == load_registry_file(folder / "registry.yaml").organizations[0].statuses


@pytest.mark.parametrize(
    ("old", "new", "line", "told"),
    [
        ("country: CH, kind: payer", "country: CH, kind: bank", 27, "organizations.1.kind: must be one of"),
        ("id: PAY-1, name", "id: ORG-1, name", 27, "organizations.1.id: is the id of an organization before"),
        ("id: PROG-1", "id: ORG-1", 3, "programme.id: is the id of an organization"),
        ("  calendar: CH", "  calender: CH", 11, "programme.calender: is not a field"),
        ("  calendar: CH", "  calendar: CH\n  calendar: PE", 12, "programme.calendar: is there twice"),
        ('amount: "100"', "amount: 100.5", 6, "programme.minimum_payouts.0.amount: must be a text in quotes"),
        ('value: "20601234567"', "value: 20601234567", 22, "organizations.0.tax_id.value: must be a text in quotes"),
        ("roles: [prepare]", "roles: [pay]", 9, "programme.actors.0.roles.0: must be one of"),
        ("id: luis", "id: ana", 10, "programme.actors.1.id"),
        ('amount: "100"}]', 'amount: "100"}, {currency: USD, amount: "1"}]', 6, "programme.minimum_payouts.1.currency"),
        ("  calendar: CH", "  calendar: ~", None, ""),
        ("  debtor_account: {currency: USD", "  debtor_account: {currency: XXX", 7, "programme.debtor_account.currency"),
        ("synthetic: true", "synthetic: yes", 5, "programme.synthetic: must be true or false"),
        ("status: out, from: 2021-01-01", "status: out, from: 2020-12-31", 20, "organizations.0.statuses.1.from: overlaps"),
        ("from: 2021-01-01}", "from: 2021-01-01, to: 2021-01-01}", 20, "organizations.0.statuses.1.to: must be later"),
        ("from: 2015-01-01", "from: 2015-02-30", 21, "organizations.0.support_periods.0.from: must be a day"),
        ("    kind: producer\n", "", 14, "organizations.0.kind: is required and missing"),
        (
            "verified_at: 2021-02-01T10:00:00Z",
            "verified_at: 2021-02-01T10:00:00",
            25,
            "verified_at: must be a time of RFC 3339",
        ),
        ("verified_at: 2021-02-01T10:00:00Z", "verified_at: 1612173600", 25, "verified_at: must be a time of RFC 3339"),
        ("  - {id: PAY-1", "  - &a {id: PAY-1", None, ""),
        ("  - {id: PAY-1, name: Payer", "  - *payer\n  - {id: PAY-1, name: Payer", 27, "is not YAML"),
        ("  - {id: PAY-1", "  - !org {id: PAY-1", None, ""),
        ("name: Payer", "name: !secret Payer", 27, "organizations.1.name: the tag !secret"),
        ("name: Payer", "? [a] : b", 27, "organizations.1: names of fields"),
        ("country: CH, kind: payer}", "country: CH, kind: payer", 28, "is not YAML"),
        ("organizations:", "organisations:", 2, "organizations: is required"),
        ("id: PAY-1, name", f"id: {'ñ' * 129}, name", 27, "organizations.1.id: must have at most 256 bytes in UTF-8"),
        ("id: PAY-1, name", f"id: {'ñ' * 128}, name", None, ""),
    ],
)
def test_first_mistake_is_told_with_file_line_and_field(folder: Path, old: str, new: str, line: int | None, told: str) -> None:
    assert REGISTRY.count(old) == 1
    (folder / "registry.yaml").write_text(REGISTRY.replace(old, new), encoding="utf-8")
    if line is None:  # an anchor that nobody uses, or a tag on a mapping, changes nothing
        assert load_registry(folder / "registry.yaml", folder / "schemes")
        return
    message = refusal(folder)
    assert message.startswith(f"registry.yaml:{line}: ")
    assert told in message


def test_aliases_are_refused_before_they_expand(folder: Path) -> None:
    laughs = ["a0: &a0 [x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60))]
    (folder / "registry.yaml").write_text("\n".join(laughs), encoding="utf-8")
    assert "aliases (*name) are not taken" in refusal(folder)
    (folder / "registry.yaml").write_text("organizations: &a [*a]", encoding="utf-8")
    assert "aliases (*name) are not taken" in refusal(folder)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "registry.yaml:1: is empty"),
        (b"\xff", "registry.yaml: is not UTF-8"),
        (b"[]", "registry.yaml:1: must be an object"),
        (b"- " * 10_000 + b"x", "nested too deeply"),
        (b"a: \x07", "is not YAML"),
    ],
)
def test_file_that_is_no_registry_at_all_is_one_line_too(folder: Path, content: bytes, told: str) -> None:
    (folder / "registry.yaml").write_bytes(content)
    assert told in refusal(folder)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('{"organizations": [\n{"id": }]}', "registry.json:2: is not JSON: Expecting value"),
        ('{"organizations": [],\n"organizations": []}', "registry.json:2: organizations: is there twice"),
        ('{"organizations": [\n{"id": "A"}]}', "registry.json:2: organizations.0.name: is required"),
        ("[" * 100_000, "registry.json: is nested too deeply"),
        ("[" * 100 + "]" * 100, "registry.json:1: is nested too deeply"),
    ],
)
def test_mistake_in_a_json_file_is_told_with_its_line_too(folder: Path, content: str, told: str) -> None:
    (folder / "registry.json").write_text(content, encoding="utf-8")
    with pytest.raises(RegistryFileError) as raised:
        load_registry_file(folder / "registry.json")
    assert str(raised.value).removeprefix(f"{folder}/").startswith(told)


def test_programme_without_a_debtor_account_has_no_private_data(folder: Path) -> None:
    line = next(line for line in REGISTRY.splitlines(keepends=True) if "debtor_account" in line)
    (folder / "registry.yaml").write_text(REGISTRY.replace(line, ""), encoding="utf-8")
    assert set(load_registry(folder / "registry.yaml", folder / "schemes").private) == {"ORG-1"}


def test_file_of_absurd_size_is_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_file, "FILE_BYTES_MAX", 100)
    assert refusal(folder) == "registry.yaml: is larger than 100 bytes, and no more are read"
    endless = Path("/dev/zero")  # its size is told as 0
    with pytest.raises(RegistryFileError, match="is larger than 100 bytes"):
        load_registry(endless, folder / "schemes")


def test_missing_files_are_named(folder: Path) -> None:
    (folder / "registry.yaml").unlink()
    assert refusal(folder) == "registry.yaml: cannot be read: No such file or directory"
    with pytest.raises(RegistryFileError, match=r"schemas: cannot be read as a folder of schemes"):
        load_schemes(folder / "schemas")
    (folder / "schemes" / "gram.yaml").unlink()
    with pytest.raises(RegistryFileError, match="holds no scheme"):
        load_schemes(folder / "schemes")


@pytest.mark.parametrize(
    ("old", "new", "line", "told"),
    [
        ('amount: "0.70"', "amount: 0.70", 5, "rate.amount: must be a text in quotes"),
        ('amount: "0.70"', 'amount: "0"', 5, "rate.amount: must be above zero"),
        ("kind: per_mass", "kind: per_lot", 5, "rate.kind: must be one of"),
        ('producer: "1"', 'producer: "0.7", community_fund: "0.31"', 8, "split: must sum to exactly 1"),
        ('producer: "1"', 'producer: "1", community_fund: "0"', 8, "split.community_fund: gives nothing"),
        ("currency: USD", "currency: XAU", 4, "currency: is not a currency"),
        ('provisional_share: "0.90"', 'provisional_share: "1.1"', 7, "provisional_share: must be a share"),
        ("eligible_statuses: [in]", "eligible_statuses: []", 6, "eligible_statuses: must have at least 1"),
        ("eligible_statuses: [in]", "eligible_statuses: [in, in]", 6, "eligible_statuses.1"),
        ('version: "2019-07"', 'version: "2019@07"', 2, "version: "),
        ("from: 2019-07-01}", "from: 2019-07-01, to: 2019-07-01}", 3, "valid.to: must be later"),
        ("verified: assumed\n", "", 1, "verified: is required"),
        ("citations: ", "citation: ", 1, "citations: is required"),
        ("id: gram", f"id: {'g' * 249}", 2, "version: must be shorter"),
        ("id: gram", f"id: {'金' * 86}", 1, "id: must have at most 256 bytes in UTF-8"),
    ],
)
def test_mistake_in_a_scheme_is_told_with_its_line(folder: Path, old: str, new: str, line: int, told: str) -> None:
    assert SCHEME.count(old) == 1
    (folder / "schemes" / "gram.yaml").write_text(SCHEME.replace(old, new), encoding="utf-8")
    message = refusal(folder)
    assert message.startswith(f"schemes/gram.yaml:{line}: "), message
    assert told in message


def test_the_longest_id_and_version_of_a_scheme_make_a_record(folder: Path) -> None:
    (folder / "schemes" / "gram.yaml").write_text(SCHEME.replace("id: gram", f"id: {'g' * 248}"), encoding="utf-8")
    ((record_id, scheme),) = load_schemes(folder / "schemes").items()
    assert len(record_id) == 256
    assert SchemeRecord(id=record_id, apply_id=UUID(int=1), body=scheme).body == scheme


def test_overlapping_and_repeated_versions_are_refused(folder: Path) -> None:
    later = SCHEME.replace('"2019-07"', '"2022"').replace("2019-07-01", "2022-01-01")
    (folder / "schemes" / "later.yaml").write_text(later, encoding="utf-8")
    assert refusal(folder) == "schemes/later.yaml:3: valid.from: overlaps version 2019-07 of gram"
    ended = SCHEME.replace("from: 2019-07-01", "from: 2019-07-01, to: 2022-01-01")
    (folder / "schemes" / "gram.yaml").write_text(ended, encoding="utf-8")
    assert len(load_schemes(folder / "schemes")) == 2
    (folder / "schemes" / "other.yml").write_text(ended, encoding="utf-8")
    assert "schemes/other.yml:2: version: gram@2019-07 is in another file too" in refusal(folder)
