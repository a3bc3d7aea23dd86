"""Entities without asking anyone, found in one process beside the worker, which keeps its model loaded."""

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

import structlog

from app.entities import model_process
from app.entities.mentions import Mention, Passage
from app.errors import EntityModelUnavailable

log = structlog.get_logger(__name__)

CHARACTERS_AT_ONCE = 60_000
"""So much is read in one go: some seconds' work, and some megabytes of memory."""

IDLE_SECONDS = 120.0
"""After so long without work the process ends, and gives its memory (some 400 MB) back."""


@dataclass(slots=True)
class LocalExtractor:
    """Finds everything by form, law and layout; with `names`, what spaCy finds too."""

    names: bool = True
    timeout_seconds: float = 120.0
    idle_seconds: float = IDLE_SECONDS
    _executor: ProcessPoolExecutor | None = None
    _pid: int = 0
    _starting: asyncio.Lock = field(default_factory=asyncio.Lock)
    _in_use: int = 0
    _idle: asyncio.TimerHandle | None = None

    @property
    def name(self) -> str:
        """What finds, in a word."""
        return "spacy" if self.names else "patterns"

    async def extract(self, passages: Sequence[Passage]) -> list[list[Mention]]:
        """The mentions of each passage; those of neighbouring passages explain each other's short names."""
        self._in_use += 1
        if self._idle is not None:
            self._idle.cancel()
        try:
            return [mentions for part in portions(passages) for mentions in await self._read(part)]
        finally:
            self._in_use -= 1
            if not self._in_use:
                self._idle = asyncio.get_running_loop().call_later(self.idle_seconds, self._end)

    async def aclose(self) -> None:
        """End the process; what it is doing is lost."""
        if self._idle is not None:
            self._idle.cancel()
        self._kill()
        self._end()

    async def _read(self, passages: Sequence[Passage]) -> list[list[Mention]]:
        executor = await self._started()
        call = partial(model_process.read, passages, names=self.names)
        try:
            async with asyncio.timeout(self.timeout_seconds):
                return await asyncio.get_running_loop().run_in_executor(executor, call)
        except BrokenProcessPool as error:
            self._drop(executor)
            raise EntityModelUnavailable("The process that finds entities died; it is started again.") from error
        except TimeoutError as error:
            log.warning("entity_process_hung", pid=self._pid, seconds=self.timeout_seconds)
            self._kill()
            self._drop(executor)
            raise EntityModelUnavailable(
                f"Finding the entities of {sum(len(each.text) for each in passages):,} characters took longer than "
                f"{self.timeout_seconds:.0f} s."
            ) from error

    async def _started(self) -> ProcessPoolExecutor:
        async with self._starting:
            if self._executor is None:
                executor = ProcessPoolExecutor(
                    max_workers=1,
                    mp_context=multiprocessing.get_context("spawn"),
                    initializer=model_process.prepare,
                    initargs=(os.getpid(),),
                )
                try:
                    self._pid = await asyncio.get_running_loop().run_in_executor(executor, model_process.process_id)
                except BrokenProcessPool as error:
                    raise EntityModelUnavailable("The process that finds entities can't be started.") from error
                self._executor = executor
            return self._executor

    def _drop(self, executor: ProcessPoolExecutor) -> None:
        """Forget a process that is gone; another call may have started the next already."""
        if self._executor is executor:
            self._executor, self._pid = None, 0
        executor.shutdown(wait=False, cancel_futures=True)

    def _end(self) -> None:
        if self._executor is not None and not self._in_use:
            self._drop(self._executor)

    def _kill(self) -> None:
        if self._pid:
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)


def portions(passages: Sequence[Passage]) -> Iterator[list[Passage]]:
    """Passages in turn, as many at once as are read in one go; a longer one goes alone."""
    portion: list[Passage] = []
    characters = 0
    for passage in passages:
        if portion and characters + len(passage.text) > CHARACTERS_AT_ONCE:
            yield portion
            portion, characters = [], 0
        portion.append(passage)
        characters += len(passage.text)
    if portion:
        yield portion
