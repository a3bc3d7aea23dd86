"""A page process's work: opening documents, reading their pages, and telling failures in words that cross processes."""

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, lru_cache
from pathlib import Path

from PIL import Image

from app.textract_server.blocks import pack, page_blocks
from app.textract_server.failures import DocumentError, FailureCode, PageError, ReadingError
from app.textract_server.formats import Document, Raster, open_document
from app.textract_server.kinds import DocumentKind
from app.textract_server.limits import IMAGE_SIDE_PIXELS, ReadingLimits
from app.textract_server.missed_lines import with_missed_lines
from app.textract_server.reader import PageReader
from app.textract_server.readings import (
    DocumentFile,
    Inspection,
    PageBlocks,
    PageReading,
    PageRequest,
    ReadBy,
    ReadingFacts,
)
from app.textract_server.repair import repaired_copy

READ_ON_SECONDS = 0.1
"""Pages that carry their text are read one after the other for so long: a page takes its process 17 ms then, and 20 ms
where each is handed out by itself, measured on court filings."""


def inspect_document(file: DocumentFile) -> Inspection:
    """Open a document and count its pages; a damaged PDF is repaired into a copy beside it first."""
    with _told_as(DocumentError):
        try:
            return Inspection(file, _document(file.path, file.kind).page_count)
        except DocumentError as error:
            if file.kind is not DocumentKind.PDF or error.code is not FailureCode.BAD_DOCUMENT:
                raise
        copy = repaired_copy(file.path)
        return Inspection(DocumentFile(copy, file.kind), _document(copy, file.kind).page_count)


def begin_document(request: PageRequest) -> Inspection:
    """Open a document as `inspect_document` does, and read its first pages as far as they carry their text."""
    began = time.monotonic()
    inspection = inspect_document(request.file)
    count = min(request.count, inspection.page_count)
    return replace(inspection, pages=_read_on(replace(request, file=inspection.file, count=count), began))


def read_pages(request: PageRequest) -> tuple[PageBlocks, ...]:
    """Read a page, and up to `count` in all as far as they carry their text and that is quick; ReadingError of the first."""
    began = time.monotonic()
    first = read_page(request)
    if first.facts is None or first.facts.read_by is not ReadBy.TEXT_LAYER:
        return (first,)
    return (first, *_read_on(replace(request, page=request.page + 1, count=request.count - 1), began))


def read_page(request: PageRequest) -> PageBlocks:
    """Read one page into packed blocks: from its own text where that can be trusted, else by its looks."""
    return _from_its_text(request) or _by_its_looks(request)


def second_opinion(request: PageRequest, first: ReadingFacts) -> PageBlocks | None:
    """Read one page again by another engine; None where that is no better."""
    from app.textract_server.second_opinion import second_reading  # noqa: PLC0415 - an extra, in one process only

    with _told_as(PageError):
        render = _render(request)
        reading = second_reading(render(), first)
        return None if reading is None else _blocks(request, reading, render)


def _read_on(request: PageRequest, began: float) -> tuple[PageBlocks, ...]:
    found: list[PageBlocks] = []
    while len(found) < request.count and time.monotonic() - began < READ_ON_SECONDS:
        try:
            blocks = _from_its_text(replace(request, page=request.page + len(found)))
        except ReadingError:
            break  # It is told when the page is asked for by itself.
        if blocks is None:
            break
        found.append(blocks)
    return tuple(found)


def _from_its_text(request: PageRequest) -> PageBlocks | None:
    began = time.monotonic()
    with _told_as(PageError):
        if not request.limits.uses_text_layer:
            return None
        reading = _document(request.file.path, request.file.kind).text(request.page)
        if reading is None:
            return None
        return replace(_blocks(request, reading, _render(request)), seconds=time.monotonic() - began)


def _by_its_looks(request: PageRequest) -> PageBlocks:
    began, render = time.monotonic(), _render(request)
    with _told_as(PageError):
        reading = _with_own_text(request, _reader(request.limits).read(render()), render)
        return replace(_blocks(request, reading, render), seconds=time.monotonic() - began)


def _with_own_text(request: PageRequest, reading: PageReading, render: Callable[[], Raster]) -> PageReading:
    """Add the lines of a PDF's own text that were missed on a page with fields or notes."""
    if not request.limits.uses_text_layer:
        return reading
    layer = _document(request.file.path, request.file.kind).text_under_annotations(request.page)
    return reading if layer is None else with_missed_lines(reading, layer, render().image)


def _render(request: PageRequest) -> Callable[[], Raster]:
    """What draws a page: once, when first asked."""
    return cache(lambda: _document(request.file.path, request.file.kind).raster(request.page, request.limits))


def _blocks(request: PageRequest, reading: PageReading, render: Callable[[], Raster]) -> PageBlocks:
    if request.features:
        from app.textract_server.analysis import analysed  # noqa: PLC0415 - what text alone doesn't need

        reading = analysed(reading, render, request.features)
    blocks = pack(page_blocks(reading, request.page if request.numbered else None))
    return replace(blocks, facts=reading.facts)


# A process reads page after page of few documents: it keeps the engine, and the document it read last.
@lru_cache(maxsize=1)
def _reader(limits: ReadingLimits) -> PageReader:
    return PageReader(limits)


@lru_cache(maxsize=1)
def _document(path: Path, kind: DocumentKind) -> Document:
    # Textract's own limit on a side is checked before a pixel is decoded; Pillow's guard would refuse less.
    Image.MAX_IMAGE_PIXELS = IMAGE_SIDE_PIXELS * IMAGE_SIDE_PIXELS
    warnings.simplefilter("ignore")  # Pillow's remarks on damaged files: what matters of them ends as an error.
    return open_document(path, kind)


@contextmanager
def _told_as(failure: type[ReadingError]) -> Iterator[None]:
    """Turn whatever a damaged file provokes into an error that the parent can unpickle and a caller can read."""
    try:
        yield
    except ReadingError:
        raise
    except MemoryError as error:
        raise failure(FailureCode.PAGE_TOO_LARGE, "Reading this takes more memory than it may.") from error
    except Exception as error:
        # The outermost edge of a page process. Pillow, pdfium and qpdf answer damage with any error there is.
        code = FailureCode.BAD_DOCUMENT if failure is DocumentError else FailureCode.BAD_PAGE
        raise failure(code, f"The data is damaged ({type(error).__name__}).") from error
