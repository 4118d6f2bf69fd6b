"""What a service's log says, and how often."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from services.runtime import logging as service_logging


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What is written to stderr by the handler that a service installs."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    written = io.StringIO()
    monkeypatch.setattr("sys.stderr", written)
    monkeypatch.setenv("PREMIA_LOG", "json")
    service_logging.configure_logging()
    yield written
    root.handlers[:], root.level = handlers, level
    logging.getLogger("services").setLevel(logging.NOTSET)


def messages(log: io.StringIO) -> list[str]:
    return [json.loads(line)["message"] for line in log.getvalue().splitlines()]


def test_libraries_speak_from_warning_and_our_own_code_from_info(log: io.StringIO) -> None:
    logging.getLogger("somelibrary").info("not said")
    logging.getLogger("services.ledger").debug("not said either")
    logging.getLogger("services.ledger").info("said")
    assert messages(log) == ["said"]


def test_what_a_library_repeats_is_said_once_in_a_while_with_the_number_left_out(
    log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = logging.getLogger("somelibrary")
    for node in range(5):
        library.error("no connection to %d", node)
    library.error("another")
    monkeypatch.setattr(service_logging, "REPEAT_S", 0.0)
    library.error("no connection to %d", 9)
    assert messages(log) == ["no connection to 0", "another", "no connection to 9 (4 more like it left out)"]


def test_our_own_messages_are_all_said(log: io.StringIO) -> None:
    for _ in range(3):
        logging.getLogger("services.ledger").warning("held")
    assert messages(log) == ["held"] * 3
