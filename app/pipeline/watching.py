"""The watch of a process, out of what it has open."""

from datetime import timedelta

from app.jobs.watch import Watch
from app.pipeline.stages import QUEUES, ROUTES
from app.queue import stages_of
from app.resources import Resources


def watch_of(resources: Resources) -> Watch:
    """What looks for what an operator has to be told of."""
    settings = resources.settings
    return Watch(
        sessions=resources.sessions,
        stages={queue: stages_of(ROUTES, queue) for queue in QUEUES},
        engines=resources.ocr.router.states,
        patience=timedelta(seconds=settings.queue_unserved_seconds),
        has_budget=settings.max_cost_per_project_per_day is not None,
    )
