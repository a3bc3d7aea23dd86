"""Letters without accents, typographic quotes and case: what all normal forms begin with."""

import re
import unicodedata

_QUOTES = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "\u2010": "-", "\u00a0": " "})
_SPACES = re.compile(r"\s+")


def plain(text: str) -> str:
    """A text in small letters, its accents off, its quotes and dashes straight, its spaces single."""
    if text.isascii():
        return _SPACES.sub(" ", text).strip().lower()
    decomposed = unicodedata.normalize("NFKD", text.translate(_QUOTES))
    bare = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return _SPACES.sub(" ", bare).strip().lower()
