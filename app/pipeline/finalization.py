"""`finalize_document`: the last stage. What was made is checked, told, and shown in place of what earlier runs had made."""

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from uuid import UUID

from app.db import one_statement
from app.errors import ResultsInconsistent
from app.jobs.models import Job
from app.jobs.steps import wanted
from app.knowledge import closing, entities, runs
from app.pipeline.holding import written
from app.pipeline.manifest import manifest, manifest_key, store_manifest, store_text, stored_result, text_key
from app.pipeline.outcome import Outcome, Tools


async def finalize_document(job: Job, tools: Tools) -> Outcome:
    """Sum up what came out. Raises `ResultsInconsistent` where it doesn't add up: nothing of it is shown then."""
    async with one_statement(tools.sessions) as session:
        made = await closing.look(session, job, wanted(job.options))
    if made.faults:
        raise ResultsInconsistent(" ".join(made.faults))
    text = await store_text(job, tools)
    artefacts = [text, await stored_result(job, tools)]
    key = await store_manifest(job, manifest(job, made.document, made.pages, made.figures, artefacts), tools)
    await _stand_in_for(made.earlier_runs, job, tools)
    details = {"pages": made.pages, **asdict(made.figures), "text_key": text.key, "manifest_key": key}
    # In the move that ends the job: most documents have no earlier run, and need no transaction of their own for it.
    return Outcome(changes={"published": True}, details=details)


async def _stand_in_for(earlier: Sequence[UUID], job: Job, tools: Tools) -> None:
    """Show the run in place of those before it, if there are any; objects go after the rows that lead to them."""
    if not earlier:
        return
    await written(job)  # what is shown is not made again, should this worker die
    async with tools.sessions.begin() as session:
        await entities.take_turn(session, job.project_id)
        left = await runs.publish(session, job, wanted(job.options))
        await entities.forget_unused(session, job.project_id, left)
    for job_id in earlier:
        for key in (text_key(job.document_id, job_id), manifest_key(job.document_id, job_id)):
            await tools.bucket.clean_up(partial(tools.bucket.delete, key))
