"""What a page's lines and their places tell: paragraphs, headings, items, tables, and what stands at its edges."""

import pickle
from typing import Any

import pytest

from app.text.elements import Element, Kind
from app.text.lines import PageContent
from app.text.structure import StructureReader
from tests.text.typesetting import (
    COLUMNS,
    LEFT,
    LETTER,
    PITCH,
    TOP,
    Sheet,
    below,
    box,
    centred,
    line,
    page,
    prose,
    read,
    text_of,
)

LOREM = (
    "The parties agree that this sentence is long enough to run over several lines of the page, so that its lines are "
    "full but for the last one, which ends where the words end. A second sentence follows the first one at once."
)
OTHER = (
    "Another paragraph says something else at some length, and goes on for more than a line or two before it has come "
    "to an end, as paragraphs of contracts do."
)


def told(elements: list[Element]) -> list[tuple[str, str]]:
    return [(element.kind.value, element.text) for element in elements]


def body(elements: list[Element]) -> list[tuple[str, str]]:
    return [each for each in told(elements) if each[0] in {"heading", "paragraph", "list_item", "table_row"}]


@pytest.mark.parametrize(("gap", "indent"), [(1.0, 0), (0.0, 5), (0.6, 0), (0.0, 0)])
def test_paragraphs_are_parted_by_what_parts_them(gap: float, indent: int) -> None:
    """By a gap, by an indent, or by a last line that is short: their lines are joined by blanks."""
    sheet = Sheet()
    for text in (LOREM, OTHER, LOREM):
        sheet.paragraph(text, gap, indent=indent)
    assert told(read([sheet.page()])) == [("paragraph", LOREM), ("paragraph", OTHER), ("paragraph", LOREM)]


def test_double_spaced_lines_are_one_paragraph() -> None:
    """What counts is how far apart the lines around are; a quotation in single space stands by itself."""
    sheet = Sheet()
    sheet.add(
        [
            line(each["text"], TOP + 2 * PITCH * number, each["box"]["left"])
            for number, each in enumerate(prose(LOREM, TOP, indent=5))
        ]
    )
    sheet.paragraph(OTHER, gap=1.0, left=LEFT + 10 * LETTER, columns=50)
    start = below(sheet.lines)
    sheet.add([line(each["text"], start + 2 * PITCH * number) for number, each in enumerate(prose(LOREM, TOP))])
    assert told(read([sheet.page()])) == [("paragraph", LOREM), ("paragraph", OTHER), ("paragraph", LOREM)]


def test_short_lines_in_a_row_keep_their_breaks() -> None:
    """An address is one paragraph, line by line."""
    sheet = Sheet()
    sheet.paragraph(LOREM)
    start = below(sheet.lines)
    for number, text in enumerate(("Jane Roe", "12 Harbour Street, Apartment 4", "Springfield")):
        sheet.add([line(text, start + PITCH * number)])
    sheet.paragraph(OTHER)
    assert told(read([sheet.page()]))[1] == ("paragraph", "Jane Roe\n12 Harbour Street, Apartment 4\nSpringfield")


def test_a_paragraph_runs_over_a_page_edge() -> None:
    """It is one element on two pages; what stands at the edge is not in it."""
    lines = prose(LOREM, TOP)
    first, second = Sheet(1), Sheet(2)
    first.paragraph(OTHER)
    start = below(first.lines)
    first.add([line(each["text"], start + PITCH * number) for number, each in enumerate(lines[:2])])
    first.add([centred("- 1 -", 0.95)])
    second.add([line(each["text"], TOP + PITCH * number) for number, each in enumerate(lines[2:])])
    second.paragraph(OTHER)
    second.add([centred("- 2 -", 0.95)])
    elements = read([first.page(), second.page()])
    assert body(elements) == [("paragraph", OTHER), ("paragraph", LOREM), ("paragraph", OTHER)]
    over = elements[1]
    assert (over.page, over.last_page) == (1, 2)
    assert [each["page"] for each in over.boxes] == [1] * 2 + [2] * (len(lines) - 2)
    assert [text for kind, text in told(elements) if kind == "page_mark"] == ["- 1 -", "- 2 -"]


def test_a_footnote_does_not_part_a_paragraph() -> None:
    """The paragraph above a note goes on with the next page; the note is an element of its own."""
    lines = prose(LOREM, TOP)
    note = [line("1 See the record of the proceedings below.", 0.85, scale=0.8)]
    elements = read(
        [
            page(
                1,
                [*prose(OTHER, 0.1), *(line(each["text"], 0.6 + PITCH * n) for n, each in enumerate(lines[:2])), *note],
            ),
            page(2, [*(line(each["text"], TOP + PITCH * n) for n, each in enumerate(lines[2:])), *prose(OTHER, 0.6)]),
        ]
    )
    assert told(elements) == [
        ("paragraph", OTHER),
        ("paragraph", LOREM),
        ("paragraph", "1 See the record of the proceedings below."),
        ("paragraph", OTHER),
    ]


def test_words_broken_at_a_line_end_are_whole() -> None:
    """The hyphen goes where it only broke the word, and stays where the word has one, by what the document itself says."""
    rows = [
        "The well-known infor-",
        "mation is kept by the well-",
        "known clerk of Smith-",
        "Jones, a self-",
        "made man of 1990-",
        "1995.",
    ]
    (element,) = read([page(1, [line(row.ljust(0), TOP + PITCH * n) for n, row in enumerate(rows)])])
    assert element.text.replace("\n", " ") == (
        "The well-known information is kept by the well-known clerk of Smith-Jones, a self-made man of 1990-1995."
    )
    at = element.text.index("information")
    start, end = element.range_in_document(at, at + len("information"))
    assert "\n".join(rows)[start:end] == "infor-\nmation"


@pytest.mark.parametrize(
    ("before", "after", "whole", "elsewhere"),
    [
        ("breach-", "of-contract", "breach-of-contract", "breach-of-contract"),
        ("breach-", "of-contract", "breach-of-contract", ""),
        ("state-", "of-the-art", "state-of-the-art", ""),
        ("state-of-", "the-art", "state-of-the-art", ""),
        ("state-of-the-", "art", "state-of-the-art", ""),
        ("off-the-rec-", "ord", "off-the-record", ""),
        ("two-stage-", "rocket", "two-stage-rocket", "two-stage-rocket"),
        ("deci-", "sion-making", "decision-making", "decision"),
        ("deci-", "sion-making", "decision-making", "decision-making"),
        ("well-inten-", "tioned", "well-intentioned", "intentioned"),
        ("counter-", "claim", "counterclaim", "counterclaim"),
    ],
)
def test_a_broken_word_with_hyphens_of_its_own(before: str, after: str, whole: str, elsewhere: str) -> None:
    """It keeps the one at the line's end, where it isn't known in one."""
    rows = [f"This is {elsewhere}. It goes on with a", f"line that ends within the {before}", f"{after} matter."]
    (element,) = read([page(1, [line(row, TOP + PITCH * n) for n, row in enumerate(rows)])])
    assert f"the {whole} matter." in element.text


def test_headings_and_their_levels() -> None:
    """Centred, in capitals, numbered or by themselves above a text; each kind of heading keeps its level."""
    sheet = Sheet()
    sheet.add([centred("UNITED STATES DISTRICT COURT", 0.16)])
    for heading in ("I. Facts", "A. The Contract", "B. The Breach", "II. Discussion"):
        sheet.add([line(heading, below(sheet.lines))])
        sheet.paragraph(LOREM)
    found = [(each.text, each.level) for each in read([sheet.page()]) if each.kind is Kind.HEADING]
    assert found == [
        ("UNITED STATES DISTRICT COURT", 1),
        ("I. Facts", 2),
        ("A. The Contract", 3),
        ("B. The Breach", 3),
        ("II. Discussion", 2),
    ]


def test_items_further_left_are_not_under_the_last_one() -> None:
    """A section's number stands left of the letters before it, whose list it ends."""
    sheet = Sheet()
    sheet.paragraph("17. CHANGES. This is what changes.", gap=0)
    for text in ("A. A part of it.", "B. Another part."):
        sheet.paragraph(text, left=LEFT + 3 * LETTER)
    sheet.add([line("CHANGES OF OTHER THINGS", below(sheet.lines))])
    for text in ("C. A part of it.", "D. Another part."):
        sheet.paragraph(text, left=LEFT + 3 * LETTER)
    sheet.paragraph("18. DISPUTES. This is how they end.")
    sheet.paragraph("A. A part of it.", left=LEFT + 3 * LETTER)
    levels = [each.level for each in read([sheet.page()]) if each.kind is Kind.LIST_ITEM]
    assert levels == [1, 2, 2, 1, 1, 1, 2]


def test_a_heading_right_above_its_text() -> None:
    """No gap is needed: capitals, or a title over a full line, tell."""
    sheet = Sheet()
    for heading in ("BACKGROUND", "The Standard of Review"):
        sheet.add([line(heading, below(sheet.lines) if sheet.lines else TOP)])
        sheet.paragraph(LOREM, gap=0)
    assert body(read([sheet.page()]))[:2] == [("heading", "BACKGROUND"), ("paragraph", LOREM)]


def test_items_of_lists() -> None:
    """With bullets, numbers or letters, hanging or flush; a number that begins a line by chance is none."""
    sheet = Sheet()
    sheet.paragraph(LOREM)
    items = [
        "1. The first item of the list, which runs over its line and goes on hanging below its own first word.",
        "(a) a part of it;",
        "(b) another part.",
        "2. The second item.",
    ]
    for text in items:
        sheet.paragraph(text, gap=0.6)
    sheet.paragraph(
        "The agreement that the parties made was signed by both of them on July 25. The court took note.", columns=66
    )
    elements = read([sheet.page()])
    assert [(each.text, each.level) for each in elements if each.kind is Kind.LIST_ITEM] == [
        (items[0], 1),
        (items[1], 2),
        (items[2], 2),
        (items[3], 1),
    ]


def test_a_number_that_was_misread_still_marks_its_item() -> None:
    """Its second line hangs below its first word."""
    sheet = Sheet()
    sheet.paragraph(LOREM)
    start = below(sheet.lines)
    rows = ("Il. Remand is required to correct the clerical error in the", "written judgment.")
    sheet.add([line(row, start + PITCH * n, LEFT + 4 * n * LETTER) for n, row in enumerate(rows)])
    sheet.paragraph(OTHER)
    assert told(read([sheet.page()]))[1] == ("list_item", " ".join(rows))


def pleading(number: int, lines: list[str], misread: dict[int, str] | None = None) -> PageContent:
    """A page of pleading paper: 28 numbers, each in front of the line that it counts."""
    rows: list[dict[str, Any]] = []
    for count in range(1, 29):
        label = (misread or {}).get(count, str(count))
        rows.append(line(label, 0.05 + 0.032 * count, 0.09 - LETTER * len(label)))
        if count <= len(lines) and lines[count - 1]:
            rows.append(line(lines[count - 1], 0.05 + 0.032 * count))
    return page(number, rows)


def test_line_numbers_of_pleading_paper_are_kept_apart() -> None:
    """The text is whole without them, and over the page's edge; a misread number is one too."""
    rows = [each["text"] for each in prose(LOREM, TOP)]
    filler = [each["text"] for each in prose(" ".join([OTHER] * 12), TOP)][:26]
    elements = read([pleading(1, [*filler, *rows[:2]], {7: "T"}), pleading(2, rows[2:])])
    numbers = [each.text for each in elements if each.kind is Kind.LINE_NUMBER]
    assert numbers == [*map(str, range(1, 7)), "T", *map(str, range(8, 29)), *map(str, range(1, 29))]
    (text,) = [each for each in elements if each.kind is Kind.PARAGRAPH]
    assert text.text == " ".join([*filler, LOREM])


def test_line_numbers_that_are_the_first_words_of_lines() -> None:
    """An engine that sees number and text as one line is no hindrance."""
    rows = [
        f"{count} {text}" for count, text in enumerate((each["text"] for each in prose(" ".join([OTHER] * 12), TOP)), 1)
    ]
    lines = [line(text, 0.05 + 0.032 * n, 0.1 - LETTER * len(text.split()[0])) for n, text in enumerate(rows[:25], 1)]
    elements = read([page(1, lines)])
    assert [each.text for each in elements if each.kind is Kind.LINE_NUMBER] == [str(n) for n in range(1, 26)]
    assert all(each.kind in {Kind.LINE_NUMBER, Kind.PARAGRAPH} for each in elements)


def test_numbered_rows_are_no_line_numbers() -> None:
    """A short list that is numbered in the margin stays text."""
    elements = read([page(1, [line(f"{n} Item of a list", 0.1 + PITCH * n, 0.1) for n in range(1, 12)])])
    assert {each.kind for each in elements}.isdisjoint({Kind.LINE_NUMBER})


def letter(number: int, text: str = LOREM) -> PageContent:
    header = line(f"Case 1:20-cv-00042-XYZ Agreement of Roe and Doe, draft {number}", 0.03)
    return page(number, [header, *prose(text, TOP), line("ROE AND DOE", 0.93), centred(f"Page {number} of 3", 0.96)])


def test_headers_and_footers_come_again() -> None:
    """What stands at the edge of page after page, figures aside, is furniture; a page's number needs no other page."""
    elements = read([letter(1), letter(2, OTHER), letter(3)])
    assert [each.kind.value for each in elements] == ["header", "paragraph", "footer", "page_mark"] * 3
    (alone,) = [each for each in read([letter(1)]) if each.kind is Kind.PAGE_MARK]
    assert alone.text == "Page 1 of 3"


def test_a_header_may_be_on_every_other_page() -> None:
    """Left and right pages have their own."""
    pages = [
        page(n, [line("The Left Side" if n % 2 else "The Right Side", 0.05), *prose(LOREM if n < 3 else OTHER, TOP)])
        for n in range(1, 5)
    ]
    assert [each.kind.value for each in read(pages)] == ["header", "paragraph"] * 4


def test_pages_that_are_copies_have_no_headers() -> None:
    """Where all of a page comes again, none of it is furniture."""
    text = " ".join([LOREM] * 4)
    pages = [page(n, prose(text, 0.02)) for n in (1, 2, 3)]
    assert told(read(pages)) == [("paragraph", text)] * 3


@pytest.mark.parametrize(
    "stamp",
    [
        "DEF{:06}",
        "ROE-2024-{:05}",
        "Roe v. Doe {}",
        "Report, pages {0} to {0}",
        "Report, Page No. {}",
        "Page ID #:{} Case of Roe",
    ],
)
def test_numbers_that_grow_with_the_pages_are_furniture(stamp: str) -> None:
    """As they are stamped on page after page, with nothing else to tell them by."""
    pages = [page(n, [*prose(LOREM if n % 2 else OTHER, TOP), line(stamp.format(117 + n), 0.95)]) for n in range(1, 6)]
    assert [each.kind.value for each in read(pages)] == ["paragraph", "footer"] * 5


INVOICES = [
    ("INVOICE 10021", "Customer number Falcon ordered forty crates of oranges.", "Payable within thirty days of May."),
    ("INVOICE 10022", "Customer number Osprey ordered sixty crates of oranges.", "Payable within thirty days of June."),
    ("INVOICE 10023", "Customer number Heron ordered ninety crates of oranges.", "Payable within thirty days of July."),
]


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_lines_with_other_words_are_no_headers(scale: float) -> None:
    """However alike their pages begin; a title with another number is none either."""
    pages = [
        page(n, [line(title, 0.05, scale=scale), line(first, 0.11), line(second, 0.11 + PITCH)])
        for n, (title, first, second) in enumerate(INVOICES, 1)
    ]
    elements = read(pages)
    said = " ".join(text for _, text in body(elements)).replace("\n", " ")
    for invoice in INVOICES:
        assert " ".join(invoice) in said


@pytest.mark.parametrize(
    "days",
    [
        ("03/03/2024", "04/14/2024", "05/25/2024", "06/06/2024"),
        ("03/03/2024", "03/04/2024", "03/05/2024", "03/06/2024"),
        ("March 3, 2024", "March 4, 2024", "March 5, 2024", "March 6, 2024"),
        ("3 May 2024", "4 May 2024", "5 May 2024", "6 May 2024"),
    ],
)
def test_dates_at_the_top_of_pages_are_no_headers(days: tuple[str, ...]) -> None:
    """A number that isn't the same, and doesn't grow with the pages, is what the page says; so is a day after the other."""
    pages = [
        page(n, [line(f"Date of delivery: {day}", 0.1), *prose(LOREM if n % 2 else OTHER, TOP)])
        for n, day in enumerate(days, 1)
    ]
    assert [text for _, text in body(read(pages)) if text.startswith("Date")] == [
        f"Date of delivery: {day}" for day in days
    ]


@pytest.mark.parametrize("names", [("1", "2", "3"), ("A", "B", "C"), ("I", "II", "III")])
@pytest.mark.parametrize("scale", [1.0, 2.5])
def test_pages_that_say_nothing_but_a_title(names: tuple[str, ...], scale: float) -> None:
    """Each is the text of its page, and is no header."""
    pages = [page(n, [line(f"EXHIBIT {name}", 0.1, scale=scale)]) for n, name in enumerate(names, 1)]
    assert told(read(pages)) == [("heading", f"EXHIBIT {name}") for name in names]


def test_a_title_that_comes_again_is_text_once() -> None:
    """And a page that is empty but for the running header of the others says nothing."""
    pages = [page(n, [line("CONFIDENTIAL SCHEDULE", 0.1, scale=2.5), centred(f"- {n} -", 0.96)]) for n in (1, 2, 3)]
    kinds = [each.kind.value for each in read(pages)]
    assert kinds == ["heading", "page_mark", "header", "page_mark", "header", "page_mark"]
    blank = page(3, [line("Case 1:20-cv-00042-XYZ Agreement of Roe and Doe, draft 3", 0.03), line("ROE AND DOE", 0.93)])
    assert [each.kind.value for each in read([letter(1), letter(2), blank])][-2:] == ["header", "footer"]


@pytest.mark.parametrize(
    "text", ["12", "Page 1 of 1", "Case: 21-50498 Document: 00516242060 Page: 1 Date Filed: 03/16/2022"]
)
def test_a_document_always_says_something(text: str) -> None:
    """A stamp or a number that is all that there is is its text; one after empty pages, too."""
    assert told(read([page(1, []), page(2, [line(text, 0.02)])])) == [("paragraph", text)]
    marks = told(read([page(1, [centred("1", 0.96)]), page(2, prose(OTHER, TOP))]))
    assert marks == [("page_mark", "1"), ("paragraph", OTHER)]


def test_large_lines_on_pages_of_their_own_are_headings() -> None:
    """They are not one paragraph over the pages, whether they read like titles or not."""
    chapters = ["CHAPTER ONE: ZEPHYR", "CHAPTER TWO: QUAGMIRE", "CHAPTER THREE: OBELISK"]
    pages = [page(n, [line(text, 0.12, scale=2.5)]) for n, text in enumerate(chapters, 1)]
    assert [(each.kind, each.text, each.level) for each in read(pages)] == [
        (Kind.HEADING, text, 1) for text in chapters
    ]
    pages = [page(n, [line(text.lower(), 0.12, scale=2.5)]) for n, text in enumerate(chapters, 1)]
    assert [each.text for each in read(pages)] == [text.lower() for text in chapters]


def test_a_courts_stamp_needs_no_second_page() -> None:
    stamp = line("Case: 21-50498 Document: 00516242060 Page: 1 Date Filed: 03/16/2022", 0.02)
    assert told(read([page(1, [stamp, *prose(LOREM, TOP)])])) == [("header", stamp["text"]), ("paragraph", LOREM)]


def cell(row: int, column: int, left: float, top: float, *, is_header: bool = False) -> dict[str, Any]:
    place = {"left": left, "top": top, "width": 0.2, "height": 0.03}
    return {"row": row, "column": column, "row_span": 1, "column_span": 1, "box": place, "is_header": is_header}


def table() -> dict[str, Any]:
    cells = [
        cell(r, c, 0.1 + 0.2 * (c - 1), 0.5 + 0.03 * (r - 1), is_header=r == 1) for r in (1, 2, 3) for c in (1, 2, 3)
    ]
    return {"box": {"left": 0.1, "top": 0.5, "width": 0.6, "height": 0.09}, "cells": cells}


def test_rows_of_tables() -> None:
    """A line over several cells is parted between them, lines in one cell are joined, and empty cells stay empty."""
    rows = [
        line("Item", 0.51, 0.11), line("Price", 0.51, 0.31), line("Note", 0.51, 0.51),
        line("Paper            12.50", 0.54, 0.15),
        line("Ink and", 0.562, 0.11), line("7.25", 0.565, 0.31), line("blue", 0.565, 0.51), line("pens", 0.575, 0.11),
    ]  # fmt: skip
    elements = read([page(1, [*prose(LOREM, TOP), *rows, *prose(OTHER, 0.7)], tables=[table()])])
    assert [each.cells for each in elements if each.kind is Kind.TABLE_ROW] == [
        ("Item", "Price", "Note"),
        ("Paper", "12.50", ""),
        ("Ink and pens", "7.25", "blue"),
    ]
    assert [each.is_header_row for each in elements if each.kind is Kind.TABLE_ROW] == [True, False, False]
    assert [each.text for each in elements][1:4] == [
        "Item | Price | Note",
        "Paper | 12.50",
        "Ink and pens | 7.25 | blue",
    ]
    assert [each.kind.value for each in elements] == ["paragraph", *["table_row"] * 3, "paragraph"]


def test_layout_analysis_is_believed() -> None:
    """Where the engine names a title, a header or a page's number, it is one."""
    lines = [line("some remark in the margin", 0.05), line("all small letters", 0.12), *prose(LOREM, TOP)]
    layout = [
        {"type": "HEADER", "box": box(0.1, 0.04, 60)},
        {"type": "TITLE", "box": {**box(0.1, 0.11, 60), "height": 0.03}},
    ]
    layout[0]["box"] = {"left": 0.1, "top": 0.04, "width": 0.6, "height": 0.03}
    elements = read([page(1, lines, layout=layout)])
    assert [each.kind.value for each in elements] == ["header", "heading", "paragraph"]


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_page_that_lies_on_its_side(degrees: int) -> None:
    """Its boxes stay those of the page as it was sent in, and its text is told as if it stood upright."""
    upright = letter(1)
    turned = PageContent(1, upright.text, [turned_line(each, degrees) for each in upright.lines], {}, degrees)
    expected, found = read([upright]), read([turned])
    assert told(found) == told(expected)
    assert found[1].boxes[0]["width"] < found[1].boxes[0]["height"] or degrees == 180


def turned_line(given: dict[str, Any], degrees: int) -> dict[str, Any]:
    words = [each | {"box": turned_box(each["box"], degrees)} for each in given["words"]]
    return given | {"box": turned_box(given["box"], degrees), "words": words}


def turned_box(given: dict[str, float], degrees: int) -> dict[str, float]:
    """A box on a page that is turned clockwise."""
    left, top, width, height = (given[side] for side in ("left", "top", "width", "height"))
    match degrees:
        case 90:
            return {"left": 1 - top - height, "top": left, "width": height, "height": width}
        case 180:
            return {"left": 1 - left - width, "top": 1 - top - height, "width": width, "height": height}
        case _:
            return {"left": top, "top": 1 - left - width, "width": height, "height": width}


def test_empty_pages_are_nothing() -> None:
    """They say nothing, and count in ranges and page numbers all the same."""
    elements = read([page(1, []), page(2, prose(OTHER, TOP)), page(3, [])])
    assert told(elements) == [("paragraph", OTHER)]
    assert (elements[0].page, elements[0].start) == (2, 1)


def test_a_reader_goes_on_in_another_process() -> None:
    """Pickled after each page, it gives the same elements."""
    pages = [letter(1), letter(2, OTHER), letter(3)]
    reader, found = StructureReader(), []
    for each in pages:
        found += list(reader.add(each))
        reader = pickle.loads(pickle.dumps(reader))
    assert told([*found, *reader.finish()]) == told(read(pages))


def test_memory_does_not_grow_with_pages() -> None:
    """What a reader holds after a thousand pages is what it holds after ten, but for the words it knows."""
    sizes = {}
    reader = StructureReader()
    for number in range(1, 1001):
        list(reader.add(letter(number)))
        if number in {10, 1000}:
            sizes[number] = len(pickle.dumps(reader))
    assert sizes[1000] < 1.1 * sizes[10]


def test_a_paragraph_without_end_is_bounded() -> None:
    """Pages that never end a sentence become several elements."""
    rows = [
        line("and so it goes on and on without any end to be seen for a very long time", 0.1 + PITCH * n)
        for n in range(45)
    ]
    pages = [page(n, [*rows[:-1], line(f"and page {n} is over", rows[-1]["box"]["top"])]) for n in range(1, 41)]
    elements = read(pages)
    assert max(len(each.text) for each in elements) < 30_000
    assert text_of(pages).count("over") == sum(each.text.count("over") for each in elements)
    assert COLUMNS  # the page's width plays no part here
