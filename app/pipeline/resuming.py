"""Beginning in the middle: what an earlier run of the document has made is taken over, up to the stage to begin from."""

from sqlalchemy.ext.asyncio import AsyncSession

from app import events
from app.documents import repository as documents
from app.errors import JobNotFound, NothingToReuse
from app.jobs import repository
from app.jobs.models import Job
from app.jobs.states import Stage
from app.jobs.steps import ENDS, Step, has_come_to, wanted
from app.knowledge import chunks, mentions, merges, relationships
from app.pipeline.outcome import Outcome, Tools
from app.pipeline.reuse import result_key, taken_over


async def take_over_run(job: Job, stage: Stage, tools: Tools) -> Outcome:
    """Copy what was made before a stage. Raises `NothingToReuse` where that is gone by now."""
    earlier = await _earlier(job, tools)
    try:
        await tools.bucket.copy(earlier.result_key or "", result_key(job))
    except FileNotFoundError as error:
        raise NothingToReuse("The result of the earlier run is gone from the bucket; begin with `ocr`.") from error
    async with tools.sessions.begin() as session:
        pages = await documents.copy_pages(session, earlier, job)
        if pages != earlier.textract_page_count:
            raise NothingToReuse("The pages of the earlier run are gone; begin with `ocr`.")
        for step in _before(job, stage):
            await _copy(session, step, earlier, job)
        last = await repository.append_events(session, job, [])
    await events.ring(tools.redis, job.id, last)
    changes = taken_over(job, earlier, earlier.content_key or "") | {"content_key": earlier.content_key}
    return Outcome(changes=changes, details={"reused_job_id": str(earlier.id), "from_stage": stage}, to=stage)


async def _earlier(job: Job, tools: Tools) -> Job:
    if job.reused_job_id is None:
        raise NothingToReuse
    async with tools.sessions() as session:
        try:
            earlier = await repository.find(session, job.reused_job_id)
        except JobNotFound as error:
            raise NothingToReuse from error
    if earlier.result_key is None:
        raise NothingToReuse
    return earlier


def _before(job: Job, stage: Stage) -> list[Step]:
    """The steps that are behind a job which comes to a stage, but for reading, in order."""
    steps = wanted(job.options) - {Step.OCR}
    return [step for step in Step if step in steps and has_come_to(stage, ENDS[step])]


async def _copy(session: AsyncSession, step: Step, earlier: Job, job: Job) -> None:
    match step:
        case Step.CHUNKING:
            await chunks.copy(session, earlier.id, job)
        case Step.EMBEDDING:
            await chunks.copy_vectors(session, earlier.id, job)
        case Step.ENTITIES:
            resolved = Step.RESOLUTION in _before(job, job.from_stage or job.stage)
            await mentions.copy(session, earlier.id, job, resolved=resolved)
        case Step.RESOLUTION:
            await merges.copy_names(session, earlier.id, job)
        case Step.RELATIONSHIPS:
            await relationships.copy(session, earlier.id, job)
        case _:
            pass
