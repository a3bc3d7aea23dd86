"""`extract_entities`: a document is read for what it names, and each mention is written with its place."""

from collections import Counter, deque
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from app import at_hand, events
from app.db import one_statement
from app.entities.mentions import EntityType, Mention, Passage
from app.jobs.models import Job
from app.jobs.steps import Step
from app.knowledge import found as found_mentions
from app.knowledge import mentions
from app.knowledge.mentions import Placed
from app.knowledge.pages import KEPT_PAGES as PAGES_AT_HAND
from app.knowledge.pages import page_batches
from app.pipeline.holding import written
from app.pipeline.off_loop import off_loop_if_long
from app.pipeline.outcome import Outcome, Tools
from app.pipeline.progress import note_progress
from app.pipeline.structure import structure
from app.text.elements import Box
from app.text.lines import PageContent, located
from app.text.passages import PassageReader, Stretch
from app.text.places import Lines
from app.turns import aside

KEPT_PAGES = 40
"""A passage is read at most so many pages after the one that it begins on was."""


@dataclass(slots=True)
class Places:
    """The pages that mentions may still be on, to tell where those stand."""

    _pages: deque[tuple[int, int, PageContent]] = field(default_factory=lambda: deque(maxlen=KEPT_PAGES))
    """With where each begins and ends."""
    _lines: dict[int, Lines] = field(default_factory=dict)
    _offset: int = 0

    def add(self, pages: Iterable[PageContent]) -> None:
        """Take the next pages in."""
        for page in pages:
            end = self._offset + len(page.text)
            self._pages.append((self._offset, end, page))
            self._offset = end + 1
        kept = {page.number for _, _, page in self._pages}
        self._lines = {number: lines for number, lines in self._lines.items() if number in kept}

    def of(self, start: int, end: int) -> list[Box]:
        """The boxes of a range of the document's text, one for each line that it touches."""
        touched = [(begins, page) for begins, ends, page in self._pages if begins < end and start < ends]
        return [box for begins, page in touched for box in self._located(page, begins).boxes(start, end)]

    def page_of(self, place: int) -> int | None:
        """The page that a character of the document's text is on; None for one that is long behind."""
        return next((page.number for begins, ends, page in self._pages if begins <= place <= ends), None)

    def _located(self, page: PageContent, begins: int) -> Lines:
        if page.number not in self._lines:
            self._lines[page.number] = Lines.of(located(page, begins))
        return self._lines[page.number]


@dataclass(frozen=True, slots=True)
class PassageBatch:
    """Passages in a row."""

    passages: list[Passage]
    places: Places
    last_page: int
    """The last page that was read for them."""
    is_last: bool


async def extract_entities(job: Job, tools: Tools) -> Outcome:
    """Find the mentions of a document; a try that was cut off is gone on with, by the passages that it had read.

    Raises what the extractor raises.
    """
    begun = job.stage_cursor or 0
    read, found, is_all = 0, dict[EntityType, int](), False
    async for batch in passage_batches(job, tools):
        anew = read == begun == 0
        is_all = anew and batch.is_last
        fresh = batch.passages[max(begun - read, 0) :]
        read += len(batch.passages)
        async with aside():
            by_passage = await tools.extractor.extract(fresh) if fresh else []
        placed = list(_placed(fresh, by_passage, batch.places))
        if is_all:
            async with one_statement(tools.sessions) as session:
                stored = await mentions.replace(session, job, placed)
            found_mentions.keep(job.id, stored)
            found = dict(sorted(Counter(each.mention.type for each in stored).items()))
        else:
            await _write(job, tools, placed, read, batch, anew=anew)
    if not is_all:
        async with one_statement(tools.sessions) as session:
            found = await mentions.counts(session, job.id)
    return Outcome(details={"mentions": sum(found.values()), "by_type": found, "extractor": tools.extractor.name})


async def passage_batches(job: Job, tools: Tools) -> AsyncIterator[PassageBatch]:
    """The passages of a document, in its order, as many at a time as some pages have."""
    if (all_of_them := at_hand.find(job.id, PassageBatch)) is not None:
        yield all_of_them
        return
    reader, places, last_page = PassageReader(), Places(), 0
    async for batch in page_batches(tools.sessions, job.id, job.pages_done):
        places.add(batch.pages)
        if (known := structure(job.id, batch.pages, is_all=batch.is_all(job.pages_done))) is not None:
            stretches = list(reader.passages(batch.pages, known.elements))
        else:
            reader, stretches = await off_loop_if_long(
                batch.pages, read_passages, reader, batch.pages, is_last=batch.is_last
            )
        passages = [Passage(stretch.text, stretch.start, stretch.page) for stretch in stretches]
        last_page = batch.pages[-1].number if batch.pages else last_page
        passage_batch = PassageBatch(passages, places, last_page, batch.is_last)
        if batch.is_last and last_page == len(batch.pages) <= PAGES_AT_HAND:
            at_hand.keep(job.id, passage_batch)
        yield passage_batch


def read_passages(
    reader: PassageReader, pages: Sequence[PageContent], *, is_last: bool
) -> tuple[PassageReader, list[Stretch]]:
    """The passages that are whole once these pages are read."""
    stretches = [stretch for page in pages for stretch in reader.add(page)]
    return reader, [*stretches, *reader.finish()] if is_last else stretches


async def _write(
    job: Job, tools: Tools, placed: Sequence[Placed], read: int, batch: PassageBatch, *, anew: bool
) -> None:
    """The mentions, and with them how far this try has come: none is lost or told twice, wherever it is cut off."""
    await written(job)
    async with tools.sessions.begin() as session:
        if anew:
            await mentions.forget(session, job.id)
        await mentions.add(session, job, placed)
        if batch.is_last:
            return
        told = {"pages_done": batch.last_page, "mentions": len(placed)}
        last = await note_progress(session, job, Step.ENTITIES, cursor=read, **told)
    await events.ring(tools.redis, job.id, last, project_id=job.project_id)


def _placed(passages: Sequence[Passage], by_passage: Sequence[Sequence[Mention]], places: Places) -> Iterator[Placed]:
    for passage, found in zip(passages, by_passage, strict=True):
        for mention in found:
            boxes = places.of(mention.start, mention.end)
            yield Placed(mention, places.page_of(mention.start) or passage.page, boxes)
