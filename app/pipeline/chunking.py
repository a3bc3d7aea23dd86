"""`chunk_document`: a document's text is cut into chunks along its own structure, which are written as they come."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from app import at_hand
from app.config import Settings
from app.db import one_statement
from app.jobs.models import Job
from app.jobs.steps import Step
from app.knowledge import chunks
from app.knowledge.embedding import CHUNKS_AT_ONCE, MadeChunks
from app.knowledge.pages import page_batches
from app.knowledge.vectors import Unembedded
from app.pipeline.off_loop import off_loop_if_long
from app.pipeline.outcome import Outcome, Tools
from app.pipeline.page_edges import PageEdges
from app.pipeline.progress import tell_progress
from app.pipeline.structure import elements_of, structure
from app.text.chunking import Chunk, Chunker, ChunkLimits
from app.text.elements import Element
from app.text.lines import PageContent
from app.text.structure import StructureReader
from app.text.tokens import count_tokens


@dataclass(slots=True)
class Cutting:
    """How far a document is cut: what the next pages are to be read with. It travels between processes."""

    chunker: Chunker
    reader: StructureReader = field(default_factory=StructureReader)
    edges: PageEdges = field(default_factory=PageEdges)


async def chunk_document(job: Job, tools: Tools) -> Outcome:
    """Cut the pages, a batch at a time, and write the chunks over those that an earlier try wrote."""
    cutting, count, tokens = Cutting(Chunker(chunk_limits(tools.settings))), 0, 0
    async for batch in page_batches(tools.sessions, job.id, job.pages_done):
        if (known := structure(job.id, batch.pages, is_all=batch.is_all(job.pages_done))) is not None:
            made, edges = cut_elements(cutting, known.elements, is_last=True)
        else:
            cutting, made, edges = await off_loop_if_long(batch.pages, cut, cutting, batch.pages, is_last=batch.is_last)
        count, tokens = count + len(made), tokens + sum(chunk.token_count for chunk in made)
        async with one_statement(tools.sessions) as session:
            ids = await chunks.save(session, job, made, edges=edges, last_number=count if batch.is_last else None)
        if batch.is_last and count == len(made) <= CHUNKS_AT_ONCE:
            at_hand.keep(job.id, MadeChunks([Unembedded(ids[each.number], each.text, each.number) for each in made]))
        if not batch.is_last:
            await tell_progress(job, tools, Step.CHUNKING, pages_done=batch.pages[-1].number, chunks=count)
    return Outcome(details={"chunks": count, "tokens": tokens})


def chunk_limits(settings: Settings) -> ChunkLimits:
    """How long chunks are to be."""
    return ChunkLimits(
        max_tokens=settings.chunk_max_tokens,
        overlap_tokens=settings.chunk_overlap_tokens,
        min_tokens=settings.chunk_min_tokens,
    )


def cut(
    cutting: Cutting, pages: Sequence[PageContent], *, is_last: bool
) -> tuple[Cutting, list[Chunk], dict[int, str]]:
    """The chunks that are whole once these pages are read, and what stands at the edges of their pages, by their numbers."""
    return cutting, *cut_elements(cutting, elements_of(cutting.reader, pages, is_last=is_last), is_last=is_last)


def cut_elements(cutting: Cutting, elements: Iterable[Element], *, is_last: bool) -> tuple[list[Chunk], dict[int, str]]:
    """The same of elements in a row."""
    made: list[Chunk] = []
    for element in elements:
        cutting.edges.add(element)
        made += cutting.chunker.add(element, count_tokens)
    if is_last:
        made += cutting.chunker.finish(count_tokens)
    return made, cutting.edges.beside(made, is_last=is_last)
