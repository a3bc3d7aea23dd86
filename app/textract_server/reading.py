"""A page process's work: opening documents, reading their pages, and telling failures in words that cross processes."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, lru_cache, partial
from pathlib import Path

from PIL import Image

from app.textract_server.blocks import pack, page_blocks
from app.textract_server.failures import DocumentError, FailureCode, PageError, ReadingError
from app.textract_server.formats import Document, Raster, open_document
from app.textract_server.kinds import DocumentKind
from app.textract_server.limits import IMAGE_SIDE_PIXELS, ReadingLimits
from app.textract_server.reader import PageReader
from app.textract_server.readings import DocumentFile, Inspection, PageBlocks, PageReading, PageRequest, ReadingFacts
from app.textract_server.repair import repaired_copy


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


def read_page(request: PageRequest) -> PageBlocks:
    """Read one page into packed blocks: from its own text where that can be trusted, else by its looks."""
    with _told_as(PageError):
        document, limits = _document(request.file.path, request.file.kind), request.limits
        render = cache(partial(document.raster, request.page, limits))
        reading = document.text(request.page) if limits.uses_text_layer else None
        if reading is None:
            reading = _reader(limits).read(render())
        return _blocks(request, reading, render)


def second_opinion(request: PageRequest, first: ReadingFacts) -> PageBlocks | None:
    """Read one page again by another engine; None where that is no better."""
    from app.textract_server.second_opinion import second_reading  # noqa: PLC0415 - an extra, in one process only

    with _told_as(PageError):
        render = cache(partial(_document(request.file.path, request.file.kind).raster, request.page, request.limits))
        reading = second_reading(render(), first)
        return None if reading is None else _blocks(request, reading, render)


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
