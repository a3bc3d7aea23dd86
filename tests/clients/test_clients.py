"""Clients that are generated from openapi.json: without a warning, and good for what the docs show."""

import shutil
from pathlib import Path

import pytest

from tests.clients.generating import (
    HERE,
    OPENAPI,
    TEXT,
    Said,
    example,
    install,
    make_venv,
    need,
    run,
    run_example,
)
from tests.service import Client

pytestmark = pytest.mark.timeout(300)  # packages are installed


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the generated Python client, and a `bin` with what it needs."""
    folder = tmp_path_factory.mktemp("python")
    programs = make_venv(folder / "venv")
    said = run(
        *("openapi-python-client", "generate", "--path", OPENAPI, "--meta", "none"),
        *("--output-path", "quire_client", "--fail-on-warning"),
        cwd=folder,
        path=programs,
    )
    assert "warning" not in said.lower(), said
    (folder / "read.py").write_text(example("python"))
    return folder


@pytest.fixture(scope="module")
def typescript(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the generated types, the example, and the packages that both need."""
    need("node", "npm")
    folder = tmp_path_factory.mktemp("typescript")
    for name in ("package.json", "package-lock.json", "tsconfig.json", "types.ts"):
        shutil.copy(HERE / "typescript" / name, folder)
    install("npm", "ci", "--no-audit", "--no-fund", "--fetch-retries=1", cwd=folder)
    said = run("node_modules/.bin/openapi-typescript", OPENAPI, "--output", "quire.d.ts", cwd=folder)
    assert "warn" not in said.lower(), said
    assert "⚠" not in said, said
    (folder / "read.ts").write_text(example("typescript"))
    return folder


def assert_followed(said: Said) -> None:
    """A job's state came first, then its events without a gap, up to its end."""
    snapshot, *events = said.errors.splitlines()
    assert snapshot.partition(", at ")[0] in {"queued", "working"}
    numbers = [int(line.partition(" ")[0]) for line in events]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert " done: " in events[-1]


async def test_the_python_client_reads_a_document(python: Path, client: Client, worker: str) -> None:
    """It uploads a form, follows the event stream to its end, polls the job and gets the text."""
    said = await run_example(client, [python / "venv" / "bin" / "python", "read.py"], python)
    assert said.output.strip() == TEXT
    assert_followed(said)


def test_the_typescript_example_fits_its_types(typescript: Path) -> None:
    """The compiler takes the generated types and the example, and refuses what they don't allow."""
    run("node_modules/.bin/tsc", "--noEmit", cwd=typescript)


async def test_the_typescript_client_reads_a_document_and_its_events(
    typescript: Path, client: Client, worker: str
) -> None:
    """It uploads bytes, follows the event stream to its end, polls the job and gets the text."""
    run("node_modules/.bin/tsc", "--noCheck", cwd=typescript)
    said = await run_example(client, ["node", "out/read.js"], typescript)
    assert said.output.strip() == TEXT
    assert_followed(said)


async def test_curl_reads_a_document(client: Client, worker: str, tmp_path: Path) -> None:
    """It uploads a form, follows the event stream to its end and gets the text."""
    need("bash", "curl", "jq")
    (tmp_path / "read.sh").write_text("set -euo pipefail\n" + example("bash"))
    said = await run_example(client, ["bash", "read.sh"], tmp_path)
    assert said.output.strip() == TEXT
    assert "event: snapshot" in said.errors
    assert "event: done" in said.errors
