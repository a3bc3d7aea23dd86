"""When to ask about an OCR job: by its pages, by what recent jobs took, and by how many there are to ask about."""

import asyncio
import random
import time
from collections import defaultdict
from dataclasses import dataclass, field

from app.config import Settings
from app.db import Sessions, one_statement
from app.jobs.textract_jobs import Duration, recent_durations
from app.ocr.engine import EngineName
from app.ocr.pacing import Lane, LaneState, Pacer

KEPT_SECONDS = 10.0
"""How long what recent jobs took is believed."""
STATE_KEPT_SECONDS = 1.0
LEAST_SAMPLES = 5
SIMILAR = 2.0
"""Jobs of half to twice as many pages say how long a job will take."""
EARLY_SHARE = 0.2
"""The first poll goes by the fastest fifth of recent jobs: asking too early costs one call, asking too late is waiting."""
FIRST_POLL_SHARE = 0.95
"""A little before the end that is expected: what is seen at the first poll would else never be found to take less."""
GROWTH = 0.25
"""For how much longer a job is left alone, by how long it has run."""
NET_SHARE = 2.0
"""Where ends are announced, the first poll comes when a job has taken this many times what is expected."""
NET_SECONDS = 60.0
"""The same where nothing is known of how long jobs take."""
NET_INTERVAL_SECONDS = 30.0
"""The least time between two polls of a job whose end is announced."""
POLLING_SHARE = 0.5
"""The share of the Get budget that asking for status may take; the rest is for results."""


@dataclass(slots=True)
class Estimates:
    """Estimates from the rows of recent OCR jobs, kept for a few seconds in this process. All figures are seconds."""

    settings: Settings
    sessions: Sessions
    pacer: Pacer
    _recent: dict[Lane, tuple[float, list[Duration]]] = field(default_factory=dict)
    _looking: dict[Lane, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    _states: dict[Lane, tuple[float, LaneState]] = field(default_factory=dict)

    async def first_poll(self, lane: Lane, pages: int) -> float:
        """From a start to the first poll: never less than TEXTRACT_ASYNC_INITIAL_DELAY_SECONDS.

        Where the job's end is announced, polls only make up for notices that are lost, and the first comes late.
        """
        least = self.settings.textract_async_initial_delay_seconds
        expected = _early(await self._durations(lane), pages)
        if self._is_announced(lane):
            return _jittered(max(least, NET_SECONDS if expected is None else NET_SHARE * expected))
        if expected is None:
            return _jittered(max(least, min(await self._pressure(lane), 60.0)))
        return max(least, expected * FIRST_POLL_SHARE * random.uniform(0.98, 1.02))  # noqa: S311 (spreads load)

    async def next_poll(self, lane: Lane, pages: int, elapsed: float) -> float:
        """From one poll to the next: at least TEXTRACT_ASYNC_POLLING_INTERVAL_SECONDS, more the longer the job has run.

        More where so many jobs run that asking about all of them as often would take the results' share of the calls,
        and more for a job that was started before anything was known of how long such jobs take: it is left alone for
        as long as they do.
        """
        least = self.settings.textract_async_polling_interval_seconds
        if self._is_announced(lane):
            least = max(least, NET_INTERVAL_SECONDS)
        rest = (_early(await self._durations(lane), pages) or 0.0) * FIRST_POLL_SHARE - elapsed
        return max(rest, _jittered(max(least, GROWTH * elapsed, await self._pressure(lane))))

    def _is_announced(self, lane: Lane) -> bool:
        """Whether the engine says when a job of this lane has ended, and somebody listens."""
        settings = self.settings
        has_topic = settings.textract_sns_topic_arn and settings.textract_sns_role_arn
        return bool(lane.engine is EngineName.TEXTRACT and settings.textract_sqs_queue_url and has_topic)

    async def _durations(self, lane: Lane) -> list[Duration]:
        async with self._looking[lane]:  # of many that ask at once, one looks, and the others go by what it finds
            at, durations = self._recent.get(lane, (float("-inf"), []))
            if time.monotonic() - at > KEPT_SECONDS:
                async with one_statement(self.sessions) as session:
                    durations = await recent_durations(session, lane.engine, lane.operation)
                self._recent[lane] = (time.monotonic(), durations)
        return durations

    async def _pressure(self, lane: Lane) -> float:
        """How far apart the polls of a job must be for all of a lane's polls to keep to their share of the calls."""
        at, state = self._states.get(lane, (float("-inf"), None))
        if state is None or time.monotonic() - at > STATE_KEPT_SECONDS:
            state = await self.pacer.state(lane)
            self._states[lane] = (time.monotonic(), state)
        return state.running / (state.get_per_second * POLLING_SHARE)


def _early(durations: list[Duration], pages: int) -> float | None:
    similar = sorted(each.seconds for each in durations if pages / SIMILAR <= each.pages <= pages * SIMILAR)
    return similar[int(len(similar) * EARLY_SHARE)] if len(similar) >= LEAST_SAMPLES else None


def _jittered(seconds: float) -> float:
    """Up to a fifth more, so that jobs that were started together aren't asked about together; never less."""
    return seconds * random.uniform(1.0, 1.2)  # noqa: S311 (spreads load, guards nothing)
