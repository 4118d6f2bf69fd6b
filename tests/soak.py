"""How long the long tests are.

Goal: `make test` stays quick, `make soak` runs the full counts of the same tests.
Method: property tests ask `examples` for their count; with PREMIA_SOAK set it is 250 times as large (100,000 instead of
400 malformed sales).
"""

from __future__ import annotations

import os
from typing import Final

SOAK_FACTOR: Final = 250


def examples(count: int) -> int:
    """Examples of a property test: `count`, or the full number when soaking."""
    return count * SOAK_FACTOR if os.environ.get("PREMIA_SOAK") else count
