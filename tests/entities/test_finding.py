"""What finders give, made one list: no overlaps, and the better of two that do."""

from itertools import pairwise
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from app.entities.extractors import without_overlaps
from app.entities.finding import Found, as_mention, settled, trimmed
from app.entities.mentions import EntityType, Mention, Passage
from app.entities.readable import readable

RANGES = st.tuples(st.integers(0, 60), st.integers(1, 20)).map(lambda each: (each[0], each[0] + each[1]))
FOUND = st.builds(
    lambda kind, place, sure, source: Found(kind, place[0], place[1], sure, source),
    st.sampled_from(EntityType),
    RANGES,
    st.sampled_from([0.5, 0.7, 0.9]),
    st.sampled_from(["one", "two"]),
)


@given(st.lists(FOUND, max_size=20))
def test_settled_ranges_never_overlap_and_nothing_free_is_lost(found: list[Found]) -> None:
    kept = settled(found)
    assert all(before.end <= after.start for before, after in pairwise(kept))
    assert set(kept) <= set(found)
    for each in found:
        assert any(each.start < other.end and other.start < each.end for other in kept)


@given(st.lists(FOUND, max_size=12), st.randoms())
def test_the_order_of_finders_is_no_matter(found: list[Found], random: Random) -> None:
    shuffled = list(found)
    random.shuffle(shuffled)
    assert settled(shuffled) == settled(found)


def test_a_citation_wins_over_the_names_of_its_parties() -> None:
    person, citation = Found(EntityType.PERSON, 0, 10, 0.99, "a"), Found(EntityType.CITATION, 0, 40, 0.5, "b")
    assert settled([person, citation]) == [citation]


def test_names_are_trimmed_to_themselves() -> None:
    for written, name in (
        ("the Acme Company's", "Acme Company"),
        ("“Leon”", "Leon"),
        (" Workers’ ", "Workers"),
        ("Ann;", "Ann"),
    ):
        start, end = trimmed(written, 0, len(written))
        assert written[start:end] == name


def test_a_mention_stands_where_its_name_does_in_the_document() -> None:
    passage = Passage("signed by Wilhelmina Ster-\nling today", 1000, 4)
    text = readable(passage.text)
    start = text.text.index("Wilhelmina")
    mention = as_mention(Found(EntityType.PERSON, start, start + len("Wilhelmina Sterling"), 0.9, "a"), text, passage)
    assert mention is not None
    assert mention.text == "Wilhelmina Sterling"
    assert mention.normal == "wilhelmina sterling"
    assert passage.text[mention.start - 1000 : mention.end - 1000] == "Wilhelmina Ster-\nling"


def test_what_has_no_form_is_no_mention() -> None:
    text = readable("February 31, 2020")
    assert as_mention(Found(EntityType.DATE, 0, 17, 0.9, "a"), text, Passage(text.text, 0, 1)) is None


def test_extractors_together_give_one_list() -> None:
    def mention(kind: EntityType, start: int, end: int, sure: float) -> Mention:
        return Mention(kind, "x", "x", sure, "a", start, end)

    name, surer, date = (
        mention(EntityType.PERSON, 0, 9, 0.8),
        mention(EntityType.ORGANIZATION, 2, 9, 0.9),
        mention(EntityType.DATE, 20, 30, 0.7),
    )
    assert without_overlaps([date, name, surer]) == [surer, date]
