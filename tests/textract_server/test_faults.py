"""Faults and quotas on request: each strikes as often as it was told to, and nowhere else."""

import socket
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from app.textract_server.errors import ProvisionedThroughputExceededError, known_errors
from app.textract_server.faults import Fault, FaultRule, Faults
from app.textract_server.quotas import CallKind, Quotas
from tests.textract_server import admin, sheets
from tests.textract_server.invariants import check_detection
from tests.textract_server.running import TextractServer, running_server
from tests.textract_server.wire import signed

LOCATION = {"S3Object": {"Bucket": "anything", "Name": "at/all.pdf"}}
START = "StartDocumentTextDetection"
GET = "GetDocumentTextDetection"


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TextractServer]:
    """A server of simulated jobs that are done at once, with three pages each."""
    settings = {
        "TEXTRACT_SERVER_ENGINE": "simulated",
        "TEXTRACT_SERVER_SIMULATED_SECONDS_PER_PAGE": "0",
        "TEXTRACT_SERVER_SIMULATED_PAGES": "3",
        "TEXTRACT_SERVER_SIMULATED_NO_S3": "true",
        "TEXTRACT_SERVER_ADMIN": "true",
    }
    with running_server("http://127.0.0.1:9", tmp_path_factory.mktemp("faulty"), **settings) as server:
        yield server


@pytest.fixture(autouse=True)
def _fresh(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "faulty" in request.fixturenames:
        server = request.getfixturevalue("faulty")
        admin.request(server, "DELETE", "faults")
        admin.request(server, "DELETE", "stats")


def started(server: TextractServer, **parameters: Any) -> str:
    return str(server.textract().start_document_text_detection(DocumentLocation=LOCATION, **parameters)["JobId"])


def refusal(server: TextractServer) -> tuple[str, int, str]:
    with pytest.raises(ClientError) as error:
        started(server)
    answer = error.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Message"]


@pytest.mark.parametrize("code", sorted(known_errors()))
def test_every_error_can_be_asked_for(faulty: TextractServer, code: str) -> None:
    """Each is answered under its own code, message and status, once, and the next call goes through."""
    admin.set_fault(faulty, "error", code=code, count=1)
    known = known_errors()[code]
    assert refusal(faulty) == (code, known.status, known.message)
    started(faulty)


def test_an_error_can_be_one_that_nobody_knows(faulty: TextractServer) -> None:
    """For clients that have to expect anything: any code, message and status."""
    admin.set_fault(faulty, "error", code="OutOfCheeseException", message="Redo from start", status=418, count=1)
    assert refusal(faulty) == ("OutOfCheeseException", 418, "Redo from start")


def test_a_fault_of_one_operation_leaves_the_others_alone(faulty: TextractServer) -> None:
    """Starts fail, Gets don't."""
    job_id = started(faulty)
    admin.set_fault(faulty, "error", code="ThrottlingException", operations=[START])
    assert refusal(faulty)[0] == "ThrottlingException"
    assert faulty.textract().get_document_text_detection(JobId=job_id)["JobStatus"] == "SUCCEEDED"
    assert admin.statistics(faulty)["throttled"] == 1


def test_a_seed_makes_draws_that_can_be_repeated() -> None:
    """One in five calls fails, and the same ones each time."""

    def draws(seed: int) -> list[bool]:
        faults = Faults()
        faults.add([FaultRule(fault=Fault.ERROR, code="ThrottlingException", rate=0.2, seed=seed)])
        return [faults.drawn(Fault.ERROR, START) is not None for _ in range(1000)]

    assert draws(7) == draws(7)
    assert draws(7) != draws(8)
    assert 150 < sum(draws(7)) < 250


def test_a_lost_response_is_a_broken_connection_and_a_job(faulty: TextractServer) -> None:
    """The SDK sees its connection closed, and the same token finds the job that was started all the same."""
    admin.set_fault(faulty, "lost_response", count=1, operations=[START])
    token = uuid4().hex
    with pytest.raises(ConnectionClosedError):
        started(faulty, ClientRequestToken=token)
    job_id = started(faulty, ClientRequestToken=token)
    assert faulty.finished(job_id)["JobStatus"] == "SUCCEEDED"
    counted = admin.statistics(faulty)
    assert counted["jobs_made"] == {START: 1}
    assert counted["calls"][START] == {"lost": 1, "200": 1}
    assert counted["lost_responses"] == 1


def test_a_lost_response_has_not_one_byte(faulty: TextractServer) -> None:
    """Seen from the socket: the request is taken, and then nothing but the end."""
    admin.set_fault(faulty, "lost_response", count=1)
    body = b'{"DocumentLocation":{"S3Object":{"Bucket":"bucket","Name":"name"}}}'
    headers = {**signed(faulty.url, f"Textract.{START}", body), "Host": f"127.0.0.1:{faulty.port}"}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with socket.create_connection(("127.0.0.1", faulty.port), timeout=10) as connection:
        connection.sendall(f"POST / HTTP/1.1\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        assert connection.recv(100) == b""


def test_an_sdk_that_tries_again_gets_over_a_lost_response(faulty: TextractServer) -> None:
    """Without a token its second try is a second job: what a client has to avoid."""
    admin.set_fault(faulty, "lost_response", count=1)
    retrying = faulty.textract(config=Config(retries={"total_max_attempts": 3, "mode": "standard"}))
    retrying.start_document_text_detection(DocumentLocation=LOCATION)
    assert admin.statistics(faulty)["jobs_made"] == {START: 2}


def test_a_job_can_be_told_to_fail(faulty: TextractServer) -> None:
    """It ends FAILED, with a StatusMessage and no blocks."""
    admin.set_fault(faulty, "fail_jobs", message="The ink has faded.", count=1)
    result = faulty.finished(started(faulty))
    assert (result["JobStatus"], result["StatusMessage"]) == ("FAILED", "The ink has faded.")
    assert "Blocks" not in result
    assert faulty.finished(started(faulty))["JobStatus"] == "SUCCEEDED"


def test_a_job_can_be_told_to_miss_pages(faulty: TextractServer) -> None:
    """It ends PARTIAL_SUCCESS, names the pages, and keeps the others."""
    admin.set_fault(faulty, "partial_jobs", pages=[2], count=1)
    result = faulty.finished(started(faulty))
    check_detection(result, numbered=True)
    assert result["JobStatus"] == "PARTIAL_SUCCESS"
    assert result["Warnings"] == [{"ErrorCode": "TEXTRACT_BAD_PAGE", "Pages": [2]}]
    assert [block["BlockType"] for block in result["Blocks"] if block["Page"] == 2] == ["PAGE"]
    assert len(result["Blocks"]) == 2 * 199 + 1


def test_a_job_can_be_told_to_be_slow(faulty: TextractServer) -> None:
    """It stays in progress after the others are done."""
    admin.set_fault(faulty, "slow_jobs", seconds=600, count=1)
    slow, quick = started(faulty), started(faulty)
    assert faulty.finished(quick)["JobStatus"] == "SUCCEEDED"
    assert faulty.textract().get_document_text_detection(JobId=slow)["JobStatus"] == "IN_PROGRESS"
    assert admin.statistics(faulty)["open_jobs"] == {START: 1}


def test_jobs_that_are_really_read_suffer_the_same(own_server: Any) -> None:
    """Failing and partial jobs of the engine that reads."""
    server = own_server(TEXTRACT_SERVER_ADMIN="true", OCR_WORKERS="1")
    admin.set_fault(server, "fail_jobs", count=1)
    assert server.read(sheets.pdf(["Lost"]))["JobStatus"] == "FAILED"
    admin.set_fault(server, "partial_jobs", pages=[1, 9], count=1)
    result = server.read(sheets.pdf(["Missing"], ["Here it is"]))
    check_detection(result, numbered=True)
    assert result["JobStatus"] == "PARTIAL_SUCCESS"
    assert result["Warnings"] == [{"ErrorCode": "TEXTRACT_BAD_PAGE", "Pages": [1]}]
    counted = admin.statistics(server)
    assert counted["jobs_made"] == {START: 2}
    assert counted["open_jobs"] == {START: 0}
    assert counted["most_open_jobs"] == {START: 1}


def test_a_quota_lets_through_what_one_second_has() -> None:
    """Fifteen at once, then one for each fifteenth of a second; each operation has its own, and other kinds none."""
    now = [0.0]
    quotas = Quotas({CallKind.START: 15, CallKind.GET: None}, clock=lambda: now[0])

    def admitted(operation: str, tries: int, kind: CallKind = CallKind.START) -> int:
        count = 0
        for _ in range(tries):
            try:
                quotas.admit(operation, kind)
                count += 1
            except ProvisionedThroughputExceededError:
                pass
        return count

    assert admitted(START, 40) == 15
    now[0] = 0.21
    assert admitted(START, 40) == 3
    assert admitted("StartDocumentAnalysis", 40) == 15
    assert admitted(GET, 1000, CallKind.GET) == 1000


def test_a_quota_below_one_a_second_still_lets_one_through() -> None:
    """Half a call per second is one call every other second."""
    now = [0.0]
    quotas = Quotas({CallKind.GET: 0.5}, clock=lambda: now[0])
    quotas.admit(GET, CallKind.GET)
    now[0] = 1.9
    with pytest.raises(ProvisionedThroughputExceededError):
        quotas.admit(GET, CallKind.GET)
    now[0] = 2.0
    quotas.admit(GET, CallKind.GET)


def test_a_call_over_its_quota_is_answered_as_at_aws(own_server: Any) -> None:
    """Status 400, the real service's code and message; calls of other operations go through."""
    server = own_server(
        TEXTRACT_SERVER_TPS_START="0.01",
        TEXTRACT_SERVER_TPS_DETECT="0.01",
        TEXTRACT_SERVER_ENGINE="simulated",
        TEXTRACT_SERVER_SIMULATED_NO_S3="true",
        TEXTRACT_SERVER_SIMULATED_SECONDS_PER_PAGE="0",
        TEXTRACT_SERVER_ADMIN="true",
    )
    job_id = started(server)
    assert refusal(server) == ("ProvisionedThroughputExceededException", 400, "Provisioned rate exceeded")
    page = {"Bytes": sheets.pdf(["One"])}
    server.textract().detect_document_text(Document=page)
    with pytest.raises(ClientError, match="Provisioned rate exceeded"):
        server.textract().detect_document_text(Document=page)
    for _ in range(20):
        server.textract().get_document_text_detection(JobId=job_id)
    counted = admin.statistics(server)
    assert counted["throttled"] == 2
    assert counted["jobs_made"] == {START: 1}
