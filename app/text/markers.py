"""What a line's own words say about it: the marker of an item, the number of a section, the looks of a title."""

import re
from dataclasses import dataclass

MOST_TITLE_LETTERS = 160
MOST_TITLE_WORDS = 16
TITLE_CASE_SHARE = 0.7
CAPITALS_SHARE = 0.85
LETTERS_SHARE = 0.7
SMALL_WORD_LETTERS = 3
"""Words of at most so many letters may be written small in a title."""

MISREAD = {"Il": "II"}
"""Numbers as they are read from pictures, and as they are meant."""

_BULLET = re.compile(r"([•●○◦▪■□‣⁃∙·*–—-])\s+(?=\S)")
_NUMBERED = re.compile(r"(?!v\.)(\(?)((?:\d{1,3}\.)*\d{1,2}|[A-Za-z]|[ivxl]{2,6}|[IVXL]{2,6}|Il)([.)])(?:\s+|$)")
_DOTTED = re.compile(r"()(\d{1,2}(?:\.\d{1,2}){1,4})()\.?\s+(?=\S)")
_SECTION = re.compile(
    r"(article|chapter|part|title|section|sec\.|exhibit|schedule|appendix|annex|attachment|count|§+)\s*"
    r"(\d{1,3}(?:\.\d{1,3})*|[IVXLC]{1,7}|[A-Z])\b[.:)]?(?:\s|$)",
    re.IGNORECASE,
)
_RUN_IN = re.compile(r"([^a-z.:]{3,100})[.:]\s+(?=\S)")
_ROMAN = re.compile(r"(?:xl|x{0,3})(?:ix|iv|v?i{0,3})", re.IGNORECASE)
_VERSUS = re.compile(r"vs?\.?\s")
"""The middle of a case's name, between its parties."""
_SENTENCE_LIKE = re.compile(r"""[.?!;,]["”’')\]]*$""")
_WORD = re.compile(r"[^\W\d_][\w’']*")


@dataclass(frozen=True, slots=True)
class Marker:
    """What an item or a section's heading begins with."""

    text: str
    """As it stands, without the blank after it."""
    style: str
    """The same for all items of one list: `1.`, `(a)`, `I.`, `1.1`, `•`, or a word such as `article`."""
    length: int
    """With the blank after it."""

    @property
    def place(self) -> tuple[int, ...]:
        """Where it stands in its list: its numbers, or its letter's; nothing of a Roman number, a sign or a word."""
        value = self.text.strip("().")
        if len(value) == 1 and value.isalpha():
            return (ord(value),)
        parts = value.split(".")
        return tuple(map(int, parts)) if all(part.isdecimal() for part in parts) else ()

    @property
    def is_word(self) -> bool:
        """Whether it is a word with a number, such as `Section 4`, which stands within sentences too."""
        return len(self.style) > 1 and self.style.isalpha()


def marker_of(text: str) -> Marker | None:
    """The marker that a line begins with, of an item or a section; None where it has none, or is nothing else."""
    if match := _BULLET.match(text):
        return Marker(match[1], match[1], match.end())
    if match := _NUMBERED.match(text) or _DOTTED.match(text):
        before, value, after = match.groups()
        return Marker(match.group().strip(), f"{before}{_style(value)}{after}", match.end())
    if match := _SECTION.match(text):
        return Marker(match.group().strip(), match[1].casefold(), match.end())
    return None


def _style(value: str) -> str:
    value = MISREAD.get(value, value)
    if "." in value:
        return ".".join("1" for _ in value.split("."))
    if value.isdigit():
        return "1"
    is_roman = _ROMAN.fullmatch(value) and (len(value) > 1 or value in "iI")
    style = "i" if is_roman else "a"
    return style.upper() if value.isupper() else style


def is_title(text: str) -> bool:
    """Whether a line, or some, reads like a heading: short, no sentence, in capitals or with its words capitalised."""
    marker = marker_of(text)
    said = text[marker.length :] if marker else text
    words = _WORD.findall(said)
    if not words:
        return marker is not None and not said
    if len(text) > MOST_TITLE_LETTERS or len(words) > MOST_TITLE_WORDS or _is_figures(said):
        return False
    if _VERSUS.match(said):
        return False
    if is_capitals(said):
        return not said.rstrip().endswith((",", ";"))
    if _SENTENCE_LIKE.search(said) or not said[0].isalpha():
        return False
    telling = [word for word in words if len(word) > SMALL_WORD_LETTERS] or words
    capitals = sum(word[0].isupper() for word in telling)
    return bool(words[0][0].isupper()) and capitals >= TITLE_CASE_SHARE * len(telling)


def run_in_title(text: str, marker: Marker) -> str | None:
    """The title in capitals that a section's own text begins with, after its marker: `9. HARASSMENT. The parties …`."""
    match = _RUN_IN.match(text, marker.length)
    return text[: match.end(1)] if match and is_capitals(match[1]) else None


def is_capitals(text: str) -> bool:
    """Whether a text is written in capitals, but for a word such as `of`."""
    letters = list(filter(str.isalpha, text))
    return len(letters) > SMALL_WORD_LETTERS and sum(map(str.isupper, letters)) >= CAPITALS_SHARE * len(letters)


def _is_figures(text: str) -> bool:
    signs = [sign for sign in text if not sign.isspace()]
    return sum(sign.isalpha() for sign in signs) < LETTERS_SHARE * len(signs)
