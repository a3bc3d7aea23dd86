"""What an OCR engine must do, and the words that are used of it. It starts jobs and is asked about them; nobody waits for one."""

import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

import orjson

Block = dict[str, Any]
"""A Textract block, as the wire has it."""


class OcrStatus(StrEnum):
    """What an engine says of a job, in Textract's words. An unknown word is an error, never one of these."""

    IN_PROGRESS = "IN_PROGRESS"
    SUCCEEDED = "SUCCEEDED"
    PARTIAL_SUCCESS = "PARTIAL_SUCCESS"
    FAILED = "FAILED"


class EngineName(StrEnum):
    """The engines there are."""

    TEXTRACT = "textract"
    """AWS Textract, or what `AWS_ENDPOINT_URL_TEXTRACT` points to."""
    LOCAL = "local"
    """A Textract-compatible server of one's own; it costs nothing a page."""


class Feature(StrEnum):
    """What is to be found on pages; text always is."""

    TEXT = "TEXT"
    TABLES = "TABLES"
    FORMS = "FORMS"
    LAYOUT = "LAYOUT"
    SIGNATURES = "SIGNATURES"
    QUERIES = "QUERIES"


class Operation(StrEnum):
    """The kinds of OCR jobs; each has Start and Get calls, quotas and slots of its own."""

    DETECTION = "detection"
    ANALYSIS = "analysis"


@dataclass(frozen=True, slots=True)
class Query:
    """A question to the document's pages: `pages` as Textract writes them, such as `1-3` or `*`."""

    text: str
    alias: str | None = None
    pages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """What is to be read from a document."""

    features: frozenset[Feature] = frozenset({Feature.TEXT})
    queries: tuple[Query, ...] = ()

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> "ReadRequest":
        """The request in a job's options, which were checked when they came in."""
        queries = tuple(
            Query(each["text"], each.get("alias"), tuple(each.get("pages") or ()))
            for each in options.get("queries") or ()
        )
        features = {Feature(name) for name in options.get("features") or ()} | {Feature.TEXT}
        return cls(frozenset(features), queries)

    @property
    def operation(self) -> Operation:
        """Which kind of job finds all of it."""
        return Operation.DETECTION if self.features == {Feature.TEXT} else Operation.ANALYSIS

    @property
    def analysis_features(self) -> tuple[Feature, ...]:
        """The features that analysis is asked for, in a fixed order."""
        return tuple(sorted(self.features - {Feature.TEXT}))

    @property
    def fingerprint(self) -> str:
        """One hash over all that decides what comes out of the same bytes: 64 hex digits."""
        told = [sorted(self.features), [[query.text, query.alias, list(query.pages)] for query in self.queries]]
        return hashlib.sha256(orjson.dumps(told)).hexdigest()


@dataclass(frozen=True, slots=True)
class Source:
    """Where a document, or a part of one, lies in S3."""

    bucket: str
    key: str


@dataclass(frozen=True, slots=True)
class PageWarning:
    """Pages that an engine could not read, and its code for why."""

    code: str
    pages: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ResultPart:
    """An answer about a job: how it is doing and, once it has ended, one portion of its result.

    A portion has up to 1,000 blocks, and may end in the middle of a page. Pages count from 1 within the job.
    """

    status: OcrStatus
    blocks: list[Block] = field(default_factory=list)
    page_count: int = 0
    model_version: str | None = None
    message: str | None = None
    warnings: tuple[PageWarning, ...] = ()
    next_token: str | None = None
    """Where the next portion begins; None in the last."""
    raw_blocks: bytes | None = field(default=None, compare=False, repr=False)
    """The blocks as the JSON array that they came as, where it says just what `blocks` does."""


class Engine(Protocol):
    """An OCR engine that reads documents out of S3. Every method raises errors of our own tree only."""

    @property
    def name(self) -> EngineName: ...

    @property
    def endpoint_url(self) -> str:
        """Where it is."""

    @property
    def stores_results(self) -> bool:
        """Whether results are to be read with `stored_results`, rather than by `get`, portion by portion."""

    @property
    def parameters_fingerprint(self) -> str:
        """A digest of what every Start says beside the document and the request: a token holds for these alone."""

    async def start(self, source: Source, request: ReadRequest, *, token: str, tag: str) -> str:
        """Start a job and return its id. The same token gives the same job, and is paid for once."""

    async def get(self, engine_job_id: str, operation: Operation, next_token: str | None = None) -> ResultPart:
        """How a job is doing and, where it has ended, the first portion of its result, or the one that a token names."""

    def stored_results(self, engine_job_id: str, operation: Operation) -> AsyncIterator[ResultPart]:
        """The result of an ended job as the engine has written it to S3, portion by portion."""

    async def read(self, document: Source | bytes, request: ReadRequest) -> ResultPart:
        """Read a document of one page, of at most 10 MB, while the caller waits. Paid for at every call."""
