"""Where a range of a document's text stands on its pages: a box around its words, for each line that it touches."""

from collections.abc import Iterable

from app.text.elements import Box
from app.text.lines import Part


def boxes_of_parts(parts: Iterable[Part], start: int, end: int) -> list[Box]:
    """The boxes of what a range of the document's text touches of a page whose lines have been located, in their order."""
    boxes = []
    for part in parts:
        if part.start >= end:
            break
        if part.end <= start:
            continue
        at, touched = 0, list[int]()
        for index, word in enumerate(part.words):
            at = part.text.find(word["text"], at)
            if at < 0:
                break
            if part.start + at < end and start < part.start + at + len(word["text"]):
                touched.append(index)
            at += len(word["text"])
        words = part.some(touched[0], touched[-1] + 1) if touched else None
        boxes.append(part.box if words is None else words.box)
    return boxes
