"""A Textract-compatible server with its own S3, for the tests of this folder."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.textract_server.running import TextractServer, running_s3, running_server


@pytest.fixture(scope="session")
def documents_s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an S3 that holds the tests' documents."""
    with running_s3(tmp_path_factory.mktemp("s3")) as url:
        yield url


@pytest.fixture(scope="session")
def server(documents_s3: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TextractServer]:
    """One server for all tests that leave it as it was."""
    with running_server(documents_s3, tmp_path_factory.mktemp("textract")) as running:
        yield running


@pytest.fixture
def own_server(documents_s3: str, tmp_path: Path) -> Iterator[Callable[..., TextractServer]]:
    """Start servers of a test's own, with settings of its own."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(running_server(documents_s3, tmp_path / "textract", **settings))
