"""Documents as the pipeline leaves them: published runs with chunks and vectors, written without reading anything."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert, update

from app.db import new_id, table_of
from app.documents.models import Document
from app.entities.mentions import EntityType
from app.jobs.models import Job
from app.jobs.states import JobState
from app.knowledge import chunks
from app.knowledge.models import Entity, EntityMention
from app.text.chunking import Chunk
from tests.bench import Bench

STEP = 1000
"""Chunks of a document begin so many characters from each other, one on each page."""

BOX = {"page": 1, "left": 0.1, "top": 0.2, "width": 0.5, "height": 0.02}


@dataclass(frozen=True, slots=True)
class Filed:
    """A document with chunks."""

    document_id: UUID
    job: Job


def chunk_of(number: int, text: str) -> Chunk:
    """A chunk that stands alone on its page."""
    start = (number - 1) * STEP
    box: Any = {**BOX, "page": number}
    return Chunk(number, text, len(text.split()), number, number, start, start + STEP, [box], None)


async def file_document(
    bench: Bench,
    texts: Sequence[str],
    *,
    project: str = "default",
    created_at: datetime | None = None,
    published: bool = True,
    embedded: bool = True,
    document: Document | None = None,
    options: dict[str, Any] | None = None,
) -> Filed:
    """A document whose chunks have these texts."""
    document = document or await bench.rows.document(project=project)
    job = await bench.rows.job(state=JobState.DONE, document=document, published=published, options=options or {})
    async with bench.tools.sessions.begin() as session:
        await chunks.save(session, job, [chunk_of(number, text) for number, text in enumerate(texts, start=1)])
        if created_at is not None:
            await session.execute(
                update(table_of(Document)).where(Document.id == document.id).values(created_at=created_at)
            )
    if embedded:
        async for _ in bench.tools.embedding.embed_run(job.id):
            pass
    return Filed(document.id, job)


async def name_entity(bench: Bench, filed: Filed, number: int, *, merged_into: UUID | None = None) -> UUID:
    """An entity that is named in a chunk of a document."""
    entity_id, start = new_id(), (number - 1) * STEP + 10
    async with bench.tools.sessions.begin() as session:
        await session.execute(
            insert(table_of(Entity)).values(
                id=entity_id,
                project_id=filed.job.project_id,
                type=EntityType.PERSON,
                normal_form=str(entity_id),
                name="A. Person",
                merged_into=merged_into,
            )
        )
        await session.execute(
            insert(table_of(EntityMention)).values(
                job_id=filed.job.id,
                start_char=start,
                end_char=start + 9,
                document_id=filed.document_id,
                type=EntityType.PERSON,
                text="A. Person",
                normal_form="a person",
                confidence=1.0,
                source="test",
                page=number,
                entity_id=entity_id,
            )
        )
    return entity_id
