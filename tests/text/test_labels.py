"""What looks like a heading and is none: stamps, and names in addresses and signature blocks."""

from typing import Any

import pytest

from app.text.elements import Kind
from tests.text.test_structure import LOREM, OTHER
from tests.text.typesetting import LEFT, LETTER, PITCH, Sheet, line, prose, read


def headings(*lines: dict[str, Any]) -> list[str]:
    """What is told as a heading on a page of these lines, between two paragraphs."""
    sheet = Sheet()
    sheet.paragraph(OTHER, gap=0)
    sheet.add(lines)
    sheet.add(prose(LOREM, 0.7))
    return [each.text for each in read([sheet.page()]) if each.kind is Kind.HEADING]


@pytest.mark.parametrize("said", ["O", "FILED", "Received", "SIGNED", "PRINTED:", "ELECTRONICALLY FILED"])
def test_letters_and_stamps_are_no_headings(said: str) -> None:
    """Large and by themselves as they stand."""
    assert headings(line(said, 0.4, scale=1.6)) == []
    assert headings(line(f"{said} BY THE COURT", 0.4, scale=1.6)) == [f"{said} BY THE COURT"]


def stacked(*texts: str, step: float = 1.0, indent: int = 0) -> list[dict[str, Any]]:
    """Lines one right below the other, those after the first indented."""
    return [
        line(text, 0.4 + step * PITCH * number, LEFT + (indent if number else 0) * LETTER)
        for number, text in enumerate(texts)
    ]


@pytest.mark.parametrize(
    "below_it",
    [
        ("1100 Peach Street, Suite 2800", "Springfield, GA 30309-4530"),
        ("Attn: Jane Roe", "Springfield, GA 30309"),
        ("(404) 555-0100",),
        ("jroe@example.org",),
        ("P.O. Box 12", "Springfield"),
        ("By: ______________",),
        ("/s/ Jane Roe", "Jane Roe"),
    ],
)
def test_names_in_addresses_and_signature_blocks_are_no_headings(below_it: tuple[str, ...]) -> None:
    """In capitals though they are, and with their own second line; the same name above a text is one."""
    assert headings(*stacked("ROE TOWNSEND &", "DOE LLP", *below_it)) == []
    assert headings(*stacked("CONTRACTOR:", *below_it, indent=13)) == []
    assert headings(line("ROE TOWNSEND", 0.4)) == ["ROE TOWNSEND"]


def test_what_stands_before_a_blank_is_no_heading() -> None:
    assert headings(line("COMMISSION", 0.4), line("/", 0.4, LEFT + 30 * LETTER)) == []


def test_a_heading_over_a_rule_is_one() -> None:
    assert headings(line("ORDER OF THE COURT", 0.4), line("_" * 30, 0.45), *prose(OTHER, 0.47)) == [
        "ORDER OF THE COURT"
    ]


def test_the_middle_of_a_caption_is_no_heading() -> None:
    """What begins with the sign between the parties of a case."""
    assert headings(line("v. ROE INDUSTRIES", 0.4, scale=1.6)) == []
    assert headings(line("DOE v. ROE", 0.4, scale=1.6)) == ["DOE v. ROE"]
