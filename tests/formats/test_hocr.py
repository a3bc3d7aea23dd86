"""hOCR: sound by its checkers, and true to the page."""

import subprocess
import sys
from pathlib import Path

import pytest
from lxml import etree  # type: ignore[import-untyped]  # it ships no types

from app.formats.hocr import hocr
from app.formats.page_sizes import PageSize
from app.ocr.blocks import PageText
from tests.formats.sheets import box, line, page, row, word

XHTML = "{http://www.w3.org/1999/xhtml}"
SIZE = PageSize(1000, 2000, 200)


def written(folder: Path, *pages: PageText, title: str = "filing.pdf") -> Path:
    """A file of these pages."""
    path = folder / "document.hocr"
    pieces = hocr(((each, SIZE) for each in pages), title=title, producer="Quire 1", page_count=len(pages))
    path.write_text("".join(pieces), encoding="utf-8")
    return path


def complaints(path: Path) -> list[str]:
    """What hocr-spec, a checker of the specification's rules, and hocr-tools' own have to say."""
    from hocr_spec import HocrValidator  # type: ignore[import-untyped]  # it ships no types

    report = HocrValidator("standard").validate(str(path))
    found = [str(item) for item in report.items if item.level in {"ERROR", "FATAL"}]
    # Its check of overlaps takes the lines of all pages for those of one.
    program = "from hocr_tools_lib.tools.hocr_check import main; main()"
    told = subprocess.run(
        [sys.executable, "-c", program, "--nooverlap", str(path)], capture_output=True, text=True, check=True
    ).stderr
    assert "ok 1" in told
    return found + [each for each in told.splitlines() if each.startswith("not ok")]


def test_checkers_have_nothing_to_say(tmp_path: Path) -> None:
    """Pages with lines, without, and turned, with all that needs escaping."""
    nasty = line(word('<b>&"x"', box(0.1, 0.1, 0.2, 0.01)), word("a\x00\x0b\ufffe'b", box(0.4, 0.1, 0.2, 0.01)))
    path = written(
        tmp_path,
        page(nasty, row("and so on", 0.2)),
        page(number=2),
        page(row("turned", 0.3), number=3, rotation=90),
        title="a; \"b\" <c> & 'd'.pdf",
    )
    assert complaints(path) == []
    tree = etree.parse(path)
    assert [each.text for each in tree.iter(f"{XHTML}span") if each.get("class") == "ocrx_word"][:2] == [
        '<b>&"x"',
        "a'b",
    ]
    assert len([each for each in tree.iter(f"{XHTML}div") if each.get("class") == "ocr_page"]) == 3


def test_the_checkers_can_complain(tmp_path: Path) -> None:
    """A file with a line outside of any page is refused: the check above means something."""
    path = written(tmp_path, page(row("some words", 0.1)))
    path.write_text(path.read_text().replace('class="ocr_page"', 'class="ocr_sheet"'))
    assert complaints(path)


def test_places_are_in_pixels(tmp_path: Path) -> None:
    """Boxes are whole pixels within the page, with confidences, and the page says its number and resolution."""
    far = line(word("edge", box(0.95, 0.999, 0.1, 0.01), confidence=41.6))
    tree = etree.parse(written(tmp_path, page(row("first", 0.25, left=0.5), far)))
    spans = {each.get("id"): each.get("title") for each in tree.iter(f"{XHTML}span")}
    assert spans["word_1_1_1"] == "bbox 500 500 560 540; x_wconf 95"
    assert spans["word_1_2_1"] == "bbox 950 1998 1000 2000; x_wconf 42"
    (sheet,) = [each.get("title") for each in tree.iter(f"{XHTML}div") if each.get("class") == "ocr_page"]
    assert sheet == 'image "filing.pdf"; bbox 0 0 1000 2000; ppageno 0; scan_res 200 200'


@pytest.mark.parametrize(("rotation", "angle"), [(0, None), (90, 270), (180, 180), (270, 90)])
def test_turned_lines_say_so(tmp_path: Path, rotation: int, angle: int | None) -> None:
    """The angle is counter-clockwise, as hOCR has it."""
    place = box(0.1, 0.1, 0.02, 0.5) if rotation % 180 else box(0.1, 0.1, 0.5, 0.02)
    tree = etree.parse(written(tmp_path, page(line(word("sideways", place)), rotation=rotation)))
    (title,) = [each.get("title") for each in tree.iter(f"{XHTML}span") if each.get("class") == "ocr_line"]
    assert ("textangle" in title) == (angle is not None)
    assert angle is None or title.endswith(f"textangle {angle}")


def test_lines_that_stand_together_are_one_block(tmp_path: Path) -> None:
    """A gap parts blocks, and so does another column."""
    tree = etree.parse(
        written(
            tmp_path,
            page(row("one two", 0.1), row("three four", 0.125), row("far below", 0.4), row("beside", 0.425, left=0.7)),
        )
    )
    areas = [each for each in tree.iter(f"{XHTML}div") if each.get("class") == "ocr_carea"]
    assert [len(list(area.iterfind(f".//{XHTML}span[@class='ocr_line']"))) for area in areas] == [2, 1, 1]
