"""Features beyond text: asked for as Textract wants it, and told with the pages."""

import io
from typing import Any

import orjson
import pytest
from reportlab.lib.pagesizes import LETTER  # type: ignore[import-untyped]  # it ships no types
from reportlab.pdfgen.canvas import Canvas  # type: ignore[import-untyped]  # it ships no types

from app.config import Settings
from app.jobs.states import JobState
from tests.bench import Bench
from tests.ocr.textract import START, START_ANALYSIS, FakeTextract, page_blocks, with_table
from tests.pipeline.steps import finished, started, validated
from tests.service import Client, client_of, make_key, running_api

QUERIES = [{"text": "Who pays?", "alias": "PAYER", "pages": ["1-2"]}, {"text": "How much?", "pages": ["1", "*"]}]


def answered(question: str, answer: str) -> list[dict[str, Any]]:
    """The blocks of a page with a question and its answer."""
    page = page_blocks(1)
    box = {"BoundingBox": {"Left": 0.1, "Top": 0.1, "Width": 0.2, "Height": 0.02}, "Polygon": []}
    query: dict[str, Any] = {"BlockType": "QUERY", "Id": "q", "Page": 1, "Query": {"Text": question, "Alias": "PAYER"}}
    query["Relationships"] = [{"Type": "ANSWER", "Ids": ["a"]}]
    result = {"BlockType": "QUERY_RESULT", "Id": "a", "Page": 1, "Text": answer, "Confidence": 88.0, "Geometry": box}
    return [*page, query, result]


@pytest.mark.parametrize(
    ("options", "operation", "said"),
    [
        ({}, START, {}),
        ({"features": ["TEXT"]}, START, {}),
        ({"features": ["TABLES", "FORMS"]}, START_ANALYSIS, {"FeatureTypes": ["FORMS", "TABLES"]}),
        ({"features": ["SIGNATURES", "LAYOUT"]}, START_ANALYSIS, {"FeatureTypes": ["LAYOUT", "SIGNATURES"]}),
        (
            {"features": ["QUERIES"], "queries": QUERIES},
            START_ANALYSIS,
            {
                "FeatureTypes": ["QUERIES"],
                "QueriesConfig": {
                    "Queries": [
                        {"Text": "Who pays?", "Alias": "PAYER", "Pages": ["1-2"]},
                        {"Text": "How much?", "Pages": ["*"]},
                    ]
                },
            },
        ),
    ],
)
async def test_features_are_asked_for_as_textract_wants_it(
    bench: Bench, fake: FakeTextract, options: dict[str, Any], operation: str, said: dict[str, Any]
) -> None:
    """Text alone is detection; all else is analysis, which is told what to find, and to which questions."""
    await started(bench, options=options)
    ((asked, body),) = fake.asked
    assert asked == operation
    standing = {"DocumentLocation", "ClientRequestToken", "JobTag"}
    assert {name: value for name, value in body.items() if name not in standing} == said


async def test_tables_and_answers_are_told_with_their_page(bench: Bench, told: Settings, fake: FakeTextract) -> None:
    """GET of a page has them, and GET of the whole result has their blocks."""
    fake.blocks = with_table(page_blocks(1, words=6))
    table = await finished(bench, await started(bench, options={"features": ["TABLES"]}))
    fake.blocks = answered("Who pays?", "The buyer")
    query = await finished(bench, await started(bench, options={"features": ["QUERIES"], "queries": QUERIES[:1]}))
    async with running_api(told) as address, client_of(address, await make_key(told)) as client:
        page = (await client.get(f"/v1/documents/{table.document_id}/pages/1")).json()
        result = (await client.get(f"/v1/documents/{table.document_id}/textract")).json()
        asked = (await client.get(f"/v1/documents/{query.document_id}/pages/1")).json()
    (found,) = page["tables"]
    assert (found["rows"], found["columns"], len(found["cells"])) == (2, 3, 6)
    assert {cell["text"] for cell in found["cells"]} == {f"p1l0w{number}" for number in range(6)}
    assert [block["BlockType"] for block in result["Blocks"]].count("CELL") == 6
    assert result["AnalyzeDocumentModelVersion"] == "1.0"
    (answer,) = asked["queries"]
    assert (answer["text"], answer["alias"], answer["answer"], answer["confidence"]) == (
        "Who pays?",
        "PAYER",
        "The buyer",
        88.0,
    )


async def test_what_no_engine_finds_is_told(told: Settings, bench: Bench, fake: FakeTextract) -> None:
    """An engine that is named and not set up is no engine to wait for."""
    job = await bench.advance(await validated(bench, options={"engine": "local"}))
    assert (job.state, job.error_code) == (JobState.DEADLETTER, "ocr_request_invalid")
    assert not fake.asked


def ruled_table() -> bytes:
    """A PDF page with a ruled table of three rows and two columns, and labels with their values above it."""
    file = io.BytesIO()
    canvas = Canvas(file, pagesize=LETTER)
    canvas.setFont("Helvetica", 14)
    canvas.drawString(72, 700, "Invoice number: 4711")
    canvas.drawString(72, 670, "Date: 3 May 2021")
    canvas.grid([72, 252, 432], [600, 560, 520, 480])
    for row, texts in enumerate([("Item", "Price"), ("Paper", "12.50"), ("Ink", "7.25")]):
        for column, text in enumerate(texts):
            canvas.drawString(90 + 180 * column, 575 - 40 * row, text)
    canvas.save()
    return file.getvalue()


async def test_a_real_table_and_a_real_form(client: Client, worker: str) -> None:
    """On the embedded server, from a PDF with rulings: cells with their text, keys with their values."""
    options = orjson.dumps({"features": ["TABLES", "FORMS"]}).decode()
    submitted = await client.submit(ruled_table(), options=options)
    job = await client.ended(submitted["job"]["id"])
    assert (job["state"], job["engine"], job["cost_microdollars"]) == ("done", "local", 0)
    address = f"/v1/documents/{submitted['document']['id']}"
    page = (await client.get(f"{address}/pages/1")).json()
    (table,) = page["tables"]
    assert (table["rows"], table["columns"]) == (3, 2)
    assert [cell["text"] for cell in table["cells"]] == ["Item", "Price", "Paper", "12.50", "Ink", "7.25"]
    assert {"Invoice number:": "4711", "Date:": "3 May 2021"}.items() <= {
        pair["key"]: pair["value"] for pair in page["key_values"]
    }.items()
    kinds = {block["BlockType"] for block in (await client.get(f"{address}/textract")).json()["Blocks"]}
    assert kinds >= {"PAGE", "LINE", "WORD", "TABLE", "CELL", "KEY_VALUE_SET"}


NONSENSE: list[tuple[object, str]] = [
    ({"features": ["COLOURS"]}, "/features/0"),
    ({"features": "TABLES"}, "/features"),
    ({"queries": [{"text": "Who?"}]}, ""),
    ({"features": ["QUERIES"]}, ""),
    ({"features": ["QUERIES"], "queries": [{"text": ""}]}, "/queries/0/text"),
    ({"features": ["QUERIES"], "queries": [{"text": "Wer zahlt für wen?"}]}, "/queries/0/text"),
    ({"features": ["QUERIES"], "queries": [{"text": "Who?", "pages": ["one"]}]}, "/queries/0/pages/0"),
    ({"features": ["QUERIES"], "queries": [{"text": "Who?"}] * 31}, "/queries"),
    ({"engine": "abbyy"}, "/engine"),
    ({"force_reprocess": "perhaps"}, "/force_reprocess"),
    ({"colours": True}, "/colours"),
    ([], ""),
]


async def test_options_that_make_no_sense_are_refused(client: Client) -> None:
    """With 422, and the name of the field: before anything is stored."""
    for options, field in NONSENSE:
        said = {"filename": "a.pdf", "options": orjson.dumps(options).decode()}
        answer = await client.post("/v1/documents", params=said, content=b"%PDF-1.4")
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (422, "request_invalid"), options
        assert [error["pointer"] for error in problem["errors"]] == [f"/query/options{field}"], options
