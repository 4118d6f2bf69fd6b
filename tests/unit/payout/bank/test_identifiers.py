from __future__ import annotations

import re
from uuid import UUID

import pytest

from services.payout.bank import identifiers
from tests.unit.payout.bank.payment_files import FILE_ID, order_id


def test_the_same_attempt_has_the_same_identifiers_for_ever() -> None:
    # Written down, not computed: if these change, a payment in flight at that moment could be paid twice.
    order = UUID("5b0e6f9e-3f0a-5d8f-9c39-0b1f0c2d3e4f")
    assert identifiers.end_to_end_id(order, 1) == "4b09c854761ca536048b925522887c92"
    assert str(identifiers.uetr(order, 1)) == "921db426-cc32-4d05-a4af-bc983d754a20"


def test_another_attempt_and_another_order_have_identifiers_of_their_own() -> None:
    attempts = [(order_id(order), attempt) for order in range(50) for attempt in (1, 2, 3)]
    assert len({identifiers.end_to_end_id(*attempt) for attempt in attempts}) == len(attempts)
    assert len({identifiers.uetr(*attempt) for attempt in attempts}) == len(attempts)


def test_identifiers_have_the_form_that_banks_accept() -> None:
    for number in range(200):
        assert re.fullmatch(r"[0-9a-f]{32}", identifiers.end_to_end_id(order_id(number), 1))
        written = str(identifiers.uetr(order_id(number), 1))
        assert re.fullmatch(r"[a-f0-9]{8}-[a-f0-9]{4}-4[a-f0-9]{3}-[89ab][a-f0-9]{3}-[a-f0-9]{12}", written)
    for identifier in (identifiers.message_id(FILE_ID), identifiers.payment_information_id(FILE_ID)):
        assert re.fullmatch(r"[0-9a-f-]{1,35}", identifier)


def test_end_to_end_id_and_uetr_of_an_attempt_do_not_resemble_each_other() -> None:
    assert identifiers.uetr(order_id(1), 1).hex != identifiers.end_to_end_id(order_id(1), 1)


@pytest.mark.parametrize("attempt", [0, -1])
def test_attempts_count_from_one(attempt: int) -> None:
    with pytest.raises(ValueError, match="count from 1"):
        identifiers.end_to_end_id(order_id(1), attempt)
