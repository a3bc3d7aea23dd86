"""Which model is searched: asked of the database every few seconds, so that all processes change at about the same time."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import text

from app.db import Sessions, one_statement
from app.embeddings.embedder import Embedder
from app.embeddings.models import Embedders
from app.errors import EmbeddingModelAway

SECONDS_KEPT = 5.0

_SEARCHED = text("SELECT name FROM embedding_models WHERE searched")


@dataclass(slots=True)
class SearchedModel:
    """The model whose vectors are searched now, as this process last heard."""

    sessions: Sessions
    embedders: Embedders
    clock: Callable[[], float] = time.monotonic
    _name: str | None = None
    _asked_at: float = float("-inf")

    async def get(self) -> Embedder | None:
        """The model to make a query's vector with; None while there are no vectors at all.

        Raises `EmbeddingModelAway` where the settings of this process don't name it.
        """
        if self.clock() - self._asked_at > SECONDS_KEPT:
            async with one_statement(self.sessions) as session:
                self._name = await session.scalar(_SEARCHED)
            self._asked_at = self.clock()
        if self._name is None:
            return None
        embedder = self.embedders.named(self._name)
        if embedder is None:
            raise EmbeddingModelAway(f"Vectors are searched by {self._name}, which this process has no settings for.")
        return embedder
