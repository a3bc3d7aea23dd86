"""Amounts of money: how they are written, and as currency and number."""

import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation

from app.entities.anchors import lowered, matches_at, places

SYMBOLS = {"$": "USD", "us$": "USD", "usd": "USD", "dollar": "USD", "dollars": "USD", "cents": "USD", "cent": "USD"} | {
    "€": "EUR",
    "eur": "EUR",
    "euro": "EUR",
    "euros": "EUR",
    "£": "GBP",
    "gbp": "GBP",
    "pounds": "GBP",
    "¥": "JPY",
    "jpy": "JPY",
    "yen": "JPY",
    "cad": "CAD",
    "c$": "CAD",
    "chf": "CHF",
}
SCALES = {"hundred": 100, "thousand": 1000, "k": 1000, "million": 10**6, "m": 10**6, "mm": 10**6} | {
    "billion": 10**9,
    "bn": 10**9,
    "b": 10**9,
    "trillion": 10**12,
}
_UNITS = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
]
_UNITS += ["seventeen", "eighteen", "nineteen"]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
WORDS = {word: value for value, word in enumerate(_UNITS)} | {word: 10 * i for i, word in enumerate(_TENS, start=2)}

_NUMBER = r"\d{1,3}(?:,[\dOlI]{3})+(?:\.\d{1,2})?|\d+(?:\.\d+)?"
"""With what scanning makes of zeros and ones, where a comma says that it is a digit."""
_DIGITS = str.maketrans("OoIl", "0011")
_SCALE = r"(?:\s?(?:hundred|thousand|million|billion|trillion)\b|\s?(?:k|mm|m|bn|b)\b(?!\.))"
_SPELLED = "|".join((*WORDS, "hundred", "thousand", "million", "billion"))
MONEY = re.compile(
    rf"(?<![\w$])(?:(?:US|C)?[$€£¥]\s?|(?:USD|EUR|GBP|CAD|CHF|JPY)\s?)(?:{_NUMBER})(?![\d,]*\d){_SCALE}?"
    rf"|(?<![\w$.,])(?:{_NUMBER}){_SCALE}?\s?(?:dollars|cents|euros|pounds sterling|USD|EUR|GBP|CAD|CHF|JPY)\b"
    rf"|\b(?:{_SPELLED})(?:(?:[\s-]+|\s+and\s+)(?:{_SPELLED})){{0,20}}\s+(?:dollars|cents|euros)\b",
    re.IGNORECASE,
)
"""Amounts as they stand in running text: `$200,000`, `US$1.5 million`, `fifty thousand dollars`."""

_SIGNS = ("$", "€", "£", "¥")
_SPELLED_CURRENCIES = ("dollars", "cents", "euros", "pounds sterling", "usd", "eur", "gbp", "cad", "chf", "jpy")

_AMOUNT = re.compile(rf"({_NUMBER})({_SCALE})?", re.IGNORECASE)
_CURRENCY = re.compile("|".join(sorted(map(re.escape, SYMBOLS), key=len, reverse=True)))
_CENTS = Decimal("0.01")


def amounts(text: str) -> Iterator[re.Match[str]]:
    """What `MONEY` matches: where no currency is spelled, an amount begins with its sign, or one or two letters before."""
    small = lowered(text)
    if any(currency in small for currency in _SPELLED_CURRENCIES):
        yield from MONEY.finditer(text)
    else:
        signs = places(text, _SIGNS)
        yield from matches_at(MONEY, text, (start for sign in signs for start in range(max(0, sign - 2), sign + 1)))


def money_form(text: str) -> str:
    """Currency and amount: `USD 1500000.00`; empty where there is no amount, or no currency."""
    lower = text.lower()
    currency = _CURRENCY.search(lower)
    if currency is None:
        return ""
    amount = _amount(lower)
    if amount is None:
        return ""
    if "cent" in currency[0]:
        amount /= 100
    return f"{SYMBOLS[currency[0]]} {amount.quantize(_CENTS)}"


def _amount(lower: str) -> Decimal | None:
    digits = _AMOUNT.search(lower)
    if digits is None:
        return _spelled(lower)
    try:
        number = Decimal(digits[1].replace(",", "").translate(_DIGITS))
    except InvalidOperation:
        return None
    scale = (digits[2] or "").strip()
    return number * SCALES.get(scale, 1) if len(digits[1]) <= 18 else None  # noqa: PLR2004 (no amount is longer)


def _spelled(lower: str) -> Decimal | None:
    """A number in words: `two hundred fifty thousand`."""
    total = group = 0
    seen = False
    for word in re.findall(r"[a-z]+", lower):
        if word in WORDS:
            group += WORDS[word]
        elif word == "hundred":
            group = (group or 1) * 100
        elif word in SCALES and len(word) > 2:  # noqa: PLR2004 (k, m and b go with digits alone)
            total, group = total + (group or 1) * SCALES[word], 0
        else:
            continue
        seen = True
    return Decimal(total + group) if seen else None
