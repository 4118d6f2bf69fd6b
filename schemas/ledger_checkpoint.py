"""The ledger's signed checkpoints (`ledger.checkpoints.v1`), keyed by the log's origin.

Goal: whoever keeps one can later prove that the log still begins with it, without asking anyone.
Method: `checkpoint` is the whole signed note (C2SP tlog-checkpoint), with the cosignatures that witnesses have given so far;
the other fields repeat what it says. The same size is published again when a witness has signed it.
Source: design, section 6; C2SP tlog-checkpoint and tlog-cosignature.
"""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from schemas.identifiers import CountingFromZero
from schemas.ledger_command import Closed

LEDGER_CHECKPOINT_TYPE: Final = "ledger.checkpoint.v1"
ORIGIN_PATTERN: Final = r"^[^\s+]{1,256}$"
ROOT_PATTERN: Final = r"^[A-Za-z0-9+/]{43}=$"  # 32 bytes in base64


class LedgerCheckpoint(Closed):
    """One checkpoint."""

    origin: Annotated[str, Field(pattern=ORIGIN_PATTERN)]
    tree_size: CountingFromZero
    root_hash: Annotated[str, Field(pattern=ROOT_PATTERN)]
    checkpoint: str
