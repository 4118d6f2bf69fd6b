"""A public key of a refiner, and the days on which it may sign.

Goal: the calculation's registry holds keys without knowing anything of cryptography.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Final

KEY_ID_PATTERN: Final = r"^[A-Za-z0-9._-]{1,64}$"  # ends up in headers, files and logs
PUBLIC_KEY_PATTERN: Final = r"^[A-Za-z0-9_-]{43}$"  # 32 bytes in base64url without padding

_KEY_ID: Final = re.compile(KEY_ID_PATTERN)


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A refiner's public key (32 bytes) and the days it is in force: from `starts_on` to before `ends_before`."""

    key_id: str
    public_key: bytes
    starts_on: date
    ends_before: date | None

    def in_force(self, day: date) -> bool:
        """Tell whether it may sign on a day."""
        return self.starts_on <= day and (self.ends_before is None or day < self.ends_before)


def is_key_id(text: str) -> bool:
    """Tell whether a text can be a key's id."""
    return _KEY_ID.fullmatch(text) is not None
