"""`finalize_document`: the last stage; what it leaves behind is a job that is done."""

from app.db import one_statement
from app.documents import repository as documents
from app.documents.models import PageStatus
from app.jobs.models import Job
from app.pipeline.outcome import Outcome, Tools


async def finalize_document(job: Job, tools: Tools) -> Outcome:
    """Sum up what came out."""
    async with one_statement(tools.sessions) as session:
        counts = await documents.page_counts(session, job.id)
    return Outcome(details={"pages": {status: counts.get(status, 0) for status in PageStatus}})
