"""The AsyncAPI document, read by the parser that other people's tools use."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.contract.consumer import DEAD_LETTER, errors, newest

ROOT: Final = Path(__file__).parents[2]
TOOLS: Final = ROOT / ".tools" / "asyncapi"
PARSER: Final = "@asyncapi/parser"
PARSER_VERSION: Final = "3.6.3"
INSTALL_TIMEOUT_S: Final = 240
PARSE_TIMEOUT_S: Final = 120


@pytest.fixture(scope="module")
def parser() -> Path:
    """The folder that the parser is in, installed once."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("AsyncAPI's parser needs node and npm, which are not on this machine")
    package = TOOLS / "node_modules" / PARSER / "package.json"
    if not package.is_file() or json.loads(package.read_text(encoding="utf-8"))["version"] != PARSER_VERSION:
        TOOLS.mkdir(parents=True, exist_ok=True)
        (TOOLS / "package.json").write_text('{"private": true}\n', encoding="utf-8")  # else npm installs further up
        run("npm", "install", "--no-save", "--no-package-lock", "--no-audit", "--no-fund", f"{PARSER}@{PARSER_VERSION}")
    return TOOLS / "node_modules"


def run(*command: str) -> None:
    subprocess.run(command, cwd=TOOLS, check=True, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S)


def parsed(parser: Path, document: Path) -> tuple[int, str]:
    script = Path(__file__).with_name("parse_asyncapi.mjs")
    done = subprocess.run(
        ["node", str(script), str(parser), str(document)],
        check=False,
        capture_output=True,
        text=True,
        timeout=PARSE_TIMEOUT_S,
    )
    return done.returncode, done.stdout + done.stderr


def test_the_document_passes_without_a_single_remark(parser: Path) -> None:
    assert parsed(parser, newest() / "asyncapi.json") == (0, "AsyncAPI 3.1.0, 14 channels\n")


def test_a_document_with_a_loose_end_is_seen(parser: Path, tmp_path: Path) -> None:
    document = json.loads((newest() / "asyncapi.json").read_text(encoding="utf-8"))
    del document["components"]["schemas"]["gold.sales.v1.Weight"]
    spoilt = tmp_path / "asyncapi.json"
    spoilt.write_text(json.dumps(document), encoding="utf-8")
    code, output = parsed(parser, spoilt)
    assert code == 1
    assert "gold.sales.v1.Weight" in output


def test_examples_in_the_document_keep_the_schemas_of_the_document() -> None:
    # The parser above looks into no example of AsyncAPI 3.
    document = json.loads((newest() / "asyncapi.json").read_text(encoding="utf-8"))
    messages = document["components"]["messages"]
    for name, message in messages.items():
        for example in message.get("examples", ()):
            assert errors({"components": document["components"]} | message["payload"], example["payload"]) == [], name
            assert errors(message["headers"], example["headers"]) == [], name
    assert {name for name, message in messages.items() if "examples" not in message} == {DEAD_LETTER}
