"""How many documents are taken in."""

from collections.abc import Sequence

import pytest

from app.errors import BatchOverLimit, QueueFull, TooManyOpenDocuments
from app.jobs.states import JobState
from app.limits.intake import Intake
from app.pipeline.stages import QUEUES, ROUTES
from app.queue import stages_of
from tests.bench import Bench


def intake_of(bench: Bench, *, depth: int = 100, documents: int = 100) -> Intake:
    """What decides for one process."""
    stages: dict[str, Sequence[str]] = {queue: stages_of(ROUTES, queue) for queue in QUEUES}
    return Intake(bench.tools.sessions, stages, max_queue_depth=depth, max_open_documents=documents)


async def test_a_project_may_have_so_many_documents_under_way(bench: Bench) -> None:
    """Those that wait and those at work count, those that have ended don't; other projects have limits of their own."""
    project_id, other = await bench.rows.project(), await bench.rows.project("other")
    for state in (JobState.QUEUED, JobState.WORKING, JobState.DONE, JobState.DEADLETTER):
        await bench.rows.job(state=state)
    intake = intake_of(bench, documents=3)
    await intake.admit(project_id)
    with pytest.raises(TooManyOpenDocuments):
        await intake.admit(project_id)
    await intake.admit(other)


async def test_a_batch_counts_as_many_as_it_has(bench: Bench) -> None:
    """It is taken in whole or not at all."""
    project_id = await bench.rows.project()
    intake = intake_of(bench, documents=10)
    with pytest.raises(BatchOverLimit):
        await intake.admit(project_id, documents=11)
    await intake.admit(project_id, documents=10)


async def test_a_project_may_have_a_limit_of_its_own(bench: Bench) -> None:
    """It counts instead of the setting's, whether it is more or less."""
    project_id = await bench.rows.project()
    with pytest.raises(TooManyOpenDocuments):
        await intake_of(bench).admit(project_id, limit=0)
    await intake_of(bench, documents=0).admit(project_id, limit=1)


async def test_a_queue_that_is_deep_takes_no_more(bench: Bench) -> None:
    """Of any project; what isn't due yet doesn't count."""
    await bench.rows.job()
    await bench.rows.job()
    other = await bench.rows.project("other")
    await intake_of(bench, depth=3).admit(other)
    with pytest.raises(QueueFull) as refused:
        await intake_of(bench, depth=2).admit(other)
    assert "ocr" in refused.value.detail
