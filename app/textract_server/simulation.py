"""The simulated engine: jobs that last as long as they are told to and find made-up text, so that thousands fit on a laptop.

A job is a row in memory with the time when it will be done: nothing runs for it. A restart forgets them all.
"""

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from heapq import heappop, heappush
from itertools import takewhile

from app.textract_server.errors import (
    IdempotentParameterMismatchError,
    InvalidParameterError,
    LimitExceededError,
    TextractError,
)
from app.textract_server.failures import FailureCode
from app.textract_server.families import Family
from app.textract_server.faults import Fate, Faults
from app.textract_server.intake import job_document, sent_document, stored_document
from app.textract_server.notices import Notice, Notifier
from app.textract_server.orders import JSON, JobOrder, features_of
from app.textract_server.output import OutputWriter
from app.textract_server.results import JobState, JobStatus, PageFailure, Portion, summed_up
from app.textract_server.source import S3Source, patiently
from app.textract_server.statistics import Statistics
from app.textract_server.synthesis import SimulatedWork, SyntheticPages


@dataclass(frozen=True, slots=True)
class SimulatedJob:
    """A job, and when it is done."""

    job_id: str
    family: Family
    features: frozenset[str]
    fingerprint: str
    started_at: float
    due_at: float
    fate: Fate


@dataclass(frozen=True, slots=True)
class SimulatedEngine:
    """Reads nothing. `source` None leaves S3 unasked."""

    work: SimulatedWork
    source: S3Source | None
    notifier: Notifier
    faults: Faults
    statistics: Statistics
    retention_seconds: float
    max_open_jobs: int
    clock: Callable[[], float] = time.time
    _jobs: dict[str, SimulatedJob] = field(default_factory=dict)
    _tokens: dict[tuple[str, str], SimulatedJob] = field(default_factory=dict)
    _open: dict[str, list[float]] = field(default_factory=dict)
    _delivered: dict[str, JobState | None] = field(default_factory=dict)
    """How jobs ended whose result is written to S3; None until it is there."""
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def start(self, order: JobOrder) -> str:
        """Start a job, or find the one that the same token and parameters have started."""
        if (earlier := self._started_before(order)) is not None:
            return earlier.job_id
        job_id = secrets.token_hex(32)
        await self._ask_s3(order, job_id)
        # From here on nothing waits: of two equal requests at the same time, one makes the job and the other finds it.
        if (earlier := self._started_before(order)) is not None:
            return earlier.job_id
        now = self.clock()
        if self._open_at(order.family.start, now) >= self.max_open_jobs:
            raise LimitExceededError
        self._keep(self._made(job_id, order, now), order)
        return job_id

    async def find(self, job_id: str, family: Family) -> JobState | None:
        """How a job of this family stands; None where there is none, or it has expired."""
        job = self._jobs.get(job_id)
        if job is None or job.family is not family or job.started_at <= self.clock() - self.retention_seconds:
            return None
        return self._state(job)

    async def portion(self, state: JobState, offset: int, limit: int) -> Portion:
        """Some of a job's blocks, the same each time."""
        pages = SyntheticPages(self.work.lines_per_page, self._jobs[state.job_id].features, self.work.text)
        missing = frozenset(failure.page for failure in state.failures)
        return pages.portion(state.job_id, state.page_count or 0, missing, offset, limit)

    async def read(self, family: Family, request: JSON) -> Portion:
        """Wait as long as one page takes, and return made-up blocks."""
        document = request["Document"]
        if sent_document(document) is None and self.source is not None:
            await stored_document(self.source, document)
        await asyncio.sleep(self.work.seconds_per_page)
        pages = SyntheticPages(self.work.lines_per_page, features_of(family, request), self.work.text)
        return pages.unnumbered(secrets.token_hex(32))

    def open_jobs(self) -> Counter[str]:
        """How many jobs are in progress, by the Start of their family."""
        now = self.clock()
        return Counter({start: self._open_at(start, now) for start in self._open})

    async def forget_expired(self) -> int:
        """Delete expired jobs, with their tokens; return how many they were."""
        oldest = self.clock() - self.retention_seconds
        expired = list(takewhile(lambda job: job.started_at <= oldest, self._jobs.values()))
        for job in expired:
            del self._jobs[job.job_id]
            self._delivered.pop(job.job_id, None)
        for key in [key for key, job in self._tokens.items() if job.started_at <= oldest]:
            del self._tokens[key]
        return len(expired)

    def _started_before(self, order: JobOrder) -> SimulatedJob | None:
        job = self._tokens.get((order.family.start, order.token)) if order.token is not None else None
        if job is None or job.started_at <= self.clock() - self.retention_seconds:
            return None
        if job.fingerprint != order.fingerprint:
            raise IdempotentParameterMismatchError
        return job

    async def _ask_s3(self, order: JobOrder, job_id: str) -> None:
        if self.source is not None:
            await job_document(self.source, order.location)
        if order.output is not None:
            await self._output().check_access(order.output, job_id)

    def _output(self) -> OutputWriter:
        if self.source is None:
            raise InvalidParameterError("OutputConfig isn't served by a simulation that leaves S3 alone")
        return OutputWriter(self.source)

    def _made(self, job_id: str, order: JobOrder, now: float) -> SimulatedJob:
        fate = self.faults.fate(order.family.start)
        due_at = now + self.work.seconds_per_page * self.work.page_count + fate.delay_seconds
        return SimulatedJob(job_id, order.family, order.features, order.fingerprint, now, due_at, fate)

    def _keep(self, job: SimulatedJob, order: JobOrder) -> None:
        start = order.family.start
        self._jobs[job.job_id] = job
        if order.token is not None:
            self._tokens[start, order.token] = job
        heappush(self._open.setdefault(start, []), job.due_at)
        self.statistics.job_made(start, job.job_id, len(self._open[start]))
        if order.output is not None:
            self._delivered[job.job_id] = None
        if order.output is not None or order.topic_arn is not None:
            asyncio.get_running_loop().call_later(job.due_at - job.started_at, self._end_soon, job, order)

    def _end_soon(self, job: SimulatedJob, order: JobOrder) -> None:
        task = asyncio.create_task(self._end(job, order), name=f"end of job {job.job_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _end(self, job: SimulatedJob, order: JobOrder) -> None:
        state = self._outcome(job)
        if order.output is not None:
            try:
                await patiently(partial(self._output().write, order, state, partial(self.portion, state)))
            except TextractError as error:
                state = replace(state, status=JobStatus.FAILED, message=f"The result can't be written: {error}")
            self._delivered[job.job_id] = state
        self.notifier.announce(Notice(job.job_id, order, state.status, self.clock()))

    def _open_at(self, start: str, now: float) -> int:
        ends = self._open.get(start, [])
        while ends and ends[0] <= now:
            heappop(ends)
        return len(ends)

    def _state(self, job: SimulatedJob) -> JobState:
        if self.clock() < job.due_at:
            return JobState(job.job_id, JobStatus.IN_PROGRESS)
        if job.job_id in self._delivered:
            return self._delivered[job.job_id] or JobState(job.job_id, JobStatus.IN_PROGRESS)
        return self._outcome(job)

    def _outcome(self, job: SimulatedJob) -> JobState:
        if job.fate.failure is not None:
            return JobState(job.job_id, JobStatus.FAILED, job.fate.failure)
        failures = tuple(self._failures(job))
        status, message = summed_up(self.work.page_count, failures)
        return JobState(job.job_id, status, message, self.work.page_count, failures)

    def _failures(self, job: SimulatedJob) -> Iterator[PageFailure]:
        for page in sorted(job.fate.missing_pages):
            if page <= self.work.page_count:
                yield PageFailure(page, FailureCode.BAD_PAGE, "The page was asked to be missing.")
