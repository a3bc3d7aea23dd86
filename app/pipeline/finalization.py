"""`finalize_document`: the last stage. What was made is checked, told, and shown in place of what earlier runs had made."""

from dataclasses import asdict
from functools import partial

from app.db import one_statement
from app.documents import repository as documents
from app.documents.models import PageStatus
from app.errors import ResultsInconsistent
from app.jobs.models import Job
from app.jobs.steps import wanted
from app.knowledge import entities, runs, soundness
from app.knowledge.soundness import Figures
from app.pipeline.manifest import Artefact, manifest, manifest_key, store_manifest, store_text, text_key
from app.pipeline.outcome import Outcome, Tools


async def finalize_document(job: Job, tools: Tools) -> Outcome:
    """Sum up what came out. Raises `ResultsInconsistent` where it doesn't add up: nothing of it is shown then."""
    figures = await _checked(job, tools)
    async with one_statement(tools.sessions) as session:
        counts = await documents.page_counts(session, job.id)
        document = await documents.get(session, job.document_id)
    pages = {status: counts.get(status, 0) for status in PageStatus}
    text = await store_text(job, tools)
    artefacts = [text, Artefact(job.result_key or "", "application/json", None, None)]
    key = await store_manifest(job, manifest(job, document, pages, figures, artefacts), tools)
    await _publish(job, tools)
    return Outcome(details={"pages": pages, **asdict(figures), "text_key": text.key, "manifest_key": key})


async def _checked(job: Job, tools: Tools) -> Figures:
    async with one_statement(tools.sessions) as session:
        figures, faults = await soundness.look(session, job, wanted(job.options))
    if faults:
        raise ResultsInconsistent(" ".join(faults))
    return figures


async def _publish(job: Job, tools: Tools) -> None:
    """Show the run, and take away what it stands in for; objects go after the rows that lead to them."""
    async with tools.sessions.begin() as session:
        earlier = await runs.earlier(session, job)
        if earlier:
            await entities.take_turn(session, job.project_id)
        left = await runs.publish(session, job, wanted(job.options))
        await entities.forget_unused(session, job.project_id, left)
    for job_id in earlier:
        for key in (text_key(job.document_id, job_id), manifest_key(job.document_id, job_id)):
            await tools.bucket.clean_up(partial(tools.bucket.delete, key))
