"""What a caller can ask, for both families alike: start a job, get its result, or have one page read at once."""

from collections import Counter
from dataclasses import dataclass
from typing import Protocol

from app.textract_server.errors import InvalidJobIdError
from app.textract_server.families import Family
from app.textract_server.orders import JSON, JobOrder
from app.textract_server.paging import ResultTokens
from app.textract_server.results import MODEL_VERSION, MOST_BLOCKS, JobState, Portion, status_members
from app.textract_server.statistics import Statistics


class Engine(Protocol):
    """What carries jobs out: Tesseract, or a simulation."""

    async def start(self, order: JobOrder) -> str:
        """Start a job, or find the one that the same token and parameters have started; return its id."""

    async def find(self, job_id: str, family: Family) -> JobState | None:
        """How a job of this family stands; None where there is none."""

    async def portion(self, state: JobState, offset: int, limit: int) -> Portion:
        """Some of an ended job's blocks."""

    async def read(self, family: Family, request: JSON) -> Portion:
        """The blocks of a document of one page."""

    def open_jobs(self) -> Counter[str]:
        """How many jobs are in progress, by the Start of their family."""


@dataclass(frozen=True, slots=True)
class Service:
    """Answers requests that have been checked against their shapes."""

    engine: Engine
    tokens: ResultTokens
    statistics: Statistics

    async def start(self, family: Family, request: JSON) -> JSON:
        """Start a job, or return the one that the same token and parameters have started."""
        return {"JobId": await self.engine.start(JobOrder(family, request))}

    async def get(self, family: Family, request: JSON) -> JSON:
        """Tell a job's status and, once it has ended, a page of its blocks."""
        job_id: str = request["JobId"]
        state = await self.engine.find(job_id, family)
        if state is None:
            raise InvalidJobIdError
        self.statistics.asked(job_id)
        offset = self.tokens.offset(job_id, request["NextToken"]) if request.get("NextToken") else 0
        answer = status_members(state, family)
        if state.has_blocks:
            limit = min(request.get("MaxResults") or MOST_BLOCKS, MOST_BLOCKS)
            portion = await self.engine.portion(state, offset, limit)
            answer["Blocks"] = portion.blocks
            if portion.has_more:
                answer["NextToken"] = self.tokens.token(job_id, offset + limit)
        return answer

    async def read(self, family: Family, request: JSON) -> JSON:
        """Read a document of one page while the caller waits."""
        portion = await self.engine.read(family, request)
        return {
            "DocumentMetadata": {"Pages": 1},
            "Blocks": portion.blocks,
            family.model_version: MODEL_VERSION,
        }
