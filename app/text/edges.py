"""Headers, footers and printed page numbers: told by where they stand, and by the pages before and after.

From the edge of a page inwards, row by row, as long as a row is furniture: it stands at the same height on a page nearby,
the page's number aside; or it is a page's number; or a court's stamp; or the engine's own layout analysis says so.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from rapidfuzz import fuzz

from app.text.elements import Kind
from app.text.lines import Part, Rect
from app.text.repetition import Saying

ZONE = 0.15
"""Headers and footers stand in this share of the page's height, at either end."""
NEARBY_PAGES = 2
"""Left and right pages may have headers of their own."""
SAME_HEIGHT = 0.025
ALIKE = 85.0
"""How alike two headers are at the least, of 100, figures aside."""
FEWEST_LETTERS = 3
TITLE_SIZE = 1.35
"""Letters so many times the size of the page's make a title, which is furniture only where all of it comes again."""
COPY_SHARE = 0.6
"""A page that says what the page nearby says, in more than this share of its lines, tells of no header."""

_FIGURES = re.compile(r"\d+")
_PAGE_MARK = re.compile(
    r"[-–—|\[(.~ ]*(?:(?:page|pg|p|seite)\b[. ]*)?(?:\d{1,5}|[ivxlc]{1,7})(?:\s*(?:of|/|von)\s*\d{1,5})?[-–—|\]).~ ]*",
    re.IGNORECASE,
)
_STAMP = re.compile(
    r"\bcase\b:?.*\d.*\b(?:document|doc|filed|page)\b|\busca\w*\b.*\bcase\b.*\d|\bappeal\b.*\bdocument\b.*\bpage\b",
    re.IGNORECASE,
)
"""What courts' electronic filing systems print on every page."""
_LAYOUT_KINDS = {"HEADER": Kind.HEADER, "FOOTER": Kind.FOOTER, "PAGE_NUMBER": Kind.PAGE_MARK}


@dataclass(frozen=True, slots=True)
class Signature:
    """What of a line comes again on other pages: its text without figures, and its height on the page."""

    text: str
    middle: float
    said: str
    """The text, figures and all."""
    page: int


@dataclass(frozen=True, slots=True)
class Sheet:
    """A page made ready: its lines without the margin's numbers, upright."""

    number: int
    parts: list[Part]
    line_numbers: list[Part]
    layout: list[tuple[str, Rect]] = field(default_factory=list)
    """The types and places of what layout analysis found."""
    tables: list[dict[str, Any]] = field(default_factory=list)
    rotation_degrees: int = 0
    signatures: list[Signature] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "signatures", [signature_of(part) for part in self.parts])


def signature_of(part: Part) -> Signature:
    """The signature of a line."""
    return Signature(_FIGURES.sub("#", part.text.casefold()), part.rect.middle, part.text, part.box["page"])


def edges_of(sheet: Sheet, nearby: Sequence[list[Signature]]) -> dict[int, Kind]:
    """Which of a page's parts, by where they begin, are headers, footers and page marks."""
    rows = _rows(sheet.parts)
    told = {part.start: kind for part in sheet.parts if (kind := _layout_kind(sheet, part))}
    others = [page for page in nearby if not _is_copy(sheet.signatures, page)]
    title = TITLE_SIZE * median(part.rect.height for part in sheet.parts) if sheet.parts else 0.0
    found: dict[int, Kind] = {}
    for edge, ordered in ((Kind.HEADER, rows), (Kind.FOOTER, rows[::-1])):
        for row in ordered:
            stamp = edge if _is_stamp(row, edge) else None
            kinds = [told.get(part.start) or stamp or _kind(part, edge, others, title) for part in row]
            if not all(kinds):
                break
            found |= {part.start: kind for part, kind in zip(row, kinds, strict=True) if kind}
    return found | told


def _kind(part: Part, edge: Kind, others: Sequence[list[Signature]], title: float) -> Kind | None:
    if _depth(part, edge) > ZONE:
        return None
    if _PAGE_MARK.fullmatch(part.text):
        return Kind.PAGE_MARK
    own, is_title = signature_of(part), part.rect.height > title
    return edge if any(_has(page, own, is_title=is_title) for page in others) else None


def _depth(part: Part, edge: Kind) -> float:
    return part.rect.middle if edge is Kind.HEADER else 1 - part.rect.middle


def _is_stamp(row: list[Part], edge: Kind) -> bool:
    """Whether a row is a court's stamp, in one line or in several beside each other."""
    return _depth(row[0], edge) < ZONE and _STAMP.search(" ".join(part.text for part in row)) is not None


def _has(page: Iterable[Signature], own: Signature, *, is_title: bool) -> bool:
    """Whether a page has a line like this at the same height; a title, and one of figures, mostly, must be the very same."""
    near = [each for each in page if abs(each.middle - own.middle) < SAME_HEIGHT]
    if sum(letter.isalpha() for letter in own.text) < FEWEST_LETTERS:
        return any(each.said == own.said for each in near)
    return any(_comes_again(own, each, is_title=is_title) for each in near)


def _comes_again(own: Signature, other: Signature, *, is_title: bool) -> bool:
    if own.said == other.said:
        return True
    if not fuzz.ratio(own.text, other.text, score_cutoff=ALIKE):
        return False
    one, two = Saying.of(own.said), Saying.of(other.said)
    return one.says_the_same(two) if is_title else one.comes_again_as(two, other.page - own.page)


def _is_copy(own: list[Signature], page: list[Signature]) -> bool:
    """Whether a page says, in most of the lines between its edges, what another one says: a form that comes again, say.

    Figures and all: those of a ledger's rows are what it says.
    """
    said = {each.said for each in page}
    inner = [each.said in said for each in own if ZONE < each.middle < 1 - ZONE]
    return sum(inner) > COPY_SHARE * len(inner)


def _layout_kind(sheet: Sheet, part: Part) -> Kind | None:
    names = (name for name, place in sheet.layout if name in _LAYOUT_KINDS and place.holds(part.rect))
    return next((_LAYOUT_KINDS[name] for name in names), None)


def _rows(parts: Sequence[Part]) -> list[list[Part]]:
    rows: list[list[Part]] = []
    for part in sorted(parts, key=lambda part: part.rect.middle):
        if rows and rows[-1][0].rect.beside(part.rect):
            rows[-1].append(part)
        else:
            rows.append([part])
    return rows
