"""From sales to balances, calculator and ledger together, without Kafka and PostgreSQL: what a lot's revisions leave behind."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from aiokafka import ConsumerRecord
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from schemas.cloudevents import CloudEventAttributes
from schemas.dead_letter import DeadLetter
from schemas.gold_sale import SALE_TYPE
from schemas.topics import ENTITLEMENTS, SALES, SALES_DEAD
from services.ledger.adapters.entitlement_topic import read_entitlement
from services.ledger.domain.account import AccountKey
from services.ledger.domain.books import Books, LotHead
from services.ledger.domain.post_entitlement import Advances, Superseded, post_entitlement
from services.premium_calculator.adapters.sale_answer import answer
from tests.soak import examples
from tests.unit.premium_calculator.programme import assays, encoded, registry
from tests.unit.premium_calculator.test_properties import finenesses, valid_sales

NOW = datetime(2025, 3, 20, 12, tzinfo=UTC)


def posted(*revisions: dict[str, Any]) -> dict[AccountKey, int]:
    """The balances (credits less debits, but for zeroes) after these revisions of one lot, in the order given."""
    books = Books()
    for offset, fields in enumerate(revisions):
        headers = CloudEventAttributes(f"event-{offset}", "/refiners/REF", SALE_TYPE, NOW).to_headers()
        sent = encoded(fields)
        message = answer(record(SALES, offset, b"REF/LOT-1", sent, headers), registry(), NOW)[0]
        if message.topic == SALES_DEAD:  # a ton of gold by the thousand million: the one thing that such sales are refused for
            assert "beyond what the ledger holds" in DeadLetter.from_headers(message.headers).message
            reject()
        assert message.key is not None
        entitlement = read_entitlement(record(ENTITLEMENTS, offset, message.key, message.value, message.headers))
        decided = post_entitlement(books, entitlement)
        assert isinstance(decided, Advances | Superseded), decided
        if isinstance(decided, Advances):
            for draft in decided.drafts:
                books.post(draft.transfers)
            books.lot_heads[entitlement.lot] = LotHead(entitlement.position, entitlement.entitlement_id)
            books.lot_lines[entitlement.lot] = decided.lines
    return {key: balance for key in books.balances if (balance := books.credit_balance(key))}


def record(topic: str, offset: int, key: bytes, value: bytes, headers: Any) -> ConsumerRecord[Any, Any]:
    return ConsumerRecord(topic, 0, offset, 0, 0, key, value, None, len(key), len(value), tuple(headers))


@settings(max_examples=examples(60), deadline=None)
@given(fields=valid_sales(), seller=finenesses, data=st.data())
def test_what_counts_last_leaves_what_it_alone_would_leave(fields: dict[str, Any], seller: str, data: st.DataObject) -> None:
    final = fields | {"revision": 3}
    provisional = fields | {"revision": 1, "stage": "provisional", "assays": assays(seller=seller)}
    other = data.draw(valid_sales()) | {"revision": 2}
    alone = posted(final)
    assert posted(provisional, final) == alone
    assert posted(*data.draw(st.permutations([provisional, other, final]))) == alone


@settings(max_examples=examples(40), deadline=None)
@given(fields=valid_sales())
def test_a_cancelled_lot_leaves_nothing(fields: dict[str, Any]) -> None:
    assert posted(fields | {"revision": 1}, fields | {"revision": 2, "stage": "cancelled"}) == {}
