"""The limiter of the fleet, on a real Valkey."""

import asyncio
from bisect import bisect_left
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack

import pytest
from arq.connections import ArqRedis

from app.config import Settings
from app.ocr.engine import EngineName, Operation
from app.ocr.fleet_pacing import SECOND, FleetPacing
from app.ocr.pacing import Lane, Pacer, Refusal
from app.ocr.quotas import Quota
from app.queue import open_redis

LANE = Lane(EngineName.TEXTRACT, Operation.DETECTION)
AMPLE = Quota(10_000, 10_000, 10_000, 10_000)
Redises = Callable[[], ArqRedis]


@pytest.fixture
async def redises(settings: Settings) -> AsyncIterator[Redises]:
    """Opens Redis clients, each with connections of its own, as each worker has."""
    async with AsyncExitStack() as stack:

        def connect() -> ArqRedis:
            redis = open_redis(settings.redis_url, retries=1)
            stack.push_async_callback(redis.aclose, close_connection_pool=True)
            return redis

        yield connect


def pacing(redis: ArqRedis, quota: Quota, recount_seconds: float = 0) -> FleetPacing:
    """The fleet's limiter without its fallback, so that an error is an error."""
    return FleetPacing(redis, {LANE: quota}, "us-east-1-test", recount_seconds)


def names(count: int) -> list[str]:
    """As many members."""
    return [f"member-{number:05}" for number in range(count)]


def busiest_second(moments: Sequence[float]) -> int:
    """The most calls in any second, wherever it begins; a microsecond of tolerance for what doubles can't hold."""
    ordered = sorted(moments)
    return max(bisect_left(ordered, first + 1 - 1e-6) - index for index, first in enumerate(ordered))


async def test_starts_of_a_whole_fleet_keep_to_their_rate(redises: Redises) -> None:
    """Whatever many workers ask for at once, no second has more starts than the quota, and none of it is wasted."""
    fleet = [pacing(redises(), Quota(40, 1, 1, 10_000)) for _ in range(4)]
    await fleet[0].reconcile(LANE, [], waiting=0)
    moments: list[float] = []
    for turn in range(4):
        asked = (each.start(LANE, f"{turn}-{name}") for name in names(40) for each in fleet)
        moments += [permit.at for permit in await asyncio.gather(*asked) if not permit.refusal]
        await asyncio.sleep(0.4)
    assert busiest_second(moments) <= 40
    # The gap between two moments is the quota's, unless nobody asked for a while.
    gaps = [later - earlier for earlier, later in zip(sorted(moments), sorted(moments)[1:], strict=False)]
    assert sum(gap == pytest.approx(1 / 40, abs=1e-5) for gap in gaps) >= len(gaps) - 3


async def test_gets_keep_to_their_rate_after_a_rest_too(redises: Redises) -> None:
    """A burst after a rest counts into its second: polls and result pages together never exceed the quota."""
    fleet = [pacing(redises(), Quota(1, 50, 1, 10)) for _ in range(3)]
    moments: list[float] = []
    for turn in range(70):
        each = fleet[turn % 3]
        taken = await each.gets(LANE, 100)
        if taken:
            found = await each.redis.lrange(each.key(LANE, "gets"), -taken, -1)  # type: ignore[misc]  # their stubs
            moments += [int(moment) / SECOND for moment in found]
        if turn % 5 == 0:
            moments.append((await each.get(LANE)).at)
        await asyncio.sleep(0.6 if turn == 35 else 0.03)
    assert busiest_second(moments) <= 50
    assert len(moments) > 60


async def test_result_pages_go_before_polls(redises: Redises) -> None:
    """Polls take no more than is free now; a result page waits for one call at most, and polls wait for all pages."""
    each = pacing(redises(), Quota(1, 10, 1, 10))
    assert await each.gets(LANE, 100) == 2
    assert (await each.get(LANE)).wait_seconds <= 0.1
    waits = [(await each.get(LANE)).wait_seconds for _ in range(20)]
    assert waits[-1] > 1
    assert await each.gets(LANE, 100) == 0


async def test_slow_rates_have_no_burst(redises: Redises) -> None:
    """At one Get in two seconds, the second Get is two seconds after the first."""
    each = pacing(redises(), Quota(1, 0.5, 1, 10))
    first, second = await each.get(LANE), await each.get(LANE)
    assert second.at - first.at == pytest.approx(2, abs=1e-5)


async def test_synchronous_calls_are_refused_beyond_two_seconds(redises: Redises) -> None:
    """Up to two seconds are waited for; whoever would wait longer is told at once."""
    each = pacing(redises(), Quota(1, 1, 1, 10))
    permits = [await each.read(LANE) for _ in range(4)]
    assert [permit.refusal for permit in permits] in ([None] * 3 + [Refusal.TOO_SOON], [None] * 4)
    assert (await each.read(LANE)).refusal is Refusal.TOO_SOON
    assert busiest_second([permit.at for permit in permits if not permit.refusal]) == 1


async def test_slots_are_never_granted_twice(redises: Redises) -> None:
    """Four workers race for 25 slots: 25 get one, and each that is released is taken once."""
    fleet = [pacing(redises(), Quota(100_000, 1, 1, 25)) for _ in range(4)]
    await fleet[0].reconcile(LANE, [], waiting=0)
    members = [f"{number}-{name}" for number in range(4) for name in names(50)]

    async def granted() -> list[str]:
        permits = await asyncio.gather(*(fleet[int(name[0])].start(LANE, name) for name in members))
        assert {permit.refusal for permit in permits} == {None, Refusal.SLOTS_FULL}
        return [name for name, permit in zip(members, permits, strict=True) if not permit.refusal]

    first = await granted()
    assert len(first) == 25
    await asyncio.gather(*(fleet[1].release(LANE, name) for name in first[:10]))
    assert (await fleet[2].state(LANE)).running == 15
    assert len(await granted()) == 25


async def test_asking_again_takes_no_second_slot(redises: Redises) -> None:
    """A member that was granted and asks again keeps its slot, and is given a later moment."""
    each = pacing(redises(), Quota(10, 1, 1, 1))
    await each.reconcile(LANE, [], waiting=0)
    first, second = await each.start(LANE, "a"), await each.start(LANE, "a")
    assert first.refusal is second.refusal is None
    assert second.at >= first.at + 0.1
    assert (await each.state(LANE)).running == 1


async def test_starts_too_far_ahead_are_refused(redises: Redises) -> None:
    """At one start a second, a third at the same time is told to come again, and takes no slot."""
    each = pacing(redises(), Quota(1, 1, 1, 10))
    await each.reconcile(LANE, [], waiting=0)
    answers = [(await each.start(LANE, name)).refusal for name in names(4)]
    assert answers[-1] is Refusal.TOO_SOON
    assert (await each.state(LANE)).running == answers.count(None)


async def test_nobody_overtakes_the_line(redises: Redises) -> None:
    """While others wait, only those whom the sweep admits start, in the order that it gives."""
    each = pacing(redises(), Quota(10, 1, 1, 20))
    line = names(10)[::-1]
    await each.reconcile(LANE, [], waiting=10)
    assert (await each.start(LANE, "stranger")).refusal is Refusal.IN_LINE
    admitted = await each.admit(LANE, line)
    assert list(admitted) == line
    moments = [permit.at for permit in admitted.values()]
    assert moments == pytest.approx([moments[0] + 0.1 * number for number in range(10)], abs=1e-5)
    assert (await each.start(LANE, line[-1])).at == pytest.approx(moments[-1], abs=1e-5)
    assert (await each.start(LANE, line[-1])).at > moments[-1] + 0.09, "a moment is used once"
    assert (await each.state(LANE)).in_line == 0
    assert (await each.start(LANE, "stranger")).refusal is not Refusal.IN_LINE


async def test_admission_reaches_as_far_as_slots_and_the_next_second(redises: Redises) -> None:
    """Room says how many are admitted: the fewer of free slots and of the moments until the next sweep's."""
    few, slow = pacing(redises(), Quota(1000, 1, 1, 5)), pacing(redises(), Quota(10, 1, 1, 1000))
    assert await few.room(LANE) == 0
    await few.reconcile(LANE, names(2), waiting=50)
    assert await few.room(LANE) == 3
    assert len(await few.admit(LANE, [f"new-{name}" for name in names(50)])) == 3
    assert (await few.state(LANE)).in_line == 47
    await few.redis.flushdb()
    await slow.reconcile(LANE, [], waiting=50)
    assert await slow.room(LANE) == 12
    admitted = await slow.admit(LANE, names(50))
    assert list(admitted) == names(len(admitted))
    assert len(admitted) == 12
    assert (await slow.admit(LANE, names(50)))[names(12)[-1]].at == pytest.approx(admitted[names(12)[-1]].at, abs=1e-5)


async def test_who_comes_late_is_given_another_moment(redises: Redises) -> None:
    """A moment that has passed unused is not used later, among the calls of others."""
    each = pacing(redises(), Quota(10, 1, 1, 3))
    await each.reconcile(LANE, [], waiting=1)
    reserved = (await each.admit(LANE, ["a"]))["a"].at
    await asyncio.sleep(0.5)
    assert (await each.start(LANE, "a")).at > reserved + 0.1
    assert (await each.state(LANE)).running == 1


async def test_reconciling_repairs_both_ways(redises: Redises) -> None:
    """Slots of jobs that run no more are freed, those of jobs that run are taken, and fresh grants stay."""
    each = pacing(redises(), AMPLE)
    await each.reconcile(LANE, ["a", "b"], waiting=0)
    await each.start(LANE, "fresh")
    await each.start(LANE, "lapsed")
    await each.redis.zadd(each.key(LANE, "slots"), {"lapsed": 1})
    await each.reconcile(LANE, ["b", "c"], waiting=0)
    held = await each.redis.zrange(each.key(LANE, "slots"), 0, -1)
    assert set(held) == {b"b", b"c", b"fresh"}


async def test_many_running_jobs_are_compared_only_now_and_then(redises: Redises) -> None:
    """Between two counts only the line is told; slots that vanish by the thousand are counted at once."""
    each = pacing(redises(), Quota(10, 1, 1, 12_000), recount_seconds=600)
    await each.reconcile(LANE, names(12_000), waiting=0)
    assert (await each.start(LANE, "a")).refusal is Refusal.SLOTS_FULL
    await each.release(LANE, "member-00007")
    await each.reconcile(LANE, names(12_000), waiting=3)
    state = await each.state(LANE)
    assert (state.running, state.in_line) == (11_999, 3)
    await each.redis.delete(each.key(LANE, "slots"))
    await each.reconcile(LANE, names(12_000), waiting=0)
    assert (await each.state(LANE)).running == 12_000


async def test_nothing_starts_until_running_jobs_are_known(redises: Redises) -> None:
    """An emptied Redis grants no slot before the sweep has told which jobs run."""
    each = pacing(redises(), Quota(100, 1, 1, 2))
    assert (await each.start(LANE, "a")).refusal is Refusal.UNKNOWN
    await each.reconcile(LANE, ["x"], waiting=0)
    assert (await each.start(LANE, "a")).refusal is None
    await each.redis.flushdb()
    assert (await each.start(LANE, "b")).refusal is Refusal.UNKNOWN
    assert await each.admit(LANE, ["b"]) == {}
    await each.reconcile(LANE, ["x", "a"], waiting=0)
    assert (await each.start(LANE, "b")).refusal is Refusal.SLOTS_FULL


async def test_a_throttle_lowers_one_rate_for_a_while(redises: Redises) -> None:
    """A wave of throttles lowers a rate once, to 70 %, and it recovers with time; other rates stay."""
    each = pacing(redises(), Quota(10, 100, 10, 10))
    await each.reconcile(LANE, [], waiting=0)
    await asyncio.gather(*(each.throttled(LANE, "start") for _ in range(20)))
    lowered = await each.state(LANE)
    assert lowered.start_per_second == pytest.approx(7, abs=0.5)
    assert (lowered.get_per_second, lowered.read_per_second) == (100, 10)
    first, second = await each.start(LANE, "a"), await each.start(LANE, "b")
    assert 0.12 < second.at - first.at < 0.15

    async def go_back(seconds: int) -> None:
        await each.redis.hincrby(each.key(LANE, "calls"), "start:lowered_at", -seconds * SECOND)  # type: ignore[misc]

    for _ in range(25):
        await go_back(1)
        await each.throttled(LANE, "start")
    assert 0.5 <= (await each.state(LANE)).start_per_second < 1
    await go_back(30)
    assert 5 < (await each.state(LANE)).start_per_second < 7.5
    await go_back(30)
    assert (await each.state(LANE)).start_per_second == 10


async def test_lanes_and_accounts_do_not_share(redises: Redises) -> None:
    """Another operation, or another account on the same Redis, has slots and rates of its own."""
    redis, quota = redises(), Quota(1, 1, 1, 1)
    other = Lane(EngineName.TEXTRACT, Operation.ANALYSIS)
    lanes = {LANE: quota, other: quota}
    for account in ("one", "two"):
        pacer = Pacer(redis, lanes, account=account, workers=lambda: 1)
        for lane in lanes:
            await pacer.reconcile(lane, [], waiting=0)
            permit = await pacer.start(lane, "a")
            assert (permit.refusal, permit.wait_seconds) == (None, 0)
