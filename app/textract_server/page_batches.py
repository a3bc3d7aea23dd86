"""Which pages of a document are read together: one by one, or many at once where they carry their text."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable

from app.textract_server.failures import PageError
from app.textract_server.readings import PageBlocks, ReadBy

MOST_AT_ONCE = 16
"""Far more pages than are read in the time that a call has for them."""

ReadPages = Callable[[int, int], Awaitable[tuple[PageBlocks, ...]]]
"""Reads, and stores, the first of so many pages from a number on, and as many of the others as it likes."""
GiveUp = Callable[[int, PageError], Awaitable[None]]


class PageBatches:
    """Hands out a document's pages; never more than `most_in_hand` batches at a time.

    Pages go out together only as long as the last ones carried their text. A batch that fails is read again page by page,
    for any of its pages may be the one that hangs or kills its process.
    """

    def __init__(self, pages: Iterable[int], most_in_hand: int, *, carries_text: bool) -> None:
        self._waiting = deque(sorted(pages))
        self._most_in_hand = most_in_hand
        self._reach = MOST_AT_ONCE if carries_text else 1
        self._has_failed = False
        self._in_hand = 0

    async def read(self, read: ReadPages, give_up: GiveUp) -> None:
        """Read all pages, and give up those that can't be read."""
        async with asyncio.TaskGroup() as group:

            def hand_out() -> None:
                while self._waiting and self._in_hand < self._most_in_hand:
                    self._in_hand += 1
                    group.create_task(serve(*self._take()))

            async def serve(first: int, count: int) -> None:
                await self._read_batch(first, count, read, give_up)
                self._in_hand -= 1
                hand_out()

            hand_out()

    async def _read_batch(self, first: int, count: int, read: ReadPages, give_up: GiveUp) -> None:
        try:
            pages = await read(first, count)
        except PageError as error:
            if count == 1:
                await give_up(first, error)
            else:
                self._has_failed = True
                self._put_back(first, count)
            return
        self._put_back(first + len(pages), count - len(pages))
        facts = pages[-1].facts
        self._reach = MOST_AT_ONCE if facts is not None and facts.read_by is ReadBy.TEXT_LAYER else 1

    def _take(self) -> tuple[int, int]:
        """The next page, and how many from it on are to be read together."""
        first, count = self._waiting.popleft(), 1
        reach = 1 if self._has_failed else self._reach
        while count < reach and self._waiting and self._waiting[0] == first + count:
            self._waiting.popleft()
            count += 1
        return first, count

    def _put_back(self, first: int, count: int) -> None:
        self._waiting.extendleft(reversed(range(first, first + count)))
