"""What the wording says about those who are named: all rules, and what they find in a masked text."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.graph.employment import EMPLOYMENT
from app.graph.parties import PARTIES
from app.graph.wording import LIST, ONE, SIDE, SIDES, SIGN, RelationType, Rule, rule

__all__ = ["RULES", "Match", "matches"]


@dataclass(frozen=True, slots=True)
class Match:
    """A rule that holds: which mentions, by number, stand on its two sides.

    None as a side is the document's own case, or, of who is employed, whom the text is speaking of.
    """

    type: RelationType
    sources: tuple[int, ...] | None
    targets: tuple[int, ...] | None
    weight: float
    start: int
    end: int
    """The range of the masked text that says so."""
    role: str | None = None


_BETWEEN = r"[^⟦⟧]{0,60}?(?:⟦[alten]\d+⟧[^⟦⟧]{0,60}?){0,6}?"
_NEAR = r"[^⟦⟧.;]{0,60}?"
_LATER = r"(?:[^⟦⟧.;]|⟦[l]\d+⟧){0,60}?"

_KIND = re.compile(r"⟦([a-z])")

RULES = (
    *PARTIES,
    # Counsel.
    rule(
        RelationType.REPRESENTS,
        rf"(?P<s>{LIST})(?:,?\s+⟦[la]\d+⟧)?,?\s+(?:[Aa]ttorneys?|[Cc]ounsel)\s+(?:of record\s+)?for\s+(?:the\s+)?(?:{SIDE})?[,:\s]*(?P<t>{LIST})",
        0.9,
        says=("attorney", "counsel"),
    ),
    rule(
        RelationType.REPRESENTS,
        rf"(?P<s>{LIST})(?:,?\s+⟦[la]\d+⟧)?,?\s+for\s+(?:the\s+)?{SIDE}[,:\s]*(?P<t>{LIST})",
        0.9,
        says=SIDES,
    ),
    rule(
        RelationType.REPRESENTS,
        rf"(?P<s>{LIST})\s+(?:represents?|represented|appear(?:s|ed|ing)? (?:for|on behalf of))\s+(?:the\s+)?(?:{SIDE}\s+)?(?P<t>{LIST})",
        0.9,
        says=("represent", "appear"),
    ),
    rule(
        RelationType.REPRESENTS,
        rf"(?P<t>{LIST}),?\s+(?:(?:is|are|was|were|has been|being)\s+)?represented\s+by\s+(?:(?:its|his|her|their)\s+)?(?:counsel|attorneys?)?,?\s*(?P<s>{LIST})",
        0.9,
        says=("represented",),
    ),
    rule(
        RelationType.REPRESENTS,
        rf"(?P<s>{ONE}){_BETWEEN}\b(?:Attorneys?|Counsel|ATTORNEYS?|COUNSEL)\s+(?:[Ff]or|FOR)\s+(?:the\s+)?(?:{SIDE})?[,:\s]*(?P<t>{LIST})",
        0.85,
        says=("attorney", "counsel"),
    ),
    *EMPLOYMENT,
    # Places.
    rule(
        RelationType.LOCATED_IN,
        rf"(?P<s>{ONE}){_NEAR}\b(?:located|based|headquartered|residing|resides?|resident|domiciled|incorporated|situated|citizen)"
        rf"\s+(?:in|at|of)\s+(?:the\s+)?(?P<t>⟦[la]\d+⟧)",
        0.9,
        says=("located", "based", "headquartered", "resid", "domiciled", "incorporated", "situated", "citizen"),
    ),
    rule(RelationType.LOCATED_IN, rf"(?P<s>{LIST})[,\s]*(?P<t>⟦a\d+⟧)", 0.8),
    rule(RelationType.LOCATED_IN, rf"(?P<s>{LIST}),\s+(?:of\s+)?(?P<t>⟦l\d+⟧)(?=[,;.\s])", 0.6),
    rule(RelationType.LOCATED_IN, r"(?P<s>⟦o\d+⟧)\s+(?:in|of)\s+(?P<t>⟦l\d+⟧)", 0.6),
    # Dates: of the document's own case, then of who is named with them.
    rule(
        RelationType.DATED,
        r"\b(?:[Ff]iled|FILED|[Dd]ated|DATED|[Dd]ate|[Dd]ecided|[Ee]ntered|[Ii]ssued|[Dd]ocketed)(?:\s+(?:on|this))?[\s:]*(?P<t>⟦d\d+⟧)",
        0.9,
        says=("filed", "date", "decided", "entered", "issued", "docketed"),
    ),
    # A search for one of four letters is quicker than one for where words begin.
    rule(RelationType.DATED, rf"[OoIi](?<!\w.)n\s+(?:or about\s+)?(?P<t>⟦d\d+⟧),?\s+{_NEAR}(?P<s>⟦[pon]\d+⟧)", 0.6),
    rule(
        RelationType.DATED,
        rf"(?P<s>⟦[pon]\d+⟧){_LATER}\b(?:on|in|since|until|dated|of|effective)\s+(?:or about\s+)?(?P<t>⟦d\d+⟧)",
        0.6,
    ),
    # Money.
    rule(
        RelationType.AMOUNT_OF,
        rf"(?P<t>{ONE}){_LATER}\b(?:owe[sd]?|pays?|paid|award(?:ed|s)?|sum of|amount of|damages of|received?|sought|seeks|"
        rf"borrowed|lent|fined|worth|for)\s+{_LATER}(?P<s>⟦m\d+⟧)",
        0.7,
    ),
    rule(
        RelationType.AMOUNT_OF,
        rf"(?P<s>⟦m\d+⟧){_LATER}\b(?:to|from|by|against|on behalf of)\s+(?:the\s+)?(?P<t>{ONE})",
        0.7,
    ),
)


def matches(masked: str, names: Sequence[str], rules: Sequence[Rule] = RULES) -> Iterator[Match]:
    """All that some rules find in a masked text; `names` are what the signs stand for, in order."""
    signs, small = frozenset(_KIND.findall(masked)), masked.lower()
    for each in rules:
        if not each.may_hold(signs, small):
            continue
        for found in each.pattern.finditer(masked):
            groups = found.groupdict()
            targets = _numbers(groups.get("t"))
            if each.target is not None and not all(each.target.search(names[number]) for number in targets or ()):
                continue
            start, end = found.span()
            yield Match(
                type=each.type,
                sources=_numbers(groups.get("s")),
                targets=targets,
                weight=each.weight,
                start=start + len(found[0]) - len(found[0].lstrip()),
                end=end - (len(found[0]) - len(found[0].rstrip())),
                role=_role(groups["role"]) if groups.get("role") else each.role,
            )


def _numbers(signs: str | None) -> tuple[int, ...] | None:
    return tuple(int(number) for number in SIGN.findall(signs)) if signs is not None else None


def _role(written: str) -> str:
    """The last of the sides that are named, as one word: of `Plaintiff—Appellant`, where the case stands now."""
    words: list[str] = [
        word
        for word in re.findall(r"[a-z]+", written.lower())
        if word not in {"employer", "employee", "third", "party", "s"}
    ]
    return words[-1].removesuffix("s")
