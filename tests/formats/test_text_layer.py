"""The invisible text layer: words that no reader runs together, letters where they are seen, and few bytes."""

import random
import shutil
import subprocess
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from PIL import ImageFont

from tests.formats.sheets import LETTER, box, drawn_pdf, letter_boxes, line, page, row, text_of, word
from tests.formats.test_searchable_pdf import made


def spaced(text: str, shares: Sequence[float], gap: float, *, left: float = 0.1) -> dict[str, Any]:
    """A line of words that are so wide, each with a gap after it; in shares of the page."""
    words = []
    for part, share in zip(text.split(), shares, strict=True):
        words.append(word(part, box(left, 0.1, share, 0.02)))
        left += share + gap
    return line(*words)


def told_by_pdftotext(path: Path) -> str:
    """A PDF's text as Poppler finds it."""
    return subprocess.run(["pdftotext", str(path), "-"], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("gap", [0.0, 0.004, 0.006])
def test_words_end_clear_of_the_next_one(tmp_path: Path, gap: float) -> None:
    """Some are narrower than their letters, and some touch: readers that go by distance see words all the same."""
    narrow = spaced("hand bond hand bond hand bond", [0.1, 0.09, 0.1, 0.09, 0.1, 0.09], gap)
    path = made(tmp_path, drawn_pdf(b""), page(narrow))
    letters, at = [each for _, each in letter_boxes(path)], 0
    for first in narrow["words"][:-1]:
        at += len(first["text"])
        assert letters[at][0] - letters[at - 1][2] > 0.06 * 0.02 * LETTER[1]
    starts = [letters[at][0] / LETTER[0] for at in range(0, 24, 4)]
    assert starts == pytest.approx([each["box"]["left"] for each in narrow["words"]], abs=0.005)
    if shutil.which("pdftotext"):
        assert told_by_pdftotext(path).split() == narrow["text"].split()


def test_words_of_a_tilted_line_end_clear_too(tmp_path: Path) -> None:
    """Each stands by itself there, and they may touch."""
    tilted = line(*(word("tilted", box(0.1 + 0.15 * step, 0.1 + 0.02 * step, 0.15, 0.02)) for step in range(4)))
    letters = [each for _, each in letter_boxes(made(tmp_path, drawn_pdf(b""), page(tilted)))]
    assert all(letters[at][0] - letters[at - 1][2] > 0.06 * 0.02 * LETTER[1] for at in (6, 12, 18))


def test_a_line_without_words_is_as_wide_as_it_was_read(tmp_path: Path) -> None:
    """Its blanks are those of the font, whatever the lines before it had between their words."""
    whole = word("all of a line in one", box(0.1, 0.3, 0.6, 0.02)) | {"words": []}
    wide = spaced("words far from each other", [0.05] * 5, 0.05)
    letters = letter_boxes(made(tmp_path, drawn_pdf(b""), page(wide, whole)))
    assert letters[-1][1][2] == pytest.approx(0.7 * LETTER[0], abs=3)


def test_letters_are_about_as_wide_as_in_print(tmp_path: Path) -> None:
    """A part of a word is selected where it is seen."""
    letters = letter_boxes(made(tmp_path, drawn_pdf(b""), page(row("illicitmmm", 0.1, left=0.1, letter=0.05))))
    first = next(each for letter, each in letters if letter == "m")
    assert first[0] < (0.1 + 0.5 * 0.47) * LETTER[0]


def test_print_takes_few_bytes(tmp_path: Path) -> None:
    """A sheet of it: what the words themselves take, compressed, and at most six tenths of that again for where they stand."""
    font, lines = ImageFont.load_default(10), []
    for number in range(60):
        left, words = 72.0, []
        for text in chance_words(number):
            words.append(word(text, box(left / 612, 0.05 + 0.015 * number, font.getlength(text) / 612, 0.012)))
            left += font.getlength(text + " ")
        lines.append(line(*words))
    path = made(tmp_path, drawn_pdf(b""), page(*lines))
    with pikepdf.open(path) as pdf:
        layer = pdf.pages[0].Contents[0].read_raw_bytes()
    said = zlib.compress("\n".join(each["text"] for each in lines).encode(), 9)
    assert len(layer) < 1.6 * len(said)
    assert text_of(path) == " ".join(each["text"] for each in lines)


def chance_words(seed: int) -> list[str]:
    """A dozen words of letters as they are common in print."""
    chance = random.Random(seed)
    return ["".join(chance.choices("etaoinshrdlucmfwypvbgk", k=chance.randint(2, 9))) for _ in range(12)]
