"""A short document's structure, read once, gives the chunks and passages that reading it twice would."""

from uuid import uuid4

from app import at_hand
from app.knowledge.pages import KEPT_PAGES
from app.pipeline.chunking import Cutting, cut, cut_elements
from app.pipeline.extraction import read_passages
from app.pipeline.structure import Structure, structure
from app.text.chunking import Chunker, ChunkLimits
from app.text.lines import PageContent
from app.text.passages import PassageReader
from tests.text.typesetting import centred, page, prose

PARAGRAPH = "The carrier answers for what is lost while it is in its hands, and a claim has to be made in writing. " * 6


def pages(count: int) -> list[PageContent]:
    return [page(number, [centred("TERMS", 0.1), *prose(PARAGRAPH, 0.2)]) for number in range(1, count + 1)]


def test_chunks_and_passages_are_the_same() -> None:
    some = pages(3)
    known = structure(uuid4(), some, is_all=True)
    assert known is not None
    _, made, edges = cut(Cutting(Chunker(ChunkLimits())), some, is_last=True)
    assert made
    assert cut_elements(Cutting(Chunker(ChunkLimits())), known.elements, is_last=True) == (made, edges)
    stretches = list(PassageReader().passages(some, known.elements))
    assert stretches == read_passages(PassageReader(), some, is_last=True)[1]


def test_it_is_read_once_while_it_is_at_hand() -> None:
    job, some = uuid4(), pages(1)
    with at_hand.at_hand():
        known = structure(job, some, is_all=True)
        assert known is not None
        assert structure(job, some, is_all=True) is known
        assert structure(uuid4(), some, is_all=True) is not known
    assert at_hand.find(job, Structure) is None


def test_a_part_of_a_document_or_a_long_one_has_none() -> None:
    assert structure(uuid4(), pages(1), is_all=False) is None
    assert structure(uuid4(), pages(KEPT_PAGES + 1), is_all=True) is None
