"""How many pages are in hand at once, with the second opinions that some of them wait for."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.textract_server.failures import FailureCode, PageError
from app.textract_server.geometry import QuarterTurns
from app.textract_server.kinds import DocumentKind
from app.textract_server.limits import ReadingLimits
from app.textract_server.opinions import SecondOpinions
from app.textract_server.readings import DocumentFile, PageBlocks, PageRequest, ReadBy, ReadingFacts
from app.textract_server.scheduler import PageScheduler

UNSURE = PageBlocks(b"read", 1, ReadingFacts(ReadBy.TESSERACT, 50.0, 0.0, QuarterTurns.NONE, is_blank=False))
BETTER = PageBlocks(b"better", 1)


@dataclass
class Reading:
    """A page process that reads every page at once, and is unsure of each."""

    read: int = 0
    pid: int | None = 1

    async def call(self, *_: Any) -> tuple[PageBlocks, ...]:
        """Read a page."""
        self.read += 1
        return (UNSURE,)

    def stop(self) -> None:
        """Nothing to end."""


@dataclass
class Pondering:
    """Gives its opinion when it is let, one page at a time, or fails on it."""

    error: PageError | None = None
    given: int = 0
    let: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))

    async def call(self, *_: Any) -> PageBlocks:
        """Read a page again."""
        await self.let.acquire()
        self.given += 1
        if self.error is not None:
            raise self.error
        return BETTER

    def stop(self) -> None:
        """Nothing to end."""


async def settled() -> None:
    """Let everything go on that can."""
    for _ in range(200):
        await asyncio.sleep(0)


def submitted(scheduler: PageScheduler, documents: int, pages: int) -> list[asyncio.Task[Any]]:
    """Every page of some documents, all asked for at once."""
    file = DocumentFile(Path("document"), DocumentKind.PNG)
    return [
        asyncio.create_task(
            scheduler.run(f"document {document}", print, PageRequest(file, page, numbered=True, limits=ReadingLimits()))
        )
        for document in range(documents)
        for page in range(1, pages + 1)
    ]


def unsure_of_all(readers: list[Reading], pondering: Pondering) -> PageScheduler:
    """A scheduler on slots of this test's own."""
    opinions = SecondOpinions(pondering, 85.0)  # type: ignore[arg-type]  # it needs no more of a slot
    return PageScheduler(readers, opinions)  # type: ignore[arg-type]


async def test_pages_that_wait_for_a_second_opinion_are_in_hand_too() -> None:
    """Two a process, whatever the number of documents: each opinion that is given lets one more page be read."""
    readers, pondering = [Reading(), Reading()], Pondering()
    scheduler = unsure_of_all(readers, pondering)
    pages = submitted(scheduler, documents=10, pages=3)
    for given in range(27):
        await settled()
        assert (pondering.given, sum(reader.read for reader in readers)) == (given, 4 + given)
        pondering.let.release()
    for _ in range(3):
        pondering.let.release()
    assert await asyncio.gather(*pages) == [(BETTER,)] * 30


async def test_an_opinion_that_fails_or_is_not_waited_for_gives_its_place_back() -> None:
    """The page counts as it was read first, and one whose job was cancelled leaves nothing behind."""
    reader, pondering = Reading(), Pondering(PageError(FailureCode.INTERNAL, "The process that was reading died."))
    scheduler = unsure_of_all([reader], pondering)
    first, second, third, fourth = submitted(scheduler, documents=4, pages=1)
    await settled()
    assert reader.read == 2
    second.cancel()
    fourth.cancel()
    for _ in range(4):
        pondering.let.release()
    assert await first == (UNSURE,)
    assert await third == (UNSURE,)
    await asyncio.gather(second, fourth, return_exceptions=True)
    assert reader.read == 3


async def test_a_closed_scheduler_waits_for_no_opinion() -> None:
    """What was being read is lost, and is read again at the next start."""
    scheduler = unsure_of_all([Reading()], Pondering())
    pages = submitted(scheduler, documents=2, pages=1)
    await settled()
    async with asyncio.timeout(10):
        await scheduler.close()
        ended = await asyncio.gather(*pages, return_exceptions=True)
    assert all(isinstance(end, asyncio.CancelledError) for end in ended)
