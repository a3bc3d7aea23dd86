"""Chunks: how long they are, what they cover, how they overlap, and that they point at what they say."""

import pickle
import random
import re
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.text.chunking import Chunk, Chunker, ChunkLimits, chunk
from app.text.elements import BODY, Element, Kind
from app.text.lines import PageContent
from app.text.tokens import count_tokens
from tests.text.typesetting import PITCH, TOP, Sheet, below, centred, line, page, prose, read, text_of

WORDS = (  # noqa: SIM905 (words read as words)
    "the of and court a to in that party for agreement is shall by not or be with this as claims under on any such "
    "plaintiff defendant motion evidence contract liability damages jurisdiction notwithstanding hereinafter"
).split()


def words(text: str) -> int:
    """Counts words: a tokenizer whose counts are seen at a glance."""
    return len(text.split())


def sentence(chance: random.Random, length: int) -> str:
    said = " ".join(chance.choice(WORDS) for _ in range(length))
    return said[0].upper() + said[1:] + "."


def document(seed: int, pages: int = 6) -> list[PageContent]:
    """Pages of headings, paragraphs, items and headers, different for each seed."""
    chance, made = random.Random(seed), []
    for number in range(1, pages + 1):
        sheet = Sheet(number)
        sheet.add([line(f"Roe against Doe, page {number} of the record", 0.03)])
        while below(sheet.lines) < 0.8:
            kind = chance.random()
            if kind < 0.15:
                sheet.add(
                    [
                        line(
                            f"{chance.choice('IVX')}. {' '.join(chance.choice(WORDS).title() for _ in range(3))}",
                            below(sheet.lines),
                        )
                    ]
                )
            elif kind < 0.3:
                sheet.paragraph(f"({chance.choice('bcdefgh')}) {sentence(chance, chance.randint(3, 40))}", gap=0.6)
            else:
                sheet.paragraph(" ".join(sentence(chance, chance.randint(2, 45)) for _ in range(chance.randint(1, 6))))
        sheet.add([centred(str(number), 0.97)])
        made.append(sheet.page())
    return made


def check(chunks: Sequence[Chunk], elements: Sequence[Element], text: str, limits: ChunkLimits) -> None:
    """All of the body is in chunks, in order; each is as long as it may be, and stands where it says."""
    assert [each.number for each in chunks] == list(range(1, len(chunks) + 1))
    bodies = [element for element in elements if element.kind in BODY]
    covered = bytearray(len(text))
    for each in chunks:
        assert each.token_count <= limits.max_tokens
        assert each.text == each.text.strip() != ""
        assert (each.first_page, each.last_page) == tuple(
            1 + text.count("\f", 0, at) for at in (each.start, each.end - 1)
        )
        assert {box["page"] for box in each.boxes} <= set(range(each.first_page, each.last_page + 1))
        said = {(e.start, e.end) for e in bodies if e.start < each.end and each.start < e.end}
        assert said
        covered[each.start : each.end] = b"\x01" * (each.end - each.start)
    for element in bodies:
        for piece in element.pieces:
            gaps = [at for at in range(piece.start, piece.end) if not covered[at] and not text[at].isspace()]
            assert not gaps, (element, gaps)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize(
    "limits", [ChunkLimits(), ChunkLimits(60, 15, 20), ChunkLimits(40, 0, 10), ChunkLimits(32, 16, 32)], ids=str
)
def test_chunks_cover_the_body_and_point_at_what_they_say(seed: int, limits: ChunkLimits) -> None:
    """Whatever the document and the limits; and twice the same."""
    pages = document(seed)
    elements = read(pages)
    chunks = list(chunk(elements, limits, count_tokens))
    check(chunks, elements, text_of(pages), limits)
    assert all(first.start < second.start and first.end <= second.end for first, second in pairwise(chunks))
    assert chunks == list(chunk(read(pages), limits, count_tokens))
    assert all(each.token_count == count_tokens(each.text) for each in chunks)


def test_a_chunk_says_what_its_range_says() -> None:
    """Word by word, where nothing was left out in between."""
    pages = [page(1, prose(" ".join(sentence(random.Random(1), 12) for _ in range(20)), TOP))]
    for each in chunk(read(pages), ChunkLimits(50, 10, 10), words):
        assert each.text.split() == text_of(pages)[each.start : each.end].split()


def test_what_stands_at_the_edges_is_in_no_chunk() -> None:
    chunks = list(chunk(read(document(3)), ChunkLimits(), count_tokens))
    assert not any("of the record" in each.text for each in chunks)


def test_chunks_overlap_by_whole_sentences() -> None:
    """As many of the last sentences as the overlap has room for begin the next chunk."""
    said = [f"Sentence number {number} has just seven words." for number in range(30)]
    elements = read([page(1, prose(" ".join(said), 0.05))])
    chunks = list(chunk(elements, ChunkLimits(35, 15, 10), words))
    assert chunks[0].text == " ".join(said[:5])
    assert chunks[1].text == " ".join(said[3:8])
    assert all(second.start < first.end for first, second in pairwise(chunks))


def test_a_sentence_longer_than_the_overlap_lends_its_last_words() -> None:
    long = " ".join(f"word{number}" for number in range(30))
    (element,) = read([page(1, prose(f"{long}. Then {long} again. And {long} once more.", TOP))])
    first, second, _ = chunk([element], ChunkLimits(40, 8, 10), words)
    assert second.text.startswith("word22 word23 word24 word25 word26 word27 word28 word29. Then")
    assert words(second.text[: first.end - second.start]) <= 8


def test_no_overlap_is_no_overlap() -> None:
    chunks = list(chunk(read(document(5)), ChunkLimits(60, 0, 20), count_tokens))
    assert all(first.end <= second.start for first, second in pairwise(chunks))


def headed() -> list[Element]:
    sheet = Sheet()
    sheet.add([centred("AGREEMENT", 0.05)])
    for number in range(1, 4):
        sheet.add([line(f"{'I' * number}. Section", below(sheet.lines))])
        sheet.paragraph(" ".join(f"Section {number} has sentence {count} in it." for count in range(12)))
    return read([sheet.page()])


def test_headings_begin_chunks() -> None:
    """Each section is a chunk of its own, under its headings, where it is long enough; nothing runs over into it."""
    chunks = list(chunk(headed(), ChunkLimits(100, 20, 30), words))
    assert [each.heading for each in chunks] == [
        "AGREEMENT > I. Section",
        "AGREEMENT > II. Section",
        "AGREEMENT > III. Section",
    ]
    assert [each.text.split("\n\n")[0] for each in chunks] == ["AGREEMENT", "II. Section", "III. Section"]


def test_short_sections_share_a_chunk() -> None:
    """A chunk with fewer than the fewest tokens isn't ended by a heading."""
    assert len(list(chunk(headed(), ChunkLimits(1000, 20, 900), words))) == 1


def sectioned(*sections: tuple[str, int]) -> list[Element]:
    """Sections with so many sentences each; a title in capitals without a sentence behind it is a heading."""
    sheet = Sheet()
    sheet.add([line("AGREEMENT OF THE PARTIES", 0.05, scale=1.6)])
    for title, sentences in sections:
        sheet.add([line(title, below(sheet.lines))]) if title.isupper() else sheet.paragraph(title)
        sheet.paragraph(" ".join(f"Sentence {count} says what it has to say." for count in range(sentences)), gap=0.6)
    return read([sheet.page()])


def test_titles_within_the_first_line_go_on_with_the_headings() -> None:
    """A section that goes on with the numbers of the heading in force ends it, and is named by its own title; a list isn't."""
    elements = sectioned(
        ("5. DAMAGES", 5), ("6. HARASSMENT. The parties keep to it.", 5), ("7. AUDIT OF RECORDS: They are kept.", 5),
        ("1. LABOR. This is a list of its own.", 5), ("8. The parties go on without a title.", 5), ("9. NOTICES", 5),
    )  # fmt: skip
    chunks = list(chunk(elements, ChunkLimits(60, 0, 20), words))
    assert [(each.heading or "").partition(" > ")[2] for each in chunks] == [
        "5. DAMAGES", "6. HARASSMENT", "7. AUDIT OF RECORDS", "7. AUDIT OF RECORDS", "7. AUDIT OF RECORDS", "9. NOTICES",
    ]  # fmt: skip
    assert chunks[1].text.startswith("6. HARASSMENT. The parties keep to it.")


def test_a_chunk_has_the_heading_that_most_of_it_stands_under() -> None:
    """Not that of the few words it begins with; where no section has most of it, what they all stand under."""
    few = sectioned(("17. CHANGES", 1), ("18. DISPUTES", 9), ("19. REVIEW", 1))
    assert [each.heading for each in chunk(few, ChunkLimits(400, 0, 300), words)] == [
        "AGREEMENT OF THE PARTIES > 18. DISPUTES"
    ]
    alike = sectioned(("17. CHANGES", 3), ("18. DISPUTES", 3), ("19. REVIEW", 3))
    assert [each.heading for each in chunk(alike, ChunkLimits(400, 0, 300), words)] == ["AGREEMENT OF THE PARTIES"]


def test_no_chunk_ends_with_a_heading() -> None:
    for limits in (ChunkLimits(80, 10, 70), ChunkLimits(90, 0, 80), ChunkLimits(76, 20, 76)):
        for each in chunk(headed(), limits, words):
            assert not each.text.endswith("Section")


def test_paragraphs_stay_whole_where_they_fit() -> None:
    """A paragraph that has no room left begins the next chunk, rather than being cut."""
    sheet = Sheet()
    said = [" ".join(f"Paragraph {number} says this in sentence {count}." for count in range(4)) for number in range(6)]
    for text in said:
        sheet.paragraph(text)
    chunks = list(chunk(read([sheet.page()]), ChunkLimits(70, 0, 20), words))
    assert [each.text for each in chunks] == ["\n\n".join(said[at : at + 2]) for at in (0, 2, 4)]


def test_a_word_without_end_is_cut() -> None:
    """A text without blanks can be no reason for a chunk that no embedder takes."""
    rows = [line("A" * 60, TOP + PITCH * n) for n in range(20)]
    elements = read([page(1, rows)])
    chunks = list(chunk(elements, ChunkLimits(40, 10, 10), count_tokens))
    check(chunks, elements, text_of([page(1, rows)]), ChunkLimits(40, 10, 10))


def test_a_chunker_goes_on_in_another_process() -> None:
    elements, chunker, found = read(document(7)), Chunker(ChunkLimits(60, 15, 20)), []
    for element in elements:
        found += list(chunker.add(element, count_tokens))
        chunker = pickle.loads(pickle.dumps(chunker))
    assert [*found, *chunker.finish(count_tokens)] == list(chunk(elements, ChunkLimits(60, 15, 20), count_tokens))


def test_no_elements_are_no_chunks() -> None:
    assert list(chunk([], ChunkLimits(), count_tokens)) == []
    furniture = [each for each in read(document(1)) if each.kind is Kind.HEADER]
    assert furniture
    assert list(chunk(furniture, ChunkLimits(), count_tokens)) == []


@pytest.mark.parametrize("limits", [(100, 51, 10), (100, -1, 10), (100, 10, 101), (100, 10, 0)])
def test_limits_that_make_no_sense_are_refused(limits: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="overlap"):
        ChunkLimits(*limits)


@given(st.text(alphabet="abcdefg" * 3 + "XYZ0123456789 \n\t\x1c\x00.,_-é٣", max_size=60))
def test_tokens_are_six_letters_or_three_digits_or_a_mark(text: str) -> None:
    runs = re.findall(r"[^\W\d_]+|\d+|\S", text)
    assert count_tokens(text) == sum(-(-len(run) // (3 if run[0].isdigit() else 6)) for run in runs)
