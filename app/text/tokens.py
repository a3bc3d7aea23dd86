"""A rule for counting tokens where the embedder's own tokenizer isn't at hand."""

import re

_RUN = re.compile(r"[^\W\d_]+|\d+|\S")
LETTERS, DIGITS = 6, 3
_TOKEN = re.compile(rf"[^\W\d_]{{1,{LETTERS}}}|\d{{1,{DIGITS}}}|\S")
"""Where no figure is anything but a digit."""


def count_tokens(text: str) -> int:
    """About how many tokens a byte-pair tokenizer makes of a text: one for every six letters or three digits begun in a run, one for every other mark."""
    if text.isascii():
        return len(_TOKEN.findall(text))
    tokens = 0
    for run in _RUN.findall(text):
        size = DIGITS if run[0].isdigit() else LETTERS
        tokens += -(-len(run) // size)
    return tokens
