"""Having unsure pages read a second time, one at a time, in one process of its own."""

import asyncio
import logging
from dataclasses import dataclass, field

from app.textract_server import page_process
from app.textract_server.failures import ReadingError
from app.textract_server.pool import Slot
from app.textract_server.readings import PageBlocks, PageRequest, ReadBy

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class SecondOpinions:
    """Asks about pages that were read with less than `confidence` (0 to 100)."""

    slot: Slot
    confidence: float
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    async def consider(self, request: PageRequest, first: PageBlocks) -> PageBlocks:
        """Return the better of the first reading and a second one; the first where a second isn't worth asking for."""
        facts = first.facts
        if (
            facts is None
            or facts.read_by is not ReadBy.TESSERACT
            or facts.is_blank
            or facts.confidence >= self.confidence
        ):
            return first
        async with self._turn:
            try:
                second = await self.slot.call(page_process.second_opinion, request, facts)
            except ReadingError as error:
                logger.warning("no second opinion on page %d: %s", request.page, error)
                return first
        return second or first
