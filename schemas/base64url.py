"""Base64url without padding, strictly.

Source: RFC 7515, section 2; RFC 4648, section 5.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

_ALPHABET: Final = re.compile(r"[A-Za-z0-9_-]+")


def base64url(content: bytes) -> str:
    """Base64url without padding."""
    return urlsafe_b64encode(content).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes | None:
    """The inverse, or None for what base64url() would not have written: one signature has one text."""
    if _ALPHABET.fullmatch(text) is None or len(text) % 4 == 1:
        return None
    content = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    return content if base64url(content) == text else None
