"""hOCR 1.2: what was read as XHTML, each page, block, line and word with its place in pixels.

Ids are `page_1`, `block_1_1` and so on; places are told in pixels of the image, and of PDF pages at 300 dots an inch.
"""

from collections.abc import Iterable, Iterator
from itertools import count
from xml.sax.saxutils import escape

from app.formats.lines import Line, around, blocks_of, turn_of, words_of, xml_text
from app.formats.page_sizes import PageSize
from app.ocr.blocks import PageText

MEDIA_TYPE = "text/vnd.hocr+html"

_HEAD = """\
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml">
<head>
<title>{title}</title>
<meta http-equiv="Content-Type" content="text/html; charset=utf-8"/>
<meta name="ocr-system" content="{producer}"/>
<meta name="ocr-capabilities" content="ocr_page ocr_carea ocr_par ocr_line ocrx_word ocrp_wconf"/>
<meta name="ocr-number-of-pages" content="{pages}"/>
<meta name="ocr-langs" content="unknown"/>
<meta name="ocr-scripts" content="unknown"/>
</head>
<body>
"""
_FOOT = "</body>\n</html>\n"
_QUOTES = {'"': "&quot;", "'": "&#39;"}


def hocr(pages: Iterable[tuple[PageText, PageSize]], *, title: str, producer: str, page_count: int) -> Iterator[str]:
    """A document as hOCR, piece by piece; `title` is its file's name."""
    yield _HEAD.format(title=_quoted(title), producer=_quoted(producer), pages=page_count)
    for page, size in pages:
        yield _page(page, size, title)
    yield _FOOT


def _page(page: PageText, size: PageSize, image: str) -> str:
    number, lines = page.number, count(1)
    # A semicolon or a quote would end the property.
    name = image.replace(";", "_").replace('"', "_")
    title = f'image "{name}"; bbox 0 0 {size.width} {size.height}; ppageno {number - 1}; scan_res {size.dpi} {size.dpi}'
    parts = [f'<div class="ocr_page" id="page_{number}" title=\'{_quoted(title)}\'>\n']
    for index, block in enumerate(blocks_of(page), 1):
        box = _bbox(around([line["box"] for line in block]), size)
        parts.append(f'<div class="ocr_carea" id="block_{number}_{index}" title="{box}">\n')
        parts.append(f'<p class="ocr_par" id="par_{number}_{index}" title="{box}">\n')
        parts += [_line(line, page, size, f"{number}_{next(lines)}") for line in block]
        parts.append("</p>\n</div>\n")
    parts.append("</div>\n")
    return "".join(parts)


def _line(line: Line, page: PageText, size: PageSize, number: str) -> str:
    # Counter-clockwise, where Quire counts clockwise.
    angle = -turn_of(line, page) % 360
    title = _bbox(line["box"], size) + (f"; textangle {angle}" if angle else "")
    words = " ".join(
        f'<span class="ocrx_word" id="word_{number}_{index}" '
        f'title="{_bbox(word["box"], size)}; x_wconf {round(word["confidence"])}">{_quoted(word["text"])}</span>'
        for index, word in enumerate(words_of(line), 1)
    )
    return f'<span class="ocr_line" id="line_{number}" title="{title}">{words}</span>\n'


def _bbox(box: dict[str, float], size: PageSize) -> str:
    left, top, right, bottom = size.box(box)
    return f"bbox {left} {top} {right} {bottom}"


def _quoted(text: str) -> str:
    return escape(xml_text(text), _QUOTES)
