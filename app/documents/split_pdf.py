"""Splitting a PDF at page boundaries. Its encoded streams are copied as they are, one at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pikepdf
from pikepdf import Name

from app.documents.intake import MediaType
from app.documents.parts import PartFile, PartLimits, bounded
from app.documents.pdf_objects import is_indirect, reached
from app.errors import DocumentCorrupt, DocumentEncrypted, DocumentHasNoPages, PageTooLarge

FILLED = 0.97
"""The share of a part's bytes that its streams may fill: the rest is for the file's structure."""
OBJECT_BYTES = 200
"""What an object takes beside its stream, at a guess on the high side: they are written compressed."""
KEPT_IN_CATALOG = {"/Type", "/Pages", "/AcroForm", "/OCProperties", "/Lang", "/Version", "/Extensions"}
"""What decides how pages look: form fields and layers. Outlines, attachments and tag trees would go into every part."""
PRIVATE_TO_PAGE = ("/PieceInfo", "/Metadata", "/Thumb", "/B", "/AA")
"""What pages have that isn't seen: applications' own data, previews, threads, actions."""

# Encoded streams as they are, only the resources that pages use where they share them, and no encryption.
SAVING = {
    "decodeLevel": "none",
    "objectStreams": "generate",
    "removeUnreferencedResources": "auto",
    "decrypt": "",
    "noWarn": "",
}


@dataclass(frozen=True, slots=True)
class _Source:
    """A PDF that is to be split; one with layers takes longer, as its catalog has to be carried over."""

    path: Path
    page_count: int
    has_layers: bool


def split_pdf(path: Path, limits: PartLimits, folder: Path) -> tuple[PartFile, ...]:
    """A PDF's parts, or none where it may be read as it is. Raises a `Refused` for what can't be split."""
    try:
        size_bytes, source = path.stat().st_size, _open(path)
        if not limits.exceeded(MediaType.PDF, size_bytes, source.page_count, 0):
            return ()
        return tuple(bounded(_write_parts(source, limits, folder), limits.most_bytes(size_bytes)))
    except pikepdf.PasswordError as error:
        raise DocumentEncrypted from error
    except (pikepdf.PdfError, pikepdf.JobUsageError, ValueError, RuntimeError, OverflowError) as error:
        raise DocumentCorrupt from error


def _open(path: Path) -> _Source:
    # Not mapped into memory: a large file would take up all the address space that there is.
    with pikepdf.open(path, access_mode=pikepdf.AccessMode.stream) as document:
        if not len(document.pages):
            raise DocumentHasNoPages
        return _Source(path, len(document.pages), Name.OCProperties in document.Root)


def _write_parts(source: _Source, limits: PartLimits, folder: Path) -> Iterator[tuple[PartFile, int]]:
    first = 1
    while first <= source.page_count:
        part = folder / f"part-{first:05}.pdf"
        last = _last_page(source, first, min(source.page_count, first + limits.pages - 1), limits)
        size_bytes = _write(source, first, last, part)
        while size_bytes > limits.bytes:
            if first == last:
                raise PageTooLarge(
                    f"Page {first} takes {size_bytes:,} bytes by itself; at most {limits.bytes:,} can be read."
                )
            last = (first + last) // 2
            size_bytes = _write(source, first, last, part)
        yield PartFile(str(part), MediaType.PDF, first, last - first + 1), size_bytes
        first = last + 1


def _write(source: _Source, first: int, last: int, part: Path) -> int:
    """Write pages from `first` to `last` as a document of their own, and return its bytes."""
    job = _job(source, first, last, part)
    document = _pages_of(job)
    job.write_pdf(document)
    return part.stat().st_size


def _last_page(source: _Source, first: int, last: int, limits: PartLimits) -> int:
    """How far pages from `first` on fit into one part, by the lengths of the streams that they need."""
    document = _pages_of(_job(source, first, last, source.path.with_suffix(".unwritten")))
    seen: set[tuple[int, int]] = set()
    total = 0.0
    for index, page in enumerate(document.pages):
        total += _bytes_of(page.obj, seen)
        if total > FILLED * limits.bytes:
            return max(first, first + index - 1)
    return last


def _job(source: _Source, first: int, last: int, part: Path) -> pikepdf.Job:
    # Taking pages out of a document costs the square of their number; putting them into an empty one doesn't.
    start: dict[str, str] = {"inputFile": str(source.path)} if source.has_layers else {"empty": ""}
    pages = [{"file": str(source.path), "range": f"{first}-{last}"}]
    return pikepdf.Job({**start, "outputFile": str(part), "pages": pages, **SAVING})


def _pages_of(job: pikepdf.Job) -> pikepdf.Pdf:
    """The pages that a job selects, without what isn't seen on pages, which would go into every part."""
    document: pikepdf.Pdf = job.create_pdf()  # type: ignore[no-untyped-call]  # its stub lacks the type
    for key in set(document.Root.keys()) - KEPT_IN_CATALOG:
        del document.Root[key]
    form = document.Root.get(Name.AcroForm)
    if isinstance(form, pikepdf.Dictionary) and Name.XFA in form:
        del form[Name.XFA]
    for page in document.pages:
        for key in PRIVATE_TO_PAGE:
            if key in page.obj:
                del page.obj[key]
    return document


def _bytes_of(page: pikepdf.Object, seen: set[tuple[int, int]]) -> int:
    """The bytes of the objects that a page needs and that aren't `seen` yet."""
    total = 0
    for value in reached(_needed(page), seen, _needed_but_by_pages):
        if is_indirect(value):
            total += OBJECT_BYTES
        if isinstance(value, pikepdf.Stream):
            total += _length(value)
    return total


def _length(stream: pikepdf.Stream) -> int:
    if Name.Length in stream:
        return int(stream.Length)
    try:
        return len(stream.read_raw_bytes())  # one that was put into another document has lost its length
    except pikepdf.PdfError:
        return 0


def _needed(value: Any) -> Iterator[Any]:
    return (value[key] for key in value.keys() if key not in {"/Parent", "/P"})  # noqa: SIM118 - it has no __iter__


def _needed_but_by_pages(value: Any) -> Iterator[Any]:
    """The same, but nothing of other pages that are referred to."""
    return iter(()) if value.get(Name.Type) in {Name.Page, Name.Pages} else _needed(value)
