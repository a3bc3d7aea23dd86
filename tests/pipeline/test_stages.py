"""The table of stages is sound, and workers have a task for each of its rows."""

import inspect
from typing import Any

import pytest

from app.jobs.models import Job
from app.jobs.states import Stage
from app.jobs.steps import BEGINS, ENDS, Step, missing_needs
from app.pipeline.stages import QUEUES, ROUTES, ROWS, STAGES, STEPS, next_wanted
from app.queue import BATCH_QUEUES, QueueName, TaskName
from workers.main import MODULES, tasks_of


def test_the_order_leads_from_queued_to_finalized() -> None:
    """Following the rows, every stage of the table is passed once, and each step goes forward."""
    stage, passed = Stage.QUEUED, []
    while stage is not Stage.FINALIZED:
        assert stage not in passed
        passed.append(stage)
        stage = ROWS[stage].to
    assert passed == [row.stage for row in STAGES]
    order = list(Stage)
    assert all(order.index(row.stage) < order.index(row.to) for row in STAGES)


def test_every_task_is_a_function_of_its_name() -> None:
    """Rows, names, functions of the core and tasks of the workers are called the same, one for one."""
    assert sorted(row.task for row in STAGES) == sorted(set(TaskName) - {TaskName.TAKE_BATCH})
    for row in STAGES:
        assert row.run.__name__ == row.task
        task = getattr(MODULES[row.queue], row.task)
        assert inspect.iscoroutinefunction(task)
        assert list(inspect.signature(task).parameters) == ["ctx", "job_id"]


def test_every_queue_has_a_module_and_a_task() -> None:
    """No queue that a document needs can be forgotten, and no module serves one that nothing is sent to."""
    assert set(MODULES) == set(QueueName) == set(QUEUES) | set(BATCH_QUEUES.values())
    for queue, module in MODULES.items():
        tasks = {name for name, value in vars(module).items() if inspect.iscoroutinefunction(value)}
        assert tasks == {task.value for task in tasks_of(queue)}


def test_routes_are_complete() -> None:
    """Every stage that something runs from, or is at work in, can be rung for; the last one can't."""
    named = [(stage, row) for row in STAGES for stage in (row.stage, row.during) if stage is not None]
    assert {stage: (route.task, route.queue) for stage, route in ROUTES.items()} == {
        stage.value: (row.task, row.queue) for stage, row in named
    }
    assert Stage.FINALIZED.value not in ROUTES
    assert [stage for stages in STEPS.values() for stage in stages] == [stage for stage, _ in named]
    assert {stage for stage, _ in named} | {Stage.FINALIZED} == set(Stage)


def test_steps_begin_and_end_where_the_table_says() -> None:
    """What is known of steps below the pipeline is what its table has."""
    assert list(STEPS) == list(Step)
    for step, stages in STEPS.items():
        assert stages[0] is BEGINS[step]
        assert ROWS[stages[-1]].to is ENDS[step]


@pytest.mark.parametrize(
    ("options", "passed"),
    [
        ({}, ["parse_validated", "chunks_buffered", "embedded", "entities_extracted", "entities_resolved"]),
        ({"stages": ["ocr"]}, []),
        ({"stages": ["ocr", "chunking"]}, ["parse_validated"]),
        ({"stages": ["entities", "relationships"]}, ["embedded", "entities_resolved"]),
        ({"entity_resolution": False}, ["parse_validated", "chunks_buffered", "embedded", "entities_resolved"]),
    ],
)
def test_what_is_left_out_is_passed_over(options: dict[str, Any], passed: list[str]) -> None:
    """From the parsed text on, a job comes to the stages whose work it is to do, and then to the last one."""
    job, stage, seen = Job(options=options), Stage.PARSE_VALIDATED, []
    while (stage := next_wanted(job, stage)) is not Stage.RELATIONSHIPS_BUILT:
        seen.append(stage.value)
        stage = ROWS[stage].to
    assert seen == passed


def test_steps_need_what_they_work_on() -> None:
    assert missing_needs(frozenset({Step.EMBEDDING})) == [(Step.EMBEDDING, Step.CHUNKING)]
    assert missing_needs(frozenset({Step.ENTITIES, Step.RELATIONSHIPS})) == []
