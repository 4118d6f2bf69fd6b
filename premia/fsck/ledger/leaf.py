"""One leaf: readable, in canonical form, with nonce and derived id, and the same as the row that it stands in.

Source: design, section 6; RFC 8785; RFC 9562, section 5.5 (ids derive by name).
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any, Final, NoReturn
from uuid import UUID, uuid5

import orjson

from premia.fsck.deviation import Deviation, DeviationCode
from premia.fsck.streams import Row

PREMIA_NAMESPACE: Final = UUID("8d3f5c1e-6a42-5b9e-9a57-0c7d2f4b8e16")  # written anew: the namespace of all derived ids
INTEGER_MAX: Final = 2**53 - 1  # RFC 8785: numbers are IEEE doubles
NONCE: Final = re.compile(r"[0-9a-f]{32}")
# A number with a point or an exponent, or of 16 digits and more; also in the middle of a text, so what is found is looked at.
PERHAPS_NO_SMALL_INTEGER: Final = re.compile(rb"[:\[,]-?(?:[0-9]+[.eE]|[0-9]{16})")

Leaf = dict[str, Any]


def read_leaf(content: bytes) -> Leaf:
    """A leaf as a dictionary. Raises ValueError if it is none."""
    leaf = orjson.loads(content)
    if not isinstance(leaf, dict):
        raise ValueError(f"a {type(leaf).__name__}")  # noqa: TRY004  bytes that say something else, not a mistake of ours
    return leaf


def check_leaf(row: Row, leaf: Leaf) -> list[Deviation]:
    """What is wrong with a leaf taken by itself. Raises KeyError or TypeError where members are missing or of a wrong kind."""
    where = f"leaf {row['leaf_index']}"
    deviations = [
        Deviation(DeviationCode.LEAF_NOT_ITS_ROW, f"{where}: {name}", f"as in its row: {row[name]}", f"{told}")
        for name, told in _told_of_row(leaf).items()
        if told != row[name]
    ]
    found = _not_canonical(row["leaf"], leaf)
    if found is not None:
        deviations.append(Deviation(DeviationCode.LEAF_NOT_CANONICAL, where, "RFC 8785", found))
    nonce = leaf.get("nonce")
    if not isinstance(nonce, str) or NONCE.fullmatch(nonce) is None:
        deviations.append(Deviation(DeviationCode.NONCE_INVALID, where, "32 digits, 0 to f", f"{nonce!r}"))
    subject = leaf["subject"]
    parts = ("transaction", row["cause_id"], subject["kind"], subject["id"], str(leaf["part"]))
    derived = str(uuid5(PREMIA_NAMESPACE, "\n".join(parts)))
    if leaf["transaction_id"] != derived:
        deviations.append(Deviation(DeviationCode.TRANSACTION_ID_WRONG, where, derived, f"{leaf['transaction_id']}"))
    return deviations


def _told_of_row(leaf: Leaf) -> dict[str, object]:
    """What a leaf tells of the columns of its row."""
    cause = leaf["cause"]
    return {
        "leaf_index": leaf["leaf_index"],
        "transaction_id": leaf["transaction_id"],
        "subject_kind": leaf["subject"]["kind"],
        "subject_id": leaf["subject"]["id"],
        "subject_number": leaf["subject_number"],
        "kind": leaf["kind"],
        "part": leaf["part"],
        "parts": leaf["parts"],
        "effective_on": leaf["effective_on"],
        "recorded_at": datetime.fromisoformat(leaf["recorded_at"]),
        "cause_id": cause["entitlement_id" if cause["kind"] == "entitlement" else "command_id"],
    }


def _not_canonical(content: bytes, leaf: Leaf) -> str | None:
    """What is not canonical, or None. Keys are ASCII in every leaf, so that sorting by bytes is RFC 8785's order."""
    if orjson.dumps(leaf, option=orjson.OPT_SORT_KEYS) != content:
        return "members in another order, spaces, or a text written otherwise"
    if PERHAPS_NO_SMALL_INTEGER.search(content) is None:
        return None
    try:
        # Once more by another reader, which tells every number that is no integer.
        json.loads(content, parse_float=_refuse, parse_int=_small)
    except ValueError as error:
        return str(error)
    return None


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"the number {text}, which is no integer")


def _small(text: str) -> int:
    if abs(int(text)) > INTEGER_MAX:
        raise ValueError(f"the number {text}, beyond 2^53 - 1")
    return int(text)
