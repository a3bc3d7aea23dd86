"""The parsers and the caller that people use with the real service take this server's answers, unmodified."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
import trp  # type: ignore[import-untyped]  # none of AWS's parsers ships types
import trp.trp2  # type: ignore[import-untyped]
from textractcaller.t_call import call_textract  # type: ignore[import-untyped]
from textractor.parsers import response_parser  # type: ignore[import-untyped]

from tests.textract_server import sheets
from tests.textract_server.running import BUCKET, KEY, REGION, SECRET, TextractServer

PAGES: tuple[Sequence[str], ...] = (sheets.SENTENCES, [], ["Last page"])
LINES = [*sheets.SENTENCES, "Last page"]


@pytest.fixture(scope="module")
def result(server: TextractServer) -> dict[str, Any]:
    return server.read(sheets.pdf(*PAGES))


def test_trp_takes_the_result(result: dict[str, Any]) -> None:
    document = trp.Document(result)
    assert [line.text for page in document.pages for line in page.lines] == LINES


def test_trp2_takes_the_result(result: dict[str, Any]) -> None:
    document = trp.trp2.TDocumentSchema().load(result)
    assert [line.text for page in document.pages for line in document.lines(page)] == LINES


def test_textractor_takes_the_result(result: dict[str, Any]) -> None:
    document = response_parser.parse(result)
    assert [line.text for page in document.pages for line in page.lines] == LINES


def test_the_unmodified_caller_reads_a_document(server: TextractServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_TEXTRACT", server.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    name = server.upload(sheets.pdf(*PAGES), "folder/three pages.pdf")["Name"]
    answer = call_textract(f"s3://{BUCKET}/{name}")
    assert [block["Text"] for block in answer["Blocks"] if block["BlockType"] == "LINE"] == LINES
    json.dumps(answer)
