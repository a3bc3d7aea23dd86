"""The whole stack: what is started in which order, until it is asked to stop."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

import setproctitle

from app.config import Settings
from app.embedded.banner import banner, local_url
from app.embedded.data_dir import DataDir
from app.embedded.environment import Environment
from app.embedded.errors import StackError
from app.embedded.parts import EVERYTHING, Part, parts_to_run, require_packages
from app.embedded.startup import start_stack
from app.embedded.supervisor import Say, Supervisor

# One press of Ctrl-C can arrive twice: from the terminal, and passed on by `make`.
SAME_SIGNAL_SECONDS = 0.2
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class StackReady:
    """A stack that runs."""

    settings: Settings
    data_dir: DataDir
    environment: Environment
    parts: frozenset[Part]
    took_seconds: float


def say(text: str) -> None:
    """Write a line for the person at the terminal, who may have left."""
    with suppress(OSError):
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()


def complain(text: str) -> None:
    """Write a line to the person at the terminal about what went wrong."""
    with suppress(OSError):
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


def print_banner(ready: StackReady) -> None:
    """Tell a person where everything is."""
    say(banner(ready.settings, ready.environment, ready.data_dir.logs, ready.parts, ready.took_seconds))


def run_stack(
    settings: Settings,
    *,
    wanted: frozenset[Part] = EVERYTHING,
    durable: bool = True,
    on_ready: Callable[[StackReady], None] = print_banner,
    tell: Say = say,
) -> int:
    """Run the stack until a signal stops it, and return the exit code.

    A part is left out where its setting points elsewhere. Without `durable`, data need not outlive the stack: for tests.
    """
    setproctitle.setproctitle("quire up")
    try:
        parts = parts_to_run(settings, wanted)
        require_packages(parts)
        data_dir = DataDir.create(settings.quire_data_dir)
        with data_dir.locked(), ExitStack() as claims:
            run = _Run(settings, data_dir, parts, durable=durable, on_ready=on_ready, tell=tell, claims=claims)
            return asyncio.run(run.until_stopped())
    except StackError as error:
        complain(str(error))
        return 1


class _Run:
    """One run of a stack, from start to stop."""

    def __init__(
        self,
        settings: Settings,
        data_dir: DataDir,
        parts: frozenset[Part],
        *,
        durable: bool,
        on_ready: Callable[[StackReady], None],
        tell: Say,
        claims: ExitStack,
    ) -> None:
        self.settings = settings
        self.data_dir = data_dir
        self.parts = parts
        self.durable = durable
        self.on_ready = on_ready
        self.tell = tell
        self.claims = claims
        self.failure: StackError | None = None
        self.main: asyncio.Task[int] | None = None
        self.supervisor = Supervisor(data_dir, tell, self._fail)

    async def until_stopped(self) -> int:
        """Start everything, wait for a signal or a failure, and stop everything."""
        self.main = asyncio.current_task()
        with self._stopped_by_signals():
            try:
                await self._start()
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                pass  # A signal, or a child that can't be kept running: either way we stop.
            except StackError as error:
                self.failure = error
            if self.failure is not None:
                complain(str(self.failure))
            await self.supervisor.stop()
        return 1 if self.failure else 0

    async def _start(self) -> None:
        began = time.monotonic()
        environment = await start_stack(
            self.settings,
            self.data_dir,
            self.parts,
            self.supervisor,
            durable=self.durable,
            say=self.tell,
            claims=self.claims,
        )
        took = time.monotonic() - began
        if Part.API in self.parts:
            self.data_dir.address.write_text(f"{local_url(self.settings)}\n")
        self.on_ready(StackReady(self.settings, self.data_dir, environment, self.parts, took))

    def _fail(self, error: StackError) -> None:
        self.failure = error
        self._cancel()

    def _cancel(self) -> None:
        if self.main is not None:
            self.main.cancel()

    @contextmanager
    def _stopped_by_signals(self) -> Iterator[None]:
        """Stop at the first signal, in order; at the second, end everything at once."""
        first_at: float | None = None

        def on_signal(number: signal.Signals) -> None:
            nonlocal first_at
            now = time.monotonic()
            if first_at is None:
                first_at = now
                self.tell("Stopping ...")
                self._cancel()
            elif now - first_at > SAME_SIGNAL_SECONDS:
                self.supervisor.kill()
                self.tell("Killed.")
                os._exit(128 + number)

        loop = asyncio.get_running_loop()
        # Under `nohup`, a terminal that closes is to be ignored.
        heard = [
            number for number in STOP_SIGNALS if number == signal.SIGINT or signal.getsignal(number) != signal.SIG_IGN
        ]
        for number in heard:
            loop.add_signal_handler(number, on_signal, number)
        yield
        for number in heard:
            loop.remove_signal_handler(number)
