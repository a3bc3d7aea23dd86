"""Results written to the caller's bucket: `{prefix}/{JobId}/1`, `/2`, …, as Textract does where a Start has an OutputConfig.

What stands in S3 differs from what a Get answers: every member is there, in the order of its name, and null where unset.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import orjson

from app.textract_server.orders import JobOrder, OutputPlace
from app.textract_server.results import JSON, MOST_BLOCKS, JobState, Portion, status_members
from app.textract_server.source import S3Source

ACCESS_CHECK = ".s3_access_check"
_ANSWER = ("Blocks", "DocumentMetadata", "JobStatus", "NextToken", "StatusMessage", "Warnings")
_BLOCK = (
    *("BlockType", "ColumnIndex", "ColumnSpan", "Confidence", "EntityTypes", "Geometry", "Hint", "Id", "Page"),
    *("PageClassification", "Query", "Relationships", "RowIndex", "RowSpan", "SelectionStatus", "Text", "TextType"),
)
"""All members there are, two that the API doesn't document among them."""
_UNSET_ANSWER: JSON = dict.fromkeys(_ANSWER)
_UNSET_BLOCK: JSON = dict.fromkeys(_BLOCK)

ReadPortion = Callable[[int, int], Awaitable[Portion]]


@dataclass(frozen=True, slots=True)
class OutputWriter:
    """Writes results with the server's own credentials."""

    s3: S3Source

    async def check_access(self, place: OutputPlace, job_id: str) -> None:
        """Write an empty object; InvalidS3ObjectError or InvalidKMSKeyError where that isn't allowed."""
        await self.s3.store(place.bucket, place.key(job_id, ACCESS_CHECK), b"", place.kms_key_id)

    async def write(self, order: JobOrder, state: JobState, read_portion: ReadPortion) -> None:
        """Write all of a job's blocks, a thousand to an object; nothing where the job has no OutputConfig or no result."""
        place = order.output
        if place is None or not state.has_blocks:
            return
        members = _UNSET_ANSWER | status_members(state, order.family)
        number, has_more = 0, True
        while has_more:
            portion = await read_portion(number * MOST_BLOCKS, MOST_BLOCKS)
            number, has_more = number + 1, portion.has_more
            content = await asyncio.to_thread(_content, members, portion)
            await self.s3.store(place.bucket, place.key(state.job_id, str(number)), content, place.kms_key_id)


def _content(members: JSON, portion: Portion) -> bytes:
    blocks = [_UNSET_BLOCK | block for block in orjson.loads(orjson.dumps(portion.blocks))]
    return orjson.dumps(members | {"Blocks": blocks}, option=orjson.OPT_SORT_KEYS)
