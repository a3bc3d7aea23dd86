"""The model that needs no network: WordLlama's static embeddings, whose weights come in its wheel.

Measured: the model takes 95 MB of memory in a process that uses it, and nothing in one that doesn't, for it is loaded at the first
call (1.6 s). It makes 800 vectors of 300 tokens a second, in a thread that leaves the event loop alone but for 12 ms at most.
"""

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

TEXTS_AT_ONCE = 16
"""So many texts are padded to the longest of them; and so often does the thread look up."""

MOST_CHARACTERS = 20_000
"""Of a longer text, the beginning is read: memory would grow with the longest of the texts that are read together."""


@dataclass(slots=True)
class WordLlamaEmbedder:
    """WordLlama with 256 dimensions; words that it doesn't know have no part in a vector, so a text may have all zeros."""

    name: ClassVar[str] = "wordllama-l2-supercat/256"
    dimensions: ClassVar[int] = 256

    _model: Any = None
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "wordllama"))

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """The vectors of texts, of unit length."""
        if not texts:
            return []
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._embed, list(texts))

    async def aclose(self) -> None:
        """Let the thread end, after what it is doing."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _embed(self, texts: list[str]) -> list[list[float]]:
        if self._model is None:
            self._model = load()
        in_order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
        vectors: list[list[float]] = [[]] * len(texts)
        for first in range(0, len(texts), TEXTS_AT_ONCE):
            numbers = in_order[first : first + TEXTS_AT_ONCE]
            made = self._model.embed([readable(texts[number]) for number in numbers])
            for number, vector in zip(numbers, unit_length(made), strict=True):
                vectors[number] = vector
        return vectors


@cache
def load() -> Any:
    """The model, from its own wheel: without its folder as the cache, it would look for its tokenizer on the network."""
    # Importing it sets up logging, where nobody has yet: that is not a library's to do.
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    import wordllama  # noqa: PLC0415 - most processes never need it

    root.setLevel(level)
    root.handlers[:] = handlers

    return wordllama.WordLlama.load(
        dim=WordLlamaEmbedder.dimensions, cache_dir=Path(wordllama.__file__).parent, disable_download=True
    )


def unit_length(vectors: Any) -> list[list[float]]:
    """Vectors scaled to a length of 1; those of zeros stay as they are."""
    import numpy as np  # noqa: PLC0415 - comes with the model

    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: list[list[float]] = (vectors / np.where(lengths > 0, lengths, 1.0)).tolist()
    return scaled


def readable(text: str) -> str:
    """As much of a text as is read; without lone surrogates, which no tokenizer takes."""
    return text[:MOST_CHARACTERS].encode(errors="replace").decode()
