"""The core on a bench: rows as it would have written them, and its parts to be run one step at a time."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import func, insert, select, update

from app.config import Settings
from app.db import Sessions, new_id, table_of
from app.documents import repository as documents
from app.documents.intake import MediaType
from app.documents.models import Document, Page
from app.entities.mentions import EntityExtractor
from app.events import Event
from app.jobs import repository
from app.jobs.models import Job, TextractJob
from app.jobs.service import Jobs
from app.jobs.states import TERMINAL_STATES, JobState, Stage
from app.pipeline.admission import Admission
from app.pipeline.outcome import Tools, open_tools
from app.pipeline.polling import Polling
from app.pipeline.runner import Pipeline
from app.pipeline.stages import ROUTES
from app.pipeline.sweep import Sweep
from app.projects.models import Project
from app.queue import ArqQueue
from app.resources import open_resources
from app.storage.s3 import Bucket

WORKER = "the-worker-of-this-test"

Value = TypeVar("Value")


async def eventually(ask: Callable[[], Awaitable[Value]], within_seconds: float = 20) -> Value:
    """The first true answer; TimeoutError where none comes in time."""
    async with asyncio.timeout(within_seconds):
        while True:
            if answer := await ask():
                return answer
            await asyncio.sleep(0.05)


def standing(stage: Stage, state: JobState) -> dict[str, Any]:
    """The columns that a job at this stage, in this state, can't be without."""
    columns: dict[str, Any] = {"stage": stage, "state": state}
    if state is JobState.WORKING:
        columns |= {"claimed_by": WORKER, "lease_until": datetime.now(UTC) + timedelta(minutes=1), "fence": 1}
    if state in TERMINAL_STATES:
        columns["finished_at"] = datetime.now(UTC)
    if state in {JobState.DEADLETTER, JobState.RETRYABLE}:
        columns["error_code"] = "internal_error"
    if stage is Stage.PARSING:
        columns |= {"textract_job_id": "of-the-test", "textract_job_status": "IN_PROGRESS", "engine": "textract"}
        columns |= {"textract_start_time": datetime.now(UTC)}
    return columns


def textract_job_of(job: Job) -> TextractJob:
    """The OCR job that a job at `parsing` can't be without."""
    return TextractJob(
        id=new_id(),
        project_id=job.project_id,
        document_id=job.document_id,
        job_id=job.id,
        part=1,
        first_page=1,
        generation=0,
        engine=job.engine,
        operation=job.operation,
        token=str(new_id()),
        textract_job_id=job.textract_job_id,
        status=job.textract_job_status,
        started_at=job.textract_start_time,
    )


@dataclass(frozen=True, slots=True)
class Rows:
    """Writes rows, and reads what became of them."""

    sessions: Sessions
    bucket: Bucket

    async def project(self, name: str = "default") -> UUID:
        """The id of a project of that name, made where it isn't there."""
        async with self.sessions.begin() as session:
            found = await session.scalar(select(Project.id).where(Project.name == name))
            if found is None:
                found = new_id()
                await session.execute(insert(Project).values(id=found, name=name))
            return found

    async def document(self, content: bytes | None = None, *, project: str = "default") -> Document:
        """A PDF document, of some byte where none are given."""
        document_id, project_id = new_id(), await self.project(project)
        document = Document(
            id=document_id,
            project_id=project_id,
            media_type=MediaType.PDF,
            size_bytes=len(content or b"?"),
            sha256=hashlib.sha256(content or document_id.bytes).hexdigest(),
            s3_bucket=self.bucket.name,
            s3_key=f"documents/{document_id}.pdf",
            details={},
        )
        await self.bucket.put(document.s3_key, content or b"?", MediaType.PDF)
        async with self.sessions.begin() as session:
            await documents.add(session, document)
        return document

    async def job(
        self,
        stage: Stage = Stage.QUEUED,
        state: JobState = JobState.QUEUED,
        *,
        document: Document | None = None,
        project: str = "default",
        **columns: Any,
    ) -> Job:
        """A job in the middle of its life, with a document of its own where none is given."""
        document = document or await self.document(project=project)
        columns = {**standing(stage, state), **columns}
        if state is JobState.DONE:
            columns["stage"] = Stage.FINALIZED
        async with self.sessions.begin() as session:
            job = await repository.create(
                session, id=new_id(), project_id=document.project_id, document_id=document.id, **columns
            )
            if job.stage is Stage.PARSING:
                session.add(textract_job_of(job))
        return job

    async def textract_jobs(self, job_id: UUID) -> Sequence[TextractJob]:
        """All OCR jobs that a job ever had, the oldest first."""
        query = select(TextractJob).where(TextractJob.job_id == job_id).order_by(TextractJob.created_at)
        async with self.sessions() as session:
            return (await session.scalars(query)).all()

    async def find(self, job_id: UUID) -> Job:
        """A job as it is now."""
        async with self.sessions() as session:
            return await repository.find(session, job_id)

    async def events(self, job_id: UUID) -> Sequence[Event]:
        """All events of a job, in order."""
        async with self.sessions() as session:
            return await repository.events_after(session, job_id, 0)

    async def pages(self, job_id: UUID) -> Sequence[Page]:
        """All pages of a run, in order."""
        async with self.sessions() as session:
            return await documents.list_pages(session, job_id, after=0, limit=5000)

    async def change(self, job_id: UUID, **columns: Any) -> None:
        """Change a job behind the back of the core; `..._in` columns are durations from the database's now."""
        values: dict[str, Any] = {
            name.removesuffix("_in"): func.now() + value if name.endswith("_in") else value
            for name, value in columns.items()
        }
        async with self.sessions.begin() as session:
            await session.execute(update(table_of(Job)).where(Job.id == job_id).values(values))


@dataclass(frozen=True, slots=True)
class SweepAndAdmission:
    """One worker's sweep, and its admission of what waits to be read."""

    repair: Sweep
    admission: Admission

    async def sweep(self) -> None:
        """One of each."""
        await self.repair.sweep()
        await self.admission.admit()


@dataclass(frozen=True, slots=True)
class Bench:
    """The parts of a worker that don't run by themselves, and what they work on."""

    settings: Settings
    tools: Tools
    queue: ArqQueue
    rows: Rows

    @property
    def jobs(self) -> Jobs:
        """What a caller can ask about jobs."""
        return Jobs(self.tools.sessions, self.tools.redis, self.queue, self.tools.slots)

    @property
    def sweep(self) -> "SweepAndAdmission":
        """What a worker does every second."""
        return SweepAndAdmission(Sweep(self.tools, self.queue), Admission(self.tools, self.queue))

    @property
    def polling(self) -> Polling:
        """One worker's polls."""
        return Polling(self.tools, self.queue)

    def pipeline(self, worker_id: str = WORKER) -> Pipeline:
        """One worker's pipeline."""
        return Pipeline(self.tools, self.queue, worker_id)

    async def advance(self, job: Job) -> Job:
        """Have a worker look at a job, and return it as it is then."""
        await self.pipeline().advance(job.id, job.stage)
        return await self.rows.find(job.id)

    async def poll(self, job: Job) -> Job:
        """Ask about a job now, whenever it is due, and return it as it is then."""
        await self.rows.change(job.id, next_attempt_at_in=timedelta(0))
        await self.polling.poll_textract_jobs()
        return await self.rows.find(job.id)


@asynccontextmanager
async def open_bench(settings: Settings, extractor: EntityExtractor | None = None) -> AsyncIterator[Bench]:
    """A bench on what the settings lead to; an extractor that is given stays open."""
    async with open_resources(settings, extractor=extractor) as resources:
        tools = open_tools(resources)
        queue = ArqQueue(resources.redis, ROUTES, window=200)
        await Admission(tools, queue).count()  # as the first sweep does
        yield Bench(settings, tools, queue, Rows(resources.sessions, resources.bucket))
