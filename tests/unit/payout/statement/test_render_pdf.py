"""The PDF itself: its bytes, its text, its attachment, and that its pages are within their margins."""

from __future__ import annotations

import shutil
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest

from schemas.locale_figures import LanguageUnknownError
from schemas.statement import Statement
from services.payout.statement import render_pdf
from services.payout.statement.errors import StatementUnrenderableError
from services.payout.statement.page import ATTACHMENT_NAME
from services.payout.statement.render_pdf import RenderedStatement, StatementRenderer
from tests.unit.payout.statement.example import every_kind_of_line, nothing_moved, statement, yearly

RESOLUTION_DPI = 60
needs_poppler = pytest.mark.skipif(
    shutil.which("pdftoppm") is None or shutil.which("pdftotext") is None, reason="poppler's tools are not installed"
)


@pytest.fixture(scope="module")
def renderer() -> StatementRenderer:
    return StatementRenderer()


def tool(*command: str) -> bytes:
    return subprocess.run(command, capture_output=True, check=True).stdout


def text_of(rendered: RenderedStatement, folder: Path) -> str:
    """The PDF's text, in reading order, on one line, plain spaces."""
    path = folder / "statement.pdf"
    path.write_bytes(rendered.pdf_bytes)
    return " ".join(tool("pdftotext", "-layout", str(path), "-").decode().split())


def pages(rendered: RenderedStatement, folder: Path) -> list[tuple[int, int, bytes]]:
    """Width, height and grey pixels of each page."""
    path = folder / "statement.pdf"
    path.write_bytes(rendered.pdf_bytes)
    tool("pdftoppm", "-gray", "-r", str(RESOLUTION_DPI), str(path), str(folder / "page"))
    found = []
    for picture in sorted(folder.glob("page-*.pgm")):
        kind, size, depth, pixels = picture.read_bytes().split(b"\n", 3)
        assert (kind, depth) == (b"P5", b"255")
        width, height = map(int, size.split())
        found.append((width, height, pixels))
    return found


def test_the_same_statement_gives_the_same_bytes_from_another_renderer(renderer: StatementRenderer) -> None:
    first, again = renderer.render(statement()), StatementRenderer().render(statement())
    assert first == again
    assert first.pdf_sha256 == sha256(first.pdf_bytes).hexdigest()
    assert first.json_sha256 == sha256(statement().canonical_bytes()).hexdigest()


def test_another_figure_gives_another_hash(renderer: StatementRenderer) -> None:
    other = statement(fine_weight_year_to_date_g="8911.205")
    assert renderer.render(other).json_sha256 != renderer.render(statement()).json_sha256


def test_the_file_declares_itself_as_an_archive_and_as_accessible(renderer: StatementRenderer) -> None:
    pdf = renderer.render(statement()).pdf_bytes
    assert pdf.startswith(b"%PDF-1.7")
    for mark in (b"pdfaid:part>3<", b"pdfaid:conformance>A<", b"pdfuaid:part>1<"):
        assert mark in pdf


@needs_poppler
def test_the_hashed_json_lies_inside(renderer: StatementRenderer, tmp_path: Path) -> None:
    if shutil.which("pdfdetach") is None:
        pytest.skip("poppler's pdfdetach is not installed")
    rendered = renderer.render(statement())
    (tmp_path / "statement.pdf").write_bytes(rendered.pdf_bytes)
    tool("pdfdetach", "-saveall", "-o", str(tmp_path), str(tmp_path / "statement.pdf"))
    attached = (tmp_path / ATTACHMENT_NAME).read_bytes()
    assert sha256(attached).hexdigest() == rendered.json_sha256
    assert Statement.model_validate_json(attached) == statement()


@needs_poppler
def test_the_page_says_what_a_treasurer_must_know(renderer: StatementRenderer, tmp_path: Path) -> None:
    rendered = renderer.render(statement())
    text = text_of(rendered, tmp_path)
    for words in (
        "MUESTRA \u2013 DATOS SINTÉTICOS",
        "Estado de cuenta de primas",
        "N.º 0012-2025-03",
        "Asociación Minera Ejemplo · RUC 20601234567 · Chala, Perú",
        "USD 2,475.15 salieron de nuestro banco el 28/03/2025 hacia su cuenta en dólares terminada en 8890",
        "Trasladado (menos que el mínimo)",
        "En camino (enviado, no debitado)",
        "2,140.599 \u00d7 0.70 = 1,498.42; adelanto 90 % 1,348.58",
        "1,495.50 \u00d7 812.300 / 2,136.433",
        "Total de primas del periodo 2,514.91",
        "= SALDO FINAL al 31/03/2025 448.22",
        "Ley final: promedio del ensaye del vendedor (873.5) y del comprador (873.1); difieren 0.4, el límite es 0.5 ‰.",
        "Este documento no es comprobante de pago ni liquidación de compra (SUNAT). Consulte a su contador.",
        rendered.json_sha256,
    ):
        assert words in text
    # Every section is there, in its order (the second stands beside the first).
    titles = ["1. Resumen en USD", "3. Sus lotes", "4. Ajustes", "5. Devoluciones", "6. Fondo comunitario", "7. Reclamos"]
    places = [text.index(title) for title in [*titles, "8. Verificar"]]
    assert places == sorted(places)


@needs_poppler
@pytest.mark.parametrize(
    "issued", [statement(), every_kind_of_line(), nothing_moved(), yearly(60)], ids=["example", "all", "none", "year"]
)
def test_no_page_is_empty_and_nothing_leaves_the_margins(
    renderer: StatementRenderer, issued: Statement, tmp_path: Path
) -> None:
    found = pages(renderer.render(issued), tmp_path)
    assert found
    margin = RESOLUTION_DPI * 15 // 25  # the page keeps 16 mm at the sides
    for width, height, pixels in found:
        lines = [pixels[row * width : (row + 1) * width] for row in range(height)]
        # The watermark is light and may reach everywhere; ink is dark.
        assert any(min(row) < 100 for row in lines)
        assert all(min(row[: margin - 2]) > 100 and min(row[-margin + 2 :]) > 100 for row in lines)
        assert all(min(row) > 100 for row in (*lines[: margin // 2], *lines[-margin // 2 :]))


@needs_poppler
def test_three_hundred_lots_repeat_the_tables_head_on_every_page(renderer: StatementRenderer, tmp_path: Path) -> None:
    rendered = renderer.render(yearly(300))
    (tmp_path / "year.pdf").write_bytes(rendered.pdf_bytes)
    printed = tool("pdftotext", "-layout", str(tmp_path / "year.pdf"), "-").decode().split("\f")
    with_lots = [page for page in printed if "provisional" in page]
    assert len(with_lots) > 10
    assert all("Cálculo" in page and "Asiento" in page for page in with_lots)
    assert sum(page.count("final ") for page in printed) >= 300
    assert "BO-2025-000299" in printed[-3] + printed[-2] + printed[-1]


@needs_poppler
@pytest.mark.parametrize("lots", range(9, 17))
def test_the_total_stands_on_the_page_of_the_last_lot(renderer: StatementRenderer, tmp_path: Path, lots: int) -> None:
    (tmp_path / "year.pdf").write_bytes(renderer.render(yearly(lots)).pdf_bytes)
    printed = tool("pdftotext", "-layout", str(tmp_path / "year.pdf"), "-").decode().split("\f")
    (with_total,) = [page for page in printed if "Total de primas" in page]
    assert f"-{lots - 1:06}" in with_total


@needs_poppler
def test_what_is_not_synthetic_has_no_banner(renderer: StatementRenderer, tmp_path: Path) -> None:
    assert "MUESTRA" not in text_of(renderer.render(every_kind_of_line()), tmp_path)


@needs_poppler
def test_names_are_shown_as_they_are_and_never_run_as_code(renderer: StatementRenderer, tmp_path: Path) -> None:
    name = 'Coop. #sys.inputs "$x$" \\ *Ñandú* <a> @b [c] //d'
    payee = {"kind": "org", "id": "X", "name": name, "country": "PE"}
    assert name in text_of(renderer.render(statement(payee=payee)), tmp_path)


@needs_poppler
def test_names_of_any_length_wrap(renderer: StatementRenderer, tmp_path: Path) -> None:
    payee = {"kind": "org", "id": "X", "name": "Asociación " * 22, "country": "PE", "town": "Villa " * 20}
    rendered = renderer.render(statement(payee=payee))
    for width, _, pixels in pages(rendered, tmp_path):
        right_edge = [pixels[start + width - 20 : start + width] for start in range(0, len(pixels), width)]
        assert min(min(edge) for edge in right_edge if edge) > 100


def test_a_language_without_words_is_refused(renderer: StatementRenderer) -> None:
    with pytest.raises(LanguageUnknownError):
        renderer.render(statement(locale="fr_CH"))


def test_what_the_typesetter_refuses_is_told_with_its_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "broken.typ"
    broken.write_text("#nonsense()")
    monkeypatch.setattr(render_pdf, "TEMPLATE_FILE", broken)
    with pytest.raises(StatementUnrenderableError, match="nonsense"):
        StatementRenderer().render(statement())
