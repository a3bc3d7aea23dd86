"""What is mistyped: ids that are none, keys that could never be used, projects that aren't there."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from app.config import Settings
from tests.bench import Bench
from tests.cli.calling import command_on
from tests.cli.conftest import Command
from tests.cli.forks import Forks
from tests.knowledge.filed import file_document
from tests.service import Client

UNKNOWN = "019aa6c1-8f00-7d41-8c1e-3b5d7f9a1c2e"


@pytest.fixture
async def here(quick: Settings, address: str, tmp_path: Path, forks: Forks) -> Command:
    """The command, with a key to an API that no worker serves."""
    return await command_on(quick, address, tmp_path, forks)


async def said(quire: Command, line: str) -> tuple[int, str, str]:
    """The exit code, output and errors of a command."""
    done = await asyncio.to_thread(quire, *line.split())
    return done.returncode, done.stdout, done.stderr


async def test_what_is_no_id_is_told_without_asking_the_server(tmp_path: Path, forks: Forks) -> None:
    """With where to find one."""
    nobody = Command(tmp_path, {"PYTHONPATH": str(Path(__file__).parents[2]), "QUIRE_API_KEY": "qk_x"}, forks)
    for line, kind, shown_by in (
        (f"jobs cancel {UNKNOWN} 123", "job", "jobs list"),
        ("jobs retry 123", "job", "jobs list"),
        ("jobs show 123", "job", "jobs list"),
        ("jobs list --document 123", "document", "jobs list"),
        ("result 123", "document", "jobs list"),
        ("batch status 123", "batch", "batch list"),
        ("batch report 123", "batch", "batch list"),
    ):
        assert await said(nobody, line) == (2, "", f"123 is no {kind} id; `quire {shown_by}` shows them.\n")


async def test_a_job_that_is_not_there_keeps_no_other_back(here: Command, bench: Bench) -> None:
    """The exit code is that of a job that refuses."""
    job = await bench.rows.job()
    code, output, errors = await said(here, f"jobs cancel {UNKNOWN} {job.id}")
    assert (code, f"{UNKNOWN}: " in errors, "[job_not_found]" in errors) == (1, True, True)
    assert output.split()[:2] == [str(job.id), "cancelled"]
    code, _, errors = await said(here, f"jobs retry {UNKNOWN}")
    assert (code, "[job_not_found]" in errors) == (1, True)


async def test_no_key_is_made_that_has_ended_already(here: Command) -> None:
    before = await said(here, "keys list --json")
    for days in ("-3", "0", "inf", "nan"):
        code, output, errors = await said(here, f"keys create --days {days}")
        assert (code, output, errors.startswith("--days must be more than 0")) == (2, "", True)
    assert await said(here, "keys list --json") == before


async def test_limits_are_those_of_a_project_that_is_there(here: Command, client: Client) -> None:
    """What holds then is printed, also where nothing is changed."""
    code, output, errors = await said(here, "keys limit nope --weight 2")
    assert (code, output, "[project_not_found]" in errors) == (2, "", True)
    assert (await said(here, "keys limit nope"))[0] == 2
    assert (await said(here, "keys limit default"))[1].startswith("default: weight 1, as many documents as")
    changed = await said(here, "keys limit default --weight 2.5 --max-open-documents 70")
    assert changed == (0, "default: weight 2.5, 70 documents at most under way.\n", "")
    held: dict[str, Any] = json.loads((await said(here, "keys limit default --json"))[1])
    assert held == {"project": "default", "weight": 2.5, "max_open_documents": 70}


async def test_no_model_is_forgotten_that_is_not_there(here: Command, bench: Bench) -> None:
    """Those that there are are named, with their dimensions, as they have to be told."""
    await file_document(bench, ["one"])
    code, output, errors = await said(here, "embeddings forget wordllama-l2-supercat")
    assert (code, output, errors.count("\n")) == (2, "", 1)
    assert errors.endswith("those that there are: wordllama-l2-supercat/256. [embedding_model_not_found]\n")
    code, _, errors = await said(here, "embeddings forget wordllama-l2-supercat/256")
    assert (code, errors.endswith("[state_conflict]\n")) == (2, True)
    code, output, _ = await said(here, "embeddings status")
    assert (code, output) == (
        0,
        "1 chunks to have vectors of\nwordllama-l2-supercat/256  1 vectors  searched, written\n",
    )
