"""`validate_parse`: pages add up, and those with nothing on them are named."""

from app.db import one_statement
from app.documents import repository as documents
from app.documents.models import PageStatus
from app.errors import OcrFailed, OcrResultInvalid
from app.jobs.models import Job
from app.pipeline.outcome import Outcome, Tools
from app.pipeline.reuse import tell_waiting

NAMED_PAGES = 100
"""An event names at most this many empty pages; the pages themselves say it of each."""


async def validate_parse(job: Job, tools: Tools) -> Outcome:
    """Check what was read against what was announced. Raises `OcrResultInvalid`, and `OcrFailed` where no page came out."""
    async with one_statement(tools.sessions) as session:
        counts = await documents.page_counts(session, job.id)
        empty = await documents.empty_pages(session, job.id)
    stored = sum(counts.values())
    if stored != job.textract_page_count:
        raise OcrResultInvalid(f"{job.textract_page_count} pages were read, and {stored} are stored.")
    if counts.get(PageStatus.FAILED) == stored:
        raise OcrFailed("The OCR engine could not read a single page of the document.")
    details: dict[str, object] = {"pages": stored, "empty_pages": empty[:NAMED_PAGES]}
    if job.pages_total != stored:
        details["counted_pages"] = job.pages_total
    await tell_waiting(job, tools)
    return Outcome(changes={"pages_total": stored, "pages_done": stored, "reads": False}, details=details)
