"""Jobs: started once, read in pages of results, finished whatever happens to the server or to a page's process."""

import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest
from botocore.exceptions import ClientError

from app.textract_server.families import DETECTION
from app.textract_server.jobs import JobTable
from app.textract_server.orders import JobOrder
from tests.textract_server import sheets
from tests.textract_server.invariants import check_detection
from tests.textract_server.running import TextractServer, text_of, wait_until

Servers = Callable[..., TextractServer]


def stored_pages(server: TextractServer) -> dict[int, bytes]:
    """What a job has put by so far; no operation of the API tells."""
    with closing(sqlite3.connect(server.data_dir / "jobs.sqlite3")) as database:
        return dict(database.execute("SELECT page, blocks FROM pages").fetchall())


def error_code(call: Callable[[], Any]) -> str:
    with pytest.raises(ClientError) as error:
        call()
    return str(error.value.response["Error"]["Code"])


@pytest.fixture(scope="module")
def long_job(server: TextractServer) -> str:
    """A finished job with more than a thousand blocks."""
    lines = ["the cat sat on the mat and the dog lay by the door all day long"] * 30
    job_id = server.start_job(sheets.pdf(lines, lines, lines))
    server.finished(job_id)
    return job_id


def test_a_job_reads_its_document(server: TextractServer) -> None:
    job_id = server.start_job(sheets.pdf(sheets.SENTENCES, ["The second page"]))
    result = server.finished(job_id)
    check_detection(result, numbered=True)
    assert re.fullmatch("[0-9a-f]{64}", job_id)
    assert result["JobStatus"] == "SUCCEEDED"
    assert text_of(result) == "\n".join([*sheets.SENTENCES, "The second page"])
    assert result.keys() == {"JobStatus", "DocumentMetadata", "Blocks", "DetectDocumentTextModelVersion"}


def test_a_job_in_progress_says_no_more_than_that(server: TextractServer) -> None:
    job_id = server.start_job(sheets.dense_pdf(2))
    answer = server.textract().get_document_text_detection(JobId=job_id)
    assert answer["JobStatus"] == "IN_PROGRESS"
    assert "Blocks" not in answer
    server.finished(job_id)


def test_the_same_token_and_parameters_are_the_same_job(server: TextractServer) -> None:
    location = {"S3Object": server.upload(sheets.pdf(["Once only"]))}
    token = uuid4().hex
    textract = server.textract()
    first, second = (
        textract.start_document_text_detection(DocumentLocation=location, ClientRequestToken=token, JobTag="tag")
        for _ in range(2)
    )
    assert first["JobId"] == second["JobId"]
    ids = [block["Id"] for block in server.finished(first["JobId"])["Blocks"]]
    third = textract.start_document_text_detection(DocumentLocation=location, ClientRequestToken=token, JobTag="tag")
    assert [block["Id"] for block in server.finished(third["JobId"])["Blocks"]] == ids


@pytest.mark.parametrize("change", [{"JobTag": "other"}, {"KMSKeyId": "key"}, {"DocumentLocation": None}])
def test_the_same_token_with_another_parameter_is_a_mistake(server: TextractServer, change: dict[str, Any]) -> None:
    token = uuid4().hex
    location = {"S3Object": server.upload(sheets.pdf(["One"]))}
    other = {"S3Object": server.upload(sheets.pdf(["Two"]))}
    start = server.textract().start_document_text_detection
    start(DocumentLocation=location, ClientRequestToken=token)
    changed = {name: value or other for name, value in change.items()}
    parameters = {"DocumentLocation": location, "ClientRequestToken": token, **changed}
    assert error_code(lambda: start(**parameters)) == "IdempotentParameterMismatchException"


def test_without_a_token_every_start_is_a_job(server: TextractServer) -> None:
    location = {"S3Object": server.upload(sheets.pdf(["Twice"]))}
    start = server.textract().start_document_text_detection
    assert start(DocumentLocation=location)["JobId"] != start(DocumentLocation=location)["JobId"]


def test_results_come_in_pages_of_a_thousand_blocks(server: TextractServer, long_job: str) -> None:
    first = server.textract().get_document_text_detection(JobId=long_job, MaxResults=5000)
    assert len(first["Blocks"]) == 1000
    second = server.textract().get_document_text_detection(JobId=long_job, NextToken=first["NextToken"])
    assert second["DocumentMetadata"] == first["DocumentMetadata"] == {"Pages": 3}
    assert "NextToken" not in second
    check_detection(server.finished(long_job), numbered=True)


def test_results_are_the_same_however_they_are_cut(server: TextractServer, long_job: str) -> None:
    assert server.finished(long_job, MaxResults=137) == server.finished(long_job)


def test_a_token_fits_its_own_job_only(server: TextractServer, long_job: str) -> None:
    get = server.textract().get_document_text_detection
    token = get(JobId=long_job)["NextToken"]
    other = server.start_job(sheets.pdf(["Short"]))
    server.finished(other)
    for job_id, wrong in ((other, token), (long_job, "made-up"), (long_job, token[:-4] + "AAA="), (long_job, "é")):
        assert error_code(partial(get, JobId=job_id, NextToken=wrong)) == "InvalidParameterException"


def test_a_short_job_does_not_wait_behind_a_long_one(server: TextractServer) -> None:
    long_one = server.start_job(sheets.dense_pdf(8))
    server.read(sheets.pdf(["Short"]))
    assert server.textract().get_document_text_detection(JobId=long_one)["JobStatus"] == "IN_PROGRESS"
    server.finished(long_one)


def test_a_killed_server_goes_on_where_it_was(own_server: Servers) -> None:
    server = own_server(OCR_WORKERS="1")
    job_id = server.start_job(sheets.dense_pdf(5), ClientRequestToken="token")
    wait_until(lambda: len(stored_pages(server)) >= 2)
    readers = server.page_readers()
    server.stop(signal.SIGKILL)
    psutil.wait_procs(readers, timeout=5)
    assert readers
    assert not any(each.is_running() for each in readers), "no page process outlives its server"
    before = stored_pages(server)
    server.start()
    result = server.finished(job_id)
    check_detection(result, numbered=True)
    assert result["DocumentMetadata"]["Pages"] == 5
    after = stored_pages(server)
    assert {page: after[page] for page in before} == before, "finished pages are not read again"
    assert list((server.data_dir / "documents").iterdir()) == []


def test_a_killed_page_process_costs_its_page_only(own_server: Servers) -> None:
    server = own_server(OCR_WORKERS="1")
    job_id = server.start_job(sheets.dense_pdf(4))
    wait_until(lambda: stored_pages(server))
    server.page_readers()[0].kill()
    result = server.finished(job_id)
    check_detection(result, numbered=True)
    assert result["JobStatus"] == "PARTIAL_SUCCESS"
    assert "1 of 4 pages" in result["StatusMessage"]
    (warning,) = result["Warnings"]
    assert warning["ErrorCode"] == "INTERNAL_SERVER_ERROR"
    (lost,) = warning["Pages"]
    assert len([block for block in result["Blocks"] if block["Page"] == lost]) == 1
    assert f"Page {1 if lost != 1 else 3} of the record" in text_of(result)


def test_a_page_that_takes_too_long_is_given_up(own_server: Servers) -> None:
    server = own_server(OCR_PAGE_SECONDS="0.01")
    result = server.read(sheets.pdf(["Never read"]))
    assert result["JobStatus"] == "FAILED"
    assert "took longer" in result["StatusMessage"]
    assert "Blocks" not in result


def test_a_job_is_gone_when_it_has_expired(own_server: Servers) -> None:
    server = own_server(TEXTRACT_SERVER_RETENTION_SECONDS="4")
    location = {"S3Object": server.upload(sheets.pdf(["Soon gone"]))}
    start = server.textract().start_document_text_detection
    job_id = start(DocumentLocation=location, ClientRequestToken="token")["JobId"]
    textract = server.textract()

    def is_gone() -> bool:
        try:
            textract.get_document_text_detection(JobId=job_id)
        except textract.exceptions.InvalidJobIdException:
            return True
        return False

    wait_until(is_gone)
    assert start(DocumentLocation=location, ClientRequestToken="token")["JobId"] != job_id
    assert len(stored_pages(server)) <= 1


def test_more_open_jobs_than_allowed_are_refused(own_server: Servers) -> None:
    server = own_server(TEXTRACT_SERVER_MAX_OPEN_JOBS="1")
    location = {"S3Object": server.upload(sheets.dense_pdf(3))}
    start = server.textract().start_document_text_detection
    start(DocumentLocation=location)
    assert error_code(lambda: start(DocumentLocation=location)) == "LimitExceededException"


EARLIER_TABLE = """
CREATE TABLE jobs (
    job_id TEXT PRIMARY KEY, operation TEXT NOT NULL, client_request_token TEXT, fingerprint TEXT NOT NULL,
    bucket TEXT NOT NULL, name TEXT NOT NULL, version TEXT, etag TEXT NOT NULL, kind TEXT NOT NULL,
    started_at REAL NOT NULL, status TEXT NOT NULL, status_message TEXT, page_count INTEGER
);
"""


def test_a_job_table_from_before_analysis_is_taken_over(tmp_path: Path) -> None:
    """Its jobs are found by their tokens, and those that are open are worked on."""
    order = JobOrder(DETECTION, {"DocumentLocation": {"S3Object": {"Bucket": "bucket", "Name": "a.pdf"}}})
    with closing(sqlite3.connect(tmp_path / "jobs.sqlite3", isolation_level=None)) as database:
        database.executescript(EARLIER_TABLE)
        columns = ("StartDocumentTextDetection", "token", order.fingerprint, "bucket", "a.pdf", None, "etag", "pdf")
        row = ("a" * 64, *columns, time.time(), "IN_PROGRESS", None, None)
        database.execute(f"INSERT INTO jobs VALUES ({', '.join('?' * len(row))})", row)
    for _ in range(2):
        with closing(JobTable.open(tmp_path / "jobs.sqlite3")) as table:
            (job,) = table.unfinished()
            assert job.order == order
            again = JobOrder(DETECTION, order.request | {"ClientRequestToken": "token"})
            earlier = table.started_before(again)
            assert earlier is not None
            assert earlier.job_id == job.job_id
            assert table.unnotified() == []


def test_page_processes_end_when_idle_and_the_server_when_told(own_server: Servers) -> None:
    server = own_server(OCR_IDLE_SECONDS="1.5")
    assert server.page_readers() == []
    server.read(sheets.pdf(["Some text"]))
    assert server.page_readers()
    wait_until(lambda: not server.page_readers())
    job_id = server.start_job(sheets.dense_pdf(5))
    wait_until(server.page_readers)
    server.stop()
    server.start()
    assert server.finished(job_id)["JobStatus"] == "SUCCEEDED"


def test_a_second_server_on_the_same_data_is_refused(server: TextractServer) -> None:
    second = TextractServer(server.s3_url, server.data_dir)
    command = [sys.executable, "-m", "app.textract_server.main"]
    ended = subprocess.run(command, env=second.environment, capture_output=True, timeout=20, check=False)
    assert ended.returncode == 2
    assert b"another server is using" in ended.stderr
