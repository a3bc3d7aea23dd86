"""What arq hands to every task."""

from typing import TypedDict

from app.batches.taking import Taking
from app.pipeline.runner import Pipeline


class Context(TypedDict):
    """A task's context: what its process carries jobs on with, and takes batches apart with."""

    pipeline: Pipeline
    taking: Taking
