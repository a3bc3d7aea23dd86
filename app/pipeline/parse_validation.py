"""`validate_parse`: pages add up, and those with nothing on them are named."""

from functools import partial

from app import at_hand
from app.db import one_statement
from app.documents import repository as documents
from app.documents.models import PageStatus
from app.documents.page_writing import ByStatus
from app.errors import OcrFailed, OcrResultInvalid
from app.jobs.models import Job
from app.pipeline.outcome import Outcome, Tools
from app.pipeline.reuse import tell_waiting


async def validate_parse(job: Job, tools: Tools) -> Outcome:
    """Check what was read against what was announced. Raises `OcrResultInvalid`, and `OcrFailed` where no page came out."""
    found = at_hand.find(job.id, ByStatus)
    if found is None:
        async with one_statement(tools.sessions) as session:
            found = await documents.pages_by_status(session, job.id)
    stored = sum(count for count, _ in found.values())
    if stored != job.textract_page_count:
        raise OcrResultInvalid(f"{job.textract_page_count} pages were read, and {stored} are stored.")
    failed, _ = found.get(PageStatus.FAILED, (0, []))
    if failed and failed == stored:
        raise OcrFailed("The OCR engine could not read a single page of the document.")
    _, empty = found.get(PageStatus.EMPTY, (0, []))
    details: dict[str, object] = {"pages": stored, "empty_pages": empty}
    if job.pages_total != stored:
        details["counted_pages"] = job.pages_total
    return Outcome(
        changes={"pages_total": stored, "pages_done": stored, "reads": False},
        details=details,
        once_written=partial(tell_waiting, job, tools),
    )
