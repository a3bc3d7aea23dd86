"""What stands at the edges of pages is found by words, once, and is no part of what chunks say."""

import pickle
from typing import Any

from app.knowledge import chunks
from app.pipeline.page_edges import PageEdges
from app.text.chunking import Chunk
from app.text.elements import Box, Element, Kind, Piece
from tests.bench import Bench
from tests.pipeline.texts import read_job, run_through
from tests.service import Client

PAGES = [f"The court finds that the motion number {word} is denied." for word in ("one", "two", "three", "four")]
STAMP = "Case 8:16-cv-01261-DOC-KES Document 40 Filed 08/05/16 Page {} of 4 Page ID #:365"


def edge(text: str, page: int, kind: Kind = Kind.HEADER) -> Element:
    """A line at the edge of a page."""
    place = Box(page=page, left=0.1, top=0.02, width=0.5, height=0.02)
    return Element(kind, text, (Piece(0, page * 100, page * 100 + len(text), place),))


def chunk(number: int, last_page: int) -> Chunk:
    """A chunk that ends on a page."""
    return Chunk(number, "text", 1, 1, last_page, 0, 4, [], None)


def test_each_is_kept_once_with_the_chunk_of_its_page() -> None:
    """The same with other figures, or a letter misread, is the same; page and line numbers are nothing."""
    edges = PageEdges()
    edges.add(edge("Case 16-cv-01261 Page 1 of 9", 1))
    edges.add(edge("1", 1, Kind.PAGE_MARK))
    edges.add(edge("17", 1, Kind.LINE_NUMBER))
    edges.add(edge("Case 16-cv-01261 Page 2 of 9", 2))
    edges.add(edge("Case l6-cv-01261 Page 3 of 9", 3))
    edges.add(edge("ORDER ON MOTION", 3, Kind.FOOTER))
    assert edges.beside([chunk(1, 1), chunk(2, 2)], is_last=False) == {1: "Case 16-cv-01261 Page 1 of 9"}
    edges.add(edge("The end", 9))
    assert edges.beside([chunk(3, 3), chunk(4, 8)], is_last=True) == {3: "ORDER ON MOTION", 4: "The end"}


def test_what_says_something_new_is_kept() -> None:
    """Another number, day or letter than those before, however alike the rest; but a page's own number says nothing."""
    edges = PageEdges()
    for page, text in enumerate(
        (
            "INVOICE 4400", "INVOICE 4401", "EXHIBIT A", "EXHIBIT B", "Order 6", "Roe v. Doe 6", "Roe v. Doe 7",
            "Filed 08/05/16 Page 8 of 9", "Filed 08/06/16 Page 9 of 9", "EXHIBIT B", "Roe v. Smith 11", "Record, p. xii",
            "Record, p. xiii",
        ),
        1,
    ):  # fmt: skip
        edges.add(edge(text, page))
    assert edges.beside([chunk(1, 20)], is_last=True)[1].split("\n") == [
        "INVOICE 4400", "INVOICE 4401", "EXHIBIT A", "EXHIBIT B", "Order 6", "Roe v. Doe 6",
        "Filed 08/05/16 Page 8 of 9", "Filed 08/06/16 Page 9 of 9", "Roe v. Smith 11", "Record, p. xii",
    ]  # fmt: skip
    assert PageEdges().beside([], is_last=True) == {}


def test_what_differs_on_every_page_is_kept_with_its_page() -> None:
    """Of very many pages, no more is remembered; what comes on all of them is said once all the same."""
    edges, sizes = PageEdges(), list[int]()
    for number in range(1, 501):
        edges.add(edge("Roe against Doe", number))
        edges.add(edge(f"ROE{number:06}", number, Kind.FOOTER))
        told = edges.beside([chunk(number, number)], is_last=False)
        assert told == {number: f"Roe against Doe\nROE{number:06}" if number == 1 else f"ROE{number:06}"}
        sizes.append(len(pickle.dumps(edges)))
    assert sizes[499] < 1.1 * sizes[99]


async def found(client: Client, query: str, **said: Any) -> list[dict[str, Any]]:
    """What a search finds."""
    answer = await client.post("/v1/search", json={"query": query, **said})
    assert answer.status_code == 200, answer.text
    hits: list[dict[str, Any]] = answer.json()["items"]
    return hits


async def test_a_document_is_found_by_its_stamp(client: Client, bench: Bench) -> None:
    """By its own case number, its number and its day: once for the document, marked, and not in the chunk's text."""
    job = await run_through(bench, await read_job(bench, PAGES, header=STAMP))
    for query in ("8:16-cv-01261", "Filed 08/05/16", "Document 40", "Filed motion number one"):
        (hit,) = await found(client, query, mode="text")
        assert (hit["document_id"], hit["number"]) == (str(job.document_id), 1), query
        assert hit["edges"] == STAMP.format(1)
        assert "Filed" not in hit["text"]
    (hit,) = await found(client, "Filed 08/05/16", mode="text")
    assert "<mark>Filed</mark> <mark>08/05/16</mark>" in hit["highlight"]
    listed = (await client.get(f"/v1/documents/{job.document_id}/chunks")).json()["items"]
    assert [each["edges"] for each in listed] == [STAMP.format(1), *[None] * (len(listed) - 1)]


async def test_each_page_is_found_by_the_number_stamped_on_it(client: Client, bench: Bench) -> None:
    """It is another one on every page, and says where the page is found among all that was handed over."""
    job = await run_through(bench, await read_job(bench, PAGES, header="ROE 00440{}"))
    for number in range(1, len(PAGES) + 1):
        (hit,) = await found(client, f"00440{number}", mode="text")
        assert hit["document_id"] == str(job.document_id)
        assert f"ROE 00440{number}" in hit["edges"].split("\n")


async def test_a_copy_of_a_runs_chunks_has_its_edges(bench: Bench) -> None:
    """Where a run takes over what an earlier one has made, it is found by the same words."""
    earlier = await run_through(bench, await read_job(bench, PAGES, header=STAMP))
    later = await bench.rows.job(document=await bench.rows.document())
    async with bench.tools.sessions.begin() as session:
        await chunks.copy(session, earlier.id, later)
        rows = await chunks.list_of_run(session, later.id, after=0, limit=1)
    assert rows[0].edges == STAMP.format(1)
