"""The recogniser finds the very names that spaCy's own pipeline finds."""

from pathlib import Path

import pytest

from app.entities.readable import readable
from app.entities.recognizer import MOST_WORDS, WORDS_AT_ONCE, KnownChunks, Name, Recognizer
from app.entities.spacy_extractor import pipeline

TEXTS = [
    Path("benchmarks/letter.txt").read_text(),
    Path("benchmarks/labelled/filings.txt").read_text()[:40_000],
    "",
    " \n\t ",
    "Mr. Thomas Okafor doesn’t work for Amber Tile Works, Inc. in Portland, Oregon; Dr. Vane (of Harrow & Vane LLP) does.",
    "IBM",
    "\u00a0Paris \n\n London",
    "In re Amber Tile Works, 14 F.3d 2 (9th Cir. 1994), the Supreme Court of Oregon",
]


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return Recognizer.of(pipeline())


@pytest.fixture(scope="module")
def expected() -> list[list[Name]]:
    documents = pipeline().pipe(readable(text).cased for text in TEXTS)
    return [[Name(span.label_, span.start_char, span.end_char) for span in document.ents] for document in documents]


def test_the_names_are_those_of_the_pipeline(recognizer: Recognizer, expected: list[list[Name]]) -> None:
    assert sum(map(len, expected)) > WORDS_AT_ONCE / 10
    assert recognizer.names([readable(text).cased for text in TEXTS]) == expected
    assert [recognizer.names([readable(text).cased])[0] for text in TEXTS] == expected


def test_nothing_changes_when_no_more_words_are_known(recognizer: Recognizer, expected: list[list[Name]]) -> None:
    foreign = " ".join(f"word{number}" for number in range(MOST_WORDS + 10))
    recognizer.names([foreign[: len(foreign) // 2], foreign])
    assert recognizer.names([readable(text).cased for text in TEXTS]) == expected


def test_a_tokenizer_keeps_what_stands_behind_an_abbreviation() -> None:
    tokenizer = pipeline().tokenizer
    texts = [
        "Mr. Okafor's yard (in Portland, Ore.) can't wait: see claims@harrowvane.example!",
        "Okafor's (in Portland,",
    ]
    expected = [[token.text for token in tokenizer(text)] for text in texts]
    chunks = KnownChunks(tokenizer)
    assert [[token.text for token in chunks.doc(text)] for text in texts * 2] == expected * 2
