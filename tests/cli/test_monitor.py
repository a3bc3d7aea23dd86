"""`quire monitor` and `jobs show` while the engine reads: what is told of running Textract jobs."""

import asyncio
import json
from pathlib import Path

import pytest

from app.config import Settings
from app.jobs.states import JobState, Stage
from tests.bench import Bench
from tests.cli.calling import command_on
from tests.cli.conftest import Command
from tests.cli.forks import Forks


@pytest.fixture
async def here(quick: Settings, address: str, tmp_path: Path, forks: Forks) -> Command:
    """The command, with a key to an API that no worker serves."""
    return await command_on(quick, address, tmp_path, forks)


async def test_running_textract_jobs_are_shown_the_oldest_first(here: Command, bench: Bench) -> None:
    """With the id that the engine knows each by."""
    running = await bench.rows.job(Stage.PARSING, JobState.WORKING, textract_job_id="the-first", pages_total=7)
    await bench.rows.job(Stage.PARSING, JobState.QUEUED, textract_job_id="the-second")
    shown = await asyncio.to_thread(here, "monitor", "--once")
    assert shown.returncode == 0, shown.stderr
    lines = [line.split() for line in shown.stdout.splitlines()]
    (first,) = [line for line in lines if "the-first" in line]
    assert first[2:] == ["7", "IN_PROGRESS", str(running.document_id)]
    picture = json.loads((await asyncio.to_thread(here, "monitor", "--json")).stdout)
    assert [job["textract"]["job_id"] for job in picture["textract_jobs"]] == ["the-first", "the-second"]


async def test_a_job_shows_the_textract_job_that_it_waits_for(here: Command, bench: Bench) -> None:
    job = await bench.rows.job(Stage.PARSING, JobState.WORKING, textract_job_id="the-one")
    shown = await asyncio.to_thread(here, "jobs", "show", str(job.id))
    assert shown.returncode == 0, shown.stderr
    assert "the-one" in shown.stdout
    assert "IN_PROGRESS" in shown.stdout
