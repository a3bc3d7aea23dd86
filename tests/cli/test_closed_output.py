"""Commands whose output nobody reads any more, as with `| head`: they end, and say nothing."""

import os
import subprocess
from pathlib import Path

import pytest

from app.config import Settings
from tests.bench import Bench
from tests.cli.calling import command_on
from tests.cli.conftest import Command
from tests.cli.forks import Forks


@pytest.fixture
async def here(quick: Settings, address: str, tmp_path: Path, forks: Forks) -> Command:
    """The command, with a key to an API that no worker serves."""
    return await command_on(quick, address, tmp_path, forks)


def ended(quire: Command, *arguments: str) -> tuple[int | None, str]:
    """The exit code and what is on standard error of a command whose output is closed before it prints."""
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "wb") as output:  # noqa: PTH123 (it is open already)
        process = subprocess.run(
            quire.line(*arguments),
            cwd=quire.folder,
            env=dict(quire.environment),
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            timeout=110,
            check=False,
        )
    return process.returncode, process.stderr


@pytest.mark.parametrize("line", ["check --json", "check", "keys list", "keys list --json", "repair --json", "repair"])
async def test_an_operator_reads_no_further(here: Command, bench: Bench, line: str) -> None:
    """Tables, lines and JSON alike; for `repair` too, it is not the database that can't be reached."""
    document = await bench.rows.document()
    await bench.tools.bucket.delete(document.s3_key)
    assert ended(here, *line.split()) == (141, "")
