"""What a rule is: a pattern over a text in which each name is one sign, and what such patterns are made of.

A masked text has `⟦p0⟧` for the first mention, if a person's; the letters are those of `LETTERS`. A rule's group `s` holds
the edge's sources and `t` its targets, each one sign or a list of them; `role` is a party's.
"""

import re
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
_SIDE_BEGINS = re.compile(r"\(\?P<[st]>⟦\[?([a-z]+)\]?\\d\+⟧")
"""In a rule's pattern, a side with the signs that it may begin with; no rule may leave a side of its pattern out."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern that says that a relation holds, and how likely that is (by judgement, not by measurement)."""

    type: RelationType
    pattern: re.Pattern[str]
    weight: float
    role: str | None = None
    """The side that a party is on wherever this holds; otherwise the pattern's group `role` says it."""
    target: re.Pattern[str] | None = None
    """What the names of the targets must have in them."""
    needs: tuple[frozenset[str], ...] = ()
    """The letters of the signs of each side, of which a text has one at least where the rule holds."""
    says: tuple[str, ...] = ()
    """Of these, in small letters, a text has one at least where the rule holds; nothing where all texts may."""

    def may_hold(self, signs: frozenset[str], small: str) -> bool:
        """Whether it is worth a search in a text that has such signs, and is `small` in small letters."""
        for need in self.needs:
            if need.isdisjoint(signs):
                return False
        for word in self.says:
            if word in small:
                return True
        return not self.says


ONE = r"⟦[po]\d+⟧"
"""One person or organisation."""
LIST = rf"{ONE}(?:(?:\s*[,;]|\s+and|\s*[,;]\s+and|\s*&)\s*{ONE}){{0,40}}"
PARTY = (
    r"(?:[Cc]ross-|[Tt]hird-[Pp]arty |[Cc]ounter-?)?(?:[Pp]laintiff|[Dd]efendant|[Aa]ppellant|[Aa]ppellee|[Pp]etitioner|"
    r"[Rr]espondent|[Cc]laimant|[Dd]ebtor|[Ii]ntervenor|[Mm]ovant)"
)
_SHOUTED = r"(?:PLAINTIFF|DEFENDANT|APPELLANT|APPELLEE|PETITIONER|RESPONDENT|CLAIMANT|DEBTOR|INTERVENOR|MOVANT)"
SIDES = (
    "plaintiff", "defendant", "appell", "petitioner", "respondent", "claimant", "debtor", "intervenor", "movant",
)  # fmt: skip
"""What there is in a text that names a side."""
SIDE = rf"(?:[\w-]+-)?(?:{PARTY}|{_SHOUTED})(?:s|S)?(?:\s?[—–/-]\s?(?:{PARTY}|{_SHOUTED})(?:s|S)?)?"
"""Which side a party is on, as captions and counsel say it."""


def rule(
    relation: RelationType,
    pattern: str,
    weight: float,
    *,
    role: str | None = None,
    target: re.Pattern[str] | None = None,
    says: tuple[str, ...] = (),
) -> Rule:
    """A rule of the pattern that is written so."""
    needs = tuple(frozenset(letters) for letters in _SIDE_BEGINS.findall(pattern))
    return Rule(relation, re.compile(pattern, re.MULTILINE), weight, role, target, needs, says)
