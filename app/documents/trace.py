"""A document's events over all its jobs, and the spans between them, a batch at a time."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from app.db import Sessions
from app.documents import repository
from app.events import Event
from app.jobs.models import Job, TextractJob
from app.jobs.spans import Span, SpanReader, ocr_span

EVENTS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Traces:
    """What a caller can ask about the course of a document's jobs."""

    sessions: Sessions

    async def jobs(self, project_id: UUID, document_id: UUID) -> Sequence[Job]:
        """A document's jobs, the oldest first. Raises `DocumentNotFound`."""
        query = select(Job).where(Job.document_id == document_id).order_by(Job.created_at, Job.id)
        async with self.sessions() as session:
            await repository.find(session, project_id, document_id)
            return (await session.scalars(query)).all()

    async def events(self, document_id: UUID) -> AsyncIterator[Event]:
        """All events of a document's jobs, in order."""
        after = 0
        query = select(Event).where(Event.document_id == document_id).order_by(Event.id).limit(EVENTS_AT_ONCE)
        while True:
            async with self.sessions() as session:
                events = (await session.scalars(query.where(Event.id > after))).all()
            for event in events:
                yield event
            if len(events) < EVENTS_AT_ONCE:
                return
            after = events[-1].id

    async def spans(self, document_id: UUID) -> AsyncIterator[Span]:
        """All spans of a document's jobs, in the order in which they end; those of OCR jobs, and those that last, come last."""
        reader = SpanReader()
        async for event in self.events(document_id):
            for span in reader.read(event):
                yield span
        for span in reader.finish():
            yield span
        query = select(TextractJob).where(TextractJob.document_id == document_id).order_by(TextractJob.created_at)
        async with self.sessions() as session:
            ocr_jobs = (await session.scalars(query)).all()
        for found in map(ocr_span, ocr_jobs):
            if found is not None:
                yield found
