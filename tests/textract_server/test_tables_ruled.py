"""Ruled tables of born-digital documents, from their bytes to their cells: however they are ruled, and on whatever page."""

from io import BytesIO
from pathlib import Path

import pytest
from reportlab.lib import colors  # type: ignore[import-untyped]  # it ships no types
from reportlab.lib.pagesizes import letter  # type: ignore[import-untyped]  # it ships no types
from reportlab.pdfgen.canvas import Canvas  # type: ignore[import-untyped]  # it ships no types
from reportlab.platypus import Table, TableStyle  # type: ignore[import-untyped]  # it ships no types

from app.textract_server.analysis import analysed
from app.textract_server.formats import open_document
from app.textract_server.kinds import DocumentKind
from app.textract_server.limits import ReadingLimits
from app.textract_server.readings import PageReading
from tests.textract_server.drawing import BOTH, rows_of

GOODS = [
    ["Item", "Qty", "Unit price", "Amount"],
    ["Copper valve DN40", "12", "$14.50", "$174.00"],
    ["Steel flange DN40", "24", "$9.25", "$222.00"],
    ["Gasket set", "10", "$3.10", "$31.00"],
    ["Freight", "1", "$45.00", "$45.00"],
]
ALL, END = (0, 0), (-1, -1)
HAIRLINES = ("GRID", ALL, END, 0.5, colors.black)
SMALL_PRINT = "The parties agree that the goods listed below are delivered to the buyer in Hamburg."


def analysed_page(
    folder: Path, style: list[tuple[object, ...]], *, small_print: float = 9, tables: int = 1
) -> PageReading:
    """A page of small print with tables of goods below it, as the server sees it."""
    content = BytesIO()
    canvas = Canvas(content, pagesize=letter)
    canvas.setFont("Times-Roman", small_print)
    for line in range(9):
        canvas.drawString(72, 740 - 14 * line, SMALL_PRINT)
    for number in range(tables):
        table = Table(GOODS, colWidths=(200, 60, 80, 80), style=TableStyle(style))
        table.wrapOn(canvas, 500, 500)
        table.drawOn(canvas, 72, 400 - 200 * number)
    canvas.save()
    path = folder / "goods.pdf"
    path.write_bytes(content.getvalue())
    document = open_document(path, DocumentKind.PDF)
    try:
        reading = document.text(1)
        assert reading is not None
        return analysed(reading, lambda: document.raster(1, ReadingLimits()), BOTH)
    finally:
        document.close()


@pytest.mark.parametrize(
    "style",
    [
        *([("GRID", ALL, END, width, colors.black)] for width in (0.25, 0.5, 1, 2)),
        [("INNERGRID", ALL, END, 0.25, colors.black), ("BOX", ALL, END, 1, colors.black)],
        [("INNERGRID", ALL, END, 0.5, colors.black)],
        [HAIRLINES, ("BACKGROUND", ALL, (-1, 0), colors.lightblue)],
        [HAIRLINES, ("TOPPADDING", ALL, END, 8), ("BOTTOMPADDING", ALL, END, 8)],
        [HAIRLINES, ("ALIGN", (1, 0), END, "RIGHT")],
    ],
)
def test_a_grid_may_be_ruled_in_any_manner(tmp_path: Path, style: list[tuple[object, ...]]) -> None:
    """Hairlines and bars, with and without a box, a coloured header, wide rows: two of them on a page."""
    assert [rows_of(table) for table in analysed_page(tmp_path, style, tables=2).tables] == [GOODS] * 2


@pytest.mark.parametrize("size", [9, 10, 11])
@pytest.mark.parametrize("small_print", [6, 8])
def test_a_table_may_be_set_larger_than_the_rest(tmp_path: Path, size: int, small_print: float) -> None:
    """The strokes of letters that stand under each other in close rows are no rulings."""
    style = [HAIRLINES, ("FONTSIZE", ALL, END, size), ("TOPPADDING", ALL, END, 1), ("BOTTOMPADDING", ALL, END, 0)]
    (table,) = analysed_page(tmp_path, style, small_print=small_print).tables
    assert rows_of(table) == GOODS
