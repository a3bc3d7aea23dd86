"""The structure of a short document, read once for the stages that need it: its chunks and its passages."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from app import at_hand
from app.knowledge.pages import KEPT_PAGES
from app.pipeline.off_loop import are_short
from app.text.elements import Element
from app.text.lines import PageContent
from app.text.structure import StructureReader


@dataclass(frozen=True, slots=True)
class Structure:
    """All elements of a document."""

    elements: Sequence[Element]


def structure(job_id: UUID, pages: Sequence[PageContent], *, is_all: bool) -> Structure | None:
    """The structure of a document, where these few pages are all that it has; else None, for its elements come page by page."""
    if not is_all or len(pages) > KEPT_PAGES or not are_short(pages):
        return None
    read = at_hand.find(job_id, Structure)
    if read is None:
        read = Structure(list(elements_of(StructureReader(), pages, is_last=True)))
        at_hand.keep(job_id, read)
    return read


def elements_of(reader: StructureReader, pages: Sequence[PageContent], *, is_last: bool) -> Iterator[Element]:
    """The elements that are whole once these pages are read."""
    for page in pages:
        yield from reader.add(page)
    if is_last:
        yield from reader.finish()
