"""What S3 may say when a result is to be written; a real one can't be made to say it, so this one is written by hand."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError

from app.textract_server.errors import InternalServerError, InvalidKMSKeyError, InvalidS3ObjectError
from app.textract_server.families import DETECTION
from app.textract_server.faults import Faults
from app.textract_server.notices import Notifier
from app.textract_server.orders import JobOrder, OutputPlace
from app.textract_server.output import OutputWriter
from app.textract_server.results import JobState, JobStatus
from app.textract_server.settings import Settings
from app.textract_server.simulation import SimulatedEngine
from app.textract_server.source import S3Source
from app.textract_server.statistics import Statistics
from app.textract_server.synthesis import SimulatedWork
from app.textract_server.topics import Topics

PLACE = OutputPlace("bucket", "prefix", "alias/mine")


@dataclass
class RefusingS3:
    """Has every document there is, and takes so many objects before it refuses with a code and a status."""

    code: str
    status: int = 400
    taken_before: int = 0
    stored: list[dict[str, Any]] = field(default_factory=list)

    async def get_object(self, **_: Any) -> dict[str, Any]:
        return {"Body": Body(), "ContentLength": 9, "ContentRange": "bytes 0-8/9", "ETag": "etag"}

    async def put_object(self, **parameters: Any) -> None:
        self.stored.append(parameters)
        if len(self.stored) > self.taken_before:
            response: Any = {"Error": {"Code": self.code}, "ResponseMetadata": {"HTTPStatusCode": self.status}}
            raise ClientError(response, "PutObject")


class Body:
    async def read(self) -> bytes:
        return b"%PDF-1.7\n"

    def close(self) -> None:
        pass


def writing_to(s3: RefusingS3) -> S3Source:
    client: Any = s3
    return S3Source(client)


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("KMS.NotFoundException", 400, InvalidKMSKeyError),
        ("NoSuchBucket", 404, InvalidS3ObjectError),
        ("AccessDenied", 403, InvalidS3ObjectError),
        ("InternalError", 500, InternalServerError),
    ],
)
async def test_a_refusal_at_the_start_has_textracts_name(code: str, status: int, error: type[Exception]) -> None:
    """The key, the bucket, or S3's own trouble; and the key is what the object was to be encrypted with."""
    s3 = RefusingS3(code, status)
    with pytest.raises(error):
        await OutputWriter(writing_to(s3)).check_access(PLACE, "job")
    (asked,) = s3.stored
    assert (asked["Key"], asked["Body"]) == ("prefix/job/.s3_access_check", b"")
    assert (asked["ServerSideEncryption"], asked["SSEKMSKeyId"]) == ("aws:kms", "alias/mine")


async def test_a_job_whose_result_cannot_be_written_has_failed() -> None:
    """The access check went well, and the first object didn't: nobody is told that the result is there."""
    s3 = RefusingS3("AccessDenied", 403, taken_before=1)
    statistics = Statistics()
    async with AsyncExitStack() as stack:
        settings = Settings(textract_server_access_key_id="key", textract_server_secret_access_key="secret")
        topics = Topics(settings, 1)
        stack.push_async_callback(topics.close)
        notifier = Notifier(topics, Faults(), statistics, settle=nothing)
        engine = SimulatedEngine(
            SimulatedWork(seconds_per_page=0, page_count=1, lines_per_page=1),
            writing_to(s3),
            notifier,
            Faults(),
            statistics,
            retention_seconds=60,
            max_open_jobs=1,
        )
        location = {"S3Object": {"Bucket": "bucket", "Name": "name"}}
        order = JobOrder(DETECTION, {"DocumentLocation": location, "OutputConfig": {"S3Bucket": "bucket"}})
        state = await ended(engine, await engine.start(order))
    assert state.status is JobStatus.FAILED
    assert (state.message or "").startswith("The result can't be written")
    assert [each["Key"].rpartition("/")[2] for each in s3.stored] == [".s3_access_check", "1"]


async def ended(engine: SimulatedEngine, job_id: str) -> JobState:
    async with asyncio.timeout(10):
        while True:
            state = await engine.find(job_id, DETECTION)
            assert state is not None
            if state.status is not JobStatus.IN_PROGRESS:
                return state
            await asyncio.sleep(0.01)


async def nothing(_job_id: str) -> None:
    pass
