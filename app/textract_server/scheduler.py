"""Who is read next: pages of all jobs take turns, so that one page never waits behind four hundred."""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate
from typing import ParamSpec, TypeVar, cast

from app.textract_server.failures import ReadingError
from app.textract_server.opinions import SecondOpinions
from app.textract_server.pool import Slot
from app.textract_server.readings import Inspection, PageBlocks, PageRequest
from app.textract_server.tracing import PageEvent, PageTrace

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Request:
    owner: str
    call: Callable[[], object]
    page: PageRequest | None
    queued_at: float
    answer: asyncio.Future[object]


@dataclass(slots=True)
class _Turns:
    """Requests by owner; the owners take turns."""

    _by_owner: OrderedDict[str, deque[_Request]] = field(default_factory=OrderedDict)

    def __len__(self) -> int:
        return sum(map(len, self._by_owner.values()))

    def add(self, owner: str, request: _Request) -> None:
        self._by_owner.setdefault(owner, deque()).append(request)

    def take(self) -> _Request:
        owner, requests = next(iter(self._by_owner.items()))
        request = requests.popleft()
        self._by_owner.move_to_end(owner)
        if not requests:
            del self._by_owner[owner]
        return request


class PageScheduler:
    """Hands requests to free slots: urgent ones first, then one of each owner in turn.

    No more than two requests a slot are in hand at once, those included that wait for a second opinion.
    """

    def __init__(
        self, slots: Sequence[Slot], opinions: SecondOpinions | None = None, trace: PageTrace | None = None
    ) -> None:
        self._opinions = opinions
        self._trace = trace or PageTrace()
        self.slot_count = len(slots)
        self._slots = tuple(slots)
        self._free = list(slots)
        self._urgent = _Turns()
        self._waiting = _Turns()
        self._running: set[asyncio.Task[None]] = set()
        self._most_in_hand = 2 * len(slots)
        self._in_hand = 0
        """Requests that are carried out: with a slot, or with a second opinion, for which the slot is free already."""
        self._told_until = 0.0

    @property
    def urgent_waiting(self) -> int:
        """How many urgent requests have no slot yet."""
        return len(self._urgent)

    async def run(self, owner: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function in a page process when it is its owner's turn; PageError as `Slot.call`."""
        return cast("T", await self._enqueue(self._waiting, owner, partial(function, *args, **kwargs)))

    async def run_urgently(self, owner: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function before all that isn't urgent: somebody holds a connection open for it."""
        return cast("T", await self._enqueue(self._urgent, owner, partial(function, *args, **kwargs)))

    async def close(self) -> None:
        """Kill the page processes; what was being read is lost."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        for slot in self._slots:
            slot.stop()
        if self._opinions is not None:
            self._opinions.slot.stop()

    async def _enqueue(self, turns: _Turns, owner: str, call: partial[T]) -> object:
        page = next((each for each in call.args if isinstance(each, PageRequest)), None)
        request = _Request(owner, call, page, time.monotonic(), asyncio.get_running_loop().create_future())
        turns.add(owner, request)
        self._dispatch()
        return await request.answer

    def _dispatch(self) -> None:
        while self._free and self._in_hand < self._most_in_hand and (self._urgent or self._waiting):
            request = (self._urgent or self._waiting).take()
            if request.answer.done():
                continue  # Its owner was cancelled while waiting.
            # The slot used last: its process is warm, and the others may go idle.
            task = asyncio.create_task(self._serve(self._free.pop(), request))
            self._in_hand += 1
            self._running.add(task)
            task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._in_hand -= 1
        self._dispatch()

    async def _serve(self, slot: Slot, request: _Request) -> None:
        try:
            result = await self._read(slot, request)
        except asyncio.CancelledError:
            request.answer.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - not swallowed: it is the answer, raised again where it is awaited
            if not request.answer.done():
                request.answer.set_exception(error)
        else:
            if not request.answer.done():
                request.answer.set_result(result)

    async def _read(self, slot: Slot, request: _Request) -> object:
        reading = _Reading(time.monotonic())
        try:
            try:
                result = await slot.call(request.call)
            finally:
                reading.pid = slot.pid
                self._free.append(slot)
                self._dispatch()
            if self._opinions is not None and request.page is not None and isinstance(result, tuple):
                result = (await self._opinions.consider(request.page, result[0]), *result[1:])
            reading.result = result
        except ReadingError as failure:
            reading.error = failure
            raise
        finally:
            self._tell(request, reading)
        return result

    def _tell(self, request: _Request, read: "_Reading") -> None:
        """Tell of the pages that a call has read; of an error only where it is one page's, which isn't tried again."""
        if request.page is None:
            return
        pages: tuple[PageBlocks | None, ...] = _pages(read.result)
        if read.error is not None and request.page.count == 1:
            pages = (None,)
        started_at = read.started_at
        for number, (blocks, ended_at) in enumerate(zip(pages, _ends(pages), strict=True)):
            # Those of one call are told together, and other calls' in between: times never go back.
            self._told_until = max(self._told_until, ended_at)
            facts = blocks.facts if blocks is not None else None
            self._trace.tell(
                PageEvent(
                    owner=request.owner,
                    page=request.page.page + number,
                    pid=read.pid,
                    queued_at=request.queued_at,
                    started_at=started_at,
                    ended_at=self._told_until,
                    seconds=round(self._told_until - started_at, 4),
                    read_by=facts.read_by if facts else None,
                    confidence=round(facts.confidence, 2) if facts else None,
                    error=read.error.code if read.error is not None else None,
                )
            )
            started_at = self._told_until


@dataclass(slots=True)
class _Reading:
    """A call that a slot carries out: since when, in which process, and what came of it."""

    started_at: float
    pid: int | None = None
    result: object = None
    error: ReadingError | None = None


def _ends(pages: Sequence[PageBlocks | None]) -> list[float]:
    """When each page of a call that has just ended was done."""
    after = accumulate((0.0 if page is None else page.seconds for page in reversed(pages)), initial=0.0)
    now = time.monotonic()
    return [now - seconds for seconds, _ in zip(after, pages, strict=False)][::-1]


def _pages(result: object) -> tuple[PageBlocks, ...]:
    if isinstance(result, Inspection):
        return result.pages
    return result if isinstance(result, tuple) else ()
