"""Real documents with what stands on them, as pictures of pages, and how far a reading is from it."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pypdfium2 as pdfium  # type: ignore[import-untyped]  # it ships no types
from PIL import Image, ImageSequence
from rapidfuzz.distance import Levenshtein

FOLDERS = (
    "legal",
    "scanned_print",
    "low_quality",
    "typewritten",
    "tables",
    "multicol",
    "multipage_tiff",
    "forms_receipts",
)
BORN_DIGITAL = (
    "legal/ca10_010110462922.pdf",
    "legal/ca2_1-1.pdf",
    "legal/ca5_00516242060.pdf",
    "legal/cafc_3.pdf",
    "legal/gov.uscourts.cacd.652774.40.0.pdf",
    "legal/sample_contract.pdf",
    "multicol/multi-column-2p.pdf",
)
DPI = 200


@dataclass(frozen=True, slots=True)
class Sheets:
    """A document's pages as picture files, and what stands on them."""

    name: str
    path: Path
    pictures: tuple[Path, ...]
    truth: str


def sheets(corpus: Path, folder: Path) -> list[Sheets]:
    """Every document that has a ground truth, its pages drawn into a folder."""
    found = []
    for path in sorted(path for name in FOLDERS for path in (corpus / name).iterdir()):
        truth = corpus / "gt" / path.parent.name / f"{path.name}.txt"
        if truth.exists():
            name = f"{path.parent.name}/{path.name}"
            found.append(Sheets(name, path, tuple(_pictures(path, folder)), truth.read_text(errors="replace")))
    return found


def _pictures(path: Path, folder: Path) -> list[Path]:
    pictures = []
    for number, image in enumerate(_images(path), start=1):
        opaque = image.convert("RGB") if "A" in image.mode else image  # OCRmyPDF refuses what is transparent
        picture = folder / f"{path.parent.name}-{path.name}-{number}.png"
        opaque.save(picture, dpi=(DPI, DPI) if path.suffix == ".pdf" else image.info.get("dpi", (DPI, DPI)))
        pictures.append(picture)
    return pictures


def _images(path: Path) -> list[Image.Image]:
    if path.suffix == ".pdf":
        return [page.render(scale=DPI / 72).to_pil() for page in pdfium.PdfDocument(path)]
    with Image.open(path) as image:
        return [frame.copy() for frame in ImageSequence.Iterator(image)]


def character_errors(documents: Iterable[Sheets], texts: Mapping[Path, str]) -> float:
    """Wrong, missing and extra characters by those of the truth; words are matched as a bag, so order is no error.

    Neither is case, for some of the truths were written in capitals throughout, nor the underscores that forms draw
    their lines with.
    """
    wrong = total = 0
    for document in documents:
        truth = words_of(document.truth)
        wrong += _bag_distance(truth, words_of(" ".join(texts[picture] for picture in document.pictures)))
        total += sum(map(len, truth))
    return wrong / total


def recall_and_precision(truth: Iterable[str], read: Iterable[str]) -> tuple[float, float]:
    """The shares of the true words that were read, and of the read words that are true."""
    wanted, got = Counter(truth), Counter(read)
    shared = (wanted & got).total()
    return shared / max(1, wanted.total()), shared / max(1, got.total())


def words_of(text: str) -> list[str]:
    """A text's words, without case and form lines."""
    return text.casefold().replace("_", " ").split()


def _bag_distance(truth: list[str], read: list[str]) -> int:
    missed, extra = Counter(truth) - Counter(read), Counter(read) - Counter(truth)
    left, wrong = list(extra.elements()), 0
    for word in sorted(missed.elements(), key=len, reverse=True):
        nearest = min(left, key=lambda other: Levenshtein.distance(word, other), default="")
        distance = Levenshtein.distance(word, nearest)
        if distance < len(word):
            left.remove(nearest)
        wrong += min(distance, len(word))
    return wrong + sum(map(len, left))
