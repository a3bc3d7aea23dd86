"""Readable text: what scanning and typesetting do to words is undone, and every place is kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.entities.line_numbers import line_numbers
from app.entities.mentions import Passage, passage
from app.entities.neighbours import neighbourhoods
from app.entities.readable import readable


@pytest.mark.parametrize(
    ("written", "reads"),
    [
        ("the agree-\nment of the parties", "the agreement of the parties"),
        ("signed by Ann Smith-\nJones", "signed by Ann Smith-Jones"),
        ("404-\n815-6095", "404-815-6095"),
        ("a soft\u00adhyphen", "a softhyphen"),
        ("Name: ______ of party", "Name:   of party"),
        ("CHRISTOPHER M. WOLPERT, Clerk", "Christopher M. Wolpert, Clerk"),
        ("CATHERINE O'HAGAN WOLFE", "Catherine O'Hagan Wolfe"),
        ("STANDISH & MOREAU LLP", "Standish & Moreau LLP"),
        ("STATE OF MISSOURI", "State of Missouri"),
        ("the FBI and SPIREON", "the FBI and SPIREON"),
        ("ANN ROE, ) No. 21-800\n) \nAppellant. )", "Ann Roe, \nNo. 21-800\n\n\nAppellant. \n"),
    ],
)
def test_a_passage_reads_as_a_person_reads_it(written: str, reads: str) -> None:
    assert readable(written).cased == reads


def test_lines_of_running_text_are_joined_and_short_lines_stand_alone() -> None:
    text = "This court has been advised by order of the United\nStates District Court.\nORDER\nIt is so ordered."
    assert (
        readable(text).text
        == "This court has been advised by order of the United States District Court.\nORDER\nIt is so ordered."
    )


def test_numbers_in_the_margin_are_apart() -> None:
    lines = [
        "On July 13 the",
        "Court issued an",
        "order that was",
        "set to expire on",
        "July 25 and was",
        "then extended to",
        "August",
    ]
    numbered = "\n".join(f"{number} {line}" for number, line in enumerate(lines, start=1))
    assert len(line_numbers(numbered)) == len(lines)
    assert "2" not in readable(numbered).text.replace("25", "")


def test_a_short_list_is_no_margin() -> None:
    assert line_numbers("1 Labor\n2 Travel\n3 Materials") == []


def test_what_is_kept_apart_is_blanked_in_its_place() -> None:
    cut = passage("Ann 12\nRoe", 100, 3, apart=[(104, 107)])
    assert cut == Passage("Ann   \nRoe", 100, 3)


@given(st.text(alphabet="aB .-\n\f)(_\u00ad’RST1", max_size=120))
def test_every_character_keeps_its_place(text: str) -> None:
    """Letters and digits of the readable text are those of the passage at the place that is told, in order."""
    made = readable(text)
    assert len(made.text) == len(made.cased) == len(made.places)
    assert list(made.places) == sorted(made.places)
    for character, cased, place in zip(made.text, made.cased, made.places, strict=True):
        if character.isalnum():
            assert text[place] == character
            assert character.lower() == cased.lower()


@given(st.lists(st.tuples(st.text(alphabet="ab \n", min_size=1, max_size=400), st.integers(0, 100)), max_size=8))
def test_neighbours_keep_their_places(pieces: list[tuple[str, int]]) -> None:
    """Read as one or not, each passage's text stands where it stands in the document, and none is lost or told twice."""
    passages, start = [], 0
    for text, gap in pieces:
        passages.append(Passage(text, start + gap, 1))
        start += gap + len(text)
    numbers = []
    for one, those in neighbourhoods(passages):
        numbers += list(those)
        for number in those:
            first = passages[number].start - one.start
            assert one.text[first : first + len(passages[number].text)] == passages[number].text
    assert numbers == list(range(len(passages)))
