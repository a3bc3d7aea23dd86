"""Textract as an engine: every error it can answer with, results of any length, and answers that get lost."""

import pytest

from app.errors import (
    DocumentCorrupt,
    DocumentTooLarge,
    DocumentUnreachable,
    OcrAccessDenied,
    OcrFailed,
    OcrJobLost,
    OcrRequestInvalid,
    OcrSlotsFull,
    OcrThrottled,
    OcrUnavailable,
    OcrUnknown,
    QuireError,
    UnsupportedMediaType,
)
from app.ocr.engine import OcrStatus, PageWarning
from app.ocr.textract import TextractEngine
from tests.ocr.textract import START, FakeTextract, HangUp, Refusal, document_of

PERMANENT, TRANSIENT, WAITS = (False, True), (True, True), (True, False)
"""Whether an error is tried again, and whether that costs an attempt."""

# Source: the API model of Textract 2018-06-27, and "Handling Errors" in the Amazon Textract Developer Guide.
TABLE = [
    ("ProvisionedThroughputExceededException", 400, OcrThrottled, "ocr_throttled", WAITS),
    ("ThrottlingException", 400, OcrThrottled, "ocr_throttled", WAITS),
    ("ThrottlingException", 500, OcrThrottled, "ocr_throttled", WAITS),
    ("LimitExceededException", 400, OcrSlotsFull, "ocr_slots_full", WAITS),
    ("InternalServerError", 500, OcrUnavailable, "ocr_unavailable", TRANSIENT),
    ("InvalidJobIdException", 400, OcrJobLost, "ocr_job_lost", TRANSIENT),
    ("InvalidParameterException", 400, OcrRequestInvalid, "ocr_request_invalid", PERMANENT),
    ("IdempotentParameterMismatchException", 400, OcrRequestInvalid, "ocr_request_invalid", PERMANENT),
    ("InvalidS3ObjectException", 400, DocumentUnreachable, "document_unreachable", TRANSIENT),
    ("UnsupportedDocumentException", 400, UnsupportedMediaType, "unsupported_media_type", PERMANENT),
    ("BadDocumentException", 400, DocumentCorrupt, "document_corrupt", PERMANENT),
    ("DocumentTooLargeException", 400, DocumentTooLarge, "document_too_large", PERMANENT),
    ("AccessDeniedException", 400, OcrAccessDenied, "ocr_access_denied", PERMANENT),
    ("InvalidKMSKeyException", 400, OcrAccessDenied, "ocr_access_denied", PERMANENT),
    ("com.amazonaws.textract#ThrottlingException", 400, OcrThrottled, "ocr_throttled", WAITS),
    ("SomethingNewException", 400, OcrUnknown, "ocr_unknown_error", TRANSIENT),
    ("SomethingNewException", 500, OcrUnknown, "ocr_unknown_error", TRANSIENT),
]


async def start(engine: TextractEngine) -> str:
    """Start a job, as the pipeline does."""
    return await engine.start(bucket="a-bucket", key="documents/1.pdf", token="t" * 64, tag="document-1")


async def test_every_error_has_its_class(fake: FakeTextract, engine: TextractEngine) -> None:
    """Errors are classified by code, never by status, and only those that a later try can mend are tried again."""
    for code, status, kind, our_code, (retryable, costs_attempt) in TABLE:
        fake.before = [Refusal(code, status, "What Textract said")] * 2
        with pytest.raises(QuireError) as caught:
            await start(engine)
        error = caught.value
        assert (type(error), error.code, error.retryable) == (kind, our_code, retryable), code
        assert error.costs_attempt is costs_attempt, code
        assert "What Textract said" in error.detail, code
        fake.before.clear()


async def test_the_sdk_gives_up_soon(fake: FakeTextract, engine: TextractEngine) -> None:
    """It asks twice at most: retries are the job's, which cost no worker."""
    fake.before = [Refusal("InternalServerError", 500)] * 9
    with pytest.raises(OcrUnavailable):
        await start(engine)
    assert len(fake.asked) == 2


async def test_a_start_whose_answer_is_lost_is_paid_once(fake: FakeTextract, engine: TextractEngine) -> None:
    """The request comes again with the same token, which names the same job."""
    fake.before = [HangUp]
    job_id = await start(engine)
    assert fake.starts == {"t" * 64: 2}
    assert list(fake.jobs.values()) == [job_id]


async def test_an_engine_that_is_away_is_unavailable(fake: FakeTextract, engine: TextractEngine) -> None:
    """Connections that break, before an answer or always, are transient errors of our own tree."""
    fake.before = [HangUp, HangUp]
    with pytest.raises(OcrUnavailable) as caught:
        await start(engine)
    assert caught.value.retryable


async def test_what_is_asked_is_what_textract_knows(fake: FakeTextract, engine: TextractEngine) -> None:
    """A Start names the object, the token and the tag, and nothing else."""
    await start(engine)
    location = {"S3Object": {"Bucket": "a-bucket", "Name": "documents/1.pdf"}}
    said = {"DocumentLocation": location, "ClientRequestToken": "t" * 64, "JobTag": "document-1"}
    assert fake.asked == [(START, said)]


async def test_a_result_past_a_thousand_blocks_is_read_to_its_end(fake: FakeTextract, engine: TextractEngine) -> None:
    """3,500 blocks come in four portions that end in the middle of pages, and none is lost or doubled."""
    fake.blocks = document_of(7, lines=100, words=4)[:3500]
    job_id = await start(engine)
    parts = [part async for part in engine.results(job_id)]
    assert [len(part.blocks) for part in parts] == [1000, 1000, 1000, 500]
    assert [block for part in parts for block in part.blocks] == fake.blocks


async def test_how_a_job_is_doing(fake: FakeTextract, engine: TextractEngine) -> None:
    """Asking costs one block; the status, the message and the page count are what Textract says."""
    job_id = await start(engine)
    fake.status = "IN_PROGRESS"
    assert (await engine.ask(job_id)).status is OcrStatus.IN_PROGRESS
    assert fake.asked[-1][1]["MaxResults"] == 1
    fake.status, fake.extra = "PARTIAL_SUCCESS", {"Warnings": [{"ErrorCode": "BAD_PAGE", "Pages": [2, 5]}]}
    progress = await engine.ask(job_id)
    assert (progress.status, progress.page_count) == (OcrStatus.PARTIAL_SUCCESS, 1)
    (part,) = [part async for part in engine.results(job_id)]
    assert part.warnings == (PageWarning("BAD_PAGE", (2, 5)),)


async def test_a_status_that_nobody_knows_is_an_error(fake: FakeTextract, engine: TextractEngine) -> None:
    """An unknown word is never taken for one of the known ones; it may pass, so it is tried again."""
    job_id = await start(engine)
    fake.status = "POSTPONED"
    with pytest.raises(OcrUnknown, match="POSTPONED") as caught:
        await engine.ask(job_id)
    assert caught.value.retryable


async def test_a_result_of_a_failed_job_is_a_failure(fake: FakeTextract, engine: TextractEngine) -> None:
    """Its message is passed on."""
    job_id = await start(engine)
    fake.status, fake.extra = "FAILED", {"StatusMessage": "Too many layers"}
    with pytest.raises(OcrFailed, match="Too many layers"):
        _ = [part async for part in engine.results(job_id)]
