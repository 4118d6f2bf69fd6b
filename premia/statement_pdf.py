"""A statement's PDF, read back.

Goal: whoever holds the paper's file can tell whether it is what was issued.
Method: pypdf takes the attached JSON out; the pages are printed anew from it and compared byte for byte, because the same
statement always gives the same file.
Refuses: WrongUseError for a PDF that cannot be read or that holds no statement.
"""

from __future__ import annotations

import io
import zlib
from typing import Final

from pypdf import PdfReader
from pypdf.errors import PyPdfError

from schemas.statement import Statement
from services.payout.statement.errors import StatementUnrenderableError
from services.payout.statement.page import ATTACHMENT_NAME
from services.payout.statement.render_pdf import StatementRenderer
from verifier.command_line import PdfCopy, WrongUseError

# What pypdf raises for PDFs that are damaged in ways that it does not foresee.
UNREADABLE: Final = (
    PyPdfError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RuntimeError,  # among them too deep a nesting, and what it does not implement
    TypeError,
    ValueError,
    zlib.error,
)


def read_statement_pdf(content: bytes) -> PdfCopy:
    """The JSON that lies inside, and whether the pages are what is printed of it."""
    try:
        attached = PdfReader(io.BytesIO(content)).attachments.get(ATTACHMENT_NAME, [])
    except UNREADABLE as error:
        raise WrongUseError(f"the PDF cannot be read: {error}") from error
    if len(attached) != 1:
        raise WrongUseError(
            f"the PDF is no statement: it has {len(attached)} attachments named {ATTACHMENT_NAME}, one is expected"
        )
    document = bytes(attached[0])
    return PdfCopy(document, _prints_as(document, content))


def _prints_as(document: bytes, content: bytes) -> bool | None:
    try:
        return StatementRenderer().render(Statement.model_validate_json(document)).pdf_bytes == content
    except (ValueError, StatementUnrenderableError):
        return None  # a statement of another version, or none: the hash decides
