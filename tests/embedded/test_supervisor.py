"""How children are kept running, told with children that do what no server should."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from app.embedded import orphans, supervisor
from app.embedded.data_dir import DataDir
from app.embedded.errors import ChildError, StackError
from app.embedded.probes import NotReadyError, Probe
from app.embedded.process import ChildSpec
from app.embedded.supervisor import Supervisor
from tests.embedded.running import eventually

SLEEPER = "import time; print('hello', flush=True); time.sleep(60)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('hello', flush=True); time.sleep(60)"
)


class Stage:
    """A supervisor, and what it said."""

    def __init__(self, data_dir: DataDir) -> None:
        self.data_dir = data_dir
        self.said: list[str] = []
        self.failed: asyncio.Future[ChildError] = asyncio.get_running_loop().create_future()
        self.supervisor = Supervisor(data_dir, self.said.append, self.failed.set_result)

    def says_hello(self, name: str) -> Probe:
        """A child is ready when it has greeted."""

        async def probe() -> None:
            if "hello" not in (self.data_dir.logs / f"{name}.log").read_text():
                raise NotReadyError

        return probe

    def spec(self, name: str, code: str) -> ChildSpec:
        argv = (sys.executable, "-c", code)
        return ChildSpec(name=name, argv=argv, env=dict(os.environ), probe=self.says_hello(name))

    def pid(self, name: str) -> int:
        return orphans.recorded_pid(self.data_dir.processes, name)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    stage = Stage(DataDir.create(tmp_path / "quire"))
    yield stage
    stage.supervisor.kill()
    await stage.supervisor.stop()


async def test_a_child_that_ends_before_it_is_ready_shows_its_last_words(stage: Stage) -> None:
    with pytest.raises(ChildError, match=r"(?s)broken ended at once \(exit code 3\).*no such table"):
        await stage.supervisor.start([stage.spec("broken", "print('no such table'); exit(3)")])


async def test_a_child_that_dies_is_started_again(stage: Stage) -> None:
    await stage.supervisor.start([stage.spec("sleeper", SLEEPER)])
    first = stage.pid("sleeper")
    os.kill(first, signal.SIGKILL)
    await asyncio.to_thread(eventually, lambda: "sleeper is back." in stage.said)
    assert stage.pid("sleeper") != first
    assert not psutil.pid_exists(first)


async def test_a_child_that_keeps_dying_fails_the_stack(stage: Stage) -> None:
    """Five deaths within half a minute are enough."""
    await stage.supervisor.start(
        [stage.spec("mayfly", "print('hello', flush=True); import time; time.sleep(0.4); exit(4)")]
    )
    async with asyncio.timeout(20):
        error = await stage.failed
    assert "mayfly died 5 times in a row (exit code 4)" in str(error)


async def test_what_a_dead_child_had_started_ends_with_it(stage: Stage) -> None:
    code = f"import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', {SLEEPER!r}]).pid, flush=True); {SLEEPER}"
    await stage.supervisor.start([stage.spec("parent", code)])
    grandchild = int((stage.data_dir.logs / "parent.log").read_text().split()[0])
    os.kill(stage.pid("parent"), signal.SIGKILL)
    await asyncio.to_thread(eventually, lambda: not is_running(grandchild))


async def test_a_child_that_will_not_stop_is_killed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "STOP_SECONDS", 1.0)
    await stage.supervisor.start([stage.spec("stubborn", STUBBORN)])
    began = time.monotonic()
    await stage.supervisor.stop()
    assert time.monotonic() - began < 30
    assert any("stubborn did not stop within" in line for line in stage.said)


async def test_children_stop_in_order(stage: Stage) -> None:
    """Those that use others stop before them."""
    farewell = (
        "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(print(time.monotonic())));"
        "print('hello', flush=True); time.sleep(60)"
    )
    specs = [replace(stage.spec(f"rank{rank}", farewell), stop_rank=rank) for rank in (0, 2, 1)]
    await stage.supervisor.start(specs)
    await stage.supervisor.stop()
    ended_at = [float((stage.data_dir.logs / f"rank{rank}.log").read_text().split()[-1]) for rank in (2, 1, 0)]
    assert ended_at == sorted(ended_at)


async def test_a_step_that_fails_shows_its_last_words(stage: Stage) -> None:
    with pytest.raises(ChildError, match=r"(?s)migrate failed \(exit code 2\).*no such revision"):
        argv = (sys.executable, "-c", "print('no such revision'); exit(2)")
        await stage.supervisor.run_once("migrate", argv, os.environ)


async def test_what_an_earlier_run_left_running_is_ended(stage: Stage) -> None:
    await stage.supervisor.start([stage.spec("sleeper", SLEEPER)])
    pid = stage.pid("sleeper")
    await asyncio.gather(*(asyncio.create_task(_cancelled(keeper)) for keeper in stage.supervisor._keepers))
    assert orphans.end_orphans(stage.data_dir.processes) == ["sleeper"]
    assert not is_running(pid)


def test_a_record_of_a_process_id_that_is_somebody_elses_by_now_harms_nobody(tmp_path: Path) -> None:
    (tmp_path / "postgres.json").write_text(f'{{"pid": {os.getpid()}, "started_at": {psutil.boot_time() + 1}}}')
    (tmp_path / "half.json").write_text('{"pid": 1')
    assert orphans.end_orphans(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_a_data_dir_that_can_not_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StackError, match="QUIRE_DATA_DIR"):
        DataDir.create(tmp_path / "file" / "quire")


def is_running(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])
