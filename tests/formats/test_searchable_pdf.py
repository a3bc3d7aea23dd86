"""Searchable PDFs: words where they stand, in every frame a page can have, and nothing of the original touched."""

import io
import time
from itertools import product
from pathlib import Path

import pikepdf
import pytest
from pdfminer.high_level import extract_text
from pikepdf import Dictionary, Name
from PIL import ImageChops

from app.errors import DocumentCorrupt, DocumentEncrypted
from app.formats.searchable_pdf import searchable_pdf
from app.ocr.blocks import PageText
from tests.documents import letter
from tests.formats.sheets import (
    LETTER,
    box,
    drawn_pdf,
    letter_boxes,
    line,
    page,
    page_file,
    row,
    scan,
    shown,
    text_of,
    word,
)

PDF = "application/pdf"


def made(folder: Path, document: bytes, *pages: PageText, media_type: str = PDF) -> Path:
    """The searchable PDF of a document with these pages."""
    original, target = folder / "document", folder / "searchable.pdf"
    original.write_bytes(document)
    searchable_pdf(original, media_type, page_file(folder, *pages), target)
    return target


@pytest.mark.parametrize(("rotate", "crop"), list(product((0, 90, 180, 270), (None, (50, 100, 600, 700)))))
def test_words_are_where_they_are_seen(tmp_path: Path, rotate: int, crop: tuple[int, ...] | None) -> None:
    """A bar is drawn, seen on the page as it is shown, and read there as a word: the word comes to lie on the bar."""
    left, bottom, width, height = 120, 200, 200, 30
    document = drawn_pdf(f"{left} {bottom} {width} {height} re f".encode(), rotate=rotate, crop=crop)
    (tmp_path / "seen").write_bytes(document)
    picture = shown(tmp_path / "seen", width=1200).convert("L")
    seen = ImageChops.invert(picture).getbbox()
    assert seen is not None
    place = box(
        seen[0] / picture.width,
        seen[1] / picture.height,
        (seen[2] - seen[0]) / picture.width,
        (seen[3] - seen[1]) / picture.height,
    )
    # On a page that is shown turned, print that stands upright on its paper is seen turned as well.
    path = made(tmp_path, document, page(line(word("Evidence", place)), rotation=rotate))
    letters = letter_boxes(path)
    assert "".join(text for text, _ in letters) == "Evidence"
    found = (
        min(each[0] for _, each in letters),
        min(each[1] for _, each in letters),
        max(each[2] for _, each in letters),
        max(each[3] for _, each in letters),
    )
    assert found == pytest.approx((left, bottom, left + width, bottom + height), abs=1.5)
    starts = [each[0] for _, each in letters]
    assert starts == sorted(starts)


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_turned_text_runs_as_it_is_turned(tmp_path: Path, turn: int) -> None:
    """Letters follow one another to the right, down, to the left, or up."""
    place = box(0.2, 0.3, 0.05, 0.4) if turn % 180 else box(0.2, 0.3, 0.4, 0.05)
    letters = letter_boxes(made(tmp_path, drawn_pdf(b""), page(line(word("Witness", place)), rotation=turn)))
    first, last = letters[0][1], letters[-1][1]
    across, up = last[0] - first[0], last[1] - first[1]
    assert {0: across > 100, 90: up < -100, 180: across < -100, 270: up > 100}[turn]
    whole = [op(each[side] for _, each in letters) for side, op in enumerate((min, min, max, max))]
    width, height = LETTER
    expected = (
        place["left"] * width,
        (1 - place["top"] - place["height"]) * height,
        (place["left"] + place["width"]) * width,
        (1 - place["top"]) * height,
    )
    assert whole == pytest.approx(expected, abs=1.5)


def test_a_stamp_in_the_margin_runs_its_own_way(tmp_path: Path) -> None:
    """A line that runs up an upright page is written upwards."""
    stamp = line(word("2024", box(0.02, 0.6, 0.02, 0.1)), word("filed", box(0.02, 0.4, 0.02, 0.15)))
    letters = letter_boxes(made(tmp_path, drawn_pdf(b""), page(row("Upright text", 0.1), stamp)))
    assert letters[-1][1][1] > letters[-9][1][1] + 150


def test_words_of_a_level_line_are_one_line(tmp_path: Path) -> None:
    """Words of different heights get the line's: readers see no steps. Those of a tilted line keep their own."""
    level = line(word("ace", box(0.1, 0.105, 0.1, 0.01)), word("Fly", box(0.22, 0.1, 0.1, 0.02)))
    heights = [
        (round(each[1], 1), round(each[3], 1)) for _, each in letter_boxes(made(tmp_path, drawn_pdf(b""), page(level)))
    ]
    assert len(set(heights)) == 1
    tilted = line(*(word("tilted", box(0.1 + 0.2 * step, 0.1 + 0.02 * step, 0.15, 0.02)) for step in range(4)))
    bottoms = {round(each[1]) for _, each in letter_boxes(made(tmp_path, drawn_pdf(b""), page(tilted)))}
    assert len(bottoms) == 4


def test_any_character_comes_back(tmp_path: Path) -> None:
    """Accents, other scripts, and characters beyond the first plane, by two readers."""
    text = "Český 中文 αβγ a😀b “quoted” §12 final"
    path = made(tmp_path, drawn_pdf(b""), page(row(text, 0.1)))
    assert text_of(path) == text
    assert " ".join(extract_text(path).split()) == text


def test_more_characters_than_a_font_has_room_for(tmp_path: Path) -> None:
    """A thousand of them, in words that mix them, with the brackets and strokes that PDF's own strings are made of."""
    words = [f"({chr(0x4E00 + number)}a\\{chr(0x3041 + number % 80)})" for number in range(1000)]
    lines = [
        row(" ".join(words[start : start + 10]), 0.01 + 0.0095 * start / 10, height=0.008)
        for start in range(0, 1000, 10)
    ]
    assert text_of(made(tmp_path, drawn_pdf(b""), page(*lines))).split() == words


def test_the_original_is_not_touched(tmp_path: Path) -> None:
    """The page looks as before, and its own content and images are the same bytes."""
    (tmp_path / "image").write_bytes(scan("some print"))
    picture = made(tmp_path, scan("some print"), page(), media_type="image/jpeg").read_bytes()
    (tmp_path / "plain.pdf").write_bytes(picture)
    path = made(tmp_path, picture, page(row("some print", 0.1)))
    assert text_of(path) == "some print"
    assert ImageChops.difference(shown(tmp_path / "plain.pdf"), shown(path)).getbbox() is None
    with pikepdf.open(tmp_path / "plain.pdf") as before, pikepdf.open(path) as after:
        layer, own = after.pages[0].Contents
        assert own.read_raw_bytes() == before.pages[0].Contents.read_raw_bytes()
        assert b"3 Tr" in layer.read_bytes()
        images = [pdf.pages[0].Resources.XObject.Image.read_raw_bytes() for pdf in (before, after)]
        assert images[0] == images[1]


def test_no_state_of_the_page_moves_its_text(tmp_path: Path) -> None:
    """A page that leaves its axes turned and scaled, with operators unbalanced, gets its words where they stand."""
    document = drawn_pdf(b"q q 0.1 0 0 -0.1 300 20 cm Q Q Q 2 0 0 2 40 40 cm q")
    ((_, first), *_) = letter_boxes(made(tmp_path, document, page(row("Here", 0.1))))
    assert first[0] == pytest.approx(61.2, abs=1)
    assert first[3] == pytest.approx(792 * 0.9, abs=1)


def test_written_pages_keep_their_text(tmp_path: Path) -> None:
    """A document that is born digital comes back byte for byte, even where its text was read."""
    document = letter("The quick brown fox\njumps over", "Second page")
    path = made(
        tmp_path,
        document,
        page(row("The quick brown fox", 0.1), row("jumps over", 0.2)),
        page(row("Second page", 0.1), number=2),
    )
    assert path.read_bytes() == document


def test_a_stamped_scan_gets_what_it_lacks(tmp_path: Path) -> None:
    """The words of a stamp that is text already are not written twice; those of the scan beneath it are added."""
    document = letter("Case 17-1234 Document 5")
    (tmp_path / "stamped").write_bytes(document)
    letters = letter_boxes(tmp_path / "stamped")
    width, height = LETTER
    whole = [op(each[side] for _, each in letters) for side, op in enumerate((min, min, max, max))]
    stamp = line(
        word("Case", box(whole[0] / width, 1 - whole[3] / height, 0.06, (whole[3] - whole[1]) / height)),
        word("17-1234", box(whole[0] / width + 0.08, 1 - whole[3] / height, 0.1, (whole[3] - whole[1]) / height)),
    )
    scanned = [row(f"line {number} of the scan beneath", 0.3 + 0.03 * number) for number in range(5)]
    text = text_of(made(tmp_path, document, page(stamp, *scanned)))
    assert text.count("17-1234") == text.count("Case") == 1
    assert all(f"line {number} of the scan beneath" in text for number in range(5))


def test_pages_may_share_what_they_are_made_of(tmp_path: Path) -> None:
    """Resources that pages share or inherit stay theirs, with fonts of the same name among them."""
    with pikepdf.new() as pdf:
        font = Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica)
        shared = pdf.make_indirect(Dictionary(Font=Dictionary(QuireText=font)))
        for _ in range(2):
            pdf.add_blank_page(page_size=LETTER)
            pdf.pages[-1].obj.Resources = shared
        pdf.add_blank_page(page_size=LETTER)
        del pdf.pages[2].obj.Resources
        pdf.Root.Pages.Resources = shared
        pdf.pages[0].obj.Contents = pdf.make_stream(b"BT /QuireText 12 Tf 300 100 Td (own) Tj ET")
        pdf.save(tmp_path / "shared.pdf")
    document = (tmp_path / "shared.pdf").read_bytes()
    path = made(
        tmp_path, document, *(page(row(f"page {number} has this to say", 0.1), number=number) for number in (1, 2, 3))
    )
    assert sorted(text_of(path).split()) == sorted(["page", "1", "has", "this", "to", "say", "own"])
    assert [text_of(path, number) for number in (2, 3)] == [f"page {number} has this to say" for number in (2, 3)]


def test_locked_documents(tmp_path: Path) -> None:
    """One that needs a password is refused; one that is locked against changes alone is made, and stays locked."""
    for password, name in (("secret", "closed"), ("", "locked")):
        with pikepdf.new() as pdf:
            pdf.add_blank_page(page_size=LETTER)
            pdf.save(tmp_path / name, encryption=pikepdf.Encryption(owner="owner", user=password, R=6))
    with pytest.raises(DocumentEncrypted):
        made(tmp_path, (tmp_path / "closed").read_bytes(), page(row("words", 0.1)))
    path = made(tmp_path, (tmp_path / "locked").read_bytes(), page(row("words", 0.1)))
    assert text_of(path) == "words"
    with pikepdf.open(path) as pdf:
        assert pdf.is_encrypted


def test_damaged_documents(tmp_path: Path) -> None:
    """What can be repaired is, and the rest is refused."""
    document = drawn_pdf(b"0 0 10 10 re f")
    repaired = made(tmp_path, document[: document.rindex(b"startxref")], page(row("words", 0.1)))
    assert text_of(repaired) == "words"
    linear = io.BytesIO()
    with pikepdf.open(io.BytesIO(document)) as pdf:
        pdf.save(linear, linearize=True, object_stream_mode=pikepdf.ObjectStreamMode.generate)
    rewritten = made(tmp_path, linear.getvalue()[:-80], page(row("words", 0.1)))
    assert text_of(rewritten) == "words"
    with pytest.raises(DocumentCorrupt):
        made(tmp_path, b"%PDF-1.7\nnothing", page(row("words", 0.1)))
    for media_type in ("image/jpeg", "image/png", "image/tiff"):
        with pytest.raises(DocumentCorrupt):
            made(tmp_path, scan("x")[:300], page(row("words", 0.1)), media_type=media_type)


def test_pages_that_were_not_read_stay_as_they_are(tmp_path: Path) -> None:
    """Failed and empty pages have no layer, and pages beyond the document's end are passed over."""
    document = drawn_pdf(b"", b"", b"")
    path = made(tmp_path, document, page(), page(row("second", 0.1), number=2), page(row("ninth", 0.1), number=9))
    assert [text_of(path, number) for number in (1, 2, 3)] == ["", "second", ""]


def test_the_same_in_gives_the_same_out(tmp_path: Path) -> None:
    """Made twice, it is the same file, which its ETag promises."""
    first = made(tmp_path, scan("x"), page(row("words", 0.1)), media_type="image/jpeg").read_bytes()
    time.sleep(1.1)  # whatever notes the time does so in seconds
    assert made(tmp_path, scan("x"), page(row("words", 0.1)), media_type="image/jpeg").read_bytes() == first
