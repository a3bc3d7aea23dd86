"""Making a document's formats, in a process of its own: what opens hostile files may crash, swell or hang."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from app.documents.intake import MediaType
from app.documents.parts import bound_memory
from app.errors import FormatFailed, QuireError
from app.formats import alto, hocr, markdown, page_image, searchable_pdf
from app.formats.page_image import PictureRequest
from app.formats.page_sizes import PageSize, page_sizes
from app.formats.pages import read_pages
from app.ocr.blocks import PageText


class Format(StrEnum):
    """A format that a document's result is made into; also the end of its name."""

    HOCR = "hocr"
    ALTO = "alto.xml"
    SEARCHABLE_PDF = "searchable.pdf"
    MARKDOWN = "md"

    @property
    def media_type(self) -> str:
        """Its media type."""
        return _MEDIA_TYPES[self]


_MEDIA_TYPES = {
    Format.HOCR: hocr.MEDIA_TYPE,
    Format.ALTO: alto.MEDIA_TYPE,
    Format.SEARCHABLE_PDF: searchable_pdf.MEDIA_TYPE,
    Format.MARKDOWN: markdown.MEDIA_TYPE,
}


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be made, out of which files, and where it goes."""

    document: str
    media_type: MediaType
    target: str
    memory_bytes: int
    what: Format | PictureRequest
    title: str
    producer: str
    page_count: int
    pages: str
    """The file with the pages that were read, each as JSON on a line; a picture needs none."""


@dataclass(frozen=True, slots=True)
class Made:
    """How making it ended: well, or with the class and the sentence of an error."""

    error: type[QuireError] | None = None
    detail: str = ""


def make(order: Order) -> Made:
    """Make a format, within limits of memory."""
    bound_memory(order.memory_bytes)
    try:
        _make(order)
    except QuireError as error:
        return Made(type(error), error.detail)
    except MemoryError:
        return Made(FormatFailed, "Making it takes more memory than it is given (`FORMAT_MEMORY_BYTES`).")
    return Made()


def _make(order: Order) -> None:
    document, target = Path(order.document), Path(order.target)
    pages = Path(order.pages)
    match order.what:
        case PictureRequest() as request:
            page_image.page_image(document, order.media_type, request, target)
        case Format.SEARCHABLE_PDF:
            searchable_pdf.searchable_pdf(document, order.media_type, pages, target)
        case Format.MARKDOWN:
            _write(markdown.markdown(read_pages(pages)), target)
        case Format.HOCR:
            sized = _sized(document, order.media_type, pages, target)
            told = {"title": order.title, "producer": order.producer, "page_count": order.page_count}
            _write(hocr.hocr(sized, **told), target)  # type: ignore[arg-type]  # a dict of two types
        case Format.ALTO:
            sized = _sized(document, order.media_type, pages, target)
            _write(alto.alto(sized, title=order.title, producer=order.producer), target)


def _sized(document: Path, media_type: MediaType, pages: Path, target: Path) -> Iterator[tuple[PageText, PageSize]]:
    """Each page that was read, and how large it is. Pages are in order in both, and some may have not been read."""
    if media_type is MediaType.PDF:
        document = searchable_pdf.readable_pdf(document, target.with_suffix(".repaired"))
    sizes = enumerate(page_sizes(document, media_type), 1)
    for page in read_pages(pages):
        size = next((size for number, size in sizes if number == page.number), None)
        if size is None:
            raise FormatFailed(f"The document has no page {page.number}, which was read; reprocess it.")
        yield page, size


def _write(pieces: Iterable[str], target: Path) -> None:
    with target.open("w", encoding="utf-8") as file:
        file.writelines(pieces)
