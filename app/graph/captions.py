"""The caption at the beginning of a filing: its columns stand beside each other, and are read together here."""

import re
from collections.abc import Sequence

from app.entities.mentions import Passage
from app.entities.neighbours import LONGEST, SHORT

FULL_LINE = 50
"""Lines of so many characters on average are running text, which no caption is."""

_COURT = re.compile(r"\bcourt\b|\b(?:case|docket|cause|civil action|no\.)", re.IGNORECASE)
"""What stands in a caption, and not on the title page of a contract or a book."""


def caption(passages: Sequence[Passage]) -> Passage | None:
    """What stands above the running text on a document's first page, as one passage; None where that is no caption.

    Passages of two columns each have blanks where the other one is; here both are.
    """
    taken: list[Passage] = []
    for passage in passages:
        end = passage.start + len(passage.text)
        if passage.page != passages[0].page or end - passages[0].start > LONGEST or _runs_on(passage.text):
            break
        taken.append(passage)
    woven = _woven(taken) if taken else None
    return woven if woven is not None and _COURT.search(woven.text) else None


def _runs_on(text: str) -> bool:
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    return len(text) >= SHORT and sum(map(len, lines)) >= FULL_LINE * len(lines)


def _woven(passages: Sequence[Passage]) -> Passage:
    """Passages as one, each in its place; a line ends where one of them does."""
    start = min(passage.start for passage in passages)
    characters = [" "] * (max(passage.start + len(passage.text) for passage in passages) - start)
    for passage in passages:
        for place, character in enumerate(passage.text, passage.start - start):
            if not character.isspace() or characters[place] == " ":
                characters[place] = character
    for passage in passages:
        end = passage.start + len(passage.text) - start
        if end < len(characters) and characters[end] == " ":
            characters[end] = "\n"
    return Passage("".join(characters), start, passages[0].page)
