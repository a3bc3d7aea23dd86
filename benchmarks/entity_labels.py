"""Texts with the entities that people find in them: our own passages, and stretches of the public filings of QUIRE_CORPUS."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from app.entities.mentions import EntityType

FOLDER = Path(__file__).parent / "labelled"
OURS, PUBLIC = FOLDER / "filings.txt", FOLDER / "public_filings.json"

_LABEL = re.compile(rf"\{{(?P<type>{'|'.join(EntityType)}):(?P<text>[^}}]+)\}}")


@dataclass(frozen=True, slots=True)
class Label:
    """An entity that is in a text, by its character range."""

    type: EntityType
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Labelled:
    """A text and all that is in it."""

    name: str
    text: str
    labels: tuple[Label, ...]


def our_passages() -> list[Labelled]:
    """The passages that were written for this."""
    lines = [line for line in OURS.read_text().splitlines() if not line.startswith("#")]
    passages = "\n".join(lines).split("\n---\n")
    return [_marked(f"passage {number}", passage.strip("\n")) for number, passage in enumerate(passages, start=1)]


def _marked(name: str, marked: str) -> Labelled:
    """A passage with its labels taken out."""
    pieces, labels, done, length = [], [], 0, 0
    for mark in _LABEL.finditer(marked):
        before = marked[done : mark.start()]
        start = length + len(before)
        pieces += [before, mark["text"]]
        length = start + len(mark["text"])
        labels.append(Label(EntityType(mark["type"]), start, length))
        done = mark.end()
    return Labelled(name, "".join([*pieces, marked[done:]]), tuple(labels))


def public_filings(corpus: Path) -> list[Labelled]:
    """The stretches of public filings that are labelled; the texts themselves stay in the corpus."""
    return [
        _stretch(entry, (corpus / "documents" / "gt" / "legal" / f"{entry['file']}.txt").read_text())
        for entry in json.loads(PUBLIC.read_text())
    ]


def _stretch(entry: Mapping[str, str | Mapping[str, list[str]]], whole: str) -> Labelled:
    """What lies between two texts of a filing; a label is wherever its text is, and no longer label covers it."""
    name, labels = entry["file"], entry["labels"]
    assert isinstance(labels, Mapping)
    first = whole.index(str(entry["from"]))
    text = whole[first : whole.index(str(entry["to"]), first) + len(str(entry["to"]))]
    taken: list[Label] = []
    written = sorted(
        ((words, kind) for kind, those in labels.items() for words in those), key=lambda each: -len(each[0])
    )
    for words, kind in written:
        places = list(_places(words, text))
        if not places:
            raise ValueError(f"{words!r} is not in the stretch of {name}")
        for start, end in places:
            if all(end <= other.start or start >= other.end for other in taken):
                taken.append(Label(EntityType(kind), start, end))
    return Labelled(str(name), text, tuple(sorted(taken, key=lambda label: label.start)))


def _places(words: str, text: str) -> Iterator[tuple[int, int]]:
    pattern = r"\s+".join(map(re.escape, words.split()))
    for match in re.finditer(rf"(?<![\w$]){pattern}(?!\w)", text):
        yield match.span()
