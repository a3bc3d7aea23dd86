"""What makes somebody a party to a case: captions, and the roles that running text names."""

import re
from collections.abc import Sequence

from app.graph.wording import LIST, ONE, PARTY, SIDE, SIDES, RelationType, Rule, rule

_ASIDE = (
    r"(?:\s*+(?:[,;)]|et al\.?|⟦[ndl]\d+⟧|(?:and )?DOES? \d[^⟦⟧\n]{0,40}|inclusive|(?:Docket|State|File|Civil|Action|Index|Case|Cause|"
    r"Appeal|Nos?\.?|#|:|(?:Date )?[Ff]iled|FILED|Dated)(?![a-z])|(?:dba|d/b/a|aka|a/k/a|fka|f/k/a)(?:\s+⟦[po]\d+⟧)?|"
    r"(?:Honorable|Hon\.|Judge)\s+⟦p\d+⟧)){0,24}"
)
"""What the other column of a caption puts between a party's name and what its side is: numbers, dates, the judge."""
_NO_JUDGE = r"(?<!Honorable\s)(?<!Hon\.\s)(?<!Judge\s)(?<!Justice\s)"
_VERSUS = (
    r"(?:[-–—]\s*)?(?:\b(?:[vV]|[vV][sS])\b\.?|\b(?:versus|VERSUS)\b|[-–—]\s?(?:against|AGAINST)\s?[-–—])(?:\s*[-–—])?"
)

_CAPTION = rule(
    RelationType.PARTY_TO,
    rf"{_NO_JUDGE}(?P<s>{LIST}){_ASIDE}(?:(?<=[,;)—])\s*+|[^\S\n]*+[—\n]\s*+)(?P<role>{SIDE})[\s,.;]*(?:\)|\n|$)",
    0.95,
    says=SIDES,
)
"""A list of names before the line that says which side they are on."""


def _title(first: str, second: str) -> str:
    """The pattern of `A v. B` in lines of their own; of the two sides, one is named `s`."""
    return (
        rf"(?:^|(?<=[:)]))[^\S\n]*{_NO_JUDGE}{first}{_ASIDE}\s*+{_VERSUS}{_ASIDE}\s*+{second}"
        r"(?=(?:[^\S\n]|[,;).]|et al\.?)*+(?:\n|\Z))"
    )


_TITLES = (
    rule(RelationType.PARTY_TO, _title(rf"(?P<s>{LIST})", LIST), 0.85),
    rule(RelationType.PARTY_TO, _title(LIST, rf"(?P<s>{LIST})"), 0.85),
)
_SIDES = re.compile(rf"\b{SIDE}[\s,.;)]*$", re.MULTILINE)


def caption_rules(caption: str) -> Sequence[Rule]:
    """What holds in the caption at the beginning of a filing, where `A v. B` is no citation.

    Where lines say which side somebody is on, the names that stand around `v.` may be those of the other column.
    """
    return (_CAPTION,) if _SIDES.search(caption) else (_CAPTION, *_TITLES)


PARTIES = (
    _CAPTION,
    rule(RelationType.PARTY_TO, rf"\b(?P<role>{PARTY}),?\s+(?:the\s+)?(?P<s>{ONE})", 0.9, says=SIDES),
    # Of one name after `Appellees` nobody knows whether it is theirs.
    rule(
        RelationType.PARTY_TO,
        rf"\b(?P<role>{PARTY}s),?\s+(?P<s>{ONE}(?:,\s+{ONE})*,?\s+and\s+{ONE})",
        0.9,
        says=SIDES,
    ),
    rule(RelationType.PARTY_TO, rf"\b[Ii][Nn] [Rr][Ee]:?\s+(?P<s>{ONE})", 0.85, says=("in re",)),
    rule(
        RelationType.PARTY_TO,
        rf"(?P<s>{ONE}),?\s+\(?(?:the\s+)?(?P<role>{PARTY})(?:s)?(?=[\s,),.;])(?!\s+⟦)",
        0.8,
        says=SIDES,
    ),
    rule(
        RelationType.PARTY_TO,
        rf"\b[Nn]otice\s+of\s+[Aa]ppeal\s+(?:(?:was|is)\s+)?filed\s+by\s+(?:the\s+)?(?P<s>{LIST})",
        0.85,
        role="appellant",
        says=("notice",),
    ),
)
"""What holds anywhere."""
