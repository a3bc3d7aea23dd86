"""What OCR jobs do, as metrics: counted in this process for Prometheus, and told to CloudWatch in lines of the log.

CloudWatch reads numbers out of log lines of its "embedded metric format", each a JSON object of its own on standard
output; the other log lines are on standard error. Source: "Specification: Embedded metric format" in the Amazon
CloudWatch User Guide.
"""

import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, TextIO

import orjson
import structlog
from prometheus_client import Counter, Histogram

from app.ocr.engine import EngineName, OcrStatus, Operation

if TYPE_CHECKING:
    from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import AmazonCloudWatchEMFProvider

log = structlog.get_logger(__name__)

LANE = ("engine", "operation")

STARTED = Counter("quire_ocr_jobs_started", "OCR jobs that this process began.", LANE)
ENDED = Counter("quire_ocr_jobs_ended", "OCR jobs whose end this process saw, by status.", (*LANE, "status"))
SECONDS = Histogram(
    "quire_ocr_job_seconds",
    "Time from an OCR job's start until its end was seen.",
    LANE,
    buckets=(1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600),
)
PAGES = Counter("quire_ocr_pages", "Pages that OCR engines have read, as far as this process saw it.", LANE)
GETS = Histogram(
    "quire_ocr_gets_per_job",
    "How often an engine was asked about a job, results included, until it had ended.",
    LANE,
    buckets=(1, 2, 3, 4, 6, 8, 12, 20, 50, 100),
)
CALLS = Counter("quire_ocr_calls", "Calls to OCR engines, by how they ended.", ("call", "code"))
THROTTLED = Counter("quire_ocr_throttled", "Calls that an OCR engine refused as too many.", (*LANE, "call"))


Measures = Mapping[str, tuple[str, float]]
"""Units, in CloudWatch's words, and values, by the names of metrics."""


class Telemetry:
    """Told of what happens to OCR jobs. A line that can't be written is no error: no job fails by being counted."""

    def __init__(self, emf_namespace: str | None, stream: TextIO | None = None) -> None:
        self._new_emf = _emf_in(emf_namespace) if emf_namespace else None
        self._stream = stream
        self._is_written = True

    def job_started(self, engine: EngineName, operation: Operation) -> None:
        """An engine took a job."""
        STARTED.labels(engine, operation).inc()
        self._tell(engine, operation, {"JobsStarted": ("Count", 1)})

    def job_ended(
        self, engine: EngineName, operation: Operation, status: str, *, seconds: float, pages: int, gets: int
    ) -> None:
        """A job ended: `status` is an `OcrStatus` or the code of our error, `gets` how often it was asked about."""
        ENDED.labels(engine, operation, status).inc()
        SECONDS.labels(engine, operation).observe(seconds)
        PAGES.labels(engine, operation).inc(pages)
        GETS.labels(engine, operation).observe(gets)
        told: Measures = {
            "JobsEnded": ("Count", 1),
            "JobsFailed": ("Count", status not in {OcrStatus.SUCCEEDED, OcrStatus.PARTIAL_SUCCESS}),
            "JobDuration": ("Seconds", seconds),
            "Pages": ("Count", pages),
            "GetsPerJob": ("Count", gets),
        }
        self._tell(engine, operation, told, Status=str(status))

    def read_at_once(self, engine: EngineName, operation: Operation, *, pages: int) -> None:
        """Pages were read by a synchronous call: no job ended."""
        PAGES.labels(engine, operation).inc(pages)
        self._tell(engine, operation, {"Pages": ("Count", pages)})

    def call(self, operation_name: str, code: str) -> None:
        """A call ended: `ok`, or the code of our error. Never an engine's own word, which could be any.

        CloudWatch isn't told: a line for every call would cost more than it says.
        """
        CALLS.labels(operation_name, code).inc()

    def throttled(self, engine: EngineName, operation: Operation, call: str) -> None:
        """An engine refused a call as one too many."""
        THROTTLED.labels(engine, operation, call).inc()
        self._tell(engine, operation, {"Throttled": ("Count", 1)}, Call=call)

    def _tell(self, engine: EngineName, operation: Operation, measures: Measures, **properties: str) -> None:
        """Write a line for CloudWatch, where it is wanted. Properties are there to search by, and make no metrics."""
        if self._new_emf is None:
            return
        # A new one for every line, for it gathers what it is told. Its own flush prints a line in two pieces, and late
        # where standard output is a pipe: lines of other processes would come between.
        emf = self._new_emf()
        emf.add_dimension("Engine", engine.value)
        emf.add_dimension("Operation", operation.value)
        for name, (unit, value) in measures.items():
            emf.add_metric(name, unit, value)
        for name, text in properties.items():
            emf.add_metadata(name, text)
        self._write(orjson.dumps(emf.serialize_metric_set()).decode() + "\n")

    def _write(self, line: str) -> None:
        stream = self._stream or sys.stdout
        try:
            stream.write(line)
            stream.flush()
            self._is_written = True
        except (OSError, ValueError) as error:  # ValueError: the stream is closed
            if self._is_written:
                log.warning("metrics_not_written", error=str(error))
            self._is_written = False


def _emf_in(namespace: str) -> "Callable[[], AmazonCloudWatchEMFProvider]":
    # Imported only where it is wanted: it takes a tenth of a second, and puts its name into the User-Agent of the
    # process's AWS requests.
    from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import (  # noqa: PLC0415
        AmazonCloudWatchEMFProvider,
    )

    return partial(AmazonCloudWatchEMFProvider, namespace=namespace)
