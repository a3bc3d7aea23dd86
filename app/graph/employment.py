"""Who works for whom: as running text says it, and as the blocks below a signature and in letters show it."""

import re

from app.graph.wording import RelationType, rule

_OFFICE = (
    r"(?:employee|officer|director|president|manager|engineer|chairman|chairwoman|chair|chief\s+executive(?:\s+officer)?|CEO|CFO|COO|treasurer|supervisor|"
    r"administrator|superintendent|technician|driver|analyst|foreman)"
)
_DESK = r"(?:partner|associate|attorney|lawyer|agent|accountant|nurse|teacher|professor)"
"""Whoever is one of these `of` or `for` somebody need not be employed there, but is `at` or `with` a firm."""
_POST = rf"(?:{_OFFICE}\s+(?:of|at|for|with)|{_DESK}\s+(?:at|with))"
_WORDS = r"(?:(?!(?:who|that|the|an?|for|of|to|against|by)\b)[\w-]+\s+){0,4}"
_THEIR = r"(?:the\s+)?(?:law\s+firm\s+(?:of\s+)?)?(?P<t>⟦o\d+⟧)"
_WAS = r"(?:is|was|were|be|been|being|became|becomes|has|had|have|then|now|currently|formerly|previously|first|also|still|once|later)"
_ONE = r"(?P<s>⟦p\d+⟧)"
_FIRM = re.compile(
    r"\b(?:LLP|L\.L\.P|PLLC|P\.L\.L\.C|P\.\s?C|P\.\s?A|APC|Law\s+(?:Firm|Offices?|Group|Center)|Attorneys\s+at\s+Law)\b|&\s+Associates\b",
    re.IGNORECASE,
)
"""What the name of a law firm has in it."""
_COMPANY = re.compile(
    r"\b(?:Inc|Incorporated|Corp|Corporation|Co|Company|L\.?L\.?[CP]|P\.?L\.?L\.?C|Ltd|Limited|PLC|GmbH|AG|P\.\s?C|P\.\s?A)\b\.?$",
    re.IGNORECASE,
)
"""How a company's name ends: who is `of` one is of its people, where of a court or a town nobody knows."""
_CONTACT = r"(?:\s*+(?:⟦[aelt]\d+⟧|(?:Fax|Facsimile|Tel|Telephone|Phone|E-?mail)\b[.:]?|[,()_]))"
_POSTS = r"(?:Manager|Director|President|Officer|Counsel|Secretary|Treasurer|Chair|Chairman|Chairwoman|Superintendent|Engineer)"

_SAID = (
    rule(
        RelationType.EMPLOYED_BY,
        rf"{_ONE}(?:,?\s+(?:who\s+)?(?:{_WAS}\s+){{1,3}}|,\s+|\s+\((?=an?\b|the\b))(?:an?\s+|the\s+)?{_WORDS}{_POST}\s+{_THEIR}",
        0.85,
    ),
    rule(
        RelationType.EMPLOYED_BY,
        rf"{_ONE},?\s+(?:who\s+)?(?:{_WAS}\s+){{0,3}}(?:employed|hired)\s+(?:as\s+(?:an?\s+)?{_WORDS})?(?:by|at|with)\s+{_THEIR}",
        0.9,
    ),
    rule(
        RelationType.EMPLOYED_BY,
        rf"{_ONE},?\s+(?:who\s+)?(?:{_WAS}\s+){{0,2}}(?:works?|worked|working)\s+(?:as\s+(?:an?\s+)?{_WORDS})?(?:for|at)\s+{_THEIR}",
        0.9,
    ),
    rule(
        RelationType.EMPLOYED_BY,
        r"(?P<t>⟦o\d+⟧)\s+(?:had\s+|has\s+|also\s+)?(?:hired|employed|employs)\s+(?P<s>⟦p\d+⟧)"
        r"(?!,?\s+(?:to\s+represent|as\s+(?:its\s+|an?\s+|outside\s+)*(?:counsel|attorney|lawyer|expert|consultant)))",
        0.9,
    ),
    rule(
        RelationType.EMPLOYED_BY,
        rf"(?P<t>⟦o\d+⟧)(?:['’]s?\s+{_WORDS}{_OFFICE}\b,?|\s+{_OFFICE})\s+{_ONE}",
        0.8,
    ),
    rule(
        RelationType.EMPLOYED_BY,
        rf"{_ONE}[^⟦⟧.;]{{0,100}}?\b(?:his|her|their|whose)\s+(?:current\s+|former\s+|prior\s+|previous\s+|then\s+)?"
        rf"(?:employer,?|employment\s+(?:with|by|at))\s+{_THEIR}",
        0.7,
        says=("employ",),
    ),
    rule(RelationType.EMPLOYED_BY, rf"(?<!by\s){_ONE},?\s+of\s+(?P<t>⟦o\d+⟧)", 0.6, target=_COMPANY),
    rule(RelationType.EMPLOYED_BY, rf"{_ONE},?\s+of\s+the\s+law\s+firm\s+(?:of\s+)?(?P<t>⟦o\d+⟧)", 0.9),
)

_IMPLIED = rule(
    RelationType.EMPLOYED_BY,
    rf"\b(?:his|her)\s+(?:current\s+|former\s+|prior\s+|previous\s+)?(?:employer,?|employment\s+(?:with|by|at))\s+{_THEIR}",
    0.6,
    says=("employ",),
)
"""Whose employer it is, the sentence doesn't name: it is whom the text is speaking of."""

_SHOWN = (
    # Counsel above or below the name of the firm; lists of service name one after the other, and so the sign must be there.
    rule(
        RelationType.EMPLOYED_BY,
        rf"{_ONE}(?:,?\s*Esq(?:\.|uire)?)?[^\S\n]*(?:\n[^\S\n]*(?:⟦l\d+⟧\s)?(?:State\s)?Bar\s[^⟦⟧\n]{{0,30}})?\n\s*(?P<t>⟦o\d+⟧)[^\S\n]*$",
        0.8,
        target=_FIRM,
    ),
    rule(
        RelationType.EMPLOYED_BY,
        rf"(?P<t>⟦o\d+⟧){_CONTACT}{{0,16}}\s*+(?:By:?[\s_]*+(?:/?s/)?|/?s/)[\s_]*+{_ONE}",
        0.8,
        target=_FIRM,
    ),
    rule(RelationType.EMPLOYED_BY, rf"{_ONE}[\s_]*+Law [Ff]irm:?[\s_]*+(?P<t>⟦o\d+⟧)", 0.85),
    # The address of an organisation, with who has which post there.
    rule(
        RelationType.EMPLOYED_BY,
        rf"(?P<t>⟦o\d+⟧)(?:\s\([^()⟦⟧\n]{{1,20}}\))?[^\S\n]*\n\s*{_ONE},?\s+(?:[A-Z][\w-]+\s+){{0,3}}{_POSTS}[^\S\n]*$",
        0.75,
    ),
    rule(
        RelationType.EMPLOYED_BY,
        rf"(?P<t>⟦o\d+⟧)(?:\s\([^()⟦⟧\n]{{1,20}}\))?,?\s+(?:Attn|ATTN|Attention|ATTENTION)\b[.:]*\s+{_ONE}",
        0.6,
    ),
)

EMPLOYMENT = (*_SAID, _IMPLIED, *_SHOWN)
