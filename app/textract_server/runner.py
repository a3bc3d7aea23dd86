"""Carrying asynchronous jobs through: fetch the document, read the pages that aren't stored yet, end the job."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from app.textract_server import page_process
from app.textract_server.blocks import pack, page_blocks
from app.textract_server.errors import InternalServerError, InvalidS3ObjectError, TextractError
from app.textract_server.failures import DocumentError, FailureCode, PageError
from app.textract_server.faults import Fate
from app.textract_server.jobs import Job, JobTable
from app.textract_server.limits import ReadingLimits
from app.textract_server.notices import Notice, Notifier
from app.textract_server.output import OutputWriter
from app.textract_server.page_batches import MOST_AT_ONCE, PageBatches
from app.textract_server.readings import DocumentFile, Inspection, PageBlocks, PageReading, PageRequest
from app.textract_server.results import JobState, JobStatus, PageFailure, summed_up
from app.textract_server.scheduler import PageScheduler
from app.textract_server.source import S3Source, patiently
from app.textract_server.store import JobStore

NO_FAULTS = Fate()

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class JobRunner:
    """Runs jobs side by side; one that is cut off by a stop goes on at the next start."""

    store: JobStore
    source: S3Source
    scheduler: PageScheduler
    limits: ReadingLimits
    folder: Path
    active: asyncio.Semaphore
    output: OutputWriter
    notifier: Notifier
    open_jobs: Counter[str] = field(default_factory=Counter)
    """How many jobs are in progress, by the Start of their family."""
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def resume(self) -> None:
        """Take up the jobs that the last run of the server left open."""
        for left_over in self.folder.iterdir():
            left_over.unlink()
        for job in await self.store.ask(JobTable.unfinished):
            logger.info("job resumed job_id=%s", job.job_id)
            self.launch(job)
        for job, status, ended_at in await self.store.ask(JobTable.unnotified):
            self.notifier.announce(Notice(job.job_id, job.order, status, ended_at))

    def launch(self, job: Job, fate: Fate = NO_FAULTS) -> None:
        """Start work on a job, which is to suffer what was drawn for it."""
        self.open_jobs[job.order.family.start] += 1
        task = asyncio.create_task(self._run(job, fate), name=f"job {job.job_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Stop working; what is stored stays, and the jobs stay open."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, job: Job, fate: Fate) -> None:
        try:
            async with self.active:
                state = await self._work(job, fate)
            await asyncio.sleep(fate.delay_seconds)
            await self._end(job, await self._delivered(job, state))
        finally:
            self.open_jobs[job.order.family.start] -= 1

    async def _work(self, job: Job, fate: Fate) -> JobState:
        if fate.failure is not None:
            return JobState(job.job_id, JobStatus.FAILED, fate.failure)
        try:
            with files_of(self.folder, job.job_id) as path:
                await patiently(partial(self.source.download, job.order.location, job.etag, path))
                return await self._read(job, DocumentFile(path, job.kind), fate.missing_pages)
        except (DocumentError, PageError, InvalidS3ObjectError, InternalServerError) as error:
            return JobState(job.job_id, JobStatus.FAILED, str(error))
        except Exception:
            # The outermost edge of a job: no surprise may leave it IN_PROGRESS for ever.
            logger.exception("job broke job_id=%s", job.job_id)
            return JobState(job.job_id, JobStatus.FAILED, FailureCode.INTERNAL)

    async def _delivered(self, job: Job, state: JobState) -> JobState:
        """Write the result to the caller's bucket, where it is wanted there: before the job ends, so that it is there then."""
        try:
            await patiently(partial(self.output.write, job.order, state, partial(self.store.portion, job.job_id)))
        except TextractError as error:
            return replace(state, status=JobStatus.FAILED, message=f"The result can't be written: {error}")
        return state

    async def _end(self, job: Job, state: JobState) -> None:
        ended_at = time.time()
        await self.store.ask(JobTable.finish, job.job_id, state.status, state.message, ended_at)
        logger.info("job ended job_id=%s status=%s message=%s", job.job_id, state.status, state.message)
        self.notifier.announce(Notice(job.job_id, job.order, state.status, ended_at))

    async def _read(self, job: Job, file: DocumentFile, missing: frozenset[int]) -> JobState:
        done = await self.store.ask(JobTable.stored_pages, job.job_id)
        request = PageRequest(file, 1, numbered=True, limits=self.limits, features=job.order.features)
        inspection = await self._opened(job, request, reads_on=not (done or missing))
        page_count, pages = inspection.page_count, range(1, inspection.page_count + 1)
        await self.store.ask(JobTable.begin_pages, job.job_id, page_count, inspection.pages)
        for page in missing.intersection(pages) - done:
            await self._give_up(job, page, PageError(FailureCode.BAD_PAGE, "The page was asked to be missing."))
        request = replace(request, file=inspection.file)

        async def read(first: int, count: int) -> tuple[PageBlocks, ...]:
            wanted = replace(request, page=first, count=count)
            found = await self.scheduler.run(job.job_id, page_process.read_pages, wanted)
            await self.store.ask(JobTable.store_pages, job.job_id, first, found)
            return found

        # As many calls in flight as keep the slots busy: a long document must not pile up in memory.
        left = set(pages[len(inspection.pages) :]) - done - missing
        batches = PageBatches(left, 2 * self.scheduler.slot_count, carries_text=bool(inspection.pages))
        await batches.read(read, partial(self._give_up, job))
        failures = await self.store.ask(JobTable.failures, job.job_id)
        return JobState(job.job_id, *summed_up(page_count, failures), page_count, failures)

    async def _opened(self, job: Job, request: PageRequest, *, reads_on: bool) -> Inspection:
        """Open a document, and have its first pages read with it, unless one of them does harm."""
        if reads_on:
            with suppress(PageError):
                wanted = replace(request, count=MOST_AT_ONCE)
                return await self.scheduler.run(job.job_id, page_process.begin_document, wanted)
        return await self.scheduler.run(job.job_id, page_process.inspect_document, request.file)

    async def _give_up(self, job: Job, page: int, error: PageError) -> None:
        logger.warning("page failed job_id=%s page=%d: %s", job.job_id, page, error)
        failure = PageFailure(page, error.code, error.message)
        # Its PAGE block stands all the same: their number must be that of the document's pages.
        blank = pack(page_blocks(PageReading(), page))
        await self.store.ask(JobTable.store_page, job.job_id, page, blank, failure)


@contextmanager
def files_of(folder: Path, name: str) -> Iterator[Path]:
    """Lend a path for a document; it is deleted afterwards, with the repaired copy that may lie beside it."""
    path = folder / name
    try:
        yield path
    finally:
        for file in folder.glob(f"{name}*"):
            file.unlink(missing_ok=True)
