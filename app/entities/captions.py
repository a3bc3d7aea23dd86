"""The parties of a case, as a caption names them: lines above the line that says which side they are on."""

import re
from collections.abc import Iterator

MOST_LINES = 6
"""So many lines of a caption belong to one side at most."""

ROLE_LINE = re.compile(
    r"^[ \t]*(?:(?:Cross|Counter|Third-Party)[- ]?)?(?:Plaintiff|Defendant|Appellant|Appellee|Petitioner|Respondent|Claimant|Debtor|"
    r"Intervenor|Movant)s?(?:\s?[—–/-]\s?\w+)?[ \t]*[,.;]?[ \t]*$",
    re.MULTILINE | re.IGNORECASE,
)
"""A line that only says which side those above it are on."""
_ENDS = re.compile(r"^\W*(?:v|vs|versus|against|and|-v-)\W*$", re.IGNORECASE)
_NOT_PARTY = re.compile(
    r"\b(?:court|district of|circuit|appeal from|division|in the matter|honorable|judge)\b|^\W*(?:no|case|docket|civil|filed|date|order|"
    r"index|usdc|file)\b|^\W*\d[\d:-]*\W*$",
    re.IGNORECASE,
)
_ROLE = r"(?:plaintiff|defendant|appellant|appellee|petitioner|respondent|claimant|intervenor|movant)s?"
_FORM_LINE = re.compile(
    rf"[✔✓☐☑☒□■]|\b(?:select|check|mark) (?:one|all|any)\b|\bname of party\b|\bcounsel for:|\b{_ROLE}\s+(?:cross[- ]|counter[- ])?{_ROLE}\b|"
    rf"\b{_ROLE} (?:or|amicus)\b",
    re.IGNORECASE,
)
"""A line of a form to fill in, where a role stands to be ticked."""


def party_ranges(text: str) -> Iterator[tuple[int, int]]:
    """The ranges of the lines that name one side's parties, with all their commas and semicolons."""
    for role in ROLE_LINE.finditer(text):
        lines = list(_lines_above(text, role.start()))
        if lines and not _FORM_LINE.search(text, lines[-1][0], lines[0][1]):
            yield lines[-1][0], lines[0][1]


def _lines_above(text: str, end: int) -> Iterator[tuple[int, int]]:
    """The lines of a side, from the last to the first; lines of the other column in between are passed over at the end."""
    taken = 0
    while end > 0 and taken < MOST_LINES:
        stop = end - 1
        start = text.rfind("\n", 0, stop) + 1
        line = text[start:stop].strip()
        if _ENDS.match(line) or ROLE_LINE.match(text[start:stop]):
            return
        if _NOT_PARTY.search(line):
            if taken:
                return
        elif line:
            yield start, stop
            taken += 1
            versus = re.search(r"(?:^|\s)(?:v|vs|versus)\.?\s", line, re.IGNORECASE)
            if versus:
                return
        end = start
