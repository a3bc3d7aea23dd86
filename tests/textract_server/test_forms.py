"""Labels and values of forms are paired, and running text that has colons in it is left alone."""

import pytest

from tests.textract_server.drawing import Drawing, pairs_of


def lines(*texts: tuple[float, float, str]) -> Drawing:
    """A page with texts at these places."""
    page = Drawing()
    for left, top, text in texts:
        page.text(left, top, text)
    return page


def test_what_follows_a_colon_is_a_value() -> None:
    """On the same line, near it or some way off; a colon may stand by itself."""
    page = lines(
        (200, 300, "Full Name: Jane Doe"),
        (200, 400, "Date : 08/14/2022"),
        (200, 500, "Period ending:"),
        (480, 500, "7/18/2008"),
        (200, 600, "Home Address: 123 Any Street, Any Town"),
    )
    assert pairs_of(page.analysed()) == {
        "Full Name:": "Jane Doe",
        "Date :": "08/14/2022",
        "Period ending:": "7/18/2008",
        "Home Address:": "123 Any Street, Any Town",
    }


def test_a_line_may_have_several_pairs() -> None:
    """They are told apart by the gaps between them."""
    page = lines((200, 300, "Case: 21-50498"), (500, 300, "Document: 00516"), (850, 300, "Page: 1"))
    page.text(200, 400, "Sex: F")
    page.text(330, 400, "Marital Status: single")
    assert pairs_of(page.analysed()) == {
        "Case:": "21-50498",
        "Document:": "00516",
        "Page:": "1",
        "Sex:": "F",
        "Marital Status:": "single",
    }


def test_an_address_stands_below_its_label() -> None:
    """Lines that begin where it begins, until there is a gap."""
    page = lines(
        (200, 300, "From:"),
        (200, 345, "Ann Lee"),
        (200, 390, "5 East Street"),
        (200, 435, "Bonn"),
        (200, 600, "Thanks"),
    )
    assert pairs_of(page.analysed()) == {"From:": "Ann Lee 5 East Street Bonn"}


def test_numbers_have_labels_with_signs() -> None:
    """As receipts have them."""
    page = lines((200, 300, "ST# 1477 OP# 19280104"), (200, 400, "REF # 1498"), (200, 500, "TRANS ID - 2516"))
    assert pairs_of(page.analysed()) == {"ST#": "1477", "OP#": "19280104", "REF #": "1498", "TRANS ID -": "2516"}


def test_a_ruled_list_of_labels_is_a_form() -> None:
    """Two columns without a header: each row is a pair."""
    page, rows, columns = Drawing(), (300, 380, 460), (200, 600, 1000)
    page.grid(rows, columns)
    page.fill(rows, columns, [["Invoice Number", "INV-3337"], ["Invoice Date", "January 25, 2016"]])
    assert pairs_of(page.analysed()) == {"Invoice Number": "INV-3337", "Invoice Date": "January 25, 2016"}


def test_headers_above_one_row_are_labels() -> None:
    """And above several they are not."""
    page, rows, columns = Drawing(), (300, 380, 460, 540), (200, 600, 1000, 1400)
    texts = [["Service", "Rate", "Total"], ["Design", "$85.00", "$90.00"], ["Print", "$5.00", "$6.00"]]
    page.grid(rows[:3], columns)
    page.fill(rows, columns, texts[:2])
    assert pairs_of(page.analysed()) == {"Service": "Design", "Rate": "$85.00", "Total": "$90.00"}
    page = Drawing()
    page.grid(rows, columns)
    page.fill(rows, columns, texts)
    assert pairs_of(page.analysed()) == {}


def test_a_leader_of_dots_parts_a_label_and_its_value() -> None:
    """But a table of contents is no form."""
    page = lines((200, 300, "Total amount ........ $93.50"), (200, 400, "Introduction ......... 12"))
    page.text(200, 500, "Seats taken")
    page.text(500, 500, "....................")
    page.text(900, 500, "4,120")
    assert pairs_of(page.analysed()) == {"Total amount": "$93.50", "Seats taken": "4,120"}


def test_a_small_label_stands_above_what_was_filled_in() -> None:
    """As in the boxes of tax forms; a cell of two lines alike is no pair."""
    page, rows, columns = Drawing(), (300, 420, 540), (200, 700, 1200)
    page.grid(rows, columns)
    for place, (label, value) in enumerate([("Employer name", "Ann Lee"), ("Wages", "$19,000"), ("State", "Ohio")]):
        left, top = columns[place % 2] + 15, rows[place // 2]
        page.size = 20
        page.text(left, top + 35, label)
        page.size = 34
        page.text(left, top + 90, value)
    page.text(715, 460, "Two lines")
    page.text(715, 510, "of text")
    assert pairs_of(page.analysed()) == {"Employer name": "Ann Lee", "Wages": "$19,000", "State": "Ohio"}


def test_forms_are_found_without_asking_for_tables() -> None:
    """The table is looked at, and not told."""
    page, rows, columns = Drawing(), (300, 380, 460), (200, 600, 1000)
    page.grid(rows, columns)
    page.fill(rows, columns, [["Tax", "$8.50"], ["Total", "$93.50"]])
    reading = page.analysed(frozenset({"FORMS"}))
    assert (pairs_of(reading), reading.tables) == ({"Tax": "$8.50", "Total": "$93.50"}, ())
    assert pairs_of(page.analysed(frozenset({"TABLES"}))) == {}


@pytest.mark.parametrize(
    "texts",
    [
        ["The order says as follows: the motion was filed in time and the parties have agreed", "to extend it again."],
        ["Counsel: the motion was filed in time and the parties have", "agreed to extend the schedule once again here"],
        ["and so it was that he said: no"],
        ["They met at 12:30 and left by 13:00 for the coast"],
        ["See https://example.org/a for it"],
        ["Formally speaking, one thing: another"],
        ["1: one"],
        ["The following items:"],
        ["Attachments: -", "Fax: ("],
    ],
)
def test_running_text_is_no_form(texts: list[str]) -> None:
    """Paragraphs, times, addresses of pages and enumerations have colons too."""
    page = Drawing()
    for line, text in enumerate(texts):
        page.text(200, 300 + 45 * line, text)
    assert pairs_of(page.analysed()) == {}


def test_every_word_of_a_pair_is_the_pages_own() -> None:
    """So that their blocks can be pointed to; and a pair is as sure as its words at most."""
    reading = lines((200, 300, "Full Name: Jane Doe")).analysed()
    own = {id(word) for line in reading.lines for word in line}
    (pair,) = reading.key_values
    assert all(id(word) in own for word in (*pair.key, *pair.value))
    assert 0 < pair.confidence <= 90
