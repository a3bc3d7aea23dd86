"""A rule for counting tokens where the embedder's own tokenizer isn't at hand."""

import re
import string

_RUN = re.compile(r"[^\W\d_]+|\d+|\S")
LETTERS, DIGITS = 6, 3
_BLANKS = b" \t\n\r\f\v\x1c\x1d\x1e\x1f"
_NO_MARKS = string.ascii_letters.encode() + string.digits.encode() + _BLANKS


def _only(signs: str) -> bytes:
    """What makes an `a` of each of these signs, and a blank of all others."""
    return bytes(ord("a") if chr(code) in signs else ord(" ") for code in range(256))


_ONLY_LETTERS, _ONLY_DIGITS = _only(string.ascii_letters), _only(string.digits)


def count_tokens(text: str) -> int:
    """About how many tokens a byte-pair tokenizer makes of a text: one for every six letters or three digits begun in a run, one for every other mark."""
    if text.isascii():
        signs = b" " + text.encode()
        marks = len(signs.translate(None, _NO_MARKS))
        letters, digits = signs.translate(_ONLY_LETTERS), signs.translate(_ONLY_DIGITS)
        return marks + _begun(letters, LETTERS) + _begun(digits, DIGITS)
    tokens = 0
    for run in _RUN.findall(text):
        size = DIGITS if run[0].isdigit() else LETTERS
        tokens += -(-len(run) // size)
    return tokens


def _begun(runs: bytes, size: int) -> int:
    """How many stretches of a size are begun in runs of `a`, each behind a blank: the full ones, and one for what is left."""
    full = b"a" * size
    return runs.count(full) + runs.replace(full, b" ").count(b" a")
