"""What goes wrong with a statement's pages."""

from __future__ import annotations


class StatementError(Exception):
    """Root of this package's exceptions."""


class StatementUnrenderableError(StatementError):
    """The typesetter refused the document: a fault of the template; the message is its own."""
