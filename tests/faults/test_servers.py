"""Servers that go away in the middle of the work and come back: jobs wait, go on, and end once."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from app.config import Settings
from app.entities.mentions import EntityExtractor
from app.jobs.models import Job
from app.jobs.states import JobState, Stage
from app.ocr.circuit import Position
from app.ocr.engine import EngineName
from app.turns import LEAST
from tests.bench import Bench, eventually, open_bench
from tests.databases import migrated
from tests.embedded.running import POINTERS, ROOT
from tests.faults.test_workers import each_ends_once, slow_starts, submitted, under_way
from tests.ocr.textract import FakeTextract, document_of
from workers.main import serving


class OwnPostgres:
    """A Postgres of this test's own, which can be stopped and comes back where it was."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = ""

    def start(self) -> None:
        """Start it; the second time on the port and with the data of the first."""
        environment = {name: value for name, value in os.environ.items() if name not in POINTERS}
        command = [sys.executable, "-m", "app.embedded", "--only", "postgres", "--volatile"]
        self.process = subprocess.Popen(
            [*command, "--data-dir", str(self.folder)],
            cwd=self.folder.parent,
            env={**environment, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self.process.stdout is not None
        url = json.loads(self.process.stdout.readline())["DATABASE_URL"]
        assert self.url in {"", url}, "it came back somewhere else"
        self.url = url

    def stop(self) -> None:
        """Stop it, and whatever is connected to it."""
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=30)


@contextmanager
def own_postgres(folder: Path) -> Iterator[OwnPostgres]:
    """Run one."""
    postgres = OwnPostgres(folder)
    postgres.start()
    try:
        yield postgres
    finally:
        if postgres.process.poll() is None:
            postgres.stop()


async def test_a_restart_of_postgres(
    told: Settings, fake: FakeTextract, tmp_path: Path, extractor: EntityExtractor
) -> None:
    """Work that is under way is written down when Postgres is back, and workers find back to theirs by themselves."""
    fake.blocks = document_of(2)
    slow_starts(fake, 1.0)
    with own_postgres(tmp_path / "postgres") as postgres:
        await asyncio.to_thread(migrated, postgres.url)
        settings = told.model_copy(update={"database_url": postgres.url})
        async with serving(settings, extractor=extractor):
            async with open_bench(settings) as bench:
                jobs = await submitted(bench, LEAST)
                await under_way(bench, fake, jobs)
            await asyncio.to_thread(postgres.stop)
            await asyncio.to_thread(postgres.start)
            async with open_bench(settings) as bench:
                jobs += await submitted(bench, 3, after=LEAST)
                await each_ends_once(bench, fake, jobs)


@asynccontextmanager
async def proxied(target: int) -> AsyncIterator["Proxy"]:
    """A TCP port that leads to another, and can be cut."""
    proxy = Proxy(target)
    proxy.server = await asyncio.start_server(proxy.pass_on, "127.0.0.1", 0)
    proxy.port = proxy.server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        proxy.cut()
        proxy.server.close()


class Proxy:
    """Passes bytes on, until it is cut; then connections break, and new ones are refused an answer."""

    server: asyncio.Server
    port: int

    def __init__(self, target: int) -> None:
        self.target = target
        self.is_cut = False
        self.writers: set[asyncio.StreamWriter] = set()

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, both ways."""
        if self.is_cut:
            writer.close()
            return
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        self.writers |= {writer, far_writer}
        await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer), return_exceptions=True)
        self.writers -= {writer, far_writer}

    def cut(self) -> None:
        """Break every connection, and those to come."""
        self.is_cut = True
        for writer in self.writers:
            writer.transport.abort()

    def mend(self) -> None:
        """Let connections through again."""
        self.is_cut = False


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def test_textract_away_for_a_while(
    bench: Bench, told: Settings, fake: FakeTextract, extractor: EntityExtractor
) -> None:
    """Jobs that run wait, and so do those to be started, which are not tried; then all end."""
    fake.blocks = document_of(2)
    fake.status = "IN_PROGRESS"
    port = int(fake.url.rpartition(":")[2])
    async with proxied(port) as proxy:
        breaker = {"ocr_breaker_failures": 3, "ocr_breaker_open_seconds": 3.0, "ocr_breaker_max_open_seconds": 3.0}
        settings = told.model_copy(
            update=breaker | {"aws_endpoint_url_textract": f"http://127.0.0.1:{proxy.port}", "max_attempts": 30}
        )
        async with serving(settings, extractor=extractor):
            jobs = await submitted(bench, 4)
            await eventually(lambda: all_are(bench, jobs, JobState.QUEUED, Stage.PARSING))
            proxy.cut()
            await eventually(lambda: is_away(bench, EngineName.TEXTRACT))
            more = await submitted(bench, 4, after=4)
            await asyncio.sleep(2)  # ten sweeps, and at most one probe
            now = [await bench.rows.find(job.id) for job in jobs + more]
            assert {job.state for job in now} <= {JobState.QUEUED, JobState.RETRYABLE}
            assert sum(job.attempts for job in now[4:]) <= 1
            fake.status = "SUCCEEDED"
            proxy.mend()
            await each_ends_once(bench, fake, jobs + more)


async def test_redis_away_for_a_while(
    bench: Bench, told: Settings, fake: FakeTextract, extractor: EntityExtractor
) -> None:
    """What was begun goes on when Redis is back, and what came meanwhile is found by the sweep."""
    fake.blocks = document_of(2)
    port = int(told.redis_url.rpartition(":")[2].partition("/")[0])
    async with proxied(port) as proxy:
        settings = told.model_copy(update={"redis_url": told.redis_url.replace(f":{port}/", f":{proxy.port}/")})
        async with serving(settings, extractor=extractor):
            jobs = await submitted(bench, 4)
            await asyncio.sleep(0.5)
            proxy.cut()
            await asyncio.sleep(1.5)
            jobs += await submitted(bench, 4, after=4)
            proxy.mend()
            await each_ends_once(bench, fake, jobs)


async def is_away(bench: Bench, engine: EngineName) -> bool:
    """Whether the fleet leaves an engine alone."""
    return (await bench.tools.ocr.router.states())[engine].state is not Position.CLOSED


async def all_are(bench: Bench, jobs: list[Job], state: JobState, stage: Stage | None = None) -> bool:
    """Whether all jobs are in a state, at a stage."""
    now = [await bench.rows.find(job.id) for job in jobs]
    return all(job.state is state and stage in {None, job.stage} for job in now)
