"""The labelled set: sound, and read as well as the last time, or better."""

import os
from pathlib import Path

import pytest

from app.entities.mentions import Passage
from app.entities.reading import read
from benchmarks.entities import Counts, counted
from benchmarks.entity_labels import Labelled, our_passages, public_filings

LEAST = 0.9
"""Of all types together; single types are printed by the benchmark."""
LEAST_PUBLIC = 0.85


def totals(texts: list[Labelled]) -> Counts:
    [*_, everything] = counted((text, read([Passage(text.text, 0, 1)])[0]) for text in texts).values()
    return everything


def test_labels_stand_in_their_texts() -> None:
    for text in our_passages():
        assert text.labels or "repeats paragraphs" in text.text
        assert all(text.text[label.start : label.end].strip() for label in text.labels)
        assert "{" not in text.text


def test_our_passages_are_read_well() -> None:
    everything = totals(our_passages())
    assert everything.right / everything.labels >= LEAST
    assert everything.right / everything.mentions >= LEAST


@pytest.mark.corpus
@pytest.mark.skipif("QUIRE_CORPUS" not in os.environ, reason="needs QUIRE_CORPUS")
def test_public_filings_are_read_well() -> None:
    everything = totals(public_filings(Path(os.environ["QUIRE_CORPUS"])))
    assert everything.right / everything.labels >= LEAST_PUBLIC
    assert everything.right / everything.mentions >= LEAST_PUBLIC
