"""`chunk_document`: a document's text is cut into chunks along its own structure, which are written as they come."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from app.config import Settings
from app.db import one_statement
from app.jobs.models import Job
from app.jobs.steps import Step
from app.knowledge import chunks
from app.knowledge.pages import page_batches
from app.pipeline.off_loop import off_loop_if_long
from app.pipeline.outcome import Outcome, Tools
from app.pipeline.progress import tell_progress
from app.text.chunking import Chunk, Chunker, ChunkLimits
from app.text.lines import PageContent
from app.text.structure import StructureReader
from app.text.tokens import count_tokens


@dataclass(slots=True)
class Cutting:
    """How far a document is cut: what the next pages are to be read with. It travels between processes."""

    chunker: Chunker
    reader: StructureReader = field(default_factory=StructureReader)


async def chunk_document(job: Job, tools: Tools) -> Outcome:
    """Cut the pages, a batch at a time, and write the chunks over those that an earlier try wrote."""
    cutting, count, tokens = Cutting(Chunker(chunk_limits(tools.settings))), 0, 0
    async for batch in page_batches(tools.sessions, job.id, job.pages_done):
        cutting, made = await off_loop_if_long(batch.pages, cut, cutting, batch.pages, is_last=batch.is_last)
        count, tokens = count + len(made), tokens + sum(chunk.token_count for chunk in made)
        async with one_statement(tools.sessions) as session:
            await chunks.save(session, job, made, last_number=count if batch.is_last else None)
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


def cut(cutting: Cutting, pages: Sequence[PageContent], *, is_last: bool) -> tuple[Cutting, list[Chunk]]:
    """The chunks that are whole once these pages are read."""
    reader, chunker = cutting.reader, cutting.chunker
    made: list[Chunk] = []
    for page in pages:
        for element in reader.add(page):
            made += chunker.add(element, count_tokens)
    if is_last:
        for element in reader.finish():
            made += chunker.add(element, count_tokens)
        made += chunker.finish(count_tokens)
    return cutting, made
