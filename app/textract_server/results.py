"""How a job stands, and the answers that tell it: to a Get, and to whoever reads a result that was written to S3."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

from app.textract_server.failures import FailureCode
from app.textract_server.families import Family

JSON = dict[str, Any]

MODEL_VERSION = "1.0"
MOST_BLOCKS = 1000
"""How many blocks an answer has at most."""


class JobStatus(StrEnum):
    """Textract's job states."""

    IN_PROGRESS = "IN_PROGRESS"
    SUCCEEDED = "SUCCEEDED"
    PARTIAL_SUCCESS = "PARTIAL_SUCCESS"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class PageFailure:
    """A page that couldn't be read."""

    page: int
    code: FailureCode
    message: str


@dataclass(frozen=True, slots=True)
class JobState:
    """How a job stands. Its page count is unknown until its document was opened."""

    job_id: str
    status: JobStatus
    message: str | None = None
    page_count: int | None = None
    failures: Sequence[PageFailure] = ()

    @property
    def has_blocks(self) -> bool:
        """Whether there is a result to be read."""
        return self.status in {JobStatus.SUCCEEDED, JobStatus.PARTIAL_SUCCESS}


@dataclass(frozen=True, slots=True)
class Portion:
    """Some of a result's blocks, as JSON that goes into an answer unparsed, and whether others follow."""

    blocks: orjson.Fragment | Sequence[orjson.Fragment]
    has_more: bool


def status_members(state: JobState, family: Family) -> JSON:
    """What an answer says of a job, without its blocks; a member without a value is absent."""
    answer: JSON = {"JobStatus": state.status, family.model_version: MODEL_VERSION}
    if state.status is JobStatus.IN_PROGRESS:
        return answer
    if state.message:
        answer["StatusMessage"] = state.message
    if state.failures:
        answer["Warnings"] = warnings(state.failures)
    if state.page_count is not None:
        answer["DocumentMetadata"] = {"Pages": state.page_count}
    return answer


def warnings(failures: Sequence[PageFailure]) -> list[JSON]:
    """Pages that couldn't be read, by the code for why."""
    pages: Mapping[FailureCode, list[int]] = {failure.code: [] for failure in failures}
    for failure in failures:
        pages[failure.code].append(failure.page)
    return [{"ErrorCode": code, "Pages": numbers} for code, numbers in pages.items()]


def summed_up(page_count: int, failures: Sequence[PageFailure]) -> tuple[JobStatus, str | None]:
    """How a job ends whose document was read to the last page, and its StatusMessage."""
    if not failures:
        return JobStatus.SUCCEEDED, None
    if len(failures) == page_count:
        return JobStatus.FAILED, f"{failures[0].code}: {failures[0].message}"
    message = f"{len(failures)} of {page_count} pages could not be read: {failures[0].message}"
    return JobStatus.PARTIAL_SUCCESS, message
