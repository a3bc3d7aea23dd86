"""Splitting as the pipeline does it: in a process of its own, which bounds its memory."""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import pytest

from app.documents.intake import MediaType
from app.documents.parts import PartLimits
from app.documents.splitting import SplitResult, split

SMALL = PartLimits(
    pages=3, bytes=1_000_000, image_bytes=100_000, image_pixels_per_side=1000, memory_bytes=1024 * 1024 * 1024
)
"""Limits that small documents are over."""


class Splitter(Protocol):
    """Splits a document under limits that differ from the small ones by what is given."""

    def __call__(self, content: bytes | Path, media_type: MediaType, **limits: int) -> SplitResult: ...


@pytest.fixture(scope="session")
def process() -> Iterator[ProcessPoolExecutor]:
    """A process that may have its memory bounded."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


@pytest.fixture
def split_up(process: ProcessPoolExecutor, tmp_path: Path) -> Splitter:
    """Split bytes or a file."""

    def splitter(content: bytes | Path, media_type: MediaType, **limits: int) -> SplitResult:
        path = content if isinstance(content, Path) else tmp_path / "document"
        if isinstance(content, bytes):
            path.write_bytes(content)
        folder = tmp_path / "parts"
        folder.mkdir(exist_ok=True)
        return process.submit(split, str(path), media_type, replace(SMALL, **limits), str(folder)).result()

    return splitter
