"""The contract of a model that makes vectors of texts."""

from collections.abc import Sequence
from typing import Protocol


class Embedder(Protocol):
    """Makes vectors of texts; one that is opened serves a whole process, and any number of tasks at once."""

    @property
    def name(self) -> str:
        """What its vectors are kept under: vectors of one name can be compared with each other, and with no others."""

    @property
    def dimensions(self) -> int:
        """How many numbers a vector has."""

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """The vectors of texts, in their order: finite numbers, `dimensions` each; for no texts, none.

        Any number of texts of any length: what a model can't take at once it takes in turns, and of a longer text than it
        can read it reads the beginning. All are held in memory: callers hand over some hundreds at a time. Raises the
        errors under `EmbeddingError`: those that may pass are `retryable`, and say when, where the model knows.
        """

    async def aclose(self) -> None:
        """Let go of what it holds."""
