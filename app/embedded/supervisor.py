"""Keeps children running: starts them, waits until they are ready, starts them again when they die, and stops them all."""

import asyncio
import signal
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from app.embedded import orphans
from app.embedded.data_dir import DataDir
from app.embedded.errors import ChildError
from app.embedded.probes import NotReadyError
from app.embedded.process import ChildSpec, run_to_end, signal_group, spawn

READY_SECONDS = 120.0  # A machine may be busy with other things, and all of Python is imported anew.
PROBE_INTERVAL_SECONDS = 0.05
MOST_DEATHS = 5
DEATHS_WITHIN_SECONDS = 30.0
FIRST_BACKOFF_SECONDS = 0.2
LONGEST_BACKOFF_SECONDS = 5.0
# All have to be gone within 10 seconds: workers may finish what they do in 7, and databases still get their share.
STOP_SECONDS = 9.5
LEAST_SECONDS_EACH = 1.0

Say = Callable[[str], None]


async def together(coroutines: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Await all of these at once; the first error ends the others, and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            for coroutine in coroutines:
                group.create_task(coroutine)
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None


class Child:
    """One child that is kept running."""

    def __init__(self, spec: ChildSpec, data_dir: DataDir, say: Say) -> None:
        self.spec = spec
        self.log = data_dir.logs / f"{spec.name}.log"
        self._records = data_dir.processes
        self._say = say
        self._process: asyncio.subprocess.Process | None = None
        self._deaths: deque[float] = deque(maxlen=MOST_DEATHS)

    async def start(self) -> None:
        """Start it, and return once it is ready."""
        process = await self._spawn()
        if not await self._becomes_ready(process):
            code = process.returncode
            why = "did not become ready" if code is None else f"ended at once ({_ending(code)})"
            raise ChildError(f"{self.spec.name} {why}.", self.log)

    async def keep(self) -> None:
        """Start it again whenever it dies, until it dies too often."""
        while True:
            code = await self._wait()
            self._deaths.append(time.monotonic())
            if self._dies_too_often():
                raise ChildError(f"{self.spec.name} died {MOST_DEATHS} times in a row ({_ending(code)}).", self.log)
            backoff = min(FIRST_BACKOFF_SECONDS * 2 ** (len(self._deaths) - 1), LONGEST_BACKOFF_SECONDS)
            self._say(f"{self.spec.name} died ({_ending(code)}); starting it again. Its log: {self.log}")
            await asyncio.sleep(backoff)
            process = await self._spawn()
            if await self._becomes_ready(process):
                self._say(f"{self.spec.name} is back.")
            else:
                signal_group(process.pid, signal.SIGKILL)

    async def stop(self, seconds: float) -> None:
        """Ask it to end, and kill it when it takes longer than this."""
        if self._process is None:
            return
        if self._process.returncode is None:
            self._process.send_signal(self.spec.stop_signal)
        try:
            await asyncio.wait_for(self._wait(), seconds)
        except TimeoutError:
            self._say(f"{self.spec.name} did not stop within {seconds:.0f} s; killing it.")
            self.kill()
            await self._wait()

    def kill(self) -> None:
        """End it and all that it started, at once."""
        if self._process is not None:
            signal_group(self._process.pid, signal.SIGKILL)

    async def _spawn(self) -> asyncio.subprocess.Process:
        spec = self.spec
        if spec.prepare is not None:
            spec.prepare()
        self._process = await spawn(
            spec.argv, env=spec.env, log=self.log, account=spec.account, death_signal=spec.death_signal
        )
        orphans.remember(self._records, spec.name, self._process.pid)
        return self._process

    async def _wait(self) -> int:
        assert self._process is not None  # noqa: S101 - only started children are waited for
        code = await self._process.wait()
        signal_group(self._process.pid, signal.SIGKILL)
        orphans.forget(self._records, self.spec.name)
        return code

    async def _becomes_ready(self, process: asyncio.subprocess.Process) -> bool:
        """Ask until it is ready; False when it ended instead, or took too long."""
        deadline = time.monotonic() + READY_SECONDS
        while process.returncode is None and time.monotonic() < deadline:
            try:
                await asyncio.wait_for(self.spec.probe(), timeout=5)
            except (OSError, NotReadyError, EOFError):  # TimeoutError and refused connections are OSErrors.
                await asyncio.sleep(PROBE_INTERVAL_SECONDS)
            else:
                # An answer may have come from somebody else on its port: ours has to be alive too.
                await asyncio.sleep(0)
                return process.returncode is None
        return False

    def _dies_too_often(self) -> bool:
        return len(self._deaths) == MOST_DEATHS and self._deaths[-1] - self._deaths[0] < DEATHS_WITHIN_SECONDS


class Supervisor:
    """The children of one stack."""

    def __init__(self, data_dir: DataDir, say: Say, on_failure: Callable[[ChildError], None]) -> None:
        self._data_dir = data_dir
        self._say = say
        self._on_failure = on_failure
        self._children: list[Child] = []
        self._keepers: list[asyncio.Task[None]] = []

    async def start(self, specs: Iterable[ChildSpec]) -> None:
        """Start these at once, and return when all are ready."""
        children = [Child(spec, self._data_dir, self._say) for spec in specs]
        self._children += children
        await together([child.start() for child in children])
        for child in children:
            keeper = asyncio.create_task(child.keep(), name=f"keep {child.spec.name}")
            keeper.add_done_callback(self._keeper_ended)
            self._keepers.append(keeper)

    async def run_once(self, name: str, argv: tuple[str, ...], env: Mapping[str, str]) -> None:
        """Run a command to its end; it has to succeed."""
        log: Path = self._data_dir.logs / f"{name}.log"
        if (code := await run_to_end(argv, env=env, log=log)) != 0:
            raise ChildError(f"{name} failed ({_ending(code)}).", log)

    async def stop(self) -> None:
        """Stop every child, those that use the others first."""
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        deadline = time.monotonic() + STOP_SECONDS
        by_rank = sorted(self._children, key=lambda child: -child.spec.stop_rank)
        ranks = [list(children) for _, children in groupby(by_rank, key=lambda child: child.spec.stop_rank)]
        for later, children in zip(reversed(range(len(ranks))), ranks, strict=True):
            remaining = deadline - time.monotonic() - later * LEAST_SECONDS_EACH
            await asyncio.gather(*(child.stop(max(remaining, LEAST_SECONDS_EACH)) for child in children))

    def kill(self) -> None:
        """End every child at once."""
        for child in self._children:
            child.kill()

    def _keeper_ended(self, keeper: asyncio.Task[None]) -> None:
        if not keeper.cancelled() and isinstance(error := keeper.exception(), ChildError):
            self._on_failure(error)


def _ending(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
