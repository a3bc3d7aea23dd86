"""What every test can ask for: real servers, a fresh database, real documents."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.config import Settings
from tests.stack import Stack, running_stack


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """Postgres, Valkey, S3 and the Textract-compatible server, shared by all tests."""
    with running_stack() as stack:
        yield stack


@pytest.fixture
def settings(stack: Stack, tmp_path: Path) -> Iterator[Settings]:
    """Settings that lead to a migrated, empty database and an empty Redis database of this test's own."""
    with stack.fresh_settings(tmp_path / "quire") as settings:
        yield settings


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real documents, with `documents/` and `textract/` in it."""
    folder = os.environ.get("QUIRE_CORPUS")
    if not folder:
        pytest.skip("QUIRE_CORPUS is not set: it names a folder of real documents")
    return Path(folder)
