"""A stage that never ends by itself."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from app.entities.mentions import Mention, Passage


@dataclass
class Slow:
    """An extractor that takes for ever, and says when it has begun and when it was cut off."""

    name: str = "slow"
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    cut_off: asyncio.Event = field(default_factory=asyncio.Event)

    async def extract(self, passages: Sequence[Passage]) -> list[list[Mention]]:
        """Nothing, in the end."""
        self.begun.set()
        try:
            await asyncio.sleep(3600)
        finally:
            self.cut_off.set()
        return [[] for _ in passages]

    async def aclose(self) -> None:
        """Nothing to let go of."""
