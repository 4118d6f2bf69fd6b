"""A statement as PDF/A-3a with its data attached.

Goal: a paper that a treasurer can print, a bank can file, and anybody can check: the JSON that was hashed lies inside it.
Method: the page's texts go to one typst template as data. Fonts are the typesetter's own and the creation date is the day of
issue, so the same statement gives the same bytes on every machine. Tagged (PDF/A-3a and PDF/UA-1), so it can be read aloud.
Refuses: LanguageUnknownError; StatementUnrenderableError with the typesetter's message.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, time
from hashlib import sha256
from pathlib import Path
from typing import Final

import orjson
import typst

from schemas.statement import Statement
from services.payout.statement.errors import StatementUnrenderableError
from services.payout.statement.page import ATTACHMENT_NAME, statement_page

TEMPLATE_FILE: Final = Path(__file__).with_name("statement.typ")
PDF_STANDARDS: Final[list[typst.PDFStandard]] = ["a-3a", "ua-1"]


@dataclass(frozen=True, slots=True)
class RenderedStatement:
    """Both files of one statement, and the hashes that they are stored by."""

    json_bytes: bytes
    json_sha256: str
    pdf_bytes: bytes
    pdf_sha256: str


class StatementRenderer:
    """Renders statements one after another; keep one for each thread, because making it loads the fonts."""

    def __init__(self) -> None:
        """Load the typesetter's own fonts and the template."""
        self._template = TEMPLATE_FILE.read_bytes()
        self._compiler = typst.Compiler(ignore_system_fonts=True)

    def render(self, statement: Statement) -> RenderedStatement:
        """JSON and PDF of a statement; the same statement gives the same bytes."""
        json_bytes = statement.canonical_bytes()
        json_sha256 = sha256(json_bytes).hexdigest()
        page = statement_page(statement, json_sha256)
        try:
            pdf = self._compiler.compile(
                self._template,
                format="pdf",
                sys_inputs={
                    "page": orjson.dumps(asdict(page)).decode(),
                    "document": json_bytes.decode(),
                    "attachment": ATTACHMENT_NAME,
                    "issued": statement.issued_on.isoformat(),
                },
                pdf_standards=PDF_STANDARDS,
                timestamp=datetime.combine(statement.issued_on, time(), UTC),
            )
        except typst.TypstError as error:
            raise StatementUnrenderableError(f"{error.message}: {error.diagnostic}") from error
        assert isinstance(pdf, bytes), "one input gives one PDF"
        return RenderedStatement(json_bytes, json_sha256, pdf, sha256(pdf).hexdigest())
