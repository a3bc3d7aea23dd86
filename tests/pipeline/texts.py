"""Jobs whose pages are read already, for tests of what comes after."""

import gzip
from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, update

from app.db import table_of
from app.documents.models import Document
from app.documents.page_writing import save_pages
from app.jobs.models import Job
from app.jobs.states import JobState, Stage
from app.jobs.steps import has_come_to
from app.ocr.blocks import PageText
from tests.bench import Bench

FILING = (
    (
        "UNITED STATES DISTRICT COURT\nNORTHERN DISTRICT OF CALIFORNIA\nCase No. 3:19-cv-02345\n"
        "Plaintiff Charles R. Goodwin sued Acme Widgets, Inc. on May 3, 2019.\n"
        "Charles R. Goodwin lives in San Francisco and asks for $25,000."
    ),
    (
        "Mr. Goodwin relies on Ashcroft v. Iqbal, 556 U.S. 662 (2009).\n"
        "Acme Widgets, Inc. denies it. Write to clerk@example.com."
    ),
)
"""Two pages that name something of most types."""


def page_of(number: int, text: str, header: str = "") -> PageText:
    """A page with its lines and words in their places, one below the other, away from where its header stands."""
    lines = [_line(0.3 + 0.025 * at, line) for at, line in enumerate(text.split("\n"))] if text else []
    if header:
        text, lines = f"{header}\n{text}", [_line(0.03, header), *lines]
    return PageText(number, text, lines, sum(len(line["words"]) for line in lines), 99.0 if lines else None, 0)


def _line(top: float, text: str) -> dict[str, Any]:
    words, left = [], 0.12
    for word in text.split(" "):
        words.append({"text": word, "confidence": 99.0, "box": _box(left, top, 0.008 * len(word))})
        left += 0.008 * (len(word) + 1)
    return {"text": text, "confidence": 99.0, "box": _box(0.12, top, 0.008 * len(text)), "words": words}


def _box(left: float, top: float, width: float) -> dict[str, float]:
    return {"left": left, "top": top, "width": width, "height": 0.015}


async def read_job(
    bench: Bench,
    texts: Sequence[str] = FILING,
    *,
    header: str = "",
    project: str = "default",
    document: Document | None = None,
    stage: Stage = Stage.PARSE_VALIDATED,
    **columns: Any,
) -> Job:
    """A job that waits for its text to be cut, or checked, with the pages that it was read as and a raw result.

    A header stands on every page, with the page's number for its braces.
    """
    document = document or await bench.rows.document(project=project)
    count = len(texts)
    told: dict[str, Any] = {
        "pages_total": count,
        "pages_done": count,
        "textract_page_count": count,
        "content_key": document.sha256,
    }
    told |= {"textract_job_status": "SUCCEEDED", "engine": "local", **columns}
    job = await bench.rows.job(stage, JobState.WORKING, document=document, **told)
    pages = [page_of(number, text, header.format(number)) for number, text in enumerate(texts, start=1)]
    for first in range(0, count, 50):
        async with bench.tools.sessions.begin() as session:
            await save_pages(session, job, pages[first : first + 50], pages_done=count)
    key = f"results/{job.document_id}/{job.id}/textract.json"
    await bench.tools.bucket.put(key, gzip.compress(b'{"Blocks":[]}'), "application/json", "gzip")
    async with bench.tools.sessions.begin() as session:
        jobs = table_of(Job)
        freed = {"state": JobState.QUEUED, "claimed_by": None, "lease_until": None, "next_attempt_at": func.now()}
        await session.execute(update(jobs).where(jobs.c.id == job.id).values(result_key=key, **freed))
    return await bench.rows.find(job.id)


async def run_through(bench: Bench, job: Job, *, until: Stage = Stage.FINALIZED) -> Job:
    """A job taken on, queue by queue, until it comes to a stage or past it; fails the test where it stops before."""
    while not has_come_to(job.stage, until):
        before = job
        job = await bench.advance(job)
        assert job.state in {JobState.QUEUED, JobState.DONE}, (job.error_code, job.error_message)
        assert job.last_event_number > before.last_event_number
    return job
