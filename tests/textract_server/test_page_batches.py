"""Pages that carry their text are read many at a time, and each is read, told of and given up as if it were alone."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import pytest

from app.textract_server import reading
from app.textract_server.failures import FailureCode, PageError
from app.textract_server.geometry import QuarterTurns
from app.textract_server.kinds import DocumentKind
from app.textract_server.limits import ReadingLimits
from app.textract_server.page_batches import MOST_AT_ONCE, PageBatches
from app.textract_server.readings import DocumentFile, PageBlocks, PageRequest, ReadBy, ReadingFacts
from tests.textract_server import sheets
from tests.textract_server.invariants import check_detection
from tests.textract_server.running import TextractServer

MOST_IN_HAND = 4
AT_A_TIME = 6
"""How many pages the reader below gets through in a call."""


@dataclass
class Reader:
    """Reads a made-up document: which of its pages are scans, and which page kills whoever reads it."""

    scans: frozenset[int] = frozenset()
    deadly: int = 0
    read: Counter[int] = field(default_factory=Counter)
    calls: list[tuple[int, int]] = field(default_factory=list)
    given_up: list[int] = field(default_factory=list)
    in_hand: int = 0
    most_in_hand: int = 0

    async def __call__(self, first: int, count: int) -> tuple[PageBlocks, ...]:
        self.calls.append((first, count))
        self.in_hand += 1
        self.most_in_hand = max(self.most_in_hand, self.in_hand)
        await asyncio.sleep(0)
        self.in_hand -= 1
        pages = [first]
        while first not in self.scans and len(pages) < min(count, AT_A_TIME) and pages[-1] + 1 not in self.scans:
            pages.append(pages[-1] + 1)
        if self.deadly in pages:
            raise PageError(FailureCode.INTERNAL, "The process that was reading died.")
        self.read.update(pages)
        return tuple(self._blocks(page) for page in pages)

    async def give_up(self, page: int, _: PageError) -> None:
        self.given_up.append(page)

    def _blocks(self, page: int) -> PageBlocks:
        read_by = ReadBy.TESSERACT if page in self.scans else ReadBy.TEXT_LAYER
        return PageBlocks(b"", 1, ReadingFacts(read_by, 99.0, 1.0, QuarterTurns.NONE, is_blank=False))


async def read_all(reader: Reader, pages: range, *, carries_text: bool) -> None:
    await PageBatches(pages, MOST_IN_HAND, carries_text=carries_text).read(reader, reader.give_up)


@pytest.mark.parametrize("scans", [frozenset(), frozenset({9}), frozenset(range(3, 41)), frozenset(range(1, 41))])
@pytest.mark.parametrize("carries_text", [True, False])
async def test_every_page_is_read_once(scans: frozenset[int], carries_text: bool) -> None:
    reader = Reader(scans)
    await read_all(reader, range(1, 41), carries_text=carries_text)
    assert reader.read == Counter(range(1, 41))
    assert not reader.given_up
    assert reader.most_in_hand <= MOST_IN_HAND


async def test_scans_go_out_one_by_one_so_that_all_processes_have_some() -> None:
    reader = Reader(frozenset(range(1, 41)))
    await read_all(reader, range(1, 41), carries_text=False)
    assert {count for _, count in reader.calls} == {1}
    assert reader.most_in_hand == MOST_IN_HAND


async def test_written_pages_go_out_together() -> None:
    reader = Reader()
    await read_all(reader, range(1, 41), carries_text=True)
    assert max(count for _, count in reader.calls) == MOST_AT_ONCE
    assert len(reader.calls) < 20


@pytest.mark.parametrize("deadly", [1, 7, 40])
async def test_a_page_that_kills_its_process_among_others_costs_itself_only(deadly: int) -> None:
    reader = Reader(deadly=deadly)
    await read_all(reader, range(1, 41), carries_text=True)
    assert reader.given_up == [deadly]
    assert set(reader.read) == set(range(1, 41)) - {deadly}


def mixed_pdf(folder: Path) -> Path:
    """Three written pages, one whose text says nothing, and two more that are written."""
    path = folder / "document.pdf"
    pages = [[f"Page {number} of the record", *sheets.SENTENCES] for number in range(1, 7)]
    pages[3] = ["xq zv"]
    path.write_bytes(sheets.pdf(*pages))
    return path


def test_reading_on_stops_before_the_first_page_that_must_be_looked_at(tmp_path: Path) -> None:
    file = DocumentFile(mixed_pdf(tmp_path), DocumentKind.PDF)
    request = PageRequest(file, 1, numbered=True, limits=ReadingLimits(), count=MOST_AT_ONCE)
    inspection = reading.begin_document(request)
    assert inspection.page_count == 6
    assert len(inspection.pages) == 3
    assert len(reading.read_pages(replace(request, page=2, count=2))) == 2
    (looked_at,) = reading.read_pages(replace(request, page=4, count=3))
    assert looked_at.facts is not None
    assert looked_at.facts.read_by is ReadBy.TESSERACT
    assert len(reading.read_pages(replace(request, page=5, count=2))) == 2


def test_where_text_is_not_to_be_used_no_page_is_read_when_the_document_is_opened(tmp_path: Path) -> None:
    file = DocumentFile(mixed_pdf(tmp_path), DocumentKind.PDF)
    limits = ReadingLimits(uses_text_layer=False)
    assert reading.begin_document(PageRequest(file, 1, numbered=True, limits=limits, count=9)).pages == ()


def test_a_document_of_both_kinds_is_whole_and_every_page_leaves_one_event(
    own_server: Callable[..., TextractServer], tmp_path: Path
) -> None:
    """Events tell how each page was read, one after the other in their process, and never go back in time."""
    trace = tmp_path / "trace.jsonl"
    server = own_server(OCR_TEXT_LAYER="auto", OCR_SECOND_OPINION="off", TEXTRACT_SERVER_TRACE_FILE=str(trace))
    jobs = [server.start_job(mixed_pdf(tmp_path).read_bytes()) for _ in range(4)]
    for job in jobs:
        result = server.finished(job)
        check_detection(result, numbered=True)
        first_lines = [
            next(block["Text"] for block in result["Blocks"] if block["BlockType"] == "LINE" and block["Page"] == page)
            for page in (1, 2, 3, 5, 6)
        ]
        assert first_lines == [f"Page {page} of the record" for page in (1, 2, 3, 5, 6)]
    events = [json.loads(line) for line in trace.read_text().splitlines()]
    assert Counter((event["owner"], event["page"]) for event in events) == Counter(
        (job, page) for job in jobs for page in range(1, 7)
    )
    assert {event["page"] for event in events if event["read_by"] == "tesseract"} == {4}
    assert [event["ended_at"] for event in events] == sorted(event["ended_at"] for event in events)
    for pid in {event["pid"] for event in events}:
        mine = [event for event in events if event["pid"] == pid]
        assert all(earlier["ended_at"] <= later["started_at"] for earlier, later in pairwise(mine))
