"""Running the pipeline over a document once more: all of it, or from a stage on, with what came before taken over."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app import events
from app.db import Sessions, new_id
from app.documents import repository as documents
from app.documents.submission import Submission
from app.errors import NothingToReuse, StateConflict
from app.idempotency import Keep, keep_nothing
from app.jobs import repository
from app.jobs.models import Job
from app.jobs.states import LIVE_STATES, Priority
from app.jobs.steps import BEGINS, Step, wanted
from app.knowledge import runs
from app.ocr.engine import ReadRequest
from app.queue import Queue

OF_READING = ("force_reprocess",)
"""What was said for one reading alone."""


@dataclass(frozen=True, slots=True)
class Anew:
    """How a document is to be run once more."""

    from_step: Step = Step.OCR
    options: dict[str, Any] | None = None
    """Those of its last job, where none are given."""
    priority: Priority | None = None
    callback_url: str | None = None


@dataclass(frozen=True, slots=True)
class Reprocessing:
    """What a caller can ask to be made anew."""

    sessions: Sessions
    queue: Queue

    async def reprocess(
        self, project_id: UUID, document_id: UUID, anew: Anew, *, keep: Keep[Submission] = keep_nothing
    ) -> Submission:
        """Queue a new job of a document.

        Raises `DocumentNotFound`, `StateConflict` while a job of it is under way, `NothingToReuse` where no run has
        come as far as the stage to begin from.
        """
        async with self.sessions.begin() as session:
            submission = await self._record(session, project_id, document_id, anew)
            await keep(session, submission)
        # After the commit: no worker may look for what isn't there. If we die here, the sweep finds it.
        await self.queue.announce(submission.job)
        return submission

    async def _record(self, session: AsyncSession, project_id: UUID, document_id: UUID, anew: Anew) -> Submission:
        document = await documents.find(session, project_id, document_id, lock=True)
        latest = await repository.latest_of(session, document_id)
        if latest.state in LIVE_STATES:
            raise StateConflict("A job of the document is still under way; wait for its end, or cancel it.")
        options = _inherited(latest, anew.from_step) if anew.options is None else anew.options
        values: dict[str, Any] = {
            "id": new_id(),
            "project_id": project_id,
            "document_id": document_id,
            "priority": anew.priority or latest.priority,
            "options": options,
            "operation": ReadRequest.from_options(options).operation,
            "callback_url": anew.callback_url or latest.callback_url,
            "request_id": events.request_id(),
        }
        if anew.from_step is not Step.OCR:
            source = await _source(session, document_id, options, anew.from_step)
            values |= {"from_stage": BEGINS[anew.from_step], "reused_job_id": source.id}
        return Submission(document, await repository.create(session, **values))


async def _source(session: AsyncSession, document_id: UUID, options: dict[str, Any], from_step: Step) -> Job:
    """The newest run that has made all that the steps before one are wanted for."""
    order = list(Step)
    before = {step for step in wanted(options) if order.index(step) < order.index(from_step)}
    source = await runs.newest_with(session, document_id, before)
    if source is None or source.result_key is None:
        raise NothingToReuse
    if ReadRequest.from_options(source.options) != ReadRequest.from_options(options):
        raise NothingToReuse("The options ask for other features than were read; begin with `ocr`.")
    return source


def _inherited(latest: Job, from_step: Step) -> dict[str, Any]:
    """The options of a document's last job; stages that it was to end before are run after all, where they are named."""
    options = {name: value for name, value in latest.options.items() if name not in OF_READING}
    if from_step not in wanted(options):
        options.pop("stages", None)
        if from_step is Step.RESOLUTION:
            options.pop("entity_resolution", None)
    return options
