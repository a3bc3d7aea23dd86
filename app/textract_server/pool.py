"""Slots in which pages are read: one process each, started when needed, killed when a page hangs, ended when idle."""

import asyncio
import logging
import multiprocessing
import os
import signal
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import ParamSpec, TypeVar

from app.textract_server import page_process
from app.textract_server.failures import FailureCode, PageError

P = ParamSpec("P")
T = TypeVar("T")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SlotLimits:
    """What a slot allows its process."""

    page_seconds: float
    idle_seconds: float
    memory_bytes: int


@dataclass(slots=True)
class Slot:
    """One page process at a time. A page that hangs or kills its process loses itself, and nothing else."""

    limits: SlotLimits
    _executor: ProcessPoolExecutor | None = None
    _pid: int | None = None
    _idle: asyncio.TimerHandle | None = field(default=None, repr=False)

    @property
    def pid(self) -> int | None:
        """The page process's id; None where there is none now."""
        return self._pid

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function in the slot's process; PageError where it takes too long or the process dies of it."""
        if self._idle is not None:
            self._idle.cancel()
        try:
            async with asyncio.timeout(self.limits.page_seconds):
                return await asyncio.wrap_future(await self._submit(partial(function, *args, **kwargs)))
        except TimeoutError as error:
            self.stop()
            message = f"Reading took longer than {self.limits.page_seconds:g} seconds."
            raise PageError(FailureCode.BAD_PAGE, message) from error
        except BrokenProcessPool as error:
            self.stop()
            raise PageError(FailureCode.INTERNAL, "The process that was reading died.") from error
        except asyncio.CancelledError:
            self.stop()
            raise
        finally:
            self._idle = asyncio.get_running_loop().call_later(self.limits.idle_seconds, self.stop)

    def stop(self) -> None:
        """Kill the process, if there is one: nothing in it is worth keeping."""
        if self._idle is not None:
            self._idle.cancel()
        executor, self._executor = self._executor, None
        pid, self._pid = self._pid, None
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if executor is not None:
            executor.shutdown(wait=False, cancel_futures=True)

    async def _submit(self, call: Callable[[], T]) -> Future[T]:
        if self._executor is not None:
            with suppress(BrokenProcessPool):
                return self._executor.submit(call)
            self.stop()  # The process died while it was idle: that is no page's fault.
        return (await self._start()).submit(call)

    async def _start(self) -> ProcessPoolExecutor:
        # Spawned, not forked: a fork would copy the server's threads' locks in whatever state they are.
        # Submitting starts the process in this thread, and it must be the main one: the process dies with the thread.
        executor = ProcessPoolExecutor(
            max_workers=1,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=page_process.prepare,
            initargs=(os.getpid(), self.limits.memory_bytes),
        )
        self._executor = executor
        self._pid = await asyncio.wrap_future(executor.submit(page_process.process_id))
        logger.info("page process started pid=%d", self._pid)
        return executor
