"""Cursors: where a page ended, for the client to hand back unseen.

Goal: the next page goes on exactly where the last one ended, at the tree size of the first.
Method: JSON in base64url: a hash of the question that was asked (path and parameters), so that no cursor is taken for another
question's; the tree size; and the place in the list. Nothing in it is secret, and nothing is believed beyond its types: a
forged one reads from another place.
Refuses: CURSOR_INVALID.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

import orjson
from pydantic import BaseModel

from schemas.base64url import base64url, from_base64url
from services.ledger.errors import RefusalCode
from services.runtime.http import RefusedError

Place = tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """At which tree size, and after which place; no place: the first page."""

    tree_size: int
    after: Place | None


def _is_storable(value: object) -> bool:
    """Whether PostgreSQL can take it for a bigint or a text."""
    return -(2**63) <= value < 2**63 if isinstance(value, int) else "\0" not in str(value)


class Question:
    """What is asked, without the cursor."""

    def __init__(self, path: str, asked: BaseModel) -> None:
        """`asked` are the parameters, of which `cursor` and `limit` may differ from page to page."""
        parameters = asked.model_dump(mode="json", exclude={"cursor", "limit"})
        self._hash = sha256(orjson.dumps([path, parameters], option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]

    def cursor_after(self, page: Page, place: Place) -> str:
        """The cursor that goes on after a place."""
        return base64url(orjson.dumps([self._hash, page.tree_size, *place]))

    def page_of(self, cursor: str, present_size: int, *types: type) -> Page:
        """What a cursor says; its place has values of these types. Raises RefusedError, also for a size that is yet to come."""
        try:
            question, tree_size, *place = orjson.loads(from_base64url(cursor) or b"")
        except (ValueError, TypeError):
            question, tree_size, place = "", 0, []
        told = [tree_size, *place]
        fits = question == self._hash and [type(value) for value in told] == [int, *types] and all(map(_is_storable, told))
        if not fits or not 0 <= tree_size <= present_size:
            message = "hand a cursor back as it was given, with the same path and parameters; or ask for the first page"
            raise RefusedError(RefusalCode.CURSOR_INVALID, message, status=400)
        return Page(tree_size, tuple(place))
