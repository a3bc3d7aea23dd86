"""Pages as an engine would read them, set line by line in letters of one width: what stands where is known exactly."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.text.elements import Element
from app.text.lines import PageContent
from app.text.structure import StructureReader

LETTER, HEIGHT, PITCH = 0.01, 0.012, 0.018
LEFT, TOP, COLUMNS = 0.12, 0.2, 70
"""Where the text begins, and how many letters go on a line."""


def box(left: float, top: float, letters: int, scale: float = 1.0) -> dict[str, float]:
    return {"left": left, "top": top, "width": letters * LETTER * scale, "height": HEIGHT * scale}


def line(text: str, top: float, left: float = LEFT, scale: float = 1.0) -> dict[str, Any]:
    """A line, with its words each where its letters are."""
    words, at = [], 0
    for word in text.split(" "):
        if word:
            place = box(left + at * LETTER * scale, top, len(word), scale)
            words.append({"text": word, "confidence": 99.0, "box": place})
        at += len(word) + 1
    return {"text": text, "confidence": 99.0, "box": box(left, top, len(text), scale), "words": words}


def centred(text: str, top: float, scale: float = 1.0) -> dict[str, Any]:
    return line(text, top, LEFT + (COLUMNS - len(text) * scale) * LETTER / 2, scale)


def page(number: int, lines: Sequence[dict[str, Any]], **analysis: Any) -> PageContent:
    return PageContent(number, "\n".join(each["text"] for each in lines), lines, analysis)


def broken(text: str, columns: int = COLUMNS, indent: int = 0) -> list[str]:
    """A paragraph in lines of so many letters at most."""
    lines, current = [], " " * indent
    for word in text.split():
        if current.strip() and len(current) + 1 + len(word) > columns:
            lines.append(current)
            current = word
        else:
            current = f"{current} {word}" if current.strip() else current + word
    return [*lines, current]


def prose(
    text: str, top: float, *, left: float = LEFT, columns: int = COLUMNS, indent: int = 0
) -> list[dict[str, Any]]:
    """A paragraph's lines from a height on."""
    rows = broken(text, columns, indent)
    return [
        line(row.strip(), top + number * PITCH, left + (len(row) - len(row.lstrip())) * LETTER)
        for number, row in enumerate(rows)
    ]


def below(lines: Sequence[dict[str, Any]], gap: float = 1.0) -> float:
    """Where what follows stands, so many lines further down."""
    return float(lines[-1]["box"]["top"]) + PITCH * (1 + gap)


@dataclass(slots=True)
class Sheet:
    """A page that is filled from top to bottom."""

    number: int = 1
    lines: list[dict[str, Any]] = field(default_factory=list)

    def add(self, lines: Iterable[dict[str, Any]]) -> None:
        self.lines += lines

    def paragraph(self, text: str, gap: float = 1.0, **how: Any) -> None:
        self.add(prose(text, below(self.lines, gap) if self.lines else TOP, **how))

    def page(self, **analysis: Any) -> PageContent:
        return page(self.number, self.lines, **analysis)


def text_of(pages: Iterable[PageContent]) -> str:
    """The document's text, as the API gives it."""
    return "\f".join(each.text for each in pages)


def read(pages: Iterable[PageContent]) -> list[Element]:
    """A document's elements; what every reading keeps is checked."""
    pages, reader = list(pages), StructureReader()
    elements = [element for each in pages for element in reader.add(each)]
    elements += reader.finish()
    check(elements, text_of(pages))
    return elements


def check(elements: Sequence[Element], text: str) -> None:
    """Every piece says what stands in its range; every character of the text is in one piece, but for blanks and hyphens."""
    covered = bytearray(len(text))
    for element in elements:
        at = 0
        for piece in element.pieces:
            assert element.text[piece.at : piece.at + piece.end - piece.start] == text[piece.start : piece.end]
            assert at <= piece.at and piece.start < piece.end
            assert not any(covered[piece.start : piece.end])
            covered[piece.start : piece.end] = b"\x01" * (piece.end - piece.start)
            assert piece.box["page"] == text.count("\f", 0, piece.start) + 1
            at = piece.at + piece.end - piece.start
        assert at == len(element.text)
        assert element.range_in_document(0, len(element.text)) == (element.start, element.end)
    left = [at for at in range(len(text)) if not covered[at] and not text[at].isspace()]
    assert all(text[at] in "-\u2010\xad" and text[at + 1] in "\n\f" for at in left), [
        text[at - 9 : at + 9] for at in left
    ]
