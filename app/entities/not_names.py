"""What a model takes for names by its capitals, and isn't: headings, laws, papers, defined terms, doctrines."""

import re
from collections.abc import Iterable, Iterator

from app.entities.mentions import EntityType
from app.entities.organization_names import has_legal_form
from app.entities.readable import Readable
from app.entities.words_of_law import GENERIC, SMALL

LONGEST_NAME = 80
"""What is longer, in characters, is no organisation's name but a form's lines run together; courts' are found by themselves."""

TELLING = 5
"""So many letters without an ending are another form of a word: guarantee of guaranteed."""

_COMMON = re.compile(r"(?<![\w@./’'-])[a-z]{3,}(?![\w@]|[./-]\w)")
_WORD = re.compile(r"[^\W\d_]+")
_LAW = re.compile(
    r"\b(?:Acts?|Codes?|Regulations?|Statutes?|Amendment|Constitution|Ordinance)(?:,? (?:of|Section|Title|Chapter|No)\b.*)?$"
)
_PAPER = re.compile(
    r"\b(?:Forms?|Reports?|Guides?|Statements?|Notices?|Certificates?|Acknowledge?ments?|Schedules?|Summar(?:y|ies)|Exhibits?|"
    r"Standards?|Types?|Points?|Table|Scope|Proofs?|Causes?)(?: (?:of|for|to|on|in|and) .*)?$"
)
_NOT_OF_A_NAME = re.compile(
    r"\s(?:v|vs)\.?\s|^(?:Id|Ibid|Supra|Infra|Cf)\b|\.\s(?:App|Ct|Cir|Crim|Supp|Rptr|Super)\b\.?$|[✔✓☐☑☒□■]|\((?:select|check) |:\s",
    re.IGNORECASE,
)
_LISTED = re.compile(r"(?:[A-Z]|[IVX]{1,5}|\d{1,2})[.)]\s")
_FOLLOWED = re.compile(
    r"\s+(?:pleas?|tests?|hearings?|standards?|analys[ie]s|doctrines?|factors?|prongs?|warnings?|abstention|deference|immunity|"
    r"exception|violations?|inquiry)\b"
)
"""After a case's name that stands for what it holds: a Pellworth plea."""
_COURTS_WORDS = re.compile(r"\s+(?:Docket|Judge|Court|Case)\b")
_OFFICE = re.compile(r"\s+(?:District|Circuit|Magistrate|Bankruptcy|Attorney|Marshal)\b")
_DEFINITION = re.compile(r"[\s,]{0,3}\((?:the\s)?[“\"]")


_FORM_WORDS = re.compile(r"(?:bill|ship|sold|remit|attn|attention)(?:\s+to)?", re.IGNORECASE)
_TO = re.compile(r"\s+[Tt][Oo]\b")
_HEADINGS = frozenset(
    [
        "labor",
        "labour",
        "materials",
        "equipment",
        "overhead",
        "supplies",
        "travel",
        "subtotal",
        "quantity",
        "amount",
        "total",
    ]
)
"""Words that head a table's rows, and name nobody alone."""


def common_words(texts: Iterable[Readable]) -> frozenset[str]:
    """The words that some texts write in small letters, with their endings and without."""
    words = {word for text in texts for word in _COMMON.findall(text.text)}
    return frozenset(words.union(*map(_stems, words)))


def is_no_name(text: Readable, start: int, end: int, kind: EntityType, common: frozenset[str]) -> bool:
    """Whether a range that a model takes for a name is something else; `common` are the words that are no names."""
    name = text.cased[start:end]
    if has_legal_form(name):
        return False
    after = text.cased[end : end + 20]
    if _NOT_OF_A_NAME.search(name) or _FOLLOWED.match(after) or (name == "DC" and _COURTS_WORDS.match(after)):
        return True
    of_form = _FORM_WORDS.fullmatch(name) and (name.lower() != "bill" or _TO.match(after))
    if of_form or (name.endswith("Circuit") and re.match(r"\s+Rule \d", after)):
        return True
    if name == "United States" and _OFFICE.match(after):
        return True
    if kind is EntityType.ORGANIZATION and (name.lower() in _HEADINGS or _is_paper(text, start, end)):
        return True
    return _is_common(text, start, end, kind, common)


def _is_paper(text: Readable, start: int, end: int) -> bool:
    """Whether an organisation is a law, a paper, a numbered heading, a term with its abbreviation, or far too long."""
    name = text.cased[start:end]
    if end - start > LONGEST_NAME or _LAW.search(name) or _PAPER.search(name) or _LISTED.match(name):
        return True
    around = text.text[max(start - 20, 0) : start], text.text[end : end + 1]
    return bool(re.search(r"\b[a-z]+ \($", around[0])) and around[1] == ")" and name.isupper()


def _is_common(text: Readable, start: int, end: int, kind: EntityType, common: frozenset[str]) -> bool:
    """Whether all words of a name are ones that the text writes small elsewhere.

    Of people and places that tells something of single words in capitals alone: Brown and Hill are names. What is defined
    at once (“so”) is somebody.
    """
    written = text.text[start:end]
    words = [word.lower() for word in _WORD.findall(written)]
    if kind is not EntityType.ORGANIZATION and (len(words) > 1 or not written.isupper()):
        return False
    if _DEFINITION.match(text.text, end) or all(word in GENERIC for word in words):
        return False
    return all(_is_known(word, common) for word in words)


def _is_known(word: str, common: frozenset[str]) -> bool:
    if len(word) == 1 or word in SMALL:
        return True
    return any(form in GENERIC or form in common for form in (word, f"{word}s", *_stems(word)))


def _stems(word: str) -> Iterator[str]:
    """What may be left of a word without its ending, where that is long enough to tell."""
    for ending in ("s", "ed", "d", "ly", "ment"):
        stem = word.removesuffix(ending)
        if stem != word and len(stem) >= TELLING:
            yield stem
