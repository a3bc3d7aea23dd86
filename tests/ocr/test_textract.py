"""Textract as an engine: every error it can answer with, results of any length, and answers that get lost."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import orjson
import pytest

from app.config import Settings
from app.errors import (
    DocumentCorrupt,
    DocumentTooLarge,
    DocumentUnreachable,
    OcrAccessDenied,
    OcrJobLost,
    OcrRequestInvalid,
    OcrResultInvalid,
    OcrSlotsFull,
    OcrThrottled,
    OcrUnavailable,
    OcrUnknown,
    QuireError,
    UnsupportedMediaType,
)
from app.ocr.engine import EngineName, Feature, OcrStatus, Operation, PageWarning, Query, ReadRequest, Source
from app.ocr.output import OutputStore
from app.ocr.textract import TextractEngine, open_engine
from app.resources import aws_session
from tests.ocr.textract import (
    ANALYZE,
    GET,
    GET_ANALYSIS,
    READ,
    START,
    START_ANALYSIS,
    BreakOff,
    FakeTextract,
    HangUp,
    Refusal,
    document_of,
    page_blocks,
    with_table,
)

PERMANENT, TRANSIENT, WAITS = (False, True), (True, True), (True, False)
"""Whether an error is tried again, and whether that costs an attempt."""

# Source: the API model of Textract 2018-06-27, "Handling Errors" in the Amazon Textract Developer Guide, and "Common
# Error Types" of AWS. A code that is empty stands for an answer without one, as proxies give it.
TABLE = [
    ("ProvisionedThroughputExceededException", 400, OcrThrottled, "ocr_throttled", WAITS),
    ("ThrottlingException", 400, OcrThrottled, "ocr_throttled", WAITS),
    ("ThrottlingException", 500, OcrThrottled, "ocr_throttled", WAITS),
    ("LimitExceededException", 400, OcrSlotsFull, "ocr_slots_full", WAITS),
    ("InternalServerError", 500, OcrUnavailable, "ocr_unavailable", TRANSIENT),
    ("ServiceUnavailable", 503, OcrUnavailable, "ocr_unavailable", TRANSIENT),
    ("RequestTimeout", 400, OcrUnavailable, "ocr_unavailable", TRANSIENT),
    ("SlowDown", 503, OcrUnavailable, "ocr_unavailable", TRANSIENT),
    ("InvalidJobIdException", 400, OcrJobLost, "ocr_job_lost", TRANSIENT),
    ("InvalidParameterException", 400, OcrRequestInvalid, "ocr_request_invalid", PERMANENT),
    ("IdempotentParameterMismatchException", 400, OcrRequestInvalid, "ocr_request_invalid", PERMANENT),
    ("HumanLoopQuotaExceededException", 402, OcrRequestInvalid, "ocr_request_invalid", PERMANENT),
    ("InvalidS3ObjectException", 400, DocumentUnreachable, "document_unreachable", TRANSIENT),
    ("UnsupportedDocumentException", 400, UnsupportedMediaType, "unsupported_media_type", PERMANENT),
    ("BadDocumentException", 400, DocumentCorrupt, "document_corrupt", PERMANENT),
    ("DocumentTooLargeException", 400, DocumentTooLarge, "document_too_large", PERMANENT),
    ("AccessDeniedException", 400, OcrAccessDenied, "ocr_access_denied", PERMANENT),
    ("InvalidKMSKeyException", 400, OcrAccessDenied, "ocr_access_denied", PERMANENT),
    ("ExpiredTokenException", 400, OcrAccessDenied, "ocr_access_denied", PERMANENT),
    ("SignatureDoesNotMatch", 403, OcrAccessDenied, "ocr_access_denied", PERMANENT),
    ("RequestExpired", 400, OcrAccessDenied, "ocr_access_denied", PERMANENT),
    ("com.amazonaws.textract#ThrottlingException", 400, OcrThrottled, "ocr_throttled", WAITS),
    ("ThrottlingException:http://amazonaws.com/textract/#", 400, OcrThrottled, "ocr_throttled", WAITS),
    ("SomethingNewException", 400, OcrUnknown, "ocr_unknown_error", TRANSIENT),
    ("SomethingNewException", 500, OcrUnknown, "ocr_unknown_error", TRANSIENT),
    ("", 400, OcrUnknown, "ocr_unknown_error", TRANSIENT),
    ("", 403, OcrAccessDenied, "ocr_access_denied", PERMANENT),
    ("", 429, OcrThrottled, "ocr_throttled", WAITS),
    ("", 500, OcrUnavailable, "ocr_unavailable", TRANSIENT),
    ("", 503, OcrUnavailable, "ocr_unavailable", TRANSIENT),
]

DOCUMENT = Source("a-bucket", "documents/1.pdf")
TEXT = ReadRequest()
TABLES = ReadRequest(frozenset({Feature.TEXT, Feature.TABLES, Feature.FORMS}))


async def start(engine: TextractEngine, request: ReadRequest = TEXT) -> str:
    """Start a job, as the pipeline does."""
    return await engine.start(DOCUMENT, request, token="t" * 64, tag="document-1")


async def test_every_error_has_its_class(fake: FakeTextract, engine: TextractEngine) -> None:
    """Errors are classified by code, never by status, and only those that a later try can mend are tried again."""
    for code, status, kind, our_code, (retryable, costs_attempt) in TABLE:
        fake.before = [Refusal(code, status, "What Textract said")]
        with pytest.raises(QuireError) as caught:
            await start(engine)
        error = caught.value
        assert (type(error), error.code, error.retryable) == (kind, our_code, retryable), (code, status)
        assert error.costs_attempt is costs_attempt, (code, status)
        assert "What Textract said" in error.detail, (code, status)
        fake.before.clear()


@pytest.mark.parametrize(
    "instead",
    [HangUp, BreakOff, Refusal("InternalServerError", 500), Refusal("", 503), Refusal("ThrottlingException")],
    ids=["hang-up", "break-off", "500", "503", "throttled"],
)
@pytest.mark.parametrize("operation", [START, GET, READ])
async def test_every_call_is_sent_once(
    fake: FakeTextract, engine: TextractEngine, operation: str, instead: Refusal | type[HangUp]
) -> None:
    """The SDK's own retries would go past the pace, and be paid for: they are the job's, which cost no worker."""
    job_id = await start(engine)
    fake.asked.clear()
    fake.before = [instead]
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        START: lambda: start(engine),
        GET: lambda: engine.get(job_id, Operation.DETECTION),
        READ: lambda: engine.read(b"%PDF-", TEXT),
    }
    with pytest.raises((OcrUnavailable, OcrThrottled)) as caught:
        await calls[operation]()
    assert caught.value.retryable
    assert [asked for asked, _ in fake.asked] == [operation]


@pytest.mark.parametrize("lost", [HangUp, BreakOff])
async def test_a_start_whose_answer_is_lost_is_paid_once(
    fake: FakeTextract, engine: TextractEngine, lost: type[HangUp]
) -> None:
    """The request may have arrived; it comes again with the same token, which names the same job."""
    fake.before = [lost]
    with pytest.raises(OcrUnavailable) as caught:
        await start(engine)
    assert caught.value.may_have_arrived
    job_id = await start(engine)
    assert fake.starts == {"t" * 64: 2}
    assert list(fake.jobs.values()) == [job_id]


async def test_missing_credentials_are_said_to_be_missing(
    asking: Settings, monkeypatch: pytest.MonkeyPatch, fake: FakeTextract
) -> None:
    """Without any, nothing is sent, and no later try can mend it."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    without = asking.model_copy(update={"aws_access_key_id": None, "aws_secret_access_key": None})
    async with open_engine(aws_session(without), without, EngineName.TEXTRACT) as engine:
        with pytest.raises(OcrAccessDenied, match="credentials"):
            await start(engine)
    assert not fake.asked


async def test_what_is_asked_is_what_textract_knows(fake: FakeTextract, engine: TextractEngine) -> None:
    """A Start names the object, the token and the tag, and nothing else."""
    await start(engine)
    location = {"S3Object": {"Bucket": "a-bucket", "Name": "documents/1.pdf"}}
    said = {"DocumentLocation": location, "ClientRequestToken": "t" * 64, "JobTag": "document-1"}
    assert fake.asked == [(START, said)]


async def test_analysis_is_asked_for_features_and_queries(fake: FakeTextract, engine: TextractEngine) -> None:
    """Features come in a fixed order, for the token's sake; a query has its alias and pages where it is given them."""
    queries = (Query("What is the total?", "total", ("1-3", "5")), Query("Who?", pages=("2", "*")), Query("When?"))
    features = frozenset({Feature.TEXT, Feature.TABLES, Feature.QUERIES, Feature.FORMS})
    await start(engine, ReadRequest(features, queries))
    await start(replace(engine), ReadRequest(features, queries))
    ((operation, said), again) = fake.asked
    assert (operation, said) == again
    assert (operation, said["FeatureTypes"]) == (START_ANALYSIS, ["FORMS", "QUERIES", "TABLES"])
    assert said["QueriesConfig"]["Queries"] == [
        {"Text": "What is the total?", "Alias": "total", "Pages": ["1-3", "5"]},
        {"Text": "Who?", "Pages": ["*"]},
        {"Text": "When?"},
    ]


async def test_an_analysis_is_asked_about_by_its_own_call(fake: FakeTextract, engine: TextractEngine) -> None:
    """Its result has the tables, and the version of the model that found them."""
    fake.blocks = with_table(page_blocks(1))
    job_id = await start(engine, TABLES)
    part = await engine.get(job_id, Operation.ANALYSIS)
    assert fake.asked[-1][0] == GET_ANALYSIS
    assert (part.blocks, part.model_version, part.next_token) == (fake.blocks, "1.0", None)
    with pytest.raises(OcrJobLost):
        await engine.get(job_id, Operation.DETECTION)


async def test_a_result_past_a_thousand_blocks_is_read_to_its_end(fake: FakeTextract, engine: TextractEngine) -> None:
    """3,500 blocks come in four portions that end in the middle of pages, and none is lost or doubled."""
    fake.blocks = document_of(7, lines=100, words=4)[:3500]
    job_id = await start(engine)
    parts = [await engine.get(job_id, Operation.DETECTION)]
    while parts[-1].next_token:
        parts.append(await engine.get(job_id, Operation.DETECTION, parts[-1].next_token))
    assert [len(part.blocks) for part in parts] == [1000, 1000, 1000, 500]
    assert [block for part in parts for block in part.blocks] == fake.blocks
    assert {(part.page_count, part.model_version) for part in parts} == {(7, "1.0")}


async def test_how_a_job_is_doing(fake: FakeTextract, engine: TextractEngine) -> None:
    """The status, the message and the page count are what Textract says."""
    job_id = await start(engine)
    fake.status = "IN_PROGRESS"
    assert (await engine.get(job_id, Operation.DETECTION)).status is OcrStatus.IN_PROGRESS
    fake.status, fake.extra = "PARTIAL_SUCCESS", {"Warnings": [{"ErrorCode": "BAD_PAGE", "Pages": [2, 5]}, {}]}
    part = await engine.get(job_id, Operation.DETECTION)
    assert (part.status, part.page_count) == (OcrStatus.PARTIAL_SUCCESS, 1)
    assert part.warnings == (PageWarning("BAD_PAGE", (2, 5)), PageWarning("UNKNOWN", ()))
    fake.status, fake.extra = "FAILED", {"StatusMessage": "Too many layers"}
    part = await engine.get(job_id, Operation.DETECTION)
    assert (part.status, part.message, part.blocks) == (OcrStatus.FAILED, "Too many layers", [])


async def test_a_status_that_nobody_knows_is_an_error(fake: FakeTextract, engine: TextractEngine) -> None:
    """An unknown word is never taken for one of the known ones; it may pass, so it is tried again."""
    job_id = await start(engine)
    fake.status = "POSTPONED"
    with pytest.raises(OcrUnknown, match="POSTPONED") as caught:
        await engine.get(job_id, Operation.DETECTION)
    assert caught.value.retryable


NO_ANSWERS = {
    b"not JSON": OcrUnknown,
    b"{": OcrUnknown,
    b"": OcrUnknown,
    b"[]": OcrUnknown,
    b"{}": OcrUnknown,
    b'{"JobStatus": ["SUCCEEDED"]}': OcrUnknown,
    b'{"JobStatus": "SUCCEEDED", "Blocks": [1]}': OcrResultInvalid,
    b'{"JobStatus": "SUCCEEDED", "DocumentMetadata": {"Pages": {"Pages": 450}}}': OcrResultInvalid,
}


@pytest.mark.parametrize("body", NO_ANSWERS)
async def test_an_answer_that_is_none_is_an_error_of_our_tree(
    fake: FakeTextract, engine: TextractEngine, body: bytes
) -> None:
    """Whatever a server or a proxy says with status 200, nothing else than our errors comes out."""
    job_id = await start(engine)
    fake.before = [body]
    with pytest.raises(NO_ANSWERS[body]):
        await engine.get(job_id, Operation.DETECTION)


async def test_a_start_that_names_no_job_is_tried_again(fake: FakeTextract, engine: TextractEngine) -> None:
    """The next one names it: the token is the same."""
    fake.before = [b'{"JobId": null}']
    with pytest.raises(OcrUnknown):
        await start(engine)
    assert await start(engine) in fake.jobs.values()


async def test_nulls_in_an_answer_are_dropped(fake: FakeTextract, engine: TextractEngine) -> None:
    """A member that is null is one that isn't there: parsers of results stumble over it."""
    job_id = await start(engine)
    fake.before = [b'{"JobStatus": "SUCCEEDED", "NextToken": null, "Blocks": [{"Id": "null", "Text": null}, null]}']
    part = await engine.get(job_id, Operation.DETECTION)
    assert (part.blocks, part.next_token) == ([{"Id": "null"}], None)


ODD = b'{ "Blocks" : [ {"Id": "\xc3\xa9", "Confidence": 99.50} ,\n{"Id":"b"}],"JobStatus":"SUCCEEDED"}'
DEEP = b'{"JobStatus": "SUCCEEDED", "Blocks": [{"Id": %s1%s}]}' % (b"[" * 1000, b"]" * 1000)
RAW = {
    ODD: b'[ {"Id": "\xc3\xa9", "Confidence": 99.50} ,\n{"Id":"b"}]',
    b'{"JobStatus": "SUCCEEDED", "Blocks": [{"Id": "a"}], "RawBlocks": "[1]"}': b'[{"Id": "a"}]',
    b'{"JobStatus": "SUCCEEDED", "Blocks": [{"Id": "a"}], "Blocks": [{"Id": "b"}]}': b'[{"Id": "b"}]',
    b'{"JobStatus": "SUCCEEDED", "Blocks": [{"Id": "a", "Text": null}]}': None,
    b'{"JobStatus": "SUCCEEDED", "Blocks": [ ]}': None,
    b'{"JobStatus": "SUCCEEDED", "Blocks": "[]"}': None,
    b'{"JobStatus": "SUCCEEDED", "RawBlocks": "[1]"}': None,
    DEEP: None,
}


@pytest.mark.parametrize("body", RAW)
async def test_blocks_are_kept_as_they_came(fake: FakeTextract, engine: TextractEngine, body: bytes) -> None:
    """Byte for byte, where these say what the blocks do; where nulls were left out, they don't."""
    job_id = await start(engine)
    fake.before = [body]
    part = await engine.get(job_id, Operation.DETECTION)
    assert part.raw_blocks == RAW[body]
    assert part.raw_blocks is None or orjson.loads(part.raw_blocks) == part.blocks


async def test_answers_bypass_the_sdks_parser(fake: FakeTextract, engine: TextractEngine) -> None:
    """It would hold the process up for 60 ms at 1,000 blocks; it shows by the members that it doesn't know and drops."""
    fake.blocks = [{**block, "NewMember": 1} for block in page_blocks(1)]
    job_id = await start(engine)
    assert (await engine.get(job_id, Operation.DETECTION)).blocks == fake.blocks
    assert [block["NewMember"] for block in (await engine.read(b"%PDF-", TEXT)).blocks] == [1] * len(fake.blocks)


async def test_a_page_is_read_at_once(fake: FakeTextract, engine: TextractEngine) -> None:
    """From bytes or from the bucket, with the features wanted, and its blocks are numbered like those of jobs."""
    fake.blocks = with_table(page_blocks(1))
    for document, told in (
        (b"%PDF-", {"Bytes": "JVBERi0="}),
        (DOCUMENT, {"S3Object": {"Bucket": "a-bucket", "Name": DOCUMENT.key}}),
    ):
        part = await engine.read(document, TABLES)
        assert part.raw_blocks is None  # they name no page
        assert fake.asked[-1] == (ANALYZE, {"Document": told, "FeatureTypes": ["FORMS", "TABLES"]})
        assert (part.status, part.page_count, part.model_version) == (OcrStatus.SUCCEEDED, 1, "1.0")
        assert part.blocks == fake.blocks


async def test_what_the_settings_add_to_a_start(fake: FakeTextract, asking: Settings) -> None:
    """Notices and stored results are asked for where they are set, and change the fingerprint that tokens are made of."""
    topic, role = "arn:aws:sns:us-east-1:123456789012:Quire", "arn:aws:iam::123456789012:role/Quire"
    noticed = asking.model_copy(update={"textract_sns_topic_arn": topic, "textract_sns_role_arn": role})
    async with open_engine(aws_session(noticed), noticed, EngineName.TEXTRACT) as engine:
        output = OutputStore(engine.requests.client, "results", "/text/out/", "alias/key")  # not asked
        storing = replace(engine, output=output)
        await start(storing)
        others = [storing, engine, replace(engine, notices=None), replace(storing, output=replace(output, prefix="x"))]
        assert len({each.parameters_fingerprint for each in others}) == 4
        assert storing.parameters_fingerprint == replace(storing).parameters_fingerprint
        assert [each.stores_results for each in others] == [True, False, False, True]
    said = fake.asked[-1][1]
    assert said["NotificationChannel"] == {"SNSTopicArn": topic, "RoleArn": role}
    assert said["OutputConfig"] == {"S3Bucket": "results", "S3Prefix": "text/out"}
    assert said["KMSKeyId"] == "alias/key"


async def test_the_local_engine_is_told_nothing_of_aws(fake: FakeTextract, asking: Settings) -> None:
    """Topics and roles are the account's, not those of a server of one's own."""
    noticed = asking.model_copy(update={"textract_sns_topic_arn": "arn:topic", "textract_sns_role_arn": "arn:role"})
    async with open_engine(aws_session(noticed), noticed, EngineName.LOCAL) as engine:
        assert (engine.name, engine.notices) == (EngineName.LOCAL, None)
