"""What the wording says about those who are named, as patterns over a text in which each name is one sign.

A masked text has `⟦p0⟧` for the first mention, if a person's; the letters are those of `LETTERS`. A rule's group `s` holds
the edge's sources and `t` its targets, each one sign or a list of them; `role` is a party's.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from app.entities.mentions import EntityType


class RelationType(StrEnum):
    """How one entity stands to another, in the direction from source to target."""

    PARTY_TO = "party_to"
    """A person or organisation to a case number; the role says on which side."""
    REPRESENTS = "represents"
    """Counsel, or a law firm, to its client."""
    EMPLOYED_BY = "employed_by"
    LOCATED_IN = "located_in"
    DATED = "dated"
    """A case, or what happened to a person or an organisation, to a date."""
    AMOUNT_OF = "amount_of"
    """Money to whom or what it is owed, paid or insured for."""
    CITES = "cites"
    """A case number (the document's own) to a citation."""
    CO_OCCURS = "co_occurs"
    """Both are named in one sentence: the weakest."""


LETTERS = {
    EntityType.PERSON: "p",
    EntityType.ORGANIZATION: "o",
    EntityType.PLACE: "l",
    EntityType.DATE: "d",
    EntityType.MONEY: "m",
    EntityType.CITATION: "c",
    EntityType.CASE_NUMBER: "n",
    EntityType.EMAIL: "e",
    EntityType.PHONE: "t",
    EntityType.ADDRESS: "a",
}
SIGN = re.compile(r"⟦[a-z](\d+)⟧")


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern that says that a relation holds, and how likely that is (by judgement, not by measurement)."""

    type: RelationType
    pattern: re.Pattern[str]
    weight: float


@dataclass(frozen=True, slots=True)
class Match:
    """A rule that holds: which mentions, by number, stand on its two sides; None for the document's own case."""

    type: RelationType
    sources: tuple[int, ...] | None
    targets: tuple[int, ...] | None
    weight: float
    role: str | None = None


_ONE = r"⟦[po]\d+⟧"
_LIST = rf"{_ONE}(?:(?:\s*[,;]|\s+and|\s*[,;]\s+and|\s*&)\s*{_ONE}){{0,40}}"
_PARTY = (
    r"(?:[Cc]ross-|[Tt]hird-[Pp]arty |[Cc]ounter-?)?(?:[Pp]laintiff|[Dd]efendant|[Aa]ppellant|[Aa]ppellee|[Pp]etitioner|"
    r"[Rr]espondent|[Cc]laimant|[Dd]ebtor|[Ii]ntervenor|[Mm]ovant)"
)
_SHOUTED = r"(?:PLAINTIFF|DEFENDANT|APPELLANT|APPELLEE|PETITIONER|RESPONDENT|CLAIMANT|DEBTOR|INTERVENOR|MOVANT)"
_SIDE = rf"(?:[\w-]+-)?(?:{_PARTY}|{_SHOUTED})(?:s|S)?(?:\s?[—–/-]\s?(?:{_PARTY}|{_SHOUTED})(?:s|S)?)?"
_BETWEEN = r"[^⟦⟧]{0,60}?(?:⟦[alten]\d+⟧[^⟦⟧]{0,60}?){0,6}?"
_NEAR = r"[^⟦⟧.;]{0,60}?"
_LATER = r"(?:[^⟦⟧.;]|⟦[l]\d+⟧){0,60}?"


def _rule(relation: RelationType, pattern: str, weight: float) -> Rule:
    return Rule(relation, re.compile(pattern), weight)


RULES = (
    # Parties: a caption's list before the role, and the role before the name in running text.
    _rule(
        RelationType.PARTY_TO,
        rf"(?P<s>{_LIST})(?:[\s,;)]|et al\.?|⟦n\d+⟧|(?:and )?DOES? \d[^⟦⟧\n]{{0,40}}|inclusive|No\.|Case|Docket|dba|d/b/a|⟦l\d+⟧|"
        rf"(?:Honorable|Hon\.|Judge) ⟦p\d+⟧){{0,12}}[,\n)—]\s*(?P<role>{_SIDE})[\s,.;]*(?:\)|\n|$)",
        0.95,
    ),
    _rule(RelationType.PARTY_TO, rf"\b(?P<role>{_PARTY}),?\s+(?:the\s+)?(?P<s>{_ONE})", 0.9),
    # Of one name after `Appellees` nobody knows whether it is theirs.
    _rule(RelationType.PARTY_TO, rf"\b(?P<role>{_PARTY}s),?\s+(?P<s>{_ONE}(?:,\s+{_ONE})*,?\s+and\s+{_ONE})", 0.9),
    _rule(RelationType.PARTY_TO, rf"\b[Ii][Nn] [Rr][Ee]:?\s+(?P<s>{_ONE})", 0.85),
    _rule(RelationType.PARTY_TO, rf"(?P<s>{_ONE}),?\s+\(?(?:the\s+)?(?P<role>{_PARTY})(?:s)?(?=[\s),.;])(?!\s+⟦)", 0.8),
    # Counsel.
    _rule(
        RelationType.REPRESENTS,
        rf"(?P<s>{_LIST})(?:,?\s+⟦[la]\d+⟧)?,?\s+(?:[Aa]ttorneys?|[Cc]ounsel)\s+(?:of record\s+)?for\s+(?:the\s+)?(?:{_SIDE})?[,:\s]*(?P<t>{_LIST})",
        0.9,
    ),
    _rule(
        RelationType.REPRESENTS,
        rf"(?P<s>{_LIST})(?:,?\s+⟦[la]\d+⟧)?,?\s+for\s+(?:the\s+)?{_SIDE}[,:\s]*(?P<t>{_LIST})",
        0.9,
    ),
    _rule(
        RelationType.REPRESENTS,
        rf"(?P<s>{_LIST})\s+(?:represents?|represented|appear(?:s|ed|ing)? (?:for|on behalf of))\s+(?:the\s+)?(?:{_SIDE}\s+)?(?P<t>{_LIST})",
        0.9,
    ),
    _rule(
        RelationType.REPRESENTS,
        rf"(?P<t>{_LIST}),?\s+(?:(?:is|are|was|were|has been|being)\s+)?represented\s+by\s+(?:(?:its|his|her|their)\s+)?(?:counsel|attorneys?)?,?\s*(?P<s>{_LIST})",
        0.9,
    ),
    _rule(
        RelationType.REPRESENTS,
        rf"(?P<s>{_ONE}){_BETWEEN}\b(?:Attorneys?|Counsel|ATTORNEYS?|COUNSEL)\s+(?:[Ff]or|FOR)\s+(?:the\s+)?(?:{_SIDE})?[,:\s]*(?P<t>{_LIST})",
        0.85,
    ),
    # Work.
    _rule(
        RelationType.EMPLOYED_BY,
        r"(?P<s>⟦p\d+⟧)(?:,?\s+(?:who\s+)?(?:is|was|were|became|has been|had been))?,?\s+(?:an?\s+|the\s+)?(?:[\w-]+\s+){0,3}"
        r"(?:employee|officer|director|president|manager|partner|associate|engineer|chairman|chair|CEO|CFO|agent|supervisor)"
        r"\s+(?:of|at|for|with)\s+(?:the\s+)?(?P<t>⟦o\d+⟧)",
        0.85,
    ),
    _rule(
        RelationType.EMPLOYED_BY,
        rf"(?P<s>⟦p\d+⟧){_NEAR}\b(?:employed|hired|engaged)\s+(?:by|at|with)\s+(?:the\s+)?(?P<t>⟦o\d+⟧)",
        0.9,
    ),
    _rule(
        RelationType.EMPLOYED_BY,
        r"(?P<s>⟦p\d+⟧)\s+(?:has\s+|had\s+)?(?:works?|worked|working)\s+(?:for|at)\s+(?:the\s+)?(?P<t>⟦o\d+⟧)",
        0.9,
    ),
    _rule(RelationType.EMPLOYED_BY, r"(?P<t>⟦o\d+⟧)\s+(?:hired|employed|employs)\s+(?P<s>⟦p\d+⟧)", 0.9),
    _rule(
        RelationType.EMPLOYED_BY,
        r"(?P<s>⟦p\d+⟧)[^⟦⟧.]{0,100}?\b(?:employer|employment\s+(?:with|by|at)),?\s+(?P<t>⟦o\d+⟧)",
        0.7,
    ),
    # Places.
    _rule(
        RelationType.LOCATED_IN,
        rf"(?P<s>{_ONE}){_NEAR}\b(?:located|based|headquartered|residing|resides?|resident|domiciled|incorporated|situated|citizen)"
        rf"\s+(?:in|at|of)\s+(?:the\s+)?(?P<t>⟦[la]\d+⟧)",
        0.9,
    ),
    _rule(RelationType.LOCATED_IN, rf"(?P<s>{_LIST})[,\s]*(?P<t>⟦a\d+⟧)", 0.8),
    _rule(RelationType.LOCATED_IN, rf"(?P<s>{_LIST}),\s+(?:of\s+)?(?P<t>⟦l\d+⟧)(?=[,;.\s])", 0.6),
    _rule(RelationType.LOCATED_IN, r"(?P<s>⟦o\d+⟧)\s+(?:in|of)\s+(?P<t>⟦l\d+⟧)", 0.6),
    # Dates: of the document's own case, then of who is named with them.
    _rule(
        RelationType.DATED,
        r"\b(?:[Ff]iled|FILED|[Dd]ated|DATED|[Dd]ate|[Dd]ecided|[Ee]ntered|[Ii]ssued|[Dd]ocketed)(?:\s+(?:on|this))?[\s:]*(?P<t>⟦d\d+⟧)",
        0.9,
    ),
    _rule(RelationType.DATED, rf"\b(?:[Oo]n|[Ii]n)\s+(?:or about\s+)?(?P<t>⟦d\d+⟧),?\s+{_NEAR}(?P<s>⟦[pon]\d+⟧)", 0.6),
    _rule(
        RelationType.DATED,
        rf"(?P<s>⟦[pon]\d+⟧){_LATER}\b(?:on|in|since|until|dated|of|effective)\s+(?:or about\s+)?(?P<t>⟦d\d+⟧)",
        0.6,
    ),
    # Money.
    _rule(
        RelationType.AMOUNT_OF,
        rf"(?P<t>{_ONE}){_LATER}\b(?:owe[sd]?|pays?|paid|award(?:ed|s)?|sum of|amount of|damages of|received?|sought|seeks|"
        rf"borrowed|lent|fined|worth|for)\s+{_LATER}(?P<s>⟦m\d+⟧)",
        0.7,
    ),
    _rule(
        RelationType.AMOUNT_OF,
        rf"(?P<s>⟦m\d+⟧){_LATER}\b(?:to|from|by|against|on behalf of)\s+(?:the\s+)?(?P<t>{_ONE})",
        0.7,
    ),
)


def matches(masked: str) -> Iterator[Match]:
    """All that the rules find in a masked text."""
    for rule in RULES:
        for found in rule.pattern.finditer(masked):
            groups = found.groupdict()
            yield Match(
                type=rule.type,
                sources=_numbers(groups.get("s")),
                targets=_numbers(groups.get("t")),
                weight=rule.weight,
                role=_role(groups["role"]) if groups.get("role") else None,
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
