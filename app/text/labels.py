"""Lines that look like headings and are none: stamps, and the names in addresses, in signature blocks and beside blanks."""

import re
from collections.abc import Sequence

from app.text.blocks import Block, Measure
from app.text.lines import Part, Rect

FEWEST_LETTERS = 3
"""A heading has as many: a stray letter on the page is none."""
NEXT_LINE, MOST_STEP = 1.6, 3.2
"""Lines from one to the next, at most: of an address; and of a signature block, which leaves room to sign."""
MOST_LINES = 5
"""So many lines below a name are looked at."""
MOST_LETTERS = 70
"""A line that is longer is no line of an address."""
INDENT = 3.0
"""Widths of a letter: so far to the right of a name its address may begin."""

_STAMP = re.compile(
    r"(?:electronically |e-)?(?:filed|received|entered|served|sealed|signed|printed|signature|copy|original)(?: copy)?[.:]?",
    re.IGNORECASE,
)
_NO_WORDS = re.compile(r"[\W_]+")
_STREET = r"\d{1,6}[A-Z]?\s.*\b(?:street|st|avenue|ave|road|rd|boulevard|blvd|drive|dr|lane|ln|square|plaza|suite|ste|floor)\b.*"
_TOWN = r".*\b[A-Z][\w.]+,?\s+(?-i:[A-Z]{2})\.?\s+\d{5}(?:-\d{4})?"
_PHONE = r"(?:(?:tel|telephone|phone|fax|facsimile)\b.*|)\(?\d{3}\)?[\s.-]+\d{3}[\s.-]\d{4}.*"
_MAIL = r"(?:e-?mail\b.*|\S+@\S+\.\w+)"
_ADDRESS = re.compile(rf"{_STREET}|{_TOWN}|{_PHONE}|{_MAIL}|p\.?\s?o\.?\s+box\b.*", re.IGNORECASE)
_SIGNATURE = re.compile(r"(?:by:|/?s/\s).*|_{5,}\s*\(.*", re.IGNORECASE)


def is_label(block: Block, parts: Sequence[Part], measure: Measure) -> bool:
    """Whether a block that looks like a heading is a stray letter, a stamp, a name that an address or a signature goes with."""
    text, place = block.text, block.rows[0].rect
    if sum(map(str.isalpha, text)) < FEWEST_LETTERS or _STAMP.fullmatch(text):
        return True
    own = {part.start for row in block.rows for part in row.parts}
    others = [part for part in parts if part.start not in own]
    if any(_NO_WORDS.fullmatch(part.text) and part.rect.beside(place) for part in others):
        return True
    rects, slack = [row.rect for row in block.rows], INDENT * measure.letter
    left, right = min(rect.left for rect in rects) - slack, max(rect.right for rect in rects) + slack
    return _has_address_below(Rect(left, rects[-1].top, right, rects[-1].bottom), others, measure)


def _has_address_below(place: Rect, others: Sequence[Part], measure: Measure) -> bool:
    """Whether short lines go on right below a place, a line of an address or a signature among them."""
    below = sorted(
        (part for part in others if part.rect.middle > place.bottom and part.rect.above_or_below(place)),
        key=lambda part: part.rect.middle,
    )
    last = place.middle
    for part in below[:MOST_LINES]:
        step = (part.rect.middle - last) / measure.pitch
        if step > MOST_STEP or len(part.text) > MOST_LETTERS:
            return False
        if _SIGNATURE.fullmatch(part.text) or (step < NEXT_LINE and _ADDRESS.fullmatch(part.text)):
            return True
        last = part.rect.middle
    return False
