"""The one table of stages: what runs from each, on which queue, and where it leads. All else reads it.

A new stage is a row here, a function, and a task of its name; its name is in `jobs.states.Stage` already.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from app.jobs.models import Job
from app.jobs.states import Stage
from app.pipeline.collecting import collect_textract_result
from app.pipeline.finalization import finalize_document
from app.pipeline.outcome import Outcome, Tools
from app.pipeline.parse_validation import validate_parse
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
    step: str
    """The part of a document's state that this stage belongs to, in the API's words."""
    is_brief: bool = False
    """Whether it takes milliseconds: then it runs in the task that brought the job here, where the process serves its queue,
    for a hop through Redis costs more; and it takes no turn."""


STAGES: tuple[StageRow, ...] = (
    StageRow(Stage.QUEUED, TaskName.VALIDATE_DOCUMENT, QueueName.OCR, validate_document, Stage.JOB_VALIDATED, "ocr"),
    StageRow(Stage.JOB_VALIDATED, TaskName.START_TEXTRACT_JOB, QueueName.OCR, start_textract_job, Stage.PARSING, "ocr"),
    # While Textract works, `poll_textract_jobs` asks about all due jobs at once; this runs when one has ended.
    StageRow(
        Stage.PARSING, TaskName.COLLECT_TEXTRACT_RESULT, QueueName.OCR, collect_textract_result, Stage.PARSED, "ocr"
    ),
    StageRow(
        Stage.PARSED,
        TaskName.VALIDATE_PARSE,
        QueueName.TEXT,
        validate_parse,
        Stage.PARSE_VALIDATED,
        "ocr",
        is_brief=True,
    ),
    StageRow(
        Stage.PARSE_VALIDATED,
        TaskName.FINALIZE_DOCUMENT,
        QueueName.DEFAULT,
        finalize_document,
        Stage.FINALIZED,
        "finalization",
        is_brief=True,
    ),
)

ROWS = {row.stage: row for row in STAGES}

ROUTES = {row.stage.value: Route(row.task, row.queue) for row in STAGES}

QUEUES = tuple(dict.fromkeys(row.queue for row in STAGES))
"""The queues that a document needs workers on."""

STEPS = {step: [row.stage for row in STAGES if row.step == step] for step in dict.fromkeys(row.step for row in STAGES)}
"""The steps of a document's state, and the stages whose work belongs to each."""
