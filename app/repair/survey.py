"""All that is looked for, one thing after the other."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from app.knowledge.reprocessing import Reprocessing
from app.pipeline.stages import ROUTES
from app.queue import ArqQueue
from app.repair.caches import Caches
from app.repair.defect import Defect
from app.repair.failed import Failed, failed
from app.repair.fields import broken_fields
from app.repair.objects import Objects
from app.repair.reading import Reading
from app.resources import Resources

WINDOW = 200
"""Jobs that are rung for at once; the sweep rings for the rest."""


async def survey(resources: Resources, which: Failed) -> AsyncGenerator[Defect, None]:
    """Every defect there is, as it is found; nothing is changed. Memory doesn't grow with how many there are."""
    for finder in _finders(resources, which):
        async with aclosing(finder):
            async for defect in finder:
                yield defect


def _finders(resources: Resources, which: Failed) -> Sequence[AsyncGenerator[Defect, None]]:
    sessions, bucket = resources.sessions, resources.bucket
    reprocessing = Reprocessing(sessions, ArqQueue(resources.redis, ROUTES, window=WINDOW))
    reading, objects = Reading(sessions, bucket, reprocessing), Objects(sessions, bucket)
    return (
        reading.stuck(),
        reading.results_lost(),
        failed(sessions, which),
        Caches(sessions, resources.redis).stale(),
        broken_fields(sessions),
        objects.documents_without_object(),
        objects.objects_without_row(),
        objects.unfinished_uploads(),
    )
