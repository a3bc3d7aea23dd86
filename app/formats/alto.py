"""ALTO 4: what was read as XML, each page, block, line and word with its place in pixels.

Written to version 4.2 of the schema, of which all later ones of version 4 are supersets; ids are unique in the document.
"""

from collections.abc import Iterable, Iterator
from itertools import count
from xml.sax.saxutils import escape

from app.formats.lines import Line, around, blocks_of, turn_of, words_of, xml_text
from app.formats.page_sizes import PageSize
from app.ocr.blocks import PageText

MEDIA_TYPE = "application/xml"

_HEAD = """\
<?xml version="1.0" encoding="UTF-8"?>
<alto xmlns="http://www.loc.gov/standards/alto/ns-v4#" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" \
xsi:schemaLocation="http://www.loc.gov/standards/alto/ns-v4# http://www.loc.gov/standards/alto/v4/alto-4-2.xsd" \
SCHEMAVERSION="4.2">
<Description>
<MeasurementUnit>pixel</MeasurementUnit>
<sourceImageInformation><fileName>{title}</fileName></sourceImageInformation>
<Processing ID="reading"><processingSoftware><softwareName>{producer}</softwareName></processingSoftware></Processing>
</Description>
<Layout>
"""
_FOOT = "</Layout>\n</alto>\n"
_QUOTES = {'"': "&quot;", "\n": "&#10;", "\t": "&#9;"}


def alto(pages: Iterable[tuple[PageText, PageSize]], *, title: str, producer: str) -> Iterator[str]:
    """A document as ALTO, piece by piece; `title` is its file's name."""
    yield _HEAD.format(title=_quoted(title), producer=_quoted(producer))
    for page, size in pages:
        yield _page(page, size)
    yield _FOOT


def _page(page: PageText, size: PageSize) -> str:
    number, lines = page.number, count(1)
    accuracy = "" if page.confidence is None else f' PC="{_share(page.confidence)}"'
    whole = f'WIDTH="{size.width}" HEIGHT="{size.height}"'
    parts = [
        f'<Page ID="page_{number}" PHYSICAL_IMG_NR="{number}" {whole} PROCESSINGREFS="reading"{accuracy}>\n',
        f'<PrintSpace HPOS="0" VPOS="0" {whole}>\n',
    ]
    for index, block in enumerate(blocks_of(page), 1):
        # Counter-clockwise, where Quire counts clockwise.
        angle = -turn_of(block[0], page) % 360
        turned = f' ROTATION="{angle}"' if angle else ""
        place = _place(around([line["box"] for line in block]), size)
        parts.append(f'<TextBlock ID="block_{number}_{index}" {place}{turned}>\n')
        parts += [_line(line, size, f"{number}_{next(lines)}") for line in block]
        parts.append("</TextBlock>\n")
    parts.append("</PrintSpace>\n</Page>\n")
    return "".join(parts)


def _line(line: Line, size: PageSize, number: str) -> str:
    words = "<SP/>".join(
        f'<String ID="word_{number}_{index}" {_place(word["box"], size)} '
        f'WC="{_share(word["confidence"])}" CONTENT="{_quoted(word["text"])}"/>'
        for index, word in enumerate(words_of(line), 1)
    )
    return f'<TextLine ID="line_{number}" {_place(line["box"], size)}>{words}</TextLine>\n'


def _place(box: dict[str, float], size: PageSize) -> str:
    left, top, right, bottom = size.box(box)
    return f'HPOS="{left}" VPOS="{top}" WIDTH="{right - left}" HEIGHT="{bottom - top}"'


def _share(percent: float) -> str:
    return f"{min(1.0, max(0.0, percent / 100)):.4g}"


def _quoted(text: str) -> str:
    return escape(xml_text(text), _QUOTES)
