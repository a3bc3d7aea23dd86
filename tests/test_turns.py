"""Turns: how many tasks of a process work at once, by how late its event loop is."""

import asyncio
import time

from app.stopping import end
from app.turns import LEAST, TICK_SECONDS, URGENT, Turns, be_urgent, hand_over, sleep_aside


def test_a_late_loop_leaves_few_turns_and_never_none() -> None:
    """However late it is; one process of one task at once keeps that one."""
    turns, narrow = Turns(20), Turns(1)
    for _ in range(200):
        turns.learn(0.05)
        narrow.learn(0.05)
    assert (turns.limiter.total_tokens, narrow.limiter.total_tokens) == (LEAST, 1)


async def test_a_loop_in_time_lets_more_work_as_long_as_somebody_waits() -> None:
    """Up to the most there may be; where nobody waits, nothing is learned from it."""
    turns = Turns(6)
    for _ in range(100):
        turns.learn(0.05)
    for _ in range(500):
        turns.learn(0.0)
    assert turns.limiter.total_tokens == LEAST
    holders = [asyncio.create_task(_hold(turns, 60)) for _ in range(10)]
    for _ in range(20):
        await asyncio.sleep(0)
        turns.learn(0.0)
    assert turns.limiter.total_tokens == turns.limiter.borrowed_tokens == 6
    await end(holders)
    assert turns.limiter.borrowed_tokens == 0


async def test_a_turn_that_is_handed_over_is_given_back_once() -> None:
    """By the task that goes on in it, before which nobody else gets in; who has none to give hands none over."""
    turns = Turns(1)
    assert hand_over() is None
    async with turns.turn():
        given = hand_over()
        assert hand_over() is None
    assert turns.limiter.borrowed_tokens == 1
    async with turns.turn(given):
        assert turns.limiter.borrowed_tokens == 1
    assert turns.limiter.borrowed_tokens == 0


async def test_who_waits_for_a_moment_keeps_nobody_from_working() -> None:
    """Its turn is another's meanwhile; it has one again afterwards, and gives it back, also when it is cancelled."""
    turns = Turns(1)
    asleep = asyncio.create_task(_sleep(turns, 0.05))
    await asyncio.sleep(0.01)
    async with turns.turn():
        await asyncio.sleep(0.1)
        assert not asleep.done()
    assert await asleep == 1
    cancelled = asyncio.create_task(_hold(turns, 60, asleep=True))
    await asyncio.sleep(0.01)
    await end([cancelled])
    await sleep_aside(0.001)  # without a turn
    assert turns.limiter.borrowed_tokens == 0


async def test_an_urgent_task_stands_in_no_line() -> None:
    """Some work beside those that have all turns; more of them wait as everybody does."""
    turns = Turns(1)
    holder = asyncio.create_task(_hold(turns, 60))
    await asyncio.sleep(0)
    urgent = [asyncio.create_task(_urgently(turns)) for _ in range(URGENT + 1)]
    await asyncio.sleep(0.01)
    assert turns.urgent.borrowed_tokens == URGENT
    assert turns.limiter.statistics().tasks_waiting == 1
    await end([holder])
    await asyncio.sleep(0.01)
    assert turns.limiter.borrowed_tokens == 1
    await end(urgent)
    assert turns.limiter.borrowed_tokens == turns.urgent.borrowed_tokens == 0


async def _urgently(turns: Turns) -> None:
    be_urgent(urgent=True)
    await _hold(turns, 60)


async def _sleep(turns: Turns, seconds: float) -> int:
    async with turns.turn():
        await sleep_aside(seconds)
        return turns.limiter.borrowed_tokens


async def _hold(turns: Turns, seconds: float, *, asleep: bool = False) -> None:
    async with turns.turn():
        await (sleep_aside if asleep else asyncio.sleep)(seconds)


async def test_tasks_that_keep_the_loop_busy_come_to_work_one_by_one() -> None:
    """Twenty tasks that compute end up with few at work at once, while a watcher runs."""
    turns = Turns(20)
    watching = asyncio.create_task(turns.run())
    at_work: list[int] = []

    async def compute() -> None:
        async with turns.turn():
            for _ in range(3):
                until = time.monotonic() + 0.5 * TICK_SECONDS
                while time.monotonic() < until:
                    pass
                await asyncio.sleep(0)
            at_work.append(turns.limiter.borrowed_tokens)

    await asyncio.sleep(0)
    await asyncio.gather(*(compute() for _ in range(120)))
    await end([watching])
    assert max(at_work[60:]) <= LEAST + 2


class Looked(Turns):
    """Turns that say when the loop's lateness was looked at."""

    def __init__(self) -> None:
        super().__init__(20)
        self.looked = asyncio.Event()

    def learn(self, late_seconds: float) -> None:
        """Take it in, and say so."""
        super().learn(late_seconds)
        self.looked.set()


async def test_an_idle_loop_is_not_watched() -> None:
    """Not before a task has begun, nor long after it has ended."""
    turns = Looked()
    watching = asyncio.create_task(turns.run())
    await asyncio.sleep(3 * TICK_SECONDS)
    assert not turns.looked.is_set()
    async with turns.turn():
        await asyncio.wait_for(turns.looked.wait(), 10)
    await asyncio.sleep(2 * TICK_SECONDS)
    turns.looked.clear()
    await asyncio.sleep(3 * TICK_SECONDS)
    assert not turns.looked.is_set()
    await end([watching])
