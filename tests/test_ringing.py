"""The bell's rope: few messages that name all there is news of, and none that anybody waits for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from arq.connections import ArqRedis
from structlog.testing import capture_logs

from app import events
from app.api.bell import Bell
from app.db import new_id
from app.queue import open_redis
from app.ringing import MESSAGE_LINES, channel, finish_ringing, subjects_of
from app.stopping import end

PROJECT, BATCH = new_id(), new_id()


@asynccontextmanager
async def heard(redis: ArqRedis) -> AsyncIterator[AsyncIterator[str]]:
    """The messages of the channel, from now on."""
    async with redis.pubsub() as listening:
        await listening.subscribe(channel(redis))
        messages = listening.listen()
        assert (await anext(messages))["type"] == "subscribe"
        yield (message["data"].decode() async for message in messages)


async def test_rings_for_one_job_are_told_once(redis: ArqRedis) -> None:
    """With the last number, and with the project and the batch that any of them named."""
    job_id = new_id()
    async with heard(redis) as messages:
        await events.ring(redis, job_id, 3, project_id=PROJECT, batch_id=BATCH)
        await events.ring(redis, job_id, 4)
        await events.ring(redis, job_id, 2)
        assert await anext(messages) == f"{job_id}:4:{PROJECT}:{BATCH}"


async def test_what_comes_meanwhile_is_told_together(redis: ArqRedis) -> None:
    """The first goes out at once; a message then names many, jobs and others, and no more than fit in one."""
    first, others = new_id(), [(new_id(), number) for number in range(MESSAGE_LINES)]
    async with heard(redis) as messages:
        await events.ring(redis, first, 1, project_id=PROJECT)
        assert await anext(messages) == f"{first}:1:{PROJECT}:"
        await events.ring_all(redis, others, project_id=PROJECT, batch_id=BATCH)
        told = (await anext(messages)).splitlines()
        assert told == [f"{job_id}:{number}::" for job_id, number in others]
        assert await anext(messages) == f"::{PROJECT}:{BATCH}"


async def test_nothing_is_left_untold_at_the_end(redis: ArqRedis) -> None:
    """What rang while a message was just sent goes out before the client is closed."""
    first, last = new_id(), new_id()
    async with heard(redis) as messages:
        await events.ring(redis, first, 1)
        assert await anext(messages) == f"{first}:1::"
        await events.ring(redis, last, 2)
        await finish_ringing(redis)
        assert await anext(messages) == f"{last}:2::"


async def test_a_ring_waits_for_no_redis_and_never_fails() -> None:
    """It is logged, once for all that could not be told."""
    away = open_redis("redis://127.0.0.1:9/0", retries=0)
    with capture_logs() as logs:
        await events.ring(away, new_id(), 1)
        await events.ring_log(away, project_id=PROJECT)
        assert logs == []
        await finish_ringing(away)
    assert [(entry["event"], entry["subjects"]) for entry in logs if entry["event"] == "event_bell_unheard"] == [
        ("event_bell_unheard", 2)
    ]
    await away.aclose(close_connection_pool=True)


async def test_the_bell_wakes_all_that_a_message_names(redis: ArqRedis) -> None:
    """Jobs, projects and batches, of several lines."""
    bell, woken = Bell(redis), dict[Any, asyncio.Event]()
    running = asyncio.create_task(bell.run())
    jobs = [new_id(), new_id()]
    try:
        while not bell.hearing:  # noqa: ASYNC110 (the bell only says so)
            await asyncio.sleep(0.01)
        for key in (*jobs, PROJECT, BATCH):
            woken[key] = asyncio.Event()
            bell.watch(key, woken[key].set)
        await events.ring(redis, jobs[0], 1)
        await events.ring(redis, jobs[1], 1, project_id=PROJECT)
        await events.ring_log(redis, project_id=None, batch_id=BATCH)
        async with asyncio.timeout(10):
            for each in woken.values():
                await each.wait()
    finally:
        await end([running])


def test_what_is_not_ours_in_a_message_is_passed_over() -> None:
    """Whatever comes over the channel harms nobody who listens."""
    job_id = new_id()
    assert subjects_of(f"junk\n\n:::\n{job_id}:1:\n::nothing:{BATCH}".encode() + b"\n\xff:\xff") == [job_id, BATCH]
