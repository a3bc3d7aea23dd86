"""What OCR jobs do is counted, and told to CloudWatch in lines that it can read."""

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it ships no types
import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from app.ocr.engine import EngineName, OcrStatus, Operation
from app.ocr.telemetry import Telemetry

ROOT = Path(__file__).parent.parent.parent
TEXTRACT, DETECTION = EngineName.TEXTRACT, Operation.DETECTION
LANE = {"engine": "textract", "operation": "detection"}

NAME = {"type": "string", "minLength": 1, "maxLength": 255}
METRIC = {
    "type": "object",
    "required": ["Name", "Unit"],
    "properties": {"Name": NAME, "Unit": {"enum": ["Count", "Seconds"]}},
    "additionalProperties": False,
}
DIRECTIVE = {
    "type": "object",
    "required": ["Namespace", "Dimensions", "Metrics"],
    "properties": {
        "Namespace": NAME,
        "Dimensions": {"type": "array", "minItems": 1, "items": {"type": "array", "maxItems": 30, "items": NAME}},
        "Metrics": {"type": "array", "minItems": 1, "maxItems": 100, "items": METRIC},
    },
    "additionalProperties": False,
}
DOCUMENT = {
    "type": "object",
    "required": ["_aws"],
    "properties": {
        "_aws": {
            "type": "object",
            "required": ["Timestamp", "CloudWatchMetrics"],
            "properties": {
                "Timestamp": {"type": "integer"},
                "CloudWatchMetrics": {"type": "array", "minItems": 1, "items": DIRECTIVE},
            },
            "additionalProperties": False,
        }
    },
}
"""The documented structure of the embedded metric format, as far as it is used here."""


def check(document: Mapping[str, Any]) -> None:
    """That CloudWatch would read it: the structure, and that all it names is there, of the right type."""
    jsonschema.validate(document, DOCUMENT)
    assert abs(document["_aws"]["Timestamp"] / 1000 - time.time()) < 3600
    for directive in document["_aws"]["CloudWatchMetrics"]:
        for name in (name for dimensions in directive["Dimensions"] for name in dimensions):
            assert isinstance(document[name], str)
        for metric in directive["Metrics"]:
            values = document[metric["Name"]]
            for value in values if isinstance(values, list) else [values]:
                assert type(value) in {int, float}


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def telemetry(stream: io.StringIO) -> Telemetry:
    return Telemetry("Quire/Test", stream)


def told(stream: io.StringIO) -> Iterator[dict[str, Any]]:
    for line in stream.getvalue().splitlines():
        document = json.loads(line)
        check(document)
        yield document


def values_of(document: Mapping[str, Any]) -> dict[str, float]:
    metrics = document["_aws"]["CloudWatchMetrics"][0]["Metrics"]
    return {metric["Name"]: sum(document[metric["Name"]]) for metric in metrics}


class Counted:
    """How much a sample of the registry has grown since."""

    def __init__(self, name: str, **labels: str) -> None:
        self._name, self._labels = name, labels
        self._before = self._now()

    def _now(self) -> float:
        return REGISTRY.get_sample_value(self._name, self._labels) or 0.0

    @property
    def grown(self) -> float:
        return self._now() - self._before


def test_a_job_is_counted_from_start_to_end(telemetry: Telemetry) -> None:
    """By engine and operation: how many, how long, how many pages, how many Gets, and how it ended."""
    started = Counted("quire_ocr_jobs_started_total", **LANE)
    ended = Counted("quire_ocr_jobs_ended_total", **LANE, status="SUCCEEDED")
    seconds = Counted("quire_ocr_job_seconds_sum", **LANE)
    under_five = Counted("quire_ocr_job_seconds_bucket", **LANE, le="5.0")
    pages = Counted("quire_ocr_pages_total", **LANE)
    gets = Counted("quire_ocr_gets_per_job_sum", **LANE)
    elsewhere = Counted("quire_ocr_jobs_started_total", engine="local", operation="analysis")
    telemetry.job_started(TEXTRACT, DETECTION)
    telemetry.job_ended(TEXTRACT, DETECTION, OcrStatus.SUCCEEDED, seconds=3.5, pages=12, gets=2)
    grown = [each.grown for each in (started, ended, seconds, under_five, pages, gets, elsewhere)]
    assert grown == [1, 1, 3.5, 1, 12, 2, 0]


def test_pages_that_are_read_at_once_are_counted(telemetry: Telemetry, stream: io.StringIO) -> None:
    """They are paid for as any; no job ended."""
    pages, jobs = Counted("quire_ocr_pages_total", **LANE), Counted("quire_ocr_job_seconds_count", **LANE)
    telemetry.read_at_once(TEXTRACT, DETECTION, pages=1)
    assert (pages.grown, jobs.grown) == (1, 0)
    (document,) = told(stream)
    assert values_of(document) == {"Pages": 1}


def test_calls_are_counted_by_how_they_ended(telemetry: Telemetry, stream: io.StringIO) -> None:
    """Those that were one too many by their lane, too. CloudWatch is told of these alone."""
    fine = Counted("quire_ocr_calls_total", call="GetDocumentAnalysis", code="ok")
    refused = Counted("quire_ocr_calls_total", call="GetDocumentAnalysis", code="ocr_throttled")
    throttled = Counted("quire_ocr_throttled_total", engine="local", operation="analysis", call="GetDocumentAnalysis")
    telemetry.call("GetDocumentAnalysis", "ok")
    telemetry.call("GetDocumentAnalysis", "ocr_throttled")
    telemetry.throttled(EngineName.LOCAL, Operation.ANALYSIS, "GetDocumentAnalysis")
    assert [each.grown for each in (fine, refused, throttled)] == [1, 1, 1]
    (document,) = told(stream)
    assert (document["Engine"], document["Operation"], document["Call"]) == ("local", "analysis", "GetDocumentAnalysis")
    assert values_of(document) == {"Throttled": 1}


def test_cloudwatch_is_told_of_jobs(telemetry: Telemetry, stream: io.StringIO) -> None:
    """Each event a line of its own, with the numbers of that event alone."""
    telemetry.job_started(TEXTRACT, DETECTION)
    telemetry.job_ended(TEXTRACT, DETECTION, OcrStatus.PARTIAL_SUCCESS, seconds=3.5, pages=12, gets=2)
    telemetry.job_ended(TEXTRACT, DETECTION, "ocr_timeout", seconds=600, pages=0, gets=40)
    started, partial, failed = told(stream)
    assert values_of(started) == {"JobsStarted": 1}
    assert values_of(partial) == {"JobsEnded": 1, "JobsFailed": 0, "JobDuration": 3.5, "Pages": 12, "GetsPerJob": 2}
    assert values_of(failed) == {"JobsEnded": 1, "JobsFailed": 1, "JobDuration": 600, "Pages": 0, "GetsPerJob": 40}
    directive = failed["_aws"]["CloudWatchMetrics"][0]
    assert (directive["Namespace"], directive["Dimensions"]) == ("Quire/Test", [["Engine", "Operation"]])
    assert {metric["Name"]: metric["Unit"] for metric in directive["Metrics"]}["JobDuration"] == "Seconds"
    assert (failed["Engine"], failed["Operation"], failed["Status"]) == ("textract", "detection", "ocr_timeout")


def test_without_a_namespace_nothing_is_written(stream: io.StringIO) -> None:
    """The setting is off by default; Prometheus is told all the same."""
    started = Counted("quire_ocr_jobs_started_total", **LANE)
    Telemetry(None, stream).job_started(TEXTRACT, DETECTION)
    assert (stream.getvalue(), started.grown) == ("", 1)


def test_a_stream_that_is_gone_is_no_error(telemetry: Telemetry, stream: io.StringIO) -> None:
    """One warning, however many lines are lost."""
    stream.close()
    started = Counted("quire_ocr_jobs_started_total", **LANE)
    with capture_logs() as lines:
        telemetry.job_started(TEXTRACT, DETECTION)
        telemetry.job_started(TEXTRACT, DETECTION)
    assert [line["event"] for line in lines] == ["metrics_not_written"]
    assert started.grown == 2


WORKER = """
import structlog
from app.config import Settings
from app.logs import configure_logs
from app.ocr.engine import EngineName, Operation
from app.ocr.telemetry import Telemetry

configure_logs(Settings(_env_file=None))
telemetry = Telemetry("Quire")
for number in range(200):
    telemetry.throttled(EngineName.TEXTRACT, Operation.DETECTION, f"call-{number}")
    structlog.get_logger("worker").warning("said", number=number)
"""


def test_lines_of_several_processes_stay_whole() -> None:
    """Three workers on one standard output, and their other log lines on standard error: each a JSON object a line."""
    reading, writing = os.pipe()
    workers = [
        subprocess.Popen([sys.executable, "-c", WORKER], cwd=ROOT, stdout=writing, stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    os.close(writing)
    with os.fdopen(reading) as pipe:
        documents = [json.loads(line) for line in pipe]
    said = [json.loads(line) for worker in workers for line in worker.communicate(timeout=60)[1].splitlines()]
    assert [worker.returncode for worker in workers] == [0, 0, 0]
    assert sorted(document["Call"] for document in documents) == sorted([f"call-{n}" for n in range(200)] * 3)
    assert {line["event"] for line in said} == {"said"}
    for document in documents:
        check(document)
