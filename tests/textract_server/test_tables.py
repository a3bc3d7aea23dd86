"""Tables are found by their rulings or by their columns, and nothing else on a page is taken for one."""

from itertools import pairwise, product

import pytest

from app.textract_server.analysis import analysed
from app.textract_server.geometry import Box, QuarterTurns
from app.textract_server.readings import PageReading, Word
from app.textract_server.rulings import find_rulings
from tests.textract_server.drawing import BOTH, HEIGHT, WIDTH, Drawing, rows_of, spans_of, without_features

ROWS, COLUMNS = (300, 380, 460, 540), (200, 600, 1000, 1500)
STOCK = [["Item", "Number", "Price"], ["Paper", "12", "4.50"], ["Ink", "3", "19.00"]]
SENTENCE = "the motion was filed in time and the parties have agreed to extend the schedule again"


def ruled(*, shade: int = 0, lean: float = 0.0) -> Drawing:
    page = Drawing()
    page.grid(ROWS, COLUMNS, shade=shade, lean=lean)
    page.fill(ROWS, COLUMNS, STOCK, lean=lean)
    return page


def test_a_ruled_table_has_its_rows_columns_and_header() -> None:
    """Edges are where the rulings are, and the words are those of the page, not copies."""
    reading = ruled().analysed()
    (table,) = reading.tables
    assert rows_of(table) == STOCK
    assert [cell.is_header for cell in table.cells] == [True] * 3 + [False] * 6
    assert table.row_edges == pytest.approx([row / HEIGHT for row in ROWS], abs=0.002)
    assert table.column_edges == pytest.approx([column / WIDTH for column in COLUMNS], abs=0.002)
    assert 0 < table.confidence <= 100
    words = {id(word) for line in reading.lines for word in line}
    assert all(id(word) in words for cell in table.cells for word in cell.words)


@pytest.mark.parametrize("shade", [0, 120, 220])
def test_rulings_may_be_faint(shade: int) -> None:
    """Light grey ones are rulings too."""
    (table,) = ruled(shade=shade).analysed().tables
    assert rows_of(table) == STOCK


@pytest.mark.parametrize("lean", [-0.02, 0.012, 0.03])
def test_a_page_may_be_askew(lean: float) -> None:
    """A scan that leans by a degree or two has the same table."""
    (table,) = ruled(lean=lean).analysed().tables
    assert rows_of(table) == STOCK


@pytest.mark.parametrize("turns", list(QuarterTurns))
def test_a_page_may_lie_on_its_side(turns: QuarterTurns) -> None:
    """Boxes are of the upright page, while the pixels come as the page lies in the document."""
    (table,) = ruled().analysed(turns=turns).tables
    assert rows_of(table) == STOCK
    assert table.row_edges == pytest.approx([row / HEIGHT for row in ROWS], abs=0.003)


def test_cells_without_a_ruling_between_them_are_one() -> None:
    """One across all columns, one over two rows."""
    page = Drawing()
    rows, columns = (300, 380, 460, 540, 620), (200, 600, 1000, 1500)
    for row in (300, 380, 460, 620):
        page.rule(columns[0], row, columns[-1], row)
    page.rule(columns[1], 540, columns[-1], 540)
    for column in (columns[0], columns[-1]):
        page.rule(column, rows[0], column, rows[-1])
    for column in columns[1:-1]:
        page.rule(column, rows[1], column, rows[-1])
    page.text(700, 345, "Balance sheet")
    page.fill(rows[1:], columns, [["Date", "What", "Sum"], ["Monday", "Paper", "4.50"], ["", "Ink", "19.00"]])
    (table,) = page.analysed().tables
    assert rows_of(table) == [["Balance sheet"], ["Date", "What", "Sum"], ["Monday", "Paper", "4.50"], ["Ink", "19.00"]]
    assert spans_of(table) == {(1, 1): (1, 3), (3, 1): (2, 1)}
    assert [cell.row for cell in table.cells if cell.is_header] == [2, 2, 2]


def test_a_table_may_be_open_at_its_sides() -> None:
    """Rulings that go on beyond the last one that crosses them make a column."""
    page = Drawing()
    for row in ROWS:
        page.rule(COLUMNS[0], row, COLUMNS[-1], row)
    for column in COLUMNS[1:-1]:
        page.rule(column, ROWS[0], column, ROWS[-1])
    page.fill(ROWS, COLUMNS, STOCK)
    (table,) = page.analysed().tables
    assert rows_of(table) == STOCK


def test_rows_of_figures_need_no_ruling_between_them() -> None:
    """Ruled every few rows, they are parted; texts of two lines are not."""
    page = Drawing()
    rows, columns = (300, 380, 560), (200, 600, 1000, 1500)
    page.grid(rows, columns)
    page.fill((300, 380, 430, 480), columns, [["State", "Long", "Short"], ["Ohio", "1", "20"], ["Iowa", "3", "40"]])
    (table,) = page.analysed().tables
    assert rows_of(table) == [["State", "Long", "Short"], ["Ohio", "1", "20"], ["Iowa", "3", "40"]]
    page = Drawing()
    page.grid(rows, columns)
    page.fill((300, 380, 430), columns, [["Who", "Where", "Why"], ["Ann", "East", "Because"], ["Lee", "Street", "not"]])
    (table,) = page.analysed().tables
    assert rows_of(table) == [["Who", "Where", "Why"], ["Ann Lee", "East Street", "Because not"]]


def test_two_tables_of_a_page_are_two() -> None:
    """They come from the top down, with what is between them in neither."""
    page = ruled()
    page.text(200, 700, "Between them stands a line of text")
    lower = tuple(row + 600 for row in ROWS)
    page.grid(lower, COLUMNS)
    page.fill(lower, COLUMNS, [["Town", "Street", "Gate"], ["Bonn", "Long", "5"], ["Kiel", "Short", "7"]])
    tables = page.analysed().tables
    assert [rows_of(table)[0] for table in tables] == [["Item", "Number", "Price"], ["Town", "Street", "Gate"]]
    assert all("Between" not in text for table in tables for row in rows_of(table) for text in row)


def test_columns_of_figures_are_a_table_without_rulings() -> None:
    """Empty cells stay empty, and lines that are wrapped are one cell."""
    page = Drawing()
    texts = [["Account", "Before", "After"], ["First account", "1.20", "4.50"], ["Second account", "", "19.00"]]
    for row, line in enumerate([*texts, ["Third", "7.10", "8.00"]]):
        for column, text in enumerate(line):
            page.text((200, 800, 1200)[column], 400 + 80 * row, text)
    page.text(200, 400 + 80 * 3 + 32, "account of many")
    page.text(200, 1000, f"Below it {SENTENCE}")
    (table,) = page.analysed().tables
    assert rows_of(table) == [*texts, ["Third account of many", "7.10", "8.00"]]
    assert [cell.column for cell in table.cells if cell.is_header] == [1, 2, 3]


def test_labels_and_amounts_are_a_table() -> None:
    """As at the end of a receipt; a space wider than the pitch of the rows ends it."""
    page = Drawing()
    for row, (label, amount) in enumerate([("Subtotal", "$10.00"), ("Tax", "$1.00"), ("Total", "$11.00")]):
        page.text(400, 400 + 50 * row, label)
        page.text(900, 400 + 50 * row, amount)
    page.text(400, 700, "Change")
    page.text(900, 700, "$9.00")
    (table,) = page.analysed().tables
    assert rows_of(table) == [["Subtotal", "$10.00"], ["Tax", "$1.00"], ["Total", "$11.00"]]


EARNINGS = [["Earnings", "Rate", "Total"], ["Regular", "10.00", "320.00"], ["Overtime", "15.00", "15.00"]]
BENEFITS = [["Benefits", "Period", "Year"], ["Life", "0.51", "27.00"], ["Loan", "3.10", "840.00"]]


def test_tables_beside_each_other_are_two() -> None:
    """Where labels begin anew; and a text that reaches into an empty column stays in its own."""
    page = Drawing(size=26)
    for row, line in enumerate(zip(EARNINGS, BENEFITS, strict=True)):
        for column, text in enumerate([*line[0], *line[1]]):
            page.text((100, 400, 600, 900, 1200, 1450)[column], 400 + 60 * row, text)
    for left, text in ((400, "All of the gross pay"), (900, "Holidays"), (1200, "1.00"), (1450, "40.00")):
        page.text(left, 580, text)
    earnings, benefits = page.analysed().tables
    assert rows_of(earnings) == [*EARNINGS, ["", "All of the gross pay", ""]]
    assert rows_of(benefits) == [*BENEFITS, ["Holidays", "1.00", "40.00"]]
    assert earnings.box().right < benefits.box().left


def test_one_table_with_a_text_between_its_figures_stays_one() -> None:
    """As long as it doesn't begin with a label, too, there is no second one."""
    page = Drawing(size=26)
    texts = [["Pieces", "Price", "What", "Net", "Gross"], ["3", "1.50", "Paper", "4.50", "5.00"]]
    texts += [["2", "9.00", "Ink", "18.00", "20.00"], ["7", "2.00", "Clips", "14.00", "16.00"]]
    for row, line in enumerate(texts):
        for column, text in enumerate(line):
            page.text((100, 400, 700, 1100, 1400)[column], 400 + 60 * row, text)
    (table,) = page.analysed().tables
    assert rows_of(table) == texts


def prose() -> Drawing:
    page = Drawing()
    for line in range(20):
        page.text(200, 300 + 45 * line, f"{line * 37} {SENTENCE}"[line % 3 :])
    page.rule(200, 1300, 1500, 1300)
    page.rule(200, 200, 1500, 200)
    return page


def article() -> Drawing:
    page = Drawing()
    for line in range(25):
        page.text(150, 300 + 45 * line, SENTENCE[line : line + 38])
        page.text(900, 300 + 45 * line, SENTENCE[20 - line // 2 : 58 - line // 2])
    return page


def addresses() -> Drawing:
    page = Drawing()
    for line, (left, right) in enumerate([("Ann Lee", "Bo Ek"), ("5 East Street", "7 West Road"), ("Bonn", "Kiel")]):
        page.text(200, 300 + 45 * line, left)
        page.text(1000, 300 + 45 * line, right)
    return page


def numbered_list() -> Drawing:
    page = Drawing()
    for line in range(8):
        page.text(200, 300 + 50 * line, f"{line + 1}.")
        page.text(300, 300 + 50 * line, SENTENCE[: 30 + 3 * line])
    return page


def manual() -> Drawing:
    """Headings in the margin, and numbered paragraphs beside them."""
    page = Drawing()
    for line, heading in enumerate(["2.3.1", "Scope and", "purpose", "2.3.2", "Terms"]):
        page.text(100, 300 + 60 * line, heading)
        page.text(420, 300 + 60 * line, f"({line + 1})")
        page.text(520, 300 + 60 * line, SENTENCE[: 20 + 3 * line])
    return page


def pleading() -> Drawing:
    page = Drawing()
    page.rule(180, 100, 180, 2000)
    for line in range(1, 20):
        page.text(100, 200 + 80 * line, str(line))
        page.text(250, 200 + 80 * line, SENTENCE[:50])
    page.rule(180, 900, 800, 900)
    page.rule(800, 400, 800, 900)
    return page


def one_frame() -> Drawing:
    page = prose()
    page.grid((100, 1350), (150, 1600))
    return page


def squared_paper() -> Drawing:
    page = prose()
    page.grid(range(100, 2100, 12), range(100, 1600, 12), shade=200)
    return page


@pytest.mark.parametrize(
    "draw",
    [prose, article, addresses, numbered_list, manual, pleading, one_frame, squared_paper],
    ids=lambda draw: draw.__name__,
)
def test_what_is_no_table(draw: type[Drawing]) -> None:
    """Running text, columns of an article, addresses, lists and frames have rows and columns of a kind, and are none."""
    page = draw()
    assert page.analysed().tables == ()


def test_what_is_not_asked_for_is_not_looked_for() -> None:
    """Neither without features, nor on a page without words, is the page rendered again."""

    def never() -> None:
        raise AssertionError("rendered for nothing")

    reading = PageReading(tuple(ruled().lines))
    assert analysed(reading, never, frozenset()) is reading  # type: ignore[arg-type]  # it must not be called
    assert analysed(PageReading(), never, BOTH) == PageReading()  # type: ignore[arg-type]
    found = ruled().analysed(frozenset({"FORMS"}))
    assert found.tables == ()


def test_the_text_stays_as_it_was() -> None:
    """Analysis adds to a reading, and changes nothing of it."""
    page = ruled()
    reading = page.analysed()
    assert without_features(reading) == PageReading(tuple(page.lines))


def test_rulings_that_end_in_pieces_do_not_slant() -> None:
    """The last row of a ruling's pixels may be broken into pieces, as by the rulings that cross it."""
    page, columns = Drawing(), (200, 420, 640, 860)
    page.grid(ROWS, columns)
    for row, (left, right) in product(ROWS, pairwise(columns)):
        page.rule(left + 4, row + 2, right - 4, row + 2, shade=90, width=1)
    page.fill(ROWS, columns, STOCK)
    assert find_rulings(page.image, 21).slope == 0.0
    (table,) = page.analysed().tables
    assert rows_of(table) == STOCK


def test_a_watermark_across_a_table_hides_no_rulings() -> None:
    """A stamp's box covers the rulings that it stands across."""
    page = ruled()
    stamp = Word("PAID", 90.0, Box(300 / WIDTH, 310 / HEIGHT, 1400 / WIDTH, 530 / HEIGHT))
    page.lines.append((stamp,))
    (table,) = page.analysed().tables
    assert len(table.row_edges) == len(ROWS)
    assert len(table.column_edges) == len(COLUMNS)
