"""Whether a page's text layer says what a reader sees: rules that were measured on born-digital filings and on scans."""

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from string import ascii_lowercase

BAD_SHARE = 0.02
"""More characters than this without a meaning, and the rest can't be believed either."""
HIDDEN_SHARE = 0.05
"""Text that isn't drawn is what a scanner's own reading left under the picture."""
IMAGE_SHARE = 0.08
"""Pictures that cover more of the page may show text; a letterhead's emblem covers less."""
FEW_WORDS = 5
"""A layer with fewer words than this beside its stamps isn't the page's content, and a page so empty is read quickly."""
TELLING_LETTERS = 40
"""From so many letters on, the share of vowels tells a language from noise."""
VOWEL_SHARES = (0.22, 0.62)
TELLING_WORDS = 60
"""From so many words of letters on, language shows by its most frequent words; or, in tables, by its most frequent letters."""
STOP_WORD_SHARE = 0.02
COMMON_LETTERS = "etaoinsr"
COMMON_LETTER_SHARE = 0.5
"""English, German and French have more than 0.6 of them, and letters that were mixed up at random 0.3."""
DRAWN_LETTERS = 2.0
"""So many curved shapes for each character of text: letters that are drawn, not written."""

_STAMP = re.compile(
    r"\b(case|appeal|usca\d?|document|doc|filed|entry|page|pageid|date|id|no|of|pg|entered|desc|main|ecf|nyscef|index|"
    r"received|rcvd|dkt|certified|copy)\b|[\d/:.#,\-_()]+|\b[a-z]{1,4}\b",
    re.IGNORECASE,
)
_FREQUENT = (
    "the of and to in is for that with on by as at or be this from it not an are was "
    "der die das und in den von zu mit ist im für auf des ein eine nicht dem sich als auch "
    "de la le les et des du un une en que est pour dans par sur el los las del y se con una por "
    "di il che per non della da do em os não uma het een van op te dat"
)
_STOP_WORDS = frozenset(_FREQUENT.split())
_LETTERS = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class LayerFacts:
    """What was found on a page: its text, and shares from 0 to 1 of what speaks against it."""

    text: str
    bad_characters: int
    hidden_share: float
    image_share: float
    curves: int
    has_filled_annotations: bool
    is_upright: bool


def is_trustworthy(facts: LayerFacts) -> bool:
    """Tell whether a page may be read from its text layer alone."""
    length = len(facts.text)
    if facts.has_filled_annotations or not facts.is_upright or facts.bad_characters > BAD_SHARE * length:
        return False
    if facts.hidden_share > HIDDEN_SHARE or facts.image_share > IMAGE_SHARE or facts.curves > DRAWN_LETTERS * length:
        return False
    return has_content(facts.text) and is_language(facts.text)


def has_content(text: str) -> bool:
    """Tell whether there's more than the stamps that courts put on what is filed, which is all that some scans have."""
    return len(_LETTERS.findall(_STAMP.sub(" ", text))) >= FEW_WORDS


def is_language(text: str) -> bool:
    """Tell language from gibberish, by vowels and frequent words; text in other scripts than Latin is believed."""
    folded = text.casefold()
    counts = Counter(unicodedata.normalize("NFD", folded))
    letters = sum(count for letter, count in counts.items() if letter.isalpha())
    latin = sum(counts[letter] for letter in ascii_lowercase)
    if latin < TELLING_LETTERS or 2 * latin < letters:
        return True
    vowels = sum(counts[letter] for letter in "aeiouy") / latin
    if not VOWEL_SHARES[0] <= vowels <= VOWEL_SHARES[1]:
        return False
    words = _LETTERS.findall(folded)
    frequent = sum(word in _STOP_WORDS for word in words)
    if len(words) < TELLING_WORDS or frequent >= STOP_WORD_SHARE * len(words):
        return True
    return sum(counts[letter] for letter in COMMON_LETTERS) >= COMMON_LETTER_SHARE * latin
