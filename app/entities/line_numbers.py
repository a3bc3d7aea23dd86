"""The numbers that pleading paper has in its margin, where they came into the text."""

import re

FEWEST = 6
"""So many lines in a row, numbered one by one, are no accident."""

_NUMBERED = re.compile(r"^[ \t]*(\d{1,2})(?=[ \t]|$)", re.MULTILINE)


def line_numbers(text: str) -> list[tuple[int, int]]:
    """The ranges of numbers at the beginnings of lines that rise one by one; a lost one in between does no harm."""
    runs: list[list[re.Match[str]]] = []
    for match in _NUMBERED.finditer(text):
        last = int(runs[-1][-1][1]) if runs else None
        if last is not None and last < int(match[1]) <= last + 2:
            runs[-1].append(match)
        else:
            runs.append([match])
    return [match.span(1) for run in runs if len(run) >= FEWEST for match in run]
