"""What an organisation is called, without what only says of which legal kind it is."""

import re
from functools import lru_cache

from app.entities.plain import plain

LEGAL_FORMS = frozenset(
    [
        "inc",
        "incorporated",
        "corp",
        "corporation",
        "co",
        "company",
        "llc",
        "llp",
        "lp",
        "ltd",
        "limited",
        "plc",
        "pllc",
        "pc",
        "pa",
        "na",
        "nv",
        "bv",
        "ag",
        "gmbh",
        "sa",
        "sarl",
        "spa",
        "lllp",
        "lc",
        "chtd",
        "chartered",
        "pty",
        "srl",
        "oy",
        "ab",
        "as",
        "kg",
    ]
)
SPELLED_OUT = {
    "assn": "association",
    "assoc": "association",
    "ass'n": "association",
    "bros": "brothers",
    "comm'n": "commission",
    "cnty": "county",
    "cty": "county",
    "dep't": "department",
    "dept": "department",
    "dist": "district",
    "gov't": "government",
    "hosp": "hospital",
    "indus": "industries",
    "ins": "insurance",
    "int'l": "international",
    "intl": "international",
    "mfg": "manufacturing",
    "mgmt": "management",
    "nat'l": "national",
    "natl": "national",
    "servs": "services",
    "svcs": "services",
    "sys": "systems",
    "tech": "technology",
    "univ": "university",
    "us": "united states",
    "usa": "united states",
    "&": "and",
}
CUES = frozenset(
    [
        "agency",
        "association",
        "assurance",
        "authority",
        "bank",
        "bar",
        "board",
        "brothers",
        "bureau",
        "capital",
        "center",
        "centre",
        "chamber",
        "church",
        "city",
        "clinic",
        "college",
        "commission",
        "committee",
        "communications",
        "conference",
        "congress",
        "consulting",
        "contracting",
        "cooperative",
        "council",
        "county",
        "court",
        "credit",
        "department",
        "district",
        "division",
        "enterprises",
        "estate",
        "exchange",
        "federation",
        "financial",
        "firm",
        "foundation",
        "fund",
        "government",
        "group",
        "holdings",
        "hospital",
        "house",
        "industries",
        "institute",
        "insurance",
        "international",
        "laboratories",
        "league",
        "legislature",
        "logistics",
        "manufacturing",
        "ministry",
        "mortgage",
        "motors",
        "museum",
        "network",
        "office",
        "partners",
        "partnership",
        "pharmaceuticals",
        "players",
        "police",
        "press",
        "properties",
        "realty",
        "school",
        "senate",
        "services",
        "society",
        "software",
        "solutions",
        "stores",
        "syndicate",
        "systems",
        "technologies",
        "technology",
        "trust",
        "union",
        "university",
        "utilities",
    ]
)
"""Words that say that a name is an organisation's."""

_WORD = re.compile(r"[^\W_]+(?:['.][^\W_]+)*|&")
_DOTTED = re.compile(r"\b(?:[a-z0-9]\.)+[a-z0-9]?\.?(?![\w])")
_ALIAS = re.compile(r"\s+(?:d/?b/?a|f/?k/?a|a/?k/?a|n/?k/?a)\b.*", re.DOTALL)
_OTHERS = re.compile(r",?\s+et al\b.*", re.DOTALL)


def organization_form(text: str) -> str:
    """An organisation's normal form; empty for what holds no letter or digit."""
    words = words_of(text)
    while len(words) > 1 and words[0] in {"the", "a", "an", "and", "of"}:
        words.pop(0)
    while len(words) > 1 and (words[-1] in LEGAL_FORMS or words[-1] == "and"):
        words.pop()
    return " ".join(words)


def words_of(text: str) -> list[str]:
    """An organisation's words in small letters, abbreviations spelled out; what it does business as is left off."""
    bare = _OTHERS.sub("", _ALIAS.sub("", plain(text)))
    joined = _DOTTED.sub(lambda dotted: dotted[0].replace(".", "") + " ", bare)
    words = []
    for word in _WORD.findall(joined):
        stem = word.removesuffix("'s").removesuffix("'")
        words.extend(SPELLED_OUT.get(word, SPELLED_OUT.get(stem, stem.replace("'", ""))).split())
    return words


@lru_cache(maxsize=2048)
def has_legal_form(text: str) -> bool:
    """Whether a name ends as only an organisation's does: Inc., LLC, Company."""
    words = words_of(text)
    return len(words) > 1 and words[-1] in LEGAL_FORMS


@lru_cache(maxsize=2048)
def looks_like_organization(text: str) -> bool:
    """Whether a name has a word that only organisations have."""
    words = words_of(text)
    return has_legal_form(text) or bool(CUES.intersection(words)) or " of " in f" {' '.join(words)} "


def acronym(normal: str) -> str:
    """The first letters of a name's words, small ones left out: `national football league` is `nfl`."""
    return "".join(word[0] for word in normal.split() if word not in {"of", "the", "and", "for", "in", "at"})
