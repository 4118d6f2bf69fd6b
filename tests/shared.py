"""Where the specifications beside the checkout lie. Tests read them; the product never does."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest

SHARED: Final = Path(os.environ.get("PREMIA_SHARED") or Path(__file__).resolve().parents[2] / "shared")

needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the specifications are not beside this checkout")
