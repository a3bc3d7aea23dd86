"""What was read, in each form that it is asked for, and what is said where there is nothing to read."""

import gzip
import warnings
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.api.running import problem_of
from tests.bench import Bench
from tests.documents import letter
from tests.pipeline.texts import read_job
from tests.service import Client

PAGES = ("The quick brown fox\njumps over the lazy dog", "Second page", "Third page")


async def read(client: Client, content: bytes) -> str:
    """Submit a document and wait for its end; its id."""
    submitted = await client.submit(content, filename="pages.pdf")
    await client.ended(submitted["job"]["id"])
    return str(submitted["document"]["id"])


async def test_a_document_shows_what_was_read(client: Client, worker: str) -> None:
    """State, text, pages and Textract blocks of a document that was read tell the same story."""
    document_id = await read(client, letter(*PAGES))
    await check_document(client, document_id)
    await check_text(client, document_id)
    await check_pages(client, document_id)
    await check_page(client, document_id)
    await check_textract(client, document_id)


async def check_document(client: Client, document_id: str) -> None:
    document = (await client.get(f"/v1/documents/{document_id}")).json()
    assert (document["filename"], document["page_count"]) == ("pages.pdf", 3)
    assert document["job"]["state"] == "done"
    assert document["job"]["progress"] == {"fraction": 1.0, "pages_done": 3, "pages_total": 3}
    assert {step: document["state"][step]["status"] for step in ("ocr", "finalization")} == {
        "ocr": "completed",
        "finalization": "completed",
    }
    assert document["state"]["last_update"]["status"] == "done"
    assert document["job"]["stage_timings"]["queued"]["seconds"] > 0


async def check_text(client: Client, document_id: str) -> None:
    answer = await client.get(f"/v1/documents/{document_id}/text")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    pages = answer.text.split("\f")
    assert [page.split()[0] for page in pages] == ["The", "Second", "Third"]
    assert pages[0] == PAGES[0]


async def check_pages(client: Client, document_id: str) -> None:
    """All pages come by way of cursors and `Link`, each once and in order."""
    path: str | None = f"/v1/documents/{document_id}/pages?limit=1"
    numbers, listed = [], []
    while path:
        answer = await client.get(path)
        listed += answer.json()["items"]
        numbers.append([page["number"] for page in answer.json()["items"]])
        link = answer.links.get("next", {}).get("url")
        cursor = answer.json()["next"]
        assert (link is None) == (cursor is None)
        assert link is None or (cursor in link and "limit=1" in link)
        path = link
    assert numbers == [[1], [2], [3]]
    whole = (await client.get(f"/v1/documents/{document_id}/pages?limit=3")).json()
    assert (whole["items"], whole["next"]) == (listed, None)
    for wrong in ("!!", "bjE_", "eDE", "é", "bi0x", "bjk5OTk5OTk5OTk5OTk5"):
        answer = await client.get(f"/v1/documents/{document_id}/pages", params={"cursor": wrong})
        problem_of(answer, 422, "request_invalid")


async def check_page(client: Client, document_id: str) -> None:
    page = (await client.get(f"/v1/documents/{document_id}/pages/1")).json()
    assert (page["number"], page["status"], page["text"]) == (1, "read", PAGES[0])
    assert [line["text"] for line in page["lines"]] == PAGES[0].splitlines()
    assert sum(len(line["words"]) for line in page["lines"]) == page["word_count"] == 9
    for line in page["lines"]:
        for part in (line, *line["words"]):
            assert 0 <= part["box"]["left"] <= part["box"]["left"] + part["box"]["width"] <= 1
            assert 0 <= part["box"]["top"] <= part["box"]["top"] + part["box"]["height"] <= 1
            assert 50 < part["confidence"] <= 100
    assert page["lines"][0]["box"]["top"] < page["lines"][1]["box"]["top"]
    problem_of(await client.get(f"/v1/documents/{document_id}/pages/4"), 404, "page_not_found")
    for wrong in ("0", "-1", "one", str(2**31)):
        problem_of(await client.get(f"/v1/documents/{document_id}/pages/{wrong}"), 422, "request_invalid")


async def check_textract(client: Client, document_id: str) -> None:
    """Textract's own parsers find the same pages and lines as our own formats show."""
    answer = await client.get(f"/v1/documents/{document_id}/textract")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-encoding"] == "gzip"
    result = answer.json()
    assert result["DocumentMetadata"] == {"Pages": 3}
    expected = [page.splitlines() for page in PAGES]
    blocks = [block for block in result["Blocks"] if block["BlockType"] == "LINE"]
    assert [[b["Text"] for b in blocks if b["Page"] == number] for number in (1, 2, 3)] == expected
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the parsers' own, on import
        assert lines_by_trp(result) == lines_by_trp2(result) == lines_by_textractor(result) == expected


def lines_by_trp(result: dict[str, Any]) -> list[list[str]]:
    import trp  # type: ignore[import-untyped]  # it ships no types

    return [[line.text.strip() for line in page.lines] for page in trp.Document(result).pages]


def lines_by_trp2(result: dict[str, Any]) -> list[list[str]]:
    from trp.trp2 import TDocument, TDocumentSchema  # type: ignore[import-untyped]  # it ships no types

    document: TDocument = TDocumentSchema().load(result)
    return [[line.text for line in document.lines(page=page)] for page in document.pages]


def lines_by_textractor(result: dict[str, Any]) -> list[list[str]]:
    from textractor.parsers import response_parser  # type: ignore[import-untyped]  # it ships no types

    document = response_parser.parse(result)
    return [[line.text for line in page.lines] for page in document.pages]


GZIP_IS_WANTED = ("gzip", "deflate, GZip;q=0.5", "br;q=1.0 , *;q=0.1", "gzip;q=0.3, identity;q=0.3, *;q=0")
PLAIN_IS_WANTED = ("", "identity", "gzip;q=0", "*, gzip;q=0.000", "br", "gzip;q=0.5, identity", "gzip;q=x", "gzip gzip")


async def test_a_result_goes_out_compressed_to_who_takes_it(bench: Bench, client: Client) -> None:
    """The bytes that are stored, or what they stand for; both say that it depends."""
    job = await read_job(bench)
    content = b'{"Blocks":[%s]}' % (b" " * 2_000_000)
    stored = gzip.compress(content)
    await bench.tools.bucket.put(str(job.result_key), stored, "application/json", "gzip")
    for accepted in (*GZIP_IS_WANTED, *PLAIN_IS_WANTED):
        answer, body = await raw_answer(client, f"/v1/documents/{job.document_id}/textract", accepted)
        encoding, expected = ("gzip", stored) if accepted in GZIP_IS_WANTED else (None, content)
        assert (answer.headers.get("content-encoding"), body == expected) == (encoding, True), accepted
        assert (answer.headers["content-type"], answer.headers["vary"]) == ("application/json", "Accept-Encoding")


async def test_a_result_that_was_stored_plain_goes_out_plain(bench: Bench, client: Client) -> None:
    """Whatever the caller takes."""
    job = await read_job(bench)
    await bench.tools.bucket.put(str(job.result_key), b'{"Blocks":[]}', "application/json")
    for accepted in ("gzip", "identity"):
        answer, body = await raw_answer(client, f"/v1/documents/{job.document_id}/textract", accepted)
        assert (answer.status_code, body, answer.headers.get("content-encoding")) == (200, b'{"Blocks":[]}', None)


async def test_a_result_that_is_cut_off_in_the_bucket_is_not_taken_for_whole(bench: Bench, client: Client) -> None:
    """The connection is cut, as it is where the bucket goes away in the middle."""
    job = await read_job(bench)
    stored = gzip.compress(b'{"Blocks":[]}' + bytes(2_000_000))
    await bench.tools.bucket.put(str(job.result_key), stored[:-20], "application/json", "gzip")
    with pytest.raises(httpx.RemoteProtocolError):
        await raw_answer(client, f"/v1/documents/{job.document_id}/textract", "identity")


async def raw_answer(client: Client, path: str, accepted: str) -> tuple[httpx.Response, bytes]:
    """An answer to who takes these encodings, and its body as it comes."""
    async with client.stream("GET", path, headers={"Accept-Encoding": accepted}) as answer:
        return answer, b"".join([chunk async for chunk in answer.aiter_raw()])


RESULTS = ("text", "pages", "pages/1", "textract")


async def test_a_result_is_not_there_before_it_is_read(client: Client) -> None:
    """While a document is still being read, its results are a 409 that says when to come back."""
    submitted = await client.submit(letter("Hello"))
    document_id = submitted["document"]["id"]
    for result in RESULTS:
        answer = await client.get(f"/v1/documents/{document_id}/{result}")
        problem_of(answer, 409, "result_not_ready")
        assert int(answer.headers["retry-after"]) > 0
    document = (await client.get(f"/v1/documents/{document_id}")).json()
    assert document["state"]["ocr"]["status"] == "pending"
    await client.post(f"/v1/jobs/{submitted['job']['id']}/cancel")
    for result in RESULTS:
        problem = problem_of(await client.get(f"/v1/documents/{document_id}/{result}"), 409, "result_unavailable")
        assert "cancelled" in problem["detail"]
    document = (await client.get(f"/v1/documents/{document_id}")).json()
    assert document["state"]["ocr"]["status"] == "cancelled"


async def test_a_document_that_could_not_be_read_says_why(client: Client, worker: str) -> None:
    """The results of a dead letter are a 409 with its reason, and its state shows the step that failed."""
    document_id = await read(client, b"%PDF-1.7\nthis is no document\n")
    job = (await client.get(f"/v1/documents/{document_id}")).json()["job"]
    assert (job["state"], job["error"]["code"]) == ("deadletter", "document_corrupt")
    for result in RESULTS:
        problem = problem_of(await client.get(f"/v1/documents/{document_id}/{result}"), 409, "result_unavailable")
        assert job["error"]["message"] in problem["detail"]
        assert "retry-after" not in (await client.get(f"/v1/documents/{document_id}/{result}")).headers
    step = (await client.get(f"/v1/documents/{document_id}")).json()["state"]["ocr"]
    assert (step["status"], step["metadata"]["error"]["code"]) == ("failed", "document_corrupt")


async def test_what_is_not_there_is_a_404(client: Client) -> None:
    """Every route of a document says so where there is none."""
    for path in ("", *(f"/{result}" for result in RESULTS)):
        problem_of(await client.get(f"/v1/documents/{uuid4()}{path}"), 404, "document_not_found")


@pytest.mark.corpus
async def test_a_real_document_comes_out_as_textract_blocks(client: Client, worker: str, corpus: Path) -> None:
    """A real document's result loads in Textract's parsers, and holds what our own text holds."""
    document_id = await read(client, (corpus / "documents/legal/ca2_1-1.pdf").read_bytes())
    result = (await client.get(f"/v1/documents/{document_id}/textract")).json()
    text = (await client.get(f"/v1/documents/{document_id}/text")).text
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the parsers' own, on import
        by_trp = lines_by_trp(result)
    assert len(by_trp) == result["DocumentMetadata"]["Pages"] == text.count("\f") + 1
    assert sorted(" ".join(line for page in by_trp for line in page).split()) == sorted(text.split())
    assert "COURT" in text.upper()
