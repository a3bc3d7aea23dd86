"""What an OCR engine must do. It starts jobs and is asked about them; nobody ever waits for one."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

Block = dict[str, Any]
"""A Textract block, as the wire has it."""


class OcrStatus(StrEnum):
    """What an engine says of a job, in Textract's words. An unknown word is an error, never one of these."""

    IN_PROGRESS = "IN_PROGRESS"
    SUCCEEDED = "SUCCEEDED"
    PARTIAL_SUCCESS = "PARTIAL_SUCCESS"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class PageWarning:
    """Pages that an engine could not read, and its code for why."""

    code: str
    pages: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class OcrProgress:
    """What an engine says when asked about a job."""

    status: OcrStatus
    message: str | None = None
    page_count: int | None = None


@dataclass(frozen=True, slots=True)
class ResultPart:
    """One portion of a result: up to 1,000 blocks, which may end in the middle of a page."""

    status: OcrStatus
    blocks: list[Block]
    page_count: int
    model_version: str | None = None
    message: str | None = None
    warnings: tuple[PageWarning, ...] = field(default=())


class Engine(Protocol):
    """An OCR engine that reads documents out of S3."""

    async def start(self, *, bucket: str, key: str, token: str, tag: str) -> str:
        """Start a job and return its id. The same token gives the same job, and is paid for once."""

    async def ask(self, engine_job_id: str) -> OcrProgress:
        """How a job is doing, now."""

    def results(self, engine_job_id: str) -> AsyncIterator[ResultPart]:
        """The whole result of an ended job, portion by portion, to the last."""
