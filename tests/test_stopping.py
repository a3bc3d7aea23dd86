"""Ending tasks that run for as long as their process."""

import asyncio

from app.stopping import end


async def test_a_loop_that_takes_its_cancelling_for_a_broken_connection_ends_all_the_same() -> None:
    """A library may turn a cancellation into an error of its own, which a loop that outlives errors goes on from."""
    rounds = 0

    async def loop() -> None:
        nonlocal rounds
        while True:
            try:
                rounds += 1
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                if rounds > 1:
                    raise

    task = asyncio.create_task(loop())
    await asyncio.sleep(0)
    await end([task])
    assert task.cancelled()
    assert rounds > 1
