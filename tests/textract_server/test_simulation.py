"""The simulated engine: it keeps the protocol and the invariants of results, and reads nothing."""

import json
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from tests.textract_server import admin, sheets
from tests.textract_server.invariants import check_detection, check_invariants
from tests.textract_server.running import TextractServer, running_server

NOWHERE = "http://127.0.0.1:9"
LOCATION = {"S3Object": {"Bucket": "anything", "Name": "at/all.pdf"}}


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TextractServer]:
    """A server whose documents have seven pages, each of which takes a seventh of a second; there is no S3."""
    settings = {
        "TEXTRACT_SERVER_ENGINE": "simulated",
        "TEXTRACT_SERVER_SIMULATED_SECONDS_PER_PAGE": str(1 / 7),
        "TEXTRACT_SERVER_SIMULATED_PAGES": "7",
        "TEXTRACT_SERVER_SIMULATED_NO_S3": "true",
        "TEXTRACT_SERVER_ADMIN": "true",
    }
    with running_server(NOWHERE, tmp_path_factory.mktemp("simulated"), **settings) as server:
        yield server


@pytest.fixture(autouse=True)
def _fresh(simulated: TextractServer) -> None:
    admin.request(simulated, "DELETE", "faults")
    admin.request(simulated, "DELETE", "stats")


def started(server: TextractServer, **parameters: Any) -> str:
    return str(server.textract().start_document_text_detection(DocumentLocation=LOCATION, **parameters)["JobId"])


def test_a_job_takes_its_time_and_gives_a_result_that_keeps_the_invariants(simulated: TextractServer) -> None:
    """Seven pages of 199 blocks come in two portions, and nothing of them was ever in S3."""
    begun = time.monotonic()
    job_id = started(simulated)
    assert simulated.textract().get_document_text_detection(JobId=job_id)["JobStatus"] == "IN_PROGRESS"
    result = simulated.finished(job_id)
    assert time.monotonic() - begun >= 1
    check_detection(result, numbered=True)
    assert len(result["Blocks"]) == 7 * 199
    assert simulated.page_readers() == []


def test_a_result_is_the_same_at_every_get_and_its_jobs_own(simulated: TextractServer) -> None:
    """However a result is cut, its blocks stay; another job's have other ids."""
    one, other = started(simulated), started(simulated)
    whole = simulated.finished(one)
    assert simulated.finished(one, MaxResults=123) == whole
    ids = {block["Id"] for block in whole["Blocks"]}
    assert ids.isdisjoint(block["Id"] for block in simulated.finished(other)["Blocks"])


def test_tokens_work_as_they_do_for_real_jobs(simulated: TextractServer) -> None:
    """The same token is the same job, and billed once; other parameters are a mistake; another operation is another job."""
    token = uuid4().hex
    assert started(simulated, ClientRequestToken=token) == started(simulated, ClientRequestToken=token)
    with pytest.raises(ClientError, match="IdempotentParameterMismatch"):
        started(simulated, ClientRequestToken=token, JobTag="other")
    analysis = simulated.textract().start_document_analysis(
        DocumentLocation=LOCATION, ClientRequestToken=token, FeatureTypes=["TABLES"]
    )
    assert analysis["JobId"] != started(simulated, ClientRequestToken=token)
    made = admin.statistics(simulated)["jobs_made"]
    assert made == {"StartDocumentTextDetection": 1, "StartDocumentAnalysis": 1}


def test_a_synchronous_call_is_answered_too(simulated: TextractServer) -> None:
    """One page, and its blocks without their page's number."""
    answer = simulated.textract().detect_document_text(Document={"Bytes": sheets.pdf(["Something else"])})
    answer.pop("ResponseMetadata")
    check_detection(answer, numbered=False)


def test_an_analysis_has_its_own_version_and_get(simulated: TextractServer) -> None:
    """An analysis is read with its own Get, and with no other."""
    textract = simulated.textract()
    job = textract.start_document_analysis(DocumentLocation=LOCATION, FeatureTypes=["TABLES", "FORMS"])
    with pytest.raises(ClientError, match="InvalidJobIdException"):
        textract.get_document_text_detection(JobId=job["JobId"])
    result = simulated.finished_analysis(job["JobId"])
    check_invariants(result)
    assert result["AnalyzeDocumentModelVersion"] == "1.0"
    assert "DetectDocumentTextModelVersion" not in result


def test_jobs_slots_are_counted_by_operation(own_simulated: Any) -> None:
    """Two open detections leave no slot for a third, and two for analyses; an ended job gives its slot back."""
    server = own_simulated(TEXTRACT_SERVER_MAX_OPEN_JOBS="2", TEXTRACT_SERVER_SIMULATED_SECONDS_PER_PAGE="2.5")
    first, _ = started(server), started(server)
    with pytest.raises(ClientError, match="LimitExceededException"):
        started(server)
    server.textract().start_document_analysis(DocumentLocation=LOCATION, FeatureTypes=["FORMS"])
    counted = admin.statistics(server)
    assert counted["limit_exceeded"] == 1
    assert counted["most_open_jobs"] == {"StartDocumentTextDetection": 2, "StartDocumentAnalysis": 1}
    server.finished(first)
    started(server)


@pytest.fixture
def own_simulated(own_server: Any) -> Any:
    """Start simulated servers of a test's own."""
    always = {
        "TEXTRACT_SERVER_ENGINE": "simulated",
        "TEXTRACT_SERVER_SIMULATED_NO_S3": "true",
        "TEXTRACT_SERVER_ADMIN": "true",
    }
    return lambda **settings: own_server(**always, **settings)


def test_gets_are_counted_by_job(simulated: TextractServer) -> None:
    """The distribution says how many jobs took how many Gets."""
    busy, quiet = started(simulated), started(simulated)
    for job_id in (busy, busy, busy, quiet):
        simulated.textract().get_document_text_detection(JobId=job_id)
    counted = admin.statistics(simulated)["gets_per_job"]
    assert counted == {"jobs": 2, "most": 3, "mean": 2.0, "distribution": {"1": 1, "3": 1}}


def test_a_document_that_is_not_in_s3_is_refused_unless_that_is_not_asked(documents_s3: str, own_server: Any) -> None:
    """By default even simulated jobs need their document to be there."""
    server = own_server(TEXTRACT_SERVER_ENGINE="simulated", TEXTRACT_SERVER_SIMULATED_SECONDS_PER_PAGE="0")
    with pytest.raises(ClientError, match="InvalidS3ObjectException"):
        started(server)
    check_detection(server.read(sheets.pdf(["Never read"])), numbered=True)


def test_the_admin_endpoint_is_off_unless_it_is_asked_for(server: TextractServer) -> None:
    """Without the setting there is no such path: it is a request of the protocol, and a wrong one."""
    assert admin.request(server, "POST", "faults", {"fault": "lost_response"})[1]["__type"]
    assert admin.request(server, "GET", "stats")[1]["__type"]


def test_what_is_no_rule_is_refused_with_reasons(simulated: TextractServer) -> None:
    """A rule that could never strike, or is misspelt, is a mistake of the test that set it."""
    for wrong in (
        {"fault": "nonsense"},
        {"fault": "error"},
        {"fault": "slow_jobs"},
        {"fault": "error", "code": "X", "rate": 2},
        {"fault": "error", "code": "X", "often": True},
        {"fault": "error", "code": "X", "operations": ["ReadMyMind"]},
    ):
        status, answer = admin.request(simulated, "POST", "faults", wrong)
        assert status == 400
        assert answer["errors"], json.dumps(wrong)
    assert admin.request(simulated, "GET", "faults")[1] == {"faults": []}
