"""The rows of documents that are being erased, and of what only they spoke of. Nothing here commits."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Interval, Uuid, bindparam, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import table_of
from app.documents.models import Document, Erasure
from app.documents.repository import documents
from app.jobs.models import Job
from app.jobs.repository import jobs
from app.knowledge import entities

erasures = table_of(Erasure)

LARGE_TABLES = ("pages", "document_chunks", "events")
"""What a long document has thousands of rows in."""


async def jobs_of(session: AsyncSession, document_id: UUID) -> Sequence[Job]:
    """All jobs of a document."""
    found = await session.execute(select(jobs).where(jobs.c.document_id == document_id).order_by(jobs.c.created_at))
    return [Job.of(row) for row in found]


async def begin(session: AsyncSession, document: Document, *, due_in: timedelta) -> Erasure:
    """Have a document be there for nobody any more, and write down what is to be taken away with it."""
    gone = update(documents).where(documents.c.id == document.id).values(erased_at=func.now(), updated_at=func.now())
    await session.execute(gone)
    asked = (await session.scalars(_TEXTRACT_JOB_IDS, {"document": document.id})).all()
    values = {
        "document_id": document.id,
        "project_id": document.project_id,
        "s3_key": document.s3_key,
        "textract_job_ids": list(asked),
        "due_at": func.now() + due_in,
    }
    row = (await session.execute(insert(erasures).values(values).returning(erasures))).one()
    return Erasure.of(row)


async def take_due(session: AsyncSession, *, again: timedelta) -> Erasure | None:
    """One that is due and that nobody works on, put off for a while."""
    row = (await session.execute(_TAKE_DUE, {"again": again})).one_or_none()
    return None if row is None else Erasure.of(row)


async def settle(session: AsyncSession, document_id: UUID, *, after: timedelta) -> bool:
    """Put an erasure off until nobody can be at work on its document, and forget it then; whether it is forgotten."""
    told = {"document": document_id, "after": after}
    if (await session.execute(_FORGET, told)).one_or_none() is not None:
        return True
    await session.execute(_PUT_OFF, told)
    return False


async def erase_slice(session: AsyncSession, table: str, document_id: UUID) -> int:
    """Take away some rows of a large table; returns how many. Of events, those of each page and step: no audit needs them."""
    return len((await session.execute(_SLICES[table], {"document": document_id})).all())


async def erase_knowledge(session: AsyncSession, project_id: UUID, document_id: UUID) -> None:
    """Take away what a document says, and what nothing else speaks of: entities, and those that were merged into them."""
    await entities.take_turn(session, project_id)
    spoken_of: set[UUID] = set(await session.scalars(_SPOKEN_OF, {"document": document_id}))
    for statement in _KNOWLEDGE:
        await session.execute(statement, {"document": document_id})
    while spoken_of:
        told = {"project": project_id, "ids": sorted(spoken_of)}
        gone = set((await session.scalars(_FORGET_ENTITIES, told)).all())
        if not gone:
            break
        spoken_of -= gone


async def erase_document(session: AsyncSession, document_id: UUID) -> None:
    """Take the document's own row away, and its jobs' before it: in that order whoever writes for a job takes them too."""
    for statement in (_LET_GO, _ERASE_JOBS, _ERASE_DOCUMENT):
        await session.execute(statement, {"document": document_id})
    gone = update(erasures).where(erasures.c.document_id == document_id, erasures.c.rows_gone_at.is_(None))
    await session.execute(gone.values(rows_gone_at=func.now()))


def _of_document(statement: str) -> Any:
    return text(statement).bindparams(bindparam("document", type_=Uuid()))


_TEXTRACT_JOB_IDS = _of_document("""
    SELECT textract_job_id FROM textract_jobs WHERE document_id = :document AND textract_job_id IS NOT NULL
""")
_TAKE_DUE = (
    text(f"""
        UPDATE erasures SET due_at = now() + :again WHERE document_id = (
            SELECT document_id FROM erasures WHERE due_at <= now() ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
        RETURNING {", ".join(f"erasures.{each.name}" for each in erasures.columns)}
    """)  # noqa: S608 (columns of ours)
    .bindparams(bindparam("again", type_=Interval))
    .columns(*erasures.columns)
)
_AFTER = bindparam("after", type_=Interval)
_FORGET = _of_document("""
    DELETE FROM erasures WHERE document_id = :document AND created_at + :after < now() AND rows_gone_at IS NOT NULL
    RETURNING document_id
""").bindparams(_AFTER)
_PUT_OFF = _of_document("""
    UPDATE erasures SET due_at = greatest(now(), created_at + :after) + interval '1 second' WHERE document_id = :document
""").bindparams(_AFTER)
_SLICES = {
    "pages": _of_document("""
        DELETE FROM pages WHERE (job_id, number) IN (
            SELECT job_id, number FROM pages WHERE document_id = :document LIMIT 200) RETURNING number
    """),
    "document_chunks": _of_document("""
        DELETE FROM document_chunks WHERE id IN (
            SELECT id FROM document_chunks WHERE document_id = :document LIMIT 1000) RETURNING number
    """),
    "events": _of_document("""
        DELETE FROM events WHERE id IN (
            SELECT id FROM events WHERE document_id = :document AND type IN ('page', 'progress') LIMIT 2000) RETURNING id
    """),
}
_OF_ITS_JOBS = "job_id = ANY(ARRAY(SELECT id FROM jobs WHERE document_id = :document))"
_SPOKEN_OF = _of_document(f"""
    WITH named AS (
        SELECT entity_id AS id FROM entity_mentions WHERE {_OF_ITS_JOBS} AND entity_id IS NOT NULL
        UNION SELECT source_id FROM relationships WHERE {_OF_ITS_JOBS}
        UNION SELECT target_id FROM relationships WHERE {_OF_ITS_JOBS}
        UNION SELECT entity_id FROM entity_merges WHERE document_id = :document
    )
    SELECT id FROM named
    UNION SELECT entities.merged_into FROM named JOIN entities USING (id) WHERE entities.merged_into IS NOT NULL
""")  # noqa: S608 (a condition of ours)
_KNOWLEDGE = [
    _of_document(f"DELETE FROM relationships WHERE {_OF_ITS_JOBS}"),  # noqa: S608 (a condition of ours)
    _of_document("DELETE FROM entity_merges WHERE document_id = :document"),
    _of_document(f"DELETE FROM entity_mentions WHERE {_OF_ITS_JOBS}"),  # noqa: S608 (a condition of ours)
]
# One that stands for others stays as long as one of them is spoken of; the merges that made it so go with it.
_FORGET_ENTITIES = text("""
    DELETE FROM entities WHERE project_id = :project AND id = ANY(:ids)
      AND NOT EXISTS (SELECT FROM entity_mentions WHERE entity_id = entities.id)
      AND NOT EXISTS (SELECT FROM relationships WHERE source_id = entities.id)
      AND NOT EXISTS (SELECT FROM relationships WHERE target_id = entities.id)
      AND NOT EXISTS (SELECT FROM entity_merges WHERE entity_id = entities.id AND document_id IS NOT NULL)
      AND NOT EXISTS (SELECT FROM entities AS merged WHERE merged.merged_into = entities.id)
    RETURNING id
""").bindparams(bindparam("project", type_=Uuid()), bindparam("ids", type_=ARRAY(Uuid())))
# They stay, for what was paid; whatever runs on of them holds no slot any more.
_LET_GO = _of_document("""
    UPDATE textract_jobs SET let_go_at = now() FROM jobs
    WHERE jobs.document_id = :document AND textract_jobs.job_id = jobs.id AND let_go_at IS NULL
      AND textract_jobs.status IN ('STARTING', 'IN_PROGRESS')
""")
_ERASE_JOBS = _of_document("DELETE FROM jobs WHERE document_id = :document")
_ERASE_DOCUMENT = _of_document("DELETE FROM documents WHERE id = :document")
