"""The job table: every job, and every page as it was read, in one SQLite file that a killed server finds again.

    IN_PROGRESS ──► SUCCEEDED | PARTIAL_SUCCESS | FAILED

A job is IN_PROGRESS from its Start until its last page is stored, across restarts. Seven days after its Start it is gone.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import orjson

from app.textract_server.errors import IdempotentParameterMismatchError, LimitExceededError
from app.textract_server.failures import FailureCode
from app.textract_server.kinds import DocumentKind
from app.textract_server.orders import JobOrder
from app.textract_server.readings import PageBlocks
from app.textract_server.results import JobState, JobStatus, PageFailure

SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    job_id TEXT PRIMARY KEY,
    operation TEXT NOT NULL,
    client_request_token TEXT,
    fingerprint TEXT NOT NULL,
    bucket TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT,
    etag TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('pdf', 'tiff', 'jpeg', 'png')),
    started_at REAL NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('IN_PROGRESS', 'SUCCEEDED', 'PARTIAL_SUCCESS', 'FAILED')),
    status_message TEXT,
    page_count INTEGER,
    request TEXT NOT NULL DEFAULT '{}',
    ended_at REAL,
    notified INTEGER NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX IF NOT EXISTS jobs_token ON jobs (operation, client_request_token);
CREATE INDEX IF NOT EXISTS jobs_started_at ON jobs (started_at);
CREATE INDEX IF NOT EXISTS jobs_open ON jobs (started_at) WHERE status = 'IN_PROGRESS';
CREATE INDEX IF NOT EXISTS jobs_unnotified ON jobs (ended_at) WHERE notified = 0 AND ended_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS pages (
    job_id TEXT NOT NULL REFERENCES jobs ON DELETE CASCADE,
    page INTEGER NOT NULL,
    block_count INTEGER NOT NULL,
    blocks BLOB NOT NULL,
    error_code TEXT,
    error_message TEXT,
    PRIMARY KEY (job_id, page)
);
"""
EARLIER_TABLE = """
ALTER TABLE jobs ADD COLUMN request TEXT NOT NULL DEFAULT '{}';
ALTER TABLE jobs ADD COLUMN ended_at REAL;
ALTER TABLE jobs ADD COLUMN notified INTEGER NOT NULL DEFAULT 1;
UPDATE jobs SET request = json_object('DocumentLocation', json_object('S3Object', json_patch(
    json_object('Bucket', bucket, 'Name', name), json_object('Version', version))));
"""
"""Brings a table up to date that was made when a job had nothing but its document. A patch drops what is null."""


@dataclass(frozen=True, slots=True)
class Job:
    """One asynchronous job. `etag` stands for the document's content at its Start."""

    job_id: str
    order: JobOrder
    etag: str
    kind: DocumentKind
    started_at: float


class JobTable:
    """Jobs and their pages; for one thread only. Each method is one transaction.

    Starts and ends of jobs are durable when they return. Pages survive the process at once, and the machine with the end of
    their job: a page that is lost with the machine's power is read again.
    """

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute(_LATER)
        self._database.execute("PRAGMA foreign_keys = ON")
        columns = {name for _, name, *_ in self._database.execute("PRAGMA table_info(jobs)")}
        if columns and "request" not in columns:
            self._database.executescript(f"BEGIN; {EARLIER_TABLE} COMMIT;")
        self._database.executescript(SCHEMA)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the table, making it where there is none."""
        return cls(path)

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def started_before(self, order: JobOrder) -> Job | None:
        """Find the job that a token started; IdempotentParameterMismatchError where its parameters were others."""
        row = self._database.execute(
            f"{_SELECT_JOB} WHERE operation = ? AND client_request_token = ?", (order.family.start, order.token)
        ).fetchone()
        if row is None:
            return None
        *columns, fingerprint, _status, _ended_at = row
        if fingerprint != order.fingerprint:
            raise IdempotentParameterMismatchError
        return _job(*columns)

    def start(self, job: Job, most_open: int) -> Job:
        """Store a new job; or return the one that its token has started meanwhile. The limit is each family's own."""
        order, where = job.order, job.order.location
        if order.token is not None and (earlier := self.started_before(order)) is not None:
            return earlier
        (open_jobs,) = self._database.execute(
            "SELECT count(*) FROM jobs WHERE status = 'IN_PROGRESS' AND operation = ?", (order.family.start,)
        ).fetchone()
        if open_jobs >= most_open:
            raise LimitExceededError
        self._write_through(
            "INSERT INTO jobs (job_id, operation, client_request_token, fingerprint, bucket, name, version, etag, kind,"
            " started_at, status, request, notified) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(job.job_id, order.family.start, order.token, order.fingerprint),
                *(where.bucket, where.name, where.version, job.etag, job.kind, job.started_at),
                *(JobStatus.IN_PROGRESS, orjson.dumps(order.request).decode(), order.topic_arn is None),
            ),
        )
        return job

    def state(self, job_id: str, operation: str, started_after: float) -> JobState | None:
        """How a job stands that this operation started and that hasn't expired."""
        row = self._database.execute(
            "SELECT status, status_message, page_count FROM jobs WHERE job_id = ? AND operation = ? AND started_at > ?",
            (job_id, operation, started_after),
        ).fetchone()
        if row is None:
            return None
        status, message, page_count = row
        return JobState(job_id, JobStatus(status), message, page_count, self.failures(job_id))

    def unfinished(self) -> list[Job]:
        """Return the jobs that are to be worked on, oldest first."""
        rows = self._database.execute(f"{_SELECT_JOB} WHERE status = 'IN_PROGRESS' ORDER BY started_at")
        return [_job(*columns) for *columns, _fingerprint, _status, _ended_at in rows]

    def begin_pages(self, job_id: str, page_count: int, pages: Sequence[PageBlocks]) -> None:
        """Note how many pages the document has, and store those that were read when it was opened."""
        self._database.execute("UPDATE jobs SET page_count = ? WHERE job_id = ?", (page_count, job_id))
        self.store_pages(job_id, 1, pages)

    def store_page(self, job_id: str, page: int, blocks: PageBlocks, failure: PageFailure | None = None) -> None:
        """Store a page once; a second time is ignored, so that results never change."""
        self._database.execute(
            "INSERT OR IGNORE INTO pages (job_id, page, block_count, blocks, error_code, error_message)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (
                *(job_id, page, blocks.block_count, blocks.packed),
                *((failure.code, failure.message) if failure else (None, None)),
            ),
        )

    def store_pages(self, job_id: str, first: int, pages: Sequence[PageBlocks]) -> None:
        """Store pages that follow each other, as `store_page` does."""
        with self._database:  # One transaction, for the pages' sake: committed at the end, or rolled back.
            self._database.execute("BEGIN")
            for page, blocks in enumerate(pages, first):
                self.store_page(job_id, page, blocks)

    def stored_pages(self, job_id: str) -> set[int]:
        """Return the numbers of the pages that needn't be read again."""
        return {page for (page,) in self._database.execute("SELECT page FROM pages WHERE job_id = ?", (job_id,))}

    def failures(self, job_id: str) -> list[PageFailure]:
        """Return the pages that couldn't be read, in order."""
        rows = self._database.execute(
            "SELECT page, error_code, error_message FROM pages WHERE job_id = ? AND error_code IS NOT NULL ORDER BY page",
            (job_id,),
        )
        return [PageFailure(page, FailureCode(code), message) for page, code, message in rows]

    def block_counts(self, job_id: str) -> list[tuple[int, int]]:
        """Return each page's number and how many blocks it has, in order."""
        return self._database.execute(
            "SELECT page, block_count FROM pages WHERE job_id = ? ORDER BY page", (job_id,)
        ).fetchall()

    def packed_blocks(self, job_id: str, page: int) -> bytes:
        """Return a page's blocks as they were stored."""
        (packed,) = self._database.execute(
            "SELECT blocks FROM pages WHERE job_id = ? AND page = ?", (job_id, page)
        ).fetchone()
        return bytes(packed)

    def finish(self, job_id: str, status: JobStatus, message: str | None, ended_at: float) -> None:
        """End a job."""
        self._write_through(
            "UPDATE jobs SET status = ?, status_message = ?, ended_at = ? WHERE job_id = ? AND status = 'IN_PROGRESS'",
            (status, message, ended_at, job_id),
        )

    def unnotified(self) -> list[tuple[Job, JobStatus, float]]:
        """Return the jobs that have ended without their topic being told, with their status and when that was."""
        rows = self._database.execute(f"{_SELECT_JOB} WHERE notified = 0 AND ended_at IS NOT NULL ORDER BY ended_at")
        return [(_job(*columns), JobStatus(status), ended_at) for *columns, _fingerprint, status, ended_at in rows]

    def mark_notified(self, job_id: str) -> None:
        """Note that a job's topic needn't be told any more."""
        self._database.execute("UPDATE jobs SET notified = 1 WHERE job_id = ?", (job_id,))

    def forget(self, started_before: float) -> int:
        """Delete what has expired, with its pages and tokens; return how many jobs that were."""
        return self._database.execute(
            "DELETE FROM jobs WHERE started_at <= ? AND status != 'IN_PROGRESS'", (started_before,)
        ).rowcount

    def _write_through(self, statement: str, parameters: tuple[object, ...]) -> None:
        """Execute a statement that is on the disk when it returns, with all that were executed before it."""
        self._database.execute(_AT_ONCE)
        try:
            self._database.execute(statement, parameters)
        finally:
            self._database.execute(_LATER)


# In WAL mode: a commit waits for the disk, or leaves that to the next one that does.
_AT_ONCE, _LATER = "PRAGMA synchronous = FULL", "PRAGMA synchronous = NORMAL"

_SELECT_JOB = "SELECT job_id, operation, request, etag, kind, started_at, fingerprint, status, ended_at FROM jobs"


def _job(job_id: str, start: str, request: str, etag: str, kind: str, started_at: float) -> Job:
    return Job(job_id, JobOrder.stored(start, request), etag, DocumentKind(kind), started_at)
