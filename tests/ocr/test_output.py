"""Results that Textract has written to a bucket: whole, in order, without nulls, and an error where they are not."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest
from botocore.config import Config

from app.config import Settings
from app.errors import OcrAccessDenied, OcrResultInvalid, OcrUnavailable
from app.ocr.engine import Operation
from app.ocr.output import OutputStore, without_nulls
from app.ocr.textract import TextractEngine
from app.resources import aws_session
from app.storage import s3
from tests.ocr.textract import Block, document_of

# Members that Textract writes with each block, null where the API leaves them out.
# Source: amazon-textract-response-parser, issue 83.
NULLS = dict.fromkeys(("EntityTypes", "Hint", "PageClassification", "Query", "RowIndex", "SelectionStatus"))

JOB = "270c1cc5d4e1"


@pytest.fixture
async def store(settings: Settings) -> AsyncIterator[OutputStore]:
    """A folder of this test's own in a real bucket."""
    async with aws_session(settings).client(
        "s3", endpoint_url=settings.aws_endpoint_url_s3, config=s3.CONFIG
    ) as client:
        yield OutputStore(client, settings.s3_bucket, f"output-{uuid4()}")


async def written(store: OutputStore, blocks: list[Block], portion: int, job: str = JOB) -> int:
    """Write a result as Textract does; returns how many parts it has."""
    portions = [blocks[begin : begin + portion] for begin in range(0, len(blocks), portion)]
    for number, some in enumerate(portions, 1):
        told: dict[str, Any] = {"JobStatus": "SUCCEEDED", "StatusMessage": None, "Warnings": None}
        told |= {"Blocks": [{**NULLS, **block} for block in some], "DocumentMetadata": {"Pages": 3}, "NextToken": None}
        await put(store, f"{job}/{number}", orjson.dumps(told | {"DetectDocumentTextModelVersion": "1.0"}))
    await put(store, f"{job}/.s3_access_check", b"")
    return len(portions)


async def put(store: OutputStore, name: str, content: bytes) -> None:
    """Write one object."""
    await store.client.put_object(Bucket=store.bucket, Key=f"{store.prefix}/{name}", Body=content)


async def read(store: OutputStore, job: str = JOB) -> list[dict[str, Any]]:
    """All parts of a job's result."""
    return [part async for part in store.parts(job)]


async def test_a_result_is_read_in_order_and_without_nulls(store: OutputStore) -> None:
    """The tenth part comes after the ninth, though names sort otherwise; what lies beside the parts is none of them."""
    blocks = document_of(3)
    assert await written(store, blocks, 2) > 9
    await written(store, document_of(1), 100, job=f"{JOB}0")
    await put(store, f"{JOB}/note.txt", b"Not of Textract")
    parts = await read(store)
    assert [block for part in parts for block in part["Blocks"]] == blocks
    assert set(parts[0]) == {"Blocks", "DocumentMetadata", "JobStatus", "DetectDocumentTextModelVersion"}


async def test_the_engine_gives_stored_results_as_it_gives_others(store: OutputStore, engine: TextractEngine) -> None:
    """Portion by portion, with what each says of the job."""
    blocks = document_of(3)
    count = await written(store, blocks, 7)
    storing = replace(engine, output=store)
    parts = [part async for part in storing.stored_results(JOB, Operation.DETECTION)]
    assert [block for part in parts for block in part.blocks] == blocks
    assert [(part.status, part.page_count, part.model_version, part.warnings) for part in parts] == [
        ("SUCCEEDED", 3, "1.0", ())
    ] * count


async def test_without_a_bucket_nothing_is_stored(engine: TextractEngine) -> None:
    """An engine that was told of none says so."""
    with pytest.raises(OcrResultInvalid):
        _ = [part async for part in engine.stored_results(JOB, Operation.DETECTION)]


async def test_a_result_that_isnt_whole_may_become_so(store: OutputStore) -> None:
    """Where no part is there, or one in the middle is missing, reading is tried again later."""
    with pytest.raises(OcrUnavailable):
        await read(store)
    await written(store, document_of(3), 7)
    await store.client.delete_object(Bucket=store.bucket, Key=f"{store.prefix}/{JOB}/2")
    with pytest.raises(OcrUnavailable) as caught:
        await read(store)
    assert caught.value.retryable


async def test_parts_are_fetched_one_by_one(store: OutputStore) -> None:
    """A result of any length is never held whole: a part is fetched when it is asked for, here after it was removed."""
    await written(store, document_of(3), 7)
    parts = store.parts(JOB)
    await anext(parts)
    await store.client.delete_object(Bucket=store.bucket, Key=f"{store.prefix}/{JOB}/2")
    with pytest.raises(OcrUnavailable):
        await anext(parts)


@pytest.mark.parametrize("content", [b"", b"<Error/>", b"[]", b"null"])
async def test_a_part_that_is_none_is_refused(store: OutputStore, content: bytes) -> None:
    """Something else lies where the result should, and trying again won't change it."""
    await put(store, f"{JOB}/1", content)
    with pytest.raises(OcrResultInvalid) as caught:
        await read(store)
    assert not caught.value.retryable


async def test_an_object_that_is_too_large_is_not_read(store: OutputStore) -> None:
    """Whatever lies there, it doesn't fill the worker's memory."""
    await written(store, document_of(1), 100)
    with pytest.raises(OcrResultInvalid, match="bytes"):
        await read(replace(store, max_object_bytes=100))


async def test_a_bucket_that_cant_be_read(store: OutputStore, settings: Settings) -> None:
    """Wrong credentials are a matter of configuration; a server that is away is one of time, like a missing bucket."""
    stranger = settings.model_copy(update={"aws_access_key_id": "nobody"})
    once = Config(retries={"total_max_attempts": 1}, connect_timeout=1)
    async with (
        aws_session(stranger).client("s3", endpoint_url=settings.aws_endpoint_url_s3, config=once) as refused,
        aws_session(settings).client("s3", endpoint_url="http://127.0.0.1:9", config=once) as away,
    ):
        with pytest.raises(OcrAccessDenied):
            await read(replace(store, client=refused))
        with pytest.raises(OcrUnavailable):
            await read(replace(store, client=away))
    with pytest.raises(OcrUnavailable):
        await read(replace(store, bucket="not-there"))


@pytest.mark.corpus
async def test_a_real_part_is_read(store: OutputStore, engine: TextractEngine, corpus: Path) -> None:
    """A part that Textract itself has written, with the nulls and the members that its API doesn't document."""
    content = (corpus / "textract" / "responses-only" / "issue_83.json").read_bytes()
    await put(store, f"{JOB}/1", content)
    (part,) = [part async for part in replace(engine, output=store).stored_results(JOB, Operation.ANALYSIS)]
    assert (part.status, part.page_count, part.model_version, part.next_token) == ("SUCCEEDED", 1, "1.0", None)
    assert [block["Id"] for block in part.blocks] == [block["Id"] for block in orjson.loads(content)["Blocks"]]
    assert part.blocks == without_nulls(part.blocks)
    assert not {"Hint", "Query"} & set(part.blocks[0])


def test_nulls_are_dropped_at_every_level() -> None:
    """Members and elements that are null go; all else stays, what is empty or false too."""
    told: dict[str, Any] = {
        "a": None,
        "b": [None, {"c": None, "d": 0}, []],
        "e": {"f": {"g": None}},
        "h": "",
        "i": False,
    }
    assert without_nulls(told) == {"b": [{"d": 0}, []], "e": {"f": {}}, "h": "", "i": False}
