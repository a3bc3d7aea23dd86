"""Text that is made to be slow, or that is none: reading it takes a moment, and gives mentions that stand where they say."""

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.entities.mentions import Passage
from app.entities.reading import read
from app.graph.relations import LinkedMention, RelationReader

PIECES = ["Aa ", "A. ", "Aa, ", "a", "1", "1,111", "1-", "(", ") ", "of the ", "Court of ", "No. ", "& ", "@", "a.b", "Plaintiff,\n", "\n", "$1",
          "v. ", "1 U.S. ", "§ ", "Jan. 1 ", "-\n", "“A” ", "A’", "_", "⟦p0⟧", "and A, "]  # fmt: skip


@pytest.mark.timeout(60)
@pytest.mark.parametrize("piece", PIECES)
def test_repetition_is_no_trap(piece: str) -> None:
    """The time of a pattern with nested repetitions would double with each of these thousands of pieces."""
    passage = Passage(piece * (6000 // len(piece)), 0, 1)
    [mentions] = read([passage], names=False)
    linked = [LinkedMention(mention.normal, mention) for mention in mentions]
    RelationReader().read([passage], linked)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.sampled_from([*PIECES, "Ann Roe", " Acme Inc. ", "May 5, 2020"]), max_size=30).map("".join),
    st.integers(0, 10**6),
)
def test_mentions_stand_where_they_say(text: str, start: int) -> None:
    [mentions] = read([Passage(text, start, 1)])
    for mention in mentions:
        stands = text[mention.start - start : mention.end - start]
        assert letters(stands) == letters(mention.text)
        assert mention.normal
        assert 0 < mention.confidence <= 1
    assert all(before.end <= after.start for before, after in pairwise(mentions))


def letters(text: str) -> str:
    return re.sub(r"[\W_]", "", text)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("piece", ["A", "1", "AA-", "A.B.", "O'A", "McA", "A’", "(", "'", "”", "a-", "1:", "Ann Roe, "])
def test_an_endless_word_is_read_in_a_moment(piece: str) -> None:
    """A text layer may hold a word of 100,000 characters: what is tried at each of them goes on for a bounded way only."""
    passage = Passage(piece * (100_000 // len(piece)), 0, 1)
    [mentions] = read([passage])
    RelationReader().read([passage], [LinkedMention(mention.normal, mention) for mention in mentions])


def test_evidence_of_a_text_without_sentences_is_bounded() -> None:
    """Thousands of citations in a row are no sentence: each is told with what stands around it."""
    passage = Passage("No. 3:19-cv-02345 " + "1 U.S. 1, " * 2000, 0, 1)
    [mentions] = read([passage], names=False)
    edges = RelationReader().read([passage], [LinkedMention(mention.normal, mention) for mention in mentions])
    assert max(len(said.text) for edge in edges for said in edge.evidence) < 7000
