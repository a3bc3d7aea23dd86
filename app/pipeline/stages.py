"""The one table of stages: what runs from each, on which queue, and where it leads. All else reads it.

A new stage is a row here, a function, and a task of its name; its name is in `jobs.states.Stage` already.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.jobs.models import Job
from app.jobs.states import Stage
from app.jobs.steps import Step, wanted
from app.pipeline.chunking import chunk_document
from app.pipeline.collecting import collect_textract_result
from app.pipeline.embedding import embed_chunks
from app.pipeline.extraction import extract_entities
from app.pipeline.finalization import finalize_document
from app.pipeline.outcome import Outcome, Tools
from app.pipeline.parse_validation import validate_parse
from app.pipeline.relationships import build_relationships
from app.pipeline.resolution import resolve_entities
from app.pipeline.starting import start_textract_job
from app.pipeline.validation import validate_document
from app.queue import QueueName, Route, TaskName


@dataclass(frozen=True, slots=True)
class StageRow:
    """What runs for a job that has come to `stage`, and where success takes it."""

    stage: Stage
    task: TaskName
    queue: QueueName
    run: Callable[[Job, Tools], Awaitable[Outcome]]
    to: Stage
    step: Step
    """The part of a document's state that this stage belongs to, in the API's words."""
    is_brief: bool = False
    """Whether it takes milliseconds: then it runs in the task that brought the job here, where the process serves its queue,
    for a hop through Redis costs more; and it takes no turn."""
    can_be_cut_short: bool = True
    """Whether it can be stopped while it works, which loses what it has under way. One that can't, since what it does is
    paid for, begins once all moves before it are written, and its own is written at once."""
    during: Stage | None = None
    """The stage that the job is at while this works, where that has a name of its own; a retry goes on from it."""


STAGES: tuple[StageRow, ...] = (
    StageRow(Stage.QUEUED, TaskName.VALIDATE_DOCUMENT, QueueName.OCR, validate_document, Stage.JOB_VALIDATED, Step.OCR),
    # Not to be cut short: the id of an OCR job that was just started would be lost, and its slot with it.
    StageRow(
        Stage.JOB_VALIDATED,
        TaskName.START_TEXTRACT_JOB,
        QueueName.OCR,
        start_textract_job,
        Stage.PARSING,
        Step.OCR,
        can_be_cut_short=False,
    ),
    # While Textract works, `poll_textract_jobs` asks about all due jobs at once; this runs when one has ended.
    StageRow(
        Stage.PARSING, TaskName.COLLECT_TEXTRACT_RESULT, QueueName.OCR, collect_textract_result, Stage.PARSED, Step.OCR
    ),
    StageRow(
        Stage.PARSED,
        TaskName.VALIDATE_PARSE,
        QueueName.TEXT,
        validate_parse,
        Stage.PARSE_VALIDATED,
        Step.OCR,
        is_brief=True,
    ),
    StageRow(
        Stage.PARSE_VALIDATED,
        TaskName.CHUNK_DOCUMENT,
        QueueName.TEXT,
        chunk_document,
        Stage.CHUNKS_BUFFERED,
        Step.CHUNKING,
        during=Stage.CHUNKING,
    ),
    StageRow(
        Stage.CHUNKS_BUFFERED,
        TaskName.EMBED_CHUNKS,
        QueueName.TEXT,
        embed_chunks,
        Stage.EMBEDDED,
        Step.EMBEDDING,
        during=Stage.EMBEDDING,
    ),
    StageRow(
        Stage.EMBEDDED,
        TaskName.EXTRACT_ENTITIES,
        QueueName.ENTITY,
        extract_entities,
        Stage.ENTITIES_EXTRACTED,
        Step.ENTITIES,
    ),
    StageRow(
        Stage.ENTITIES_EXTRACTED,
        TaskName.RESOLVE_ENTITIES,
        QueueName.ENTITY,
        resolve_entities,
        Stage.ENTITIES_RESOLVED,
        Step.RESOLUTION,
    ),
    StageRow(
        Stage.ENTITIES_RESOLVED,
        TaskName.BUILD_RELATIONSHIPS,
        QueueName.GRAPH,
        build_relationships,
        Stage.RELATIONSHIPS_BUILT,
        Step.RELATIONSHIPS,
    ),
    StageRow(
        Stage.RELATIONSHIPS_BUILT,
        TaskName.FINALIZE_DOCUMENT,
        QueueName.DEFAULT,
        finalize_document,
        Stage.FINALIZED,
        Step.FINALIZATION,
        is_brief=True,
    ),
)

ROWS = {stage: row for row in STAGES for stage in (row.stage, row.during) if stage is not None}

ROUTES = {stage.value: Route(row.task, row.queue) for stage, row in ROWS.items()}

QUEUES = tuple(dict.fromkeys(row.queue for row in STAGES))
"""The queues that a document needs workers on."""


def queues_for(options: Mapping[str, Any]) -> Sequence[QueueName]:
    """The queues that a job of some options needs workers on."""
    steps = wanted(options)
    return tuple(dict.fromkeys(row.queue for row in STAGES if row.step in steps))


STEPS = {
    step: [stage for stage, row in ROWS.items() if row.step is step]
    for step in dict.fromkeys(row.step for row in STAGES)
}
"""The steps of a document's state, and the stages whose work belongs to each."""


def next_wanted(job: Job, stage: Stage) -> Stage:
    """The stage that a job comes to, past those whose work its options leave out."""
    steps = wanted(job.options)
    while stage in ROWS and ROWS[stage].step not in steps:
        stage = ROWS[stage].to
    return stage
