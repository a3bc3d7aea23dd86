"""Telling damaged PDFs of which all is there from those that have lost pages, or what is drawn on them, as a file that was cut off."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pikepdf
from pikepdf import Name

from app.documents.pdf_objects import reached
from app.errors import DocumentCorrupt

END = b"%%EOF"
END_BYTES = 1024
"""A PDF's end may stand anywhere in its last 1,024 bytes (ISO 32000-1, implementation note 18)."""
UNSEEN = frozenset({"/Parent", "/P", "/Metadata", "/PieceInfo", "/StructParent", "/OC", "/OPI", "/Alternates"})
"""What things on pages refer to and don't show."""
_PAGES_LOST = "pages tree includes"
"""How qpdf's warning goes on when it leaves out of a document's pages what isn't in the file."""


def is_cut_off(path: Path) -> bool:
    """Tell whether a PDF lacks its end, as one that was cut off does, and some that were written carelessly."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - END_BYTES))
        return END not in file.read()


def check_nothing_lost(document: pikepdf.Pdf) -> None:
    """Raise `DocumentCorrupt` where pages, or parts of them, aren't in the file that a document was put together from.

    The look of them, fonts, and annotations are followed through every reference; what they refer to and isn't there is null.
    """
    if any(_PAGES_LOST in str(warning).lower() for warning in document.get_warnings()):
        raise DocumentCorrupt("The file is cut off or damaged: pages of it are missing. Submit an intact copy.")
    seen: set[tuple[int, int]] = set()
    for number, page in enumerate(document.pages, 1):
        if _lacks_something(page, seen):
            detail = f"The file is cut off or damaged: parts of page {number} are missing. Submit an intact copy."
            raise DocumentCorrupt(detail)


def _lacks_something(page: pikepdf.Page, seen: set[tuple[int, int]]) -> bool:
    return any(value is None for value in reached(_shown(page), seen, _visible))


def _visible(value: Any) -> Iterator[Any]:
    return (each for key, each in value.items() if key not in UNSEEN)


def _shown(page: pikepdf.Page) -> Iterator[Any]:
    """What a page shows: None for what it refers to and isn't there. Unlike its keys, its items tell of that."""
    yield page.resources
    for key, value in page.obj.items():
        if key == Name.Contents:
            yield value
        elif key == Name.Annots and isinstance(value, pikepdf.Array):
            for note in value:
                yield from _appearance(note)


def _appearance(note: Any) -> Iterator[Any]:
    if isinstance(note, pikepdf.Dictionary):
        yield from (value for key, value in note.items() if key == Name.AP)
