"""The table of stages is sound, and workers have a task for each of its rows."""

import inspect

from app.jobs.states import Stage
from app.pipeline.stages import QUEUES, ROUTES, ROWS, STAGES, STEPS
from app.queue import QueueName, TaskName
from workers.main import MODULES


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
    assert sorted(row.task for row in STAGES) == sorted(TaskName)
    for row in STAGES:
        assert row.run.__name__ == row.task
        task = getattr(MODULES[row.queue], row.task)
        assert inspect.iscoroutinefunction(task)
        assert list(inspect.signature(task).parameters) == ["ctx", "job_id"]


def test_every_queue_has_a_module_and_a_task() -> None:
    """No queue that a document needs can be forgotten, and no module serves one that nothing is sent to."""
    assert set(MODULES) == set(QUEUES) <= set(QueueName)
    for queue, module in MODULES.items():
        tasks = {name for name, value in vars(module).items() if inspect.iscoroutinefunction(value)}
        assert tasks == {row.task.value for row in STAGES if row.queue is queue}


def test_routes_are_complete() -> None:
    """Every stage that something runs from can be rung for; the last one can't."""
    assert {stage: (route.task, route.queue) for stage, route in ROUTES.items()} == {
        row.stage.value: (row.task, row.queue) for row in STAGES
    }
    assert Stage.FINALIZED.value not in ROUTES
    assert [stage for stages in STEPS.values() for stage in stages] == [row.stage for row in STAGES]
