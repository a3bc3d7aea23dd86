"""A worker process: one arq worker for each queue that it serves, on one event loop, with the sweep beside them."""

import asyncio
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from types import ModuleType

import setproctitle
import structlog
import uvloop
from arq.worker import func
from prometheus_client import start_http_server

from app import garbage
from app.batches.taking import Taking
from app.batches.warming import Warming
from app.config import Settings
from app.documents.arrivals import Arrivals
from app.documents.intake import SizeLimits
from app.documents.making import make_arrivals, make_uploads
from app.documents.sources import AllowedSources
from app.entities.mentions import EntityExtractor
from app.jobs.presence import Presence, new_worker_id
from app.jobs.watch import WATCH_SECONDS
from app.knowledge.erasing import ERASING_SECONDS
from app.ocr.engine import EngineName
from app.pipeline.abandoned import ABANDONED_SECONDS, ask_about_abandoned
from app.pipeline.admission import Admission
from app.pipeline.noticing import hear_notices
from app.pipeline.outcome import erasing_of, open_tools
from app.pipeline.polling import Polling
from app.pipeline.runner import STOPS_SECONDS, Pipeline
from app.pipeline.stages import ROUTES, STAGES, STEPS
from app.pipeline.sweep import Sweep, every, every_in_turn
from app.pipeline.watching import watch_of
from app.queue import BATCH_QUEUES, BATCHES_AT_ONCE, ArqQueue, QueueName, TaskName, open_redis, queue_key
from app.resources import Resources, open_resources
from app.stopping import end
from workers import batch, default, entity, graph, ocr, text
from workers.context import Context
from workers.wake import WakingWorker, listen
from workers.webhooks import delivering

log = structlog.get_logger(__name__)

MODULES: Mapping[QueueName, ModuleType] = {
    QueueName.OCR: ocr,
    QueueName.TEXT: text,
    QueueName.ENTITY: entity,
    QueueName.GRAPH: graph,
    QueueName.DEFAULT: default,
    **dict.fromkeys(BATCH_QUEUES.values(), batch),
}
"""Where the tasks of each queue are."""

QUEUES = tuple(QueueName)
"""What a worker serves, where it isn't told otherwise: everything, so that no queue is forgotten."""

POLL_DELAY_SECONDS = 2.0
"""Between two looks at a queue that nobody rings for, and where no task's moment comes before: what is there then was taken
by a worker that died."""
UPLOADS_SECONDS = 10.0
"""Between two looks for uploads that nobody completed."""
POLL_PAUSE_SECONDS = 0.5
"""Between two looks for OCR jobs to ask about, where none was due."""
REDIS_RETRIES = 20


def run(settings: Settings, queues: Sequence[QueueName] = QUEUES) -> None:
    """Serve queues until SIGTERM or SIGINT."""
    setproctitle.setproctitle("quire worker" if set(queues) == set(QUEUES) else f"quire worker {','.join(queues)}")
    garbage.look_seldom()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve_until_told(settings, queues))


async def serve_until_told(settings: Settings, queues: Sequence[QueueName]) -> None:
    """Serve queues until the process is told to stop."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serving(settings, queues) as worker_id:
        log.info("worker_started", worker=worker_id, queues=list(queues))
        garbage.keep_what_is_there()
        await stop.wait()
        log.info("worker_stopping", worker=worker_id)


@asynccontextmanager
async def serving(
    settings: Settings, queues: Sequence[QueueName] = QUEUES, *, extractor: EntityExtractor | None = None
) -> AsyncIterator[str]:
    """A worker at work; leaving lets its tasks finish for a while, and gives back what is left. Yields its id.

    An extractor that is given stays open.
    """
    opened = open_resources(settings, redis_retries=REDIS_RETRIES, extractor=extractor)
    async with opened as resources, _metrics(settings):
        pipeline = _pipeline(resources, queues)
        context: Context = {"pipeline": pipeline, "taking": _taking(resources, pipeline)}
        workers = {queue: _arq_worker(settings, queue, context) for queue in queues}
        presence = _presence(resources, pipeline, queues)
        await presence.beat()  # nothing is claimed before we are known
        tasks = [asyncio.create_task(presence.run()), *_background(resources, pipeline, queues)]
        if QueueName.OCR in queues and settings.textract_sqs_queue_url:
            tasks.append(asyncio.create_task(hear_notices(resources, settings.textract_sqs_queue_url)))
        tasks.append(
            asyncio.create_task(listen(resources.redis, {queue.value: worker for queue, worker in workers.items()}))
        )
        for worker in workers.values():
            worker.begin()
        try:
            async with delivering(resources):
                yield pipeline.worker_id
        finally:
            within = settings.worker_completion_seconds
            stops = [worker.stop(within_seconds=within) for worker in workers.values()]
            await asyncio.gather(*stops, pipeline.carried.stop(within_seconds=within))
            await end(tasks)


@asynccontextmanager
async def _metrics(settings: Settings) -> AsyncIterator[None]:
    """What this process counts, served on a port of its own where one is set: for Prometheus, without a key."""
    if settings.worker_metrics_port is None:
        yield
        return
    server, thread = start_http_server(settings.worker_metrics_port, settings.quire_host)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _pipeline(resources: Resources, queues: Sequence[QueueName]) -> Pipeline:
    settings = resources.settings
    tools = open_tools(resources)
    queue = ArqQueue(resources.redis, ROUTES, window=2 * settings.fleet_slots_per_queue)
    return Pipeline(tools, queue, new_worker_id(), queues)


def _taking(resources: Resources, pipeline: Pipeline) -> Taking:
    settings, sessions = resources.settings, resources.sessions
    arrivals = Arrivals(
        sessions=sessions,
        bucket=resources.bucket,
        sizes=SizeLimits(settings.max_document_bytes, settings.max_image_bytes),
        allowed=AllowedSources.from_setting(settings.import_places),
    )
    warming = Warming(sessions, resources.redis, STEPS)
    return Taking(sessions, resources.redis, pipeline.queue, arrivals, warming, settings.batch_slice_items)


def _presence(resources: Resources, pipeline: Pipeline, queues: Sequence[QueueName]) -> Presence:
    settings = resources.settings
    return Presence(
        sessions=resources.sessions,
        database_url=settings.database_url,
        worker_id=pipeline.worker_id,
        queues=queues,
        lease=timedelta(seconds=settings.lease_seconds),
        interval_seconds=settings.worker_heartbeat_seconds,
        doing=lambda: list(pipeline.running),
        fleet=resources.fleet,
    )


def _background(resources: Resources, pipeline: Pipeline, queues: Sequence[QueueName]) -> list[asyncio.Task[None]]:
    """The sweep runs in workers by turns, and the polls beside those that serve `ocr`; Postgres keeps them apart."""
    seconds = resources.settings.sweep_interval_seconds
    sweep = Sweep(pipeline.tools, pipeline.queue)
    tasks = [
        asyncio.create_task(every_in_turn(seconds, "sweep", resources.redis, sweep.sweep)),
        # Not in turn: the more workers there are, the sooner a document is admitted.
        asyncio.create_task(every(seconds, Admission(pipeline.tools, pipeline.queue).admit)),
        asyncio.create_task(pipeline.tools.turns.run()),
    ]
    tasks.append(asyncio.create_task(every(WATCH_SECONDS, watch_of(resources).look)))
    uploads = make_uploads(
        resources.settings,
        make_arrivals(resources.settings, resources.sessions, resources.bucket),
        pipeline.queue,
    )
    tasks.append(asyncio.create_task(every(UPLOADS_SECONDS, uploads.sweep)))
    tasks.append(asyncio.create_task(every(STOPS_SECONDS, pipeline.stop_cancelled)))
    erasing = erasing_of(resources, pipeline.tools.slots)
    tasks.append(asyncio.create_task(every(ERASING_SECONDS, erasing.finish_erasures)))
    if QueueName.OCR in queues:
        polling = Polling(pipeline.tools, pipeline.queue, pipeline.collect)
        pause = min(seconds, POLL_PAUSE_SECONDS)
        # Each engine by itself: one that answers slowly doesn't keep the others from being asked.
        polls = [partial(polling.poll_textract_jobs, [engine]) for engine in EngineName]
        tasks += [asyncio.create_task(every(pause, poll)) for poll in polls]
        abandoned = partial(ask_about_abandoned, pipeline.tools)
        tasks.append(asyncio.create_task(every(ABANDONED_SECONDS, abandoned)))
    return tasks


def tasks_of(queue: QueueName) -> Sequence[TaskName]:
    """The tasks that are sent to a queue."""
    return [row.task for row in STAGES if row.queue is queue] or [TaskName.TAKE_BATCH]


def _arq_worker(settings: Settings, queue: QueueName, context: Context) -> WakingWorker:
    """arq, set up for what it is good at: carrying ids. Leases, retries and results are ours, in Postgres."""
    redis = open_redis(settings.redis_url, retries=REDIS_RETRIES, max_connections=settings.worker_max_jobs + 5)
    return WakingWorker(
        functions=[func(getattr(MODULES[queue], task), name=task) for task in tasks_of(queue)],
        queue_name=queue_key(queue),
        shares=_shares(settings),
        redis_pool=redis,
        handle_signals=False,
        ctx=dict(context),
        max_jobs=BATCHES_AT_ONCE.get(queue, settings.worker_max_jobs),
        poll_delay=POLL_DELAY_SECONDS,
        # Running tasks stay in the queue's set: a short read would see nothing but them (head-of-line starvation).
        queue_read_limit=max(5000, 4 * settings.fleet_slots_per_queue),
        job_timeout=settings.stage_timeout_seconds * len(STAGES),
        keep_result=0,
        max_tries=100,
        health_check_interval=15,
        job_serializer=redis.job_serializer,
        job_deserializer=redis.job_deserializer,
        log_results=False,
    )


def _shares(settings: Settings) -> tuple[float, float, float]:
    """How often a place is offered to urgent, normal and low tasks first."""
    normal, low = settings.normal_priority_share, settings.low_priority_share
    return 1 - normal - low, normal, low
