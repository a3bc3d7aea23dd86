"""The labelled set: sound, and read as well as the last time, or better."""

import os
from pathlib import Path

import pytest

from app.entities.mentions import EntityType, Mention, Passage
from app.entities.reading import read
from benchmarks.entities import Counts, counted
from benchmarks.entity_filings import filing_of, pipeline_filings
from benchmarks.entity_labels import Label, Labelled, our_passages, public_filings
from tests.text.typesetting import line, page

LEAST = 0.9
"""Of all types together; single types are printed by the benchmark."""
LEAST_PUBLIC = 0.9
LEAST_PIPELINE = 0.85
"""Lower for its recall: a tenth of the labels are in stamps and headers, which are kept apart."""


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


@pytest.mark.corpus
@pytest.mark.timeout(120)
@pytest.mark.skipif("QUIRE_CORPUS" not in os.environ, reason="needs QUIRE_CORPUS")
def test_public_filings_are_read_well_as_the_pipeline_reads_them() -> None:
    filings = list(pipeline_filings(Path(os.environ["QUIRE_CORPUS"])))
    found = [filing.of_stretch([each for those in read(filing.passages) for each in those]) for filing in filings]
    assert sum(filing.not_there for filing in filings) <= len(filings)
    [*_, everything] = counted(zip((filing.labelled for filing in filings), found, strict=True)).values()
    assert everything.right / everything.labels >= LEAST_PIPELINE
    assert everything.right / everything.mentions >= LEAST_PUBLIC


def test_a_stretch_is_found_again_in_another_order_and_no_more_than_it() -> None:
    written = "No. 21-800\nNaomi Castellano sued Tidewell\nMutual on the third of May for all that it owed."
    name, party = "Naomi Castellano", "Tidewell\nMutual"
    labels = [
        Label(kind, written.index(words), written.index(words) + len(words))
        for words, kind in ((name, EntityType.PERSON), (party, EntityType.ORGANIZATION))
    ]
    lines = ["Naomi Castellano sued Tidewell", "Mutual on the third of May for all that it owed.", "No. 21-800"]
    others = ["No. 21-800", "Naomi Castellano is named on this page too, of which nothing was labelled by anybody."]
    pages = [
        page(number, [line(each, 0.1 + 0.02 * row) for row, each in enumerate(those)])
        for number, those in enumerate((lines, others), start=1)
    ]
    filing = filing_of(Labelled("made up", written, tuple(labels)), pages)
    text = filing.labelled.text
    assert [text[label.start : label.end] for label in filing.labelled.labels] == [name, party]
    assert filing.not_there == 0
    again = text.rindex(name)
    mentions = [
        Mention(EntityType.PERSON, name, name, 1.0, "a", at, at + len(name)) for at in (text.index(name), again)
    ]
    assert filing.of_stretch(mentions) == mentions[:1]
