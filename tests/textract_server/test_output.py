"""Results in the caller's bucket: in Textract's files, with every member, and there before the job has ended."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from tests.textract_server import sheets
from tests.textract_server.invariants import check_detection
from tests.textract_server.running import BUCKET, TextractServer, client, running_server

ANSWER = ["Blocks", "DetectDocumentTextModelVersion", "DocumentMetadata", "JobStatus", "NextToken", "StatusMessage"]
BLOCK = {
    *("BlockType", "ColumnIndex", "ColumnSpan", "Confidence", "EntityTypes", "Geometry", "Hint", "Id", "Page"),
    *("PageClassification", "Query", "Relationships", "RowIndex", "RowSpan", "SelectionStatus", "Text", "TextType"),
}


@pytest.fixture(scope="module")
def simulated(documents_s3: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TextractServer]:
    """A server whose documents all have eleven pages of 199 blocks."""
    settings = {
        "TEXTRACT_SERVER_ENGINE": "simulated",
        "TEXTRACT_SERVER_SIMULATED_SECONDS_PER_PAGE": "0.01",
        "TEXTRACT_SERVER_SIMULATED_PAGES": "11",
    }
    with running_server(documents_s3, tmp_path_factory.mktemp("simulated"), **settings) as server:
        yield server


def objects(server: TextractServer, prefix: str) -> dict[str, bytes]:
    """What lies under a prefix, by the last part of its key."""
    s3 = client("s3", server.s3_url)
    found = s3.list_objects_v2(Bucket=BUCKET, Prefix=f"{prefix}/").get("Contents", [])
    return {
        each["Key"].removeprefix(f"{prefix}/"): s3.get_object(Bucket=BUCKET, Key=each["Key"])["Body"].read()
        for each in found
    }


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_nulls(each) for name, each in value.items() if each is not None}
    return [without_nulls(each) for each in value] if isinstance(value, list) else value


def joined(files: dict[str, bytes]) -> dict[str, Any]:
    """The result in an output's files, as a Get would have answered it."""
    parts = [without_nulls(json.loads(files[str(number)])) for number in range(1, len(files))]
    result: dict[str, Any] = parts[0] | {"Blocks": [block for part in parts for block in part["Blocks"]]}
    return result


def test_a_result_lies_in_files_of_a_thousand_blocks(simulated: TextractServer) -> None:
    """They are there when the job has ended, and say the same as its Gets."""
    prefix = f"results/{uuid4()}"
    job_id = simulated.start_job(sheets.pdf(["x"]), OutputConfig={"S3Bucket": BUCKET, "S3Prefix": prefix})
    result = simulated.finished(job_id)
    files = objects(simulated, f"{prefix}/{job_id}")
    assert files.keys() == {".s3_access_check", "1", "2", "3"}
    assert files[".s3_access_check"] == b""
    assert [len(json.loads(files[name])["Blocks"]) for name in "123"] == [1000, 1000, 189]
    assert joined(files) == result
    check_detection(joined(files), numbered=True)


def test_a_file_has_every_member_in_order_and_null_where_unset(simulated: TextractServer) -> None:
    """As the real service writes them: parsers have broken on it."""
    prefix = f"results/{uuid4()}"
    job_id = simulated.start_job(sheets.pdf(["x"]), OutputConfig={"S3Bucket": BUCKET, "S3Prefix": prefix})
    simulated.finished(job_id)
    content = json.loads(objects(simulated, f"{prefix}/{job_id}")["1"])
    assert list(content) == [*ANSWER, "Warnings"]
    assert content["NextToken"] is None
    assert content["Warnings"] is None
    for block in content["Blocks"]:
        assert block.keys() == BLOCK
        assert list(block) == sorted(block)


def test_a_read_document_is_written_too(server: TextractServer) -> None:
    """The engine that reads writes to the default prefix, where none is given."""
    job_id = server.start_job(sheets.pdf(["In the bucket"]), OutputConfig={"S3Bucket": BUCKET})
    result = server.finished(job_id)
    files = objects(server, f"textract_output/{job_id}")
    assert files.keys() == {".s3_access_check", "1"}
    assert joined(files) == result


@pytest.mark.parametrize("kind", ["server", "simulated"])
def test_a_bucket_that_cannot_be_written_to_is_refused_at_once(request: pytest.FixtureRequest, kind: str) -> None:
    """No job is made that would be lost."""
    server: TextractServer = request.getfixturevalue(kind)
    with pytest.raises(ClientError) as error:
        server.start_job(sheets.pdf(["x"]), OutputConfig={"S3Bucket": "No_Such_Bucket"})
    assert error.value.response["Error"]["Code"] == "InvalidS3ObjectException"
