"""Real documents in every format, by tools of others: the words are where the boxes are, and files stay small."""

import asyncio
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import closing
from html import unescape
from itertools import pairwise
from pathlib import Path
from typing import Any

import anyio
import pypdfium2 as pdfium  # type: ignore[import-untyped]  # it ships no types
import pytest

from app.entities.mentions import EntityExtractor
from tests.formats.sheets import text_of
from tests.formats.test_alto import SCHEMAS, is_valid
from tests.formats.test_hocr import complaints
from tests.formats.test_text_layer import told_by_pdftotext
from tests.service import Client, hurried, running_quire
from tests.stack import Stack

pytestmark = [pytest.mark.corpus, pytest.mark.timeout(240)]

SCANNED = (
    "legal/image-pdf-2.pdf",
    "rotated/ocr_test_rotated_90.pdf",
    "scanned_print/phototest.tif",
    "forms_receipts/sroie_000.jpg",
    "tables/bill.png",
)
BORN_DIGITAL = ("legal/ca10_010110462922.pdf", "legal/ca2_1-1.pdf", "legal/cafc_3.pdf")
DENSE = ("rotated/cardinal.pdf", "low_quality/ca10_100dpi_q20.jpg")
"""With much text for the size of their files."""
MOST_GROWTH = 1.2
LEAST_FOUND = 0.97
LEAST_FOUND_WHOLE = 0.99
FIRST_WITHOUT_BLANKS = "\u2e80"
"""From here on are the scripts of East Asia, which have no blanks between words: readers leave them out."""

_WORD = re.compile(r'<word xMin="([\d.-]+)" yMin="([\d.-]+)" xMax="([\d.-]+)" yMax="([\d.-]+)">(.*?)</word>')
_PAGE = re.compile(r"<page [^>]*>(.*?)</page>", re.DOTALL)

Place = tuple[str, float, float]


@pytest.fixture(scope="module")
async def client(
    stack: Stack, extractor: EntityExtractor, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Client]:
    """A client of one Quire for all tests: a document that one of them has had read is read for the others too."""
    with stack.fresh_settings(tmp_path_factory.mktemp("quire")) as settings:
        async with running_quire(hurried(settings), extractor) as client:
            yield client


async def read(client: Client, file: Path) -> str:
    """Submit a document, and wait for its end; its id."""
    submitted = await client.submit(await anyio.Path(file).read_bytes(), filename=file.name)
    job = await client.ended(submitted["job"]["id"], within_seconds=200)
    assert job["state"] == "done", job
    return str(submitted["document"]["id"])


async def words_of(client: Client, document_id: str) -> list[list[dict[str, Any]]]:
    """The words of each page."""
    return [[word for line in page["lines"] for word in line["words"]] for page in await pages_of(client, document_id)]


async def lines_of(client: Client, document_id: str) -> list[list[str]]:
    """The words of each line, pages one after the other, as they are said."""
    pages = await pages_of(client, document_id)
    return [["".join(word["text"].split()) for word in line["words"]] for page in pages for line in page["lines"]]


async def pages_of(client: Client, document_id: str) -> list[dict[str, Any]]:
    """The pages, as the API gives them."""
    count = (await client.get(f"/v1/documents/{document_id}")).json()["page_count"]
    return [(await client.get(f"/v1/documents/{document_id}/pages/{number}")).json() for number in range(1, count + 1)]


async def fetched(client: Client, document_id: str, path: str, folder: Path) -> Path:
    """A format as a file."""
    answer = await client.get(f"/v1/documents/{document_id}/{path}")
    assert answer.status_code == 200, answer.text
    file = folder / f"{document_id}.{path}"
    await anyio.Path(file).write_bytes(answer.content)
    return file


def places_by_pdftotext(path: Path) -> list[list[Place]]:
    """Each page's words by Poppler, and the middle of each, in shares of the page."""
    told = subprocess.run(
        ["pdftotext", "-bbox", "-cropbox", str(path), "-"], capture_output=True, text=True, check=True
    ).stdout
    pages = []
    # Where a page is turned by its /Rotate, Poppler tells its sides as they are on paper, and its words as they are shown.
    for (width, height), body in zip(sizes_of(path), _PAGE.findall(told), strict=True):
        words = []
        for left, top, right, bottom, text in _WORD.findall(body):
            across, down = (float(left) + float(right)) / 2, (float(top) + float(bottom)) / 2
            words.append((unescape(text), across / width, down / height))
        pages.append(words)
    return pages


def sizes_of(path: Path) -> list[tuple[float, float]]:
    """The sides of each page as it is shown, in points."""
    with closing(pdfium.PdfDocument(path)) as document:
        return [document.get_page_size(index) for index in range(len(document))]


def share_found(expected: list[dict[str, Any]], found: list[Place]) -> float:
    """The share of words that a reader finds by their text with their middle in their box, or next to it."""
    if not expected:
        return 1.0
    return sum(any(_is_at(word, place) for place in found) for word in expected) / len(expected)


def _is_at(word: dict[str, Any], place: Place) -> bool:
    box, (text, across, down) = word["box"], place
    near = 0.006  # of the page: a comma is as high as its line there
    return (
        word["text"] in text
        and box["left"] - near <= across <= box["left"] + box["width"] + near
        and box["top"] - near <= down <= box["top"] + box["height"] + near
    )


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="pdftotext (poppler-utils) is not installed")
@pytest.mark.parametrize("name", SCANNED)
async def test_pdftotext_finds_words_where_they_are(client: Client, corpus: Path, tmp_path: Path, name: str) -> None:
    """Of scans, upright or turned, and of photographs."""
    document_id = await read(client, corpus / "documents" / name)
    path = await fetched(client, document_id, "searchable.pdf", tmp_path)
    expected = await words_of(client, document_id)
    found = places_by_pdftotext(path)
    assert len(found) == len(expected)
    for words, places in zip(expected, found, strict=True):
        assert share_found(words, places) >= LEAST_FOUND


def words_not_found(lines: list[list[str]], text: str) -> tuple[int, list[str]]:
    """How many words a reader's text hasn't got, and which pairs of neighbours it has as one word that no page has.

    Halves of words that were broken at a line's end don't count: readers mend them.
    """
    read = Counter(word for line in lines for word in line if word[0] < FIRST_WITHOUT_BLANKS)
    found = Counter(text.split())
    broken = {
        half
        for line, following in pairwise(lines)
        if line and following and line[-1][-1] in "-\u2010"
        for half in (line[-1], following[0])
    }
    pairs = {first + second for line in lines for first, second in pairwise(line)}
    run_together = [pair for pair in pairs & (found.keys() - read.keys()) if pair[0] < FIRST_WITHOUT_BLANKS]
    return sum(count for word, count in (read - found).items() if word not in broken), run_together


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="pdftotext (poppler-utils) is not installed")
@pytest.mark.parametrize("name", [*SCANNED, *DENSE])
async def test_readers_find_each_word_by_itself(client: Client, corpus: Path, tmp_path: Path, name: str) -> None:
    """Poppler, which goes by the distance from word to word, and PDFium, which goes by blanks: no two run together."""
    document_id = await read(client, corpus / "documents" / name)
    path = await fetched(client, document_id, "searchable.pdf", tmp_path)
    lines = await lines_of(client, document_id)
    by_pdfium = " ".join(text_of(path, number) for number in range(1, len(sizes_of(path)) + 1))
    for told in (told_by_pdftotext(path), by_pdfium):
        missing, run_together = words_not_found(lines, told)
        assert run_together == []
        assert missing <= (1 - LEAST_FOUND_WHOLE) * sum(map(len, lines))


@pytest.mark.parametrize("name", [*SCANNED, *DENSE])
async def test_scans_stay_small_and_are_searchable(client: Client, corpus: Path, tmp_path: Path, name: str) -> None:
    """At most a fifth larger, with all that was read in them by another library's reading."""
    original = corpus / "documents" / name
    document_id = await read(client, original)
    path = await fetched(client, document_id, "searchable.pdf", tmp_path)
    assert path.stat().st_size <= MOST_GROWTH * original.stat().st_size
    pages = await words_of(client, document_id)
    text = "".join("".join(text_of(path, number).split()) for number in range(1, len(pages) + 1))
    words = [word["text"] for page in pages for word in page]
    assert sum("".join(word.split()) in text for word in words) >= LEAST_FOUND * len(words)


async def test_written_filings_come_back_as_they_are(client: Client, corpus: Path, tmp_path: Path) -> None:
    """Born-digital documents have their text already: they get no second layer, and not a byte is changed."""
    for name in BORN_DIGITAL:
        original = corpus / "documents" / name
        document_id = await read(client, original)
        path = await fetched(client, document_id, "searchable.pdf", tmp_path)
        assert path.read_bytes() == original.read_bytes(), name


async def test_validators_pass(client: Client, corpus: Path, tmp_path: Path) -> None:
    """Of hOCR and ALTO, on filings and on a scan that lies on its side."""
    names = [*BORN_DIGITAL[:2], "rotated/ocr_test_rotated_90.pdf"]
    ids = await asyncio.gather(*(read(client, corpus / "documents" / name) for name in names))
    for name, document_id in zip(names, ids, strict=True):
        assert complaints(await fetched(client, document_id, "hocr", tmp_path)) == [], name
        alto = await fetched(client, document_id, "alto", tmp_path)
        assert all(is_valid(alto, schema) for schema in SCHEMAS), name
