"""Checkboxes are found before their labels, ticked or not; letters, frames and the cells of tables are none."""

import pytest

from app.textract_server.blocks import page_blocks
from app.textract_server.geometry import Box
from app.textract_server.readings import Word
from tests.textract_server.drawing import CONFIDENCE, HEIGHT, WIDTH, Drawing


def box(page: Drawing, left: int, top: int, *, side: int = 32, ticked: bool = False, shade: int = 0) -> None:
    for line in ((0, 0, side, 0), (0, side, side, side), (0, 0, 0, side), (side, 0, side, side)):
        page.rule(left + line[0], top + line[1], left + line[2], top + line[3], shade=shade)
    if ticked:
        page.rule(left, top, left + side, top + side)
        page.rule(left, top + side, left + side, top)


def ticks_of(page: Drawing) -> dict[str, bool]:
    pairs = page.analysed().key_values
    return {
        " ".join(word.text for word in pair.key): pair.selection.is_selected
        for pair in pairs
        if pair.selection is not None
    }


@pytest.mark.parametrize("side", [20, 32, 50])
@pytest.mark.parametrize("shade", [0, 140])
def test_a_box_is_ticked_or_not(side: int, shade: int) -> None:
    """Its place is that of its sides, and it is told as an element of the page as well."""
    page = Drawing()
    for row, (label, ticked) in enumerate([("Health care worker", True), ("Home resident", False)]):
        top = 300 + 100 * row
        box(page, 200, top, side=side, ticked=ticked, shade=shade)
        page.text(280, top + 26, label)
    reading = page.analysed()
    assert ticks_of(page) == {"Health care worker": True, "Home resident": False}
    assert [each.is_selected for each in reading.selections] == [True, False]
    place = reading.selections[0].box
    found = (place.left * WIDTH, place.top * HEIGHT, place.right * WIDTH, place.bottom * HEIGHT)
    assert found == pytest.approx((200, 300, 200 + side, 300 + side), abs=4)


def test_a_line_may_have_several_boxes() -> None:
    page = Drawing()
    box(page, 200, 300, ticked=True)
    page.text(250, 326, "Yes")
    box(page, 400, 300)
    page.text(450, 326, "No")
    assert ticks_of(page) == {"Yes": True, "No": False}


def test_a_box_that_was_read_as_a_word_is_no_part_of_its_label() -> None:
    """Tesseract takes empty boxes for the letter O, and for brackets."""
    page = Drawing()
    box(page, 200, 300)
    page.text(250, 326, "Agreed")
    (word,) = page.lines.pop()
    page.lines.append((Word("C)", CONFIDENCE, Box(200 / WIDTH, 300 / HEIGHT, 234 / WIDTH, 334 / HEIGHT)), word))
    assert ticks_of(page) == {"Agreed": False}


def test_what_is_no_checkbox() -> None:
    """Letters with straight sides, a frame around a word, half a box, and the cells of a table."""
    page = Drawing(size=44)
    page.text(200, 300, "HID MOON DOH BED II Oregon")
    page.grid((400, 470), (190, 420))
    page.text(200, 450, "Framed")
    page.rule(200, 600, 232, 600)
    page.rule(200, 600, 200, 632)
    page.rule(232, 600, 232, 632)
    page.text(280, 632, "Open below")
    page.grid((800, 850, 900), (200, 250, 300, 350))
    page.text(380, 840, "Squares")
    page.text(380, 890, "Again")
    assert page.analysed().selections == ()


def test_a_checkbox_in_a_table_is_told_with_it() -> None:
    """Also where only tables are asked for; one beside the table is not, then."""
    page, rows, columns = Drawing(), (300, 380, 460), (200, 700, 1200)
    page.grid(rows, columns)
    page.fill(rows, columns, [["Do you smoke?", ""], ["Do you drink?", ""]])
    for row, ticked in zip(rows, (True, False), strict=False):
        box(page, 800, row + 20, ticked=ticked)
        page.text(860, row + 46, "Yes")
    box(page, 200, 700)
    page.text(260, 726, "Agreed")
    reading = page.analysed(frozenset({"TABLES"}))
    assert [each.is_selected for each in reading.selections] == [True, False]
    assert reading.key_values == ()
    assert len(page.analysed().selections) == 3
    blocks = page_blocks(reading, 1)
    ids = [block["Id"] for block in blocks if block["BlockType"] == "SELECTION_ELEMENT"]
    cells = [block for block in blocks if block["BlockType"] == "CELL" and block["ColumnIndex"] == 2]
    assert [cell["Relationships"][0]["Ids"][0] for cell in cells] == ids
