"""Where sentences end, in the writing of lawyers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.entities.anchors import matches_in_order
from app.graph.sentences import _END, _END_BEGINS, sentences


def split(text: str) -> list[str]:
    told = sentences(text)
    ends = [*told.starts[1:], told.length]
    return [text[start:end].strip() for start, end in zip(told.starts, ends, strict=True)]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("He paid. She left.", ["He paid.", "She left."]),
        (
            "Mr. Roe v. Acme Inc. was heard by J. M. Dowd. It ended.",
            ["Mr. Roe v. Acme Inc. was heard by J. M. Dowd.", "It ended."],
        ),
        ("See No. 21-800. The U.S. Court agreed.", ["See No. 21-800.", "The U.S. Court agreed."]),
        ("“Was it?” He asked.", ["“Was it?”", "He asked."]),
        ("ORDER\nThe motion is denied.", ["ORDER", "The motion is denied."]),
        (
            "a line of running text that is longer than most\ngoes on here. End.",
            ["a line of running text that is longer than most\ngoes on here.", "End."],
        ),
        # Where the numbers of pleading paper stood, there are blanks; an empty line is one between paragraphs.
        (
            "The court finds that the carrier had notice\n  \n \nof the claim, and had it before May.\n \n  It erred.",
            ["The court finds that the carrier had notice\n  \n \nof the claim, and had it before May.", "It erred."],
        ),
        ("It has met\n  \n   with him. End.", ["It has met\n  \n   with him.", "End."]),
        ("ORDER\n \n \nThe motion is denied.", ["ORDER", "The motion is denied."]),
        (
            "a line of running text that is longer than most\n\nAnother begins. End.",
            ["a line of running text that is longer than most", "Another begins.", "End."],
        ),
        (
            "a line of running text that is longer than most\n \n\nAnother begins.",
            ["a line of running text that is longer than most", "Another begins."],
        ),
        (
            "He must,\n(a)\nuse the keys that were given to him; and\n  (b)\nsell them.",
            ["He must,\n(a)\nuse the keys that were given to him; and", "(b)\nsell them."],
        ),
        ("one\ftwo", ["one", "two"]),
        ("", [""]),
    ],
)
def test_sentences_are_told_apart(text: str, parts: list[str]) -> None:
    assert split(text) == parts


def test_none_ends_within_a_name() -> None:
    text = "It was St. Clair Co. Inc. Of course."
    assert len(sentences(text, [(7, 25)]).starts) <= 2


@given(st.text(alphabet='Ab .?!\n\f"”1', max_size=120))
def test_every_place_is_in_one_sentence(text: str) -> None:
    told = sentences(text)
    assert told.starts[0] == 0
    assert list(told.starts) == sorted(set(told.starts))
    for place in range(len(text)):
        start, end = told.at(place, place + 1)
        assert start <= place < end <= len(text)


@given(st.text(alphabet="a A.?!\n\t\f”1", max_size=40))
def test_ends_are_those_that_a_search_finds(text: str) -> None:
    begun = matches_in_order(_END, text, (match.start() for match in _END_BEGINS.finditer(text)))
    assert [match.span() for match in begun] == [match.span() for match in _END.finditer(text)]
