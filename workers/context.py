"""What arq hands to every task."""

from typing import TypedDict

from app.pipeline.runner import Pipeline


class Context(TypedDict):
    """A task's context: the pipeline of its process."""

    pipeline: Pipeline
