"""Clients are generated as docs/clients.md has it, its examples run against the service as they stand."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.documents import letter
from tests.service import Client

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
PAGE = ROOT / "docs" / "clients.md"
OPENAPI = ROOT / "openapi.json"
TEXT = "Write to clerk@example.com"

UNREACHABLE = re.compile(
    r"from versions: none|NewConnectionError|ENOTFOUND|ECONNREFUSED|ETIMEDOUT|EAI_AGAIN|ENETUNREACH|ERR_SOCKET_TIMEOUT"
)
"""What pip and npm say where there is no index to be had."""


def example(language: str) -> str:
    """The page's example in a language; fails the test where there isn't one."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert len(found) == 1, f"{PAGE.name} has {len(found)} examples of {language}"
    return str(found[0])


def need(*programs: str) -> None:
    """Skip the test on a machine without these programs."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        pytest.skip(f"not on this machine: {', '.join(missing)}")


def run(*command: str | Path, cwd: Path, path: Path | None = None) -> str:
    """What a command says; fails the test where it fails. `path` is looked in for programs first."""
    done = subprocess.run(command, cwd=cwd, env=_environment(path), capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said


def install(*command: str | Path, cwd: Path) -> None:
    """Run an installer; skips the test where its index can't be reached, and fails it on any other failure."""
    done = subprocess.run(command, cwd=cwd, env=_environment(None), capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    if done.returncode != 0 and (why := UNREACHABLE.search(said)):
        pytest.skip(f"no packages can be fetched: {Path(command[0]).name} says {why[0]}")
    assert done.returncode == 0, said


@dataclass(frozen=True, slots=True)
class Said:
    """What an example printed."""

    output: str
    errors: str


async def run_example(client: Client, command: Sequence[str | Path], folder: Path) -> Said:
    """Run an example, in a folder, on a letter that says `TEXT`; fails the test where it fails."""
    (folder / "letter.pdf").write_bytes(letter(TEXT))
    process = await asyncio.create_subprocess_exec(
        *(*command, "letter.pdf"),
        cwd=folder,
        env={
            **_environment(None),
            "QUIRE_URL": str(client.base_url),
            "QUIRE_API_KEY": client.headers["Authorization"].removeprefix("Bearer "),
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, errors.decode()
    return Said(output.decode(), errors.decode())


def make_venv(folder: Path) -> Path:
    """The programs of a fresh virtual environment with the generator in it: its versions don't go with the service's own."""
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=HERE)
    programs = folder / "bin"
    install(
        *(sys.executable, "-m", "pip", "--python", programs / "python", "--disable-pip-version-check"),
        *("install", "--quiet", "--no-compile", "--requirement", "requirements.txt"),
        cwd=HERE / "python",
    )
    return programs


def _environment(path: Path | None) -> Mapping[str, str]:
    """Ours, without what would lead a program to this project's own packages."""
    kept = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    return kept if path is None else {**kept, "PATH": f"{path}{os.pathsep}{kept['PATH']}"}
