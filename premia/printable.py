"""What outsiders wrote, without what a terminal would obey, and on one line."""

from __future__ import annotations


def printable(text: str) -> str:
    """The text with every sign that does not print, control characters and line ends among them, as its code point."""
    return "".join(sign if sign.isprintable() else f"\\u{ord(sign):04x}" for sign in text)
