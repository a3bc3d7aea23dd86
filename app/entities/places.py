"""Places and addresses: states by their full names, words of addresses as the post abbreviates them."""

import re

from app.entities.plain import plain

STATES = {
    "al": "alabama", "ak": "alaska", "az": "arizona", "ar": "arkansas", "ca": "california", "co": "colorado",
    "ct": "connecticut", "de": "delaware", "dc": "district of columbia", "fl": "florida", "ga": "georgia",
    "hi": "hawaii", "id": "idaho", "il": "illinois", "in": "indiana", "ia": "iowa", "ks": "kansas",
    "ky": "kentucky", "la": "louisiana", "me": "maine", "md": "maryland", "ma": "massachusetts", "mi": "michigan",
    "mn": "minnesota", "ms": "mississippi", "mo": "missouri", "mt": "montana", "ne": "nebraska", "nv": "nevada",
    "nh": "new hampshire", "nj": "new jersey", "nm": "new mexico", "ny": "new york", "nc": "north carolina",
    "nd": "north dakota", "oh": "ohio", "ok": "oklahoma", "or": "oregon", "pa": "pennsylvania",
    "pr": "puerto rico", "ri": "rhode island", "sc": "south carolina", "sd": "south dakota", "tn": "tennessee",
    "tx": "texas", "ut": "utah", "vt": "vermont", "va": "virginia", "wa": "washington", "wv": "west virginia",
    "wi": "wisconsin", "wy": "wyoming",
}  # fmt: skip
SHORT_STATES = {
    "ala": "alabama", "ariz": "arizona", "ark": "arkansas", "cal": "california", "calif": "california",
    "colo": "colorado", "conn": "connecticut", "del": "delaware", "fla": "florida", "ill": "illinois",
    "ind": "indiana", "kan": "kansas", "mass": "massachusetts", "mich": "michigan", "minn": "minnesota",
    "miss": "mississippi", "mont": "montana", "neb": "nebraska", "nev": "nevada", "okla": "oklahoma",
    "ore": "oregon", "penn": "pennsylvania", "tenn": "tennessee", "tex": "texas", "wash": "washington",
    "wis": "wisconsin", "wyo": "wyoming",
}  # fmt: skip
COUNTRIES = {"us": "united states", "usa": "united states", "u s": "united states", "uk": "united kingdom"} | {
    "united states of america": "united states",
    "great britain": "united kingdom",
}
POSTAL = {
    "avenue": "ave", "av": "ave", "boulevard": "blvd", "building": "bldg", "circle": "cir", "court": "ct",
    "drive": "dr", "east": "e", "expressway": "expy", "floor": "fl", "freeway": "fwy", "highway": "hwy",
    "lane": "ln", "north": "n", "parkway": "pkwy", "place": "pl", "plaza": "plz", "road": "rd", "room": "rm",
    "south": "s", "square": "sq", "street": "st", "suite": "ste", "terrace": "ter", "west": "w",
    "apartment": "apt", "northeast": "ne", "northwest": "nw", "southeast": "se", "southwest": "sw",
}  # fmt: skip
_CODES = {name: code for code, name in STATES.items()}
_NAMES = sorted(_CODES, key=len, reverse=True)
_LONG_NAMES = re.compile(rf"\b({'|'.join(_NAMES)})(?=,? \d{{5}}(?:-\d{{4}})?$)")
_ZIP = re.compile(r"\b(\d{5})-\d{4}$")
_POINTS = re.compile(r"(?<=\w)\.")


def place_form(text: str) -> str:
    """A place's normal form; empty for what holds no letter."""
    parts = [_POINTS.sub("", part).strip(" '\"()-") for part in plain(text).split(",")]
    parts = [re.sub(r"^the ", "", part) for part in parts if part]
    if not any(letter.isalpha() for part in parts for letter in part):
        return ""
    last = len(parts) - 1
    return ", ".join(_place(part, alone=i == 0, last=i == last) for i, part in enumerate(parts))


def _place(part: str, *, alone: bool, last: bool) -> str:
    short = part.replace(" ", "")
    if part in COUNTRIES:
        return COUNTRIES[part]
    if last and part in SHORT_STATES:
        return SHORT_STATES[part]
    # Two letters alone may be a word or a person's initials, but for a few that stand for their state everywhere.
    if last and short in STATES and (not alone or short in {"ny", "nj", "dc", "tx", "fl"}):
        return STATES[short]
    return re.sub(r"^st ", "saint ", part)


def address_form(text: str) -> str:
    """An address's normal form; empty for what has no number."""
    bare = _ZIP.sub(r"\1", plain(text))
    bare = _LONG_NAMES.sub(lambda state: _CODES[state[1]], bare)
    words = re.findall(r"[\w#]+", bare.replace(".", "").replace("'", ""))
    if not any(word.isdigit() for word in words):
        return ""
    return " ".join(POSTAL.get(word, word) for word in words)
