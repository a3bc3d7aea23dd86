"""A small server that speaks Textract's JSON 1.1 and does what a test says: errors, lost answers, odd results."""

import asyncio
import hashlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from app.config import Settings

Block = dict[str, Any]
START, GET, READ = "StartDocumentTextDetection", "GetDocumentTextDetection", "DetectDocumentText"
START_ANALYSIS, GET_ANALYSIS, ANALYZE = "StartDocumentAnalysis", "GetDocumentAnalysis", "AnalyzeDocument"
STARTS, READS = (START, START_ANALYSIS), (READ, ANALYZE)
ANALYSES = (START_ANALYSIS, GET_ANALYSIS, ANALYZE)


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error, as Textract sends it; without a code, as a proxy does."""

    code: str
    status: int = 400
    message: str = "No."


class HangUp(Exception):
    """Close the connection without an answer: the request was taken, and its answer is lost."""


class BreakOff(HangUp):
    """Close the connection in the middle of the answer."""


Answer = dict[str, Any] | Refusal | bytes
"""Members, an error, or a body as it is, whatever it is."""


@dataclass(slots=True)
class FakeTextract:
    """One account: what it answers, and what it was asked."""

    url: str = ""
    blocks: list[Block] = field(default_factory=lambda: document_of(1))
    pages: int | None = None
    status: str = "SUCCEEDED"
    extra: dict[str, Any] = field(default_factory=dict)
    """Further members of a result: Warnings, StatusMessage."""
    before: list[Refusal | bytes | type[HangUp]] = field(default_factory=list)
    """What comes instead of the next answers, one for each."""
    on_start: Callable[[dict[str, Any]], Awaitable[None]] | None = None
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    jobs: dict[str, str] = field(default_factory=dict)
    """The job ids, by token."""
    parameters: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    """What each job was started with, by operation and token."""
    kinds: dict[str, str] = field(default_factory=dict)
    """The operation that each job was started by, by job id."""
    forgotten: set[str] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)
    """The keys under which the bucket has nothing; all others have a document."""

    @property
    def settings(self) -> Settings:
        """Settings that lead to it, by either engine."""
        return Settings(
            _env_file=None,
            aws_access_key_id="key",
            aws_secret_access_key="secret",
            aws_endpoint_url_textract=self.url,
            local_textract_endpoint_url=self.url,
        )

    @property
    def starts(self) -> Counter[str]:
        """How often each token came with a Start."""
        return Counter(body["ClientRequestToken"] for operation, body in self.asked if operation in STARTS)

    async def answer(self, operation: str, body: dict[str, Any]) -> Answer:
        """What this server says to a request."""
        self.asked.append((operation, body))
        if operation in STARTS and self.on_start is not None:
            await self.on_start(body)
        instead = self.before.pop(0) if self.before else None
        if isinstance(instead, Refusal | bytes):
            return instead
        answer = self._answer(operation, body)
        if instead is not None:
            raise instead
        return answer

    def _answer(self, operation: str, body: dict[str, Any]) -> Answer:
        location = body.get("DocumentLocation") or body.get("Document") or {}
        if location.get("S3Object", {}).get("Name") in self.missing:
            return Refusal("InvalidS3ObjectException", message="Unable to get object metadata from S3.")
        if operation in STARTS:
            return self._started(operation, body)
        if operation in READS:
            return self._read(operation)
        return self._result(operation, body)

    def _started(self, operation: str, body: dict[str, Any]) -> Answer:
        token = body["ClientRequestToken"]
        if self.parameters.setdefault((operation, token), body) != body:
            return Refusal("IdempotentParameterMismatchException", message="The token came with other parameters.")
        self.jobs[token] = job_id = hashlib.sha256(f"{operation} {token}".encode()).hexdigest()
        self.kinds[job_id] = operation
        return {"JobId": job_id}

    def _read(self, operation: str) -> Answer:
        if sum(block["BlockType"] == "PAGE" for block in self.blocks) != 1:
            return Refusal("UnsupportedDocumentException", message="Request has unsupported document format")
        blocks = [{name: value for name, value in block.items() if name != "Page"} for block in self.blocks]
        return {"DocumentMetadata": {"Pages": 1}, "Blocks": blocks, **_model(operation)}

    def _result(self, operation: str, body: dict[str, Any]) -> Answer:
        begun_by = START_ANALYSIS if operation in ANALYSES else START
        if body["JobId"] in self.forgotten or self.kinds.get(body["JobId"]) != begun_by:
            return Refusal("InvalidJobIdException", message="Request has invalid Job Id")
        if self.status == "IN_PROGRESS":
            return {"JobStatus": self.status}
        if self.status == "FAILED":
            return {"JobStatus": self.status, **self.extra}
        begin = int(body.get("NextToken", 0))
        end = begin + min(body.get("MaxResults", 1000), 1000)
        more = {"NextToken": str(end)} if end < len(self.blocks) else {}
        count = self.pages if self.pages is not None else sum(block["BlockType"] == "PAGE" for block in self.blocks)
        head = {"DocumentMetadata": {"Pages": count}, "JobStatus": self.status, **self.extra}
        return {**head, "Blocks": self.blocks[begin:end], **_model(operation), **more}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request on one connection."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
            body = json.loads(await reader.readexactly(int(headers["content-length"])))
            answer = await self.answer(headers["x-amz-target"].removeprefix("Textract."), body)
            writer.write(_as_http(answer))
            await writer.drain()
        except BreakOff:
            writer.write(_as_http({"JobId": "cut off"})[:-4])
        except (HangUp, asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # streams of Python 3.11 complain of handlers that end cancelled
        finally:
            writer.close()


@asynccontextmanager
async def running_fake(**what: Any) -> AsyncIterator[FakeTextract]:
    """Run such a server."""
    fake = FakeTextract(**what)
    server = await asyncio.start_server(fake.serve, "127.0.0.1", 0)
    fake.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield fake


def with_table(blocks: list[Block], rows: int = 2, columns: int = 3) -> list[Block]:
    """The blocks of a page, and a table of its first words, a word in a cell."""
    page, words = blocks[0], [block for block in blocks if block["BlockType"] == "WORD"]
    number = page["Page"]
    cells = [
        _block("CELL", number, f"r{row}c{column}", RowIndex=row, ColumnIndex=column, RowSpan=1, ColumnSpan=1)
        for row in range(1, rows + 1)
        for column in range(1, columns + 1)
    ]
    for cell, word in zip(cells, words, strict=False):
        cell["Relationships"] = [{"Type": "CHILD", "Ids": [word["Id"]]}]
    table = _block("TABLE", number, f"t{number}", EntityTypes=["STRUCTURED_TABLE"])
    table["Relationships"] = [{"Type": "CHILD", "Ids": [cell["Id"] for cell in cells]}]
    for block in (table, *cells):
        del block["Text"]
    page["Relationships"] = [{"Type": "CHILD", "Ids": [*page["Relationships"][0]["Ids"], table["Id"]]}]
    return [*blocks, table, *cells]


def document_of(pages: int, lines: int = 2, words: int = 3) -> list[Block]:
    """The blocks of a document, in Textract's order: each page, its lines, its words."""
    return [block for number in range(1, pages + 1) for block in page_blocks(number, lines, words)]


def page_blocks(number: int, lines: int = 2, words: int = 3, corner: int = 0) -> list[Block]:
    """The blocks of one page, whose text begins in one of its corners (0 upright, then clockwise)."""
    texts = [[f"p{number}l{line}w{word}" for word in range(words)] for line in range(lines)]
    word_blocks = [[_block("WORD", number, text, TextType="PRINTED") for text in line] for line in texts]
    line_blocks = [_block("LINE", number, " ".join(line)) for line in texts]
    for block, children in zip(line_blocks, word_blocks, strict=True):
        block["Relationships"] = [{"Type": "CHILD", "Ids": [child["Id"] for child in children]}]
    corners = [{"X": 0.0, "Y": 0.0}, {"X": 1.0, "Y": 0.0}, {"X": 1.0, "Y": 1.0}, {"X": 0.0, "Y": 1.0}]
    page: Block = {"BlockType": "PAGE", "Id": f"page-{number}", "Page": number, "Geometry": _geometry()}
    page["Geometry"]["Polygon"] = corners[corner:] + corners[:corner]
    if line_blocks:
        page["Relationships"] = [{"Type": "CHILD", "Ids": [block["Id"] for block in line_blocks]}]
    return [page, *line_blocks, *(word for line in word_blocks for word in line)]


def _block(kind: str, page: int, text: str, **members: Any) -> Block:
    block = {"BlockType": kind, "Id": f"{kind}-{text}", "Text": text, "Confidence": 99.5, "Page": page}
    return {**block, "Geometry": _geometry(), **members}


def _geometry() -> Block:
    return {"BoundingBox": {"Left": 0.1, "Top": 0.2, "Width": 0.3, "Height": 0.04}, "Polygon": []}


def _model(operation: str) -> dict[str, str]:
    return {("AnalyzeDocument" if operation in ANALYSES else "DetectDocumentText") + "ModelVersion": "1.0"}


def _as_http(answer: Answer) -> bytes:
    status = 200
    if isinstance(answer, Refusal):
        code = {"__type": answer.code} if answer.code else {}
        status, answer = answer.status, {**code, "Message": answer.message}
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    head = f"HTTP/1.1 {status} Said\r\nContent-Type: application/x-amz-json-1.1\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Connection: close\r\n\r\n".encode() + body
