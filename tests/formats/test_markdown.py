"""Markdown as other tools read it: what is a heading, an item or a cell here is one there, and no letter turns into markup."""

import re
from collections.abc import Sequence
from typing import Any

import pytest
from markdown_it import MarkdownIt

from app.formats.markdown import markdown
from app.ocr.blocks import PageText
from tests.service import Client
from tests.text.test_structure import LOREM, OTHER, table
from tests.text.typesetting import LEFT, LETTER, PITCH, TOP, Sheet, below, centred, line, page, prose


def made(*sheets: Sequence[dict[str, Any]], tables: list[dict[str, Any]] | None = None) -> str:
    """The Markdown of pages with these lines."""
    pages = []
    for number, lines in enumerate(sheets, 1):
        content = page(number, lines)
        pages.append(PageText(number, content.text, list(lines), 0, None, 0, tables=tables or []))
    return "".join(markdown(pages))


def parsed(text: str) -> list[tuple[str, str]]:
    """Its blocks, by tags and what they say: marks of pages left out, line breaks as blanks."""
    told, tags = [], list[str]()
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.nesting == 1:
            tags.append(token.tag)
        elif token.nesting == -1:
            tags.pop()
        elif token.type == "inline":
            assert {each.type for each in token.children or []} <= {
                "text",
                "hardbreak",
                "softbreak",
                "html_inline",
                "text_special",
            }
            said = "".join("\n" if "break" in each.type else each.content for each in token.children or [])
            told.append((" ".join(tag for tag in tags if tag not in {"table", "thead", "tbody", "tr"}), said))
        else:
            assert token.type == "html_block" and re.fullmatch(r"<!-- page \d+ -->\n?", token.content)
    return told


def test_headings_paragraphs_and_lists() -> None:
    """Levels of headings, numbers of items and nesting are the document's; each page begins with its mark."""
    sheet = Sheet()
    sheet.add([centred("AGREEMENT", 0.05), line("I. Facts", 0.12)])
    sheet.paragraph(LOREM, gap=0.6)
    for text in ("1. The first item;", "(a) a part of it;", "2. The second item."):
        sheet.paragraph(text, gap=0.6)
    text = made(sheet.lines, [*prose(OTHER, TOP), line("• a point", 0.5)], [])
    assert parsed(text) == [
        ("h1", "AGREEMENT"),
        ("h2", "I. Facts"),
        ("p", LOREM),
        ("ol li p", "The first item;"),
        ("ol li ul li p", "(a) a part of it;"),
        ("ol li p", "The second item."),
        ("p", OTHER),
        ("ul li p", "a point"),
    ]
    assert re.findall(r"<!-- page (\d) -->", text) == ["1", "2", "3"]
    assert text.startswith("<!-- page 1 -->\n\n# AGREEMENT\n")


def test_tables() -> None:
    """Rows and cells, with bars in them; the first row is the head."""
    rows = [
        line("Item", 0.51, 0.11), line("Price", 0.51, 0.31), line("Note", 0.51, 0.51),
        line("Paper | ink", 0.54, 0.11), line("12.50", 0.54, 0.31), line("7.25", 0.57, 0.31),
    ]  # fmt: skip
    assert parsed(made([*prose(LOREM, TOP), *rows, *prose(OTHER, 0.7)], tables=[table()])) == [
        ("p", LOREM),
        *(("th", each) for each in ("Item", "Price", "Note")),
        *(("td", each) for each in ("Paper | ink", "12.50", "")),
        *(("td", each) for each in ("", "7.25", "")),
        ("p", OTHER),
    ]


def test_a_paragraph_over_a_page_edge_has_the_mark_within() -> None:
    lines = prose(LOREM, TOP)
    over = [line(each["text"], TOP + PITCH * number) for number, each in enumerate(lines[2:])]
    text = made([*prose(OTHER, 0.1), *lines[:2]], over)
    assert text.count("<!-- page 2 -->") == 1
    before, after = text.split(" <!-- page 2 --> ")
    assert LOREM.startswith(before.split("\n\n")[-1])
    assert LOREM.endswith(after.rstrip("\n"))


def test_items_of_one_level_are_siblings() -> None:
    """Where a list goes on deep within another, after a paragraph in between, too."""
    sheet = Sheet()
    for number, text in enumerate(("1. The first one.", "(a) A part;", "(i) a part of that;")):
        sheet.paragraph(text, gap=0.6, left=LEFT + 4 * number * LETTER)
    sheet.paragraph(LOREM)
    for text in ("(ii) another one;", "(iii) one more;", "(iv) and the last one."):
        sheet.paragraph(text, gap=0.6, left=LEFT + 8 * LETTER)
    assert [tags for tags, _ in parsed(made(sheet.lines)) if "li" in tags] == [
        "ol li p",
        "ol li ul li p",
        "ol li ul li ul li p",
        "ul li p",
        "ul li p",
        "ul li p",
    ]


def test_what_stands_on_a_page_comes_before_the_next_ones_mark() -> None:
    """Of a paragraph over the edge, the first page's footnote comes first, and the mark within it."""
    lines = prose(LOREM, TOP)
    note = line("1 See the record of the proceedings below.", 0.85, scale=0.8)
    over = [line(each["text"], TOP + PITCH * number) for number, each in enumerate(lines[2:])]
    first = [*prose(OTHER, 0.1), *(line(each["text"], 0.6 + PITCH * n) for n, each in enumerate(lines[:2])), note]
    text = made(first, [*over, *prose(OTHER, 0.6)])
    before, after = text.split("<!-- page 2 -->")
    assert "See the record of the proceedings below." in before
    assert "See the record" not in after
    assert before.rstrip().endswith(lines[1]["text"])


@pytest.mark.parametrize(
    "said",
    [
        "*stars* and _lines_ and `ticks` and [a link](http://example.com) and ![a picture](x)",
        "# no heading",
        "> no quotation",
        "+ no item",
        "1986. It was a good year for all of them, and for the others",
        "<b>no tag</b> & &amp; &lt;",
        r"a back\slash and a tilde ~~struck~~ and a | bar",
        "=== and --- too",
        "http://example.com/a_b_c",
    ],
)
def test_what_looks_like_markup_is_text(said: str) -> None:
    """A reader of Markdown sees what was on the page."""
    ((_, text),) = parsed(made([line(said, TOP)]))
    assert text == said


def test_lines_of_an_address_stay_lines() -> None:
    sheet = Sheet()
    sheet.paragraph(LOREM)
    start = below(sheet.lines)
    for number, text in enumerate(("Jane Roe", "12 Harbour Street, Apartment 4", "Springfield")):
        sheet.add([line(text, start + PITCH * number)])
    assert parsed(made(sheet.lines))[1] == ("p", "Jane Roe\n12 Harbour Street, Apartment 4\nSpringfield")


def test_what_repeats_at_the_edges_is_left_out() -> None:
    pages = [
        [line(f"Roe against Doe, page {n}", 0.03), *prose(text, TOP), centred(f"- {n} -", 0.95)]
        for n, text in enumerate((LOREM, OTHER), 1)
    ]
    assert [text for _, text in parsed(made(*pages))] == [LOREM, OTHER]


async def test_a_document_as_markdown(client: Client, worker: str) -> None:
    """Over HTTP, of a document that was read: as a file, with an ETag."""
    from tests.documents import letter

    submitted = await client.submit(letter("ORDER\n\nThe motion is granted.", "Second page"), filename="order.pdf")
    await client.ended(submitted["job"]["id"])
    path = f"/v1/documents/{submitted['document']['id']}/markdown"
    answer = await client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/markdown")
    assert "order.md" in answer.headers["content-disposition"]
    assert [text for _, text in parsed(answer.text)] == ["ORDER", "The motion is granted.", "Second page"]
    again = await client.get(path, headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
