"""A searchable PDF: the document's own pages as they are, with what was read on them as invisible text in its place.

Pages are not drawn anew: a stream of invisible text goes before each page's own content, whose streams are copied as
they stand. Pages that have their text already keep it, and get no second one; where a page has some, such as a court's
stamp on a scan, only what it lacks is added.
"""

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pikepdf
import pypdfium2 as pdfium  # type: ignore[import-untyped]  # it ships no types
from pikepdf import Name, ObjectStreamMode, StreamDecodeLevel

from app.errors import DocumentCorrupt, DocumentEncrypted
from app.formats.existing_text import existing_text
from app.formats.invisible_font import InvisibleFont, compressed
from app.formats.page_frame import PageFrame
from app.formats.page_sizes import PDF
from app.formats.pages import read_pages
from app.formats.picture_pdf import picture_pdf
from app.formats.text_layer import face_name, text_layer
from app.ocr.blocks import PageText

MEDIA_TYPE = PDF
FONT_NAME = "/QuireText"


def searchable_pdf(document: Path, media_type: str, pages: Path, target: Path) -> None:
    """Write a document with its text layer; `pages` is a file with a page's JSON on each line.

    Raises `DocumentEncrypted` and `DocumentCorrupt`.
    """
    if media_type == PDF:
        source = readable_pdf(document, target.with_suffix(".repaired"))
    else:
        source = target.with_suffix(".pictures")
        picture_pdf(document, source)
    try:
        added = _with_layers(source, pages, target)
    except DocumentCorrupt:
        if media_type != PDF:
            raise
        # PDFium opens some that qpdf refuses, as those of which only the end of a table is cut off.
        added = _with_layers(_rewritten(source, target.with_suffix(".rewritten")), pages, target)
    if not added:
        shutil.copyfile(source, target)


def _with_layers(source: Path, pages: Path, target: Path) -> bool:
    """Write a PDF with the text that its pages lack; nothing where they lack none, which is told."""
    with opened_pdf(source) as pdf, closing(pdfium.PdfDocument(source)) as shown:
        added = _add_layers(pdf, shown, read_pages(pages))
        if added:
            save(pdf, target)
    return added


def _rewritten(path: Path, copy: Path) -> Path:
    """A copy of a PDF that PDFium opens, as PDFium writes it."""
    with closing(pdfium.PdfDocument(path)) as document:
        document.save(copy)
    return copy


def readable_pdf(path: Path, repaired: Path) -> Path:
    """A PDF that PDFium opens: the file itself, or a copy that qpdf has repaired. Raises as `searchable_pdf` does."""
    try:
        with closing(pdfium.PdfDocument(path)):
            return path
    except pdfium.PdfiumError as error:
        if error.err_code == pdfium.raw.FPDF_ERR_PASSWORD:
            raise DocumentEncrypted from error
    with opened_pdf(path) as pdf:
        save(pdf, repaired)
    try:
        with closing(pdfium.PdfDocument(repaired)):
            return repaired
    except pdfium.PdfiumError as error:
        raise DocumentCorrupt from error


@contextmanager
def opened_pdf(path: Path) -> Iterator[pikepdf.Pdf]:
    """A PDF, opened to be changed. Raises `DocumentEncrypted` and `DocumentCorrupt`, within the block too."""
    try:
        # Not mapped into memory: a large file would take up all the address space that there is.
        with pikepdf.open(path, access_mode=pikepdf.AccessMode.stream) as pdf:
            yield pdf
    except pikepdf.PasswordError as error:
        raise DocumentEncrypted from error
    except (pikepdf.PdfError, pikepdf.ForeignObjectError, ValueError, RuntimeError, OverflowError) as error:
        raise DocumentCorrupt from error


def save(pdf: pikepdf.Pdf, target: Path) -> None:
    """Write a PDF with its encoded streams as they are; one that is locked against changes alone stays locked."""
    locked = pdf.is_encrypted
    pdf.save(
        target,
        stream_decode_level=None if locked else StreamDecodeLevel.none,
        object_stream_mode=ObjectStreamMode.generate,
        encryption=locked,
        deterministic_id=not locked,
        fix_metadata_version=False,
    )


def _add_layers(pdf: pikepdf.Pdf, shown: pdfium.PdfDocument, pages: Iterator[PageText]) -> bool:
    """Add the text that pages lack; whether there was any."""
    count = min(len(pdf.pages), len(shown))
    font = InvisibleFont(pdf)
    for page in pages:
        if page.lines and page.number <= count:
            _add_layer(pdf, pdf.pages[page.number - 1], shown, page, font)
    if font.is_unused:
        return False
    font.finish()
    return True


def _add_layer(
    pdf: pikepdf.Pdf, sheet: pikepdf.Page, shown: pdfium.PdfDocument, page: PageText, font: InvisibleFont
) -> None:
    with closing(shown[page.number - 1]) as view:
        frame = PageFrame.of(view)
        existing = existing_text(view, frame)
    if existing.is_all_of(page):
        return
    name = _free_name(sheet)
    operators = text_layer(page, frame, font, name, existing)
    if not operators:
        return
    for number, face in enumerate(font.faces):
        sheet.add_resource(face, Name.Font, Name(face_name(name, number)))
    # Before the page's own content: that may leave any state behind, and invisible text is as well found beneath it.
    sheet.contents_add(pdf.make_stream(compressed(operators), Filter=Name.FlateDecode), prepend=True)


def _free_name(sheet: pikepdf.Page) -> str:
    """A name that none of the page's own fonts has."""
    fonts, name = sheet.resources.get(Name.Font, pikepdf.Dictionary()), FONT_NAME
    while name in fonts:
        name += "X"
    return name
