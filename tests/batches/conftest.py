"""Batches on a bench."""

import pytest

from tests.batches.batching import BatchBench
from tests.bench import Bench


@pytest.fixture
async def batching(bench: Bench) -> BatchBench:
    """The core of batches, and a project."""
    return BatchBench(bench, await bench.rows.project())
