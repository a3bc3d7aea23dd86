"""Who is read next: pages of all jobs take turns, so that one page never waits behind four hundred."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import ParamSpec, TypeVar, cast

from app.textract_server.pool import Slot

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Request:
    call: Callable[[], object]
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
    """Hands requests to free slots: urgent ones first, then one of each owner in turn."""

    def __init__(self, slots: Sequence[Slot]) -> None:
        self.slot_count = len(slots)
        self._slots = tuple(slots)
        self._free = list(slots)
        self._urgent = _Turns()
        self._waiting = _Turns()
        self._running: set[asyncio.Task[None]] = set()

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

    async def _enqueue(self, turns: _Turns, owner: str, call: Callable[[], object]) -> object:
        request = _Request(call, asyncio.get_running_loop().create_future())
        turns.add(owner, request)
        self._dispatch()
        return await request.answer

    def _dispatch(self) -> None:
        while self._free and (self._urgent or self._waiting):
            request = (self._urgent or self._waiting).take()
            if request.answer.done():
                continue  # Its owner was cancelled while waiting.
            # The slot used last: its process is warm, and the others may go idle.
            task = asyncio.create_task(self._serve(self._free.pop(), request))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _serve(self, slot: Slot, request: _Request) -> None:
        try:
            result = await slot.call(request.call)
        except asyncio.CancelledError:
            request.answer.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - not swallowed: it is the answer, raised again where it is awaited
            if not request.answer.done():
                request.answer.set_exception(error)
        else:
            if not request.answer.done():
                request.answer.set_result(result)
        finally:
            self._free.append(slot)
            self._dispatch()
