"""Words that filings write with a capital and that name nobody: Plaintiff, Motion, Exhibit."""

import re

GENERIC = frozenset(
    """
    accompanying act action affidavit affirm affirmed affirmative agreement agreements allegation amended amicus amount answer appeal appeals
    appearance appellant appellants appellate appellee appellees applicable application argument article attachment
    attorney attorneys background bank bar before benefits brief calendar caption case cause certificate certification cf
    chapter chief circuit city claim claimant claims class clause clerk cm cmecf code commission commissioner committee common
    company complaint compel conclusion confidential consultant consumer contract contractor counsel count counterclaim county
    court courts curiam curiae cv damages date dated day days dba de decision declaration decree default defendant
    defendants defense denied department deposition direct director discovery dismiss dismissal district division dkt
    docket doe does document documents due ecf electronic emergency employee employees employer entry esq esquire evidence ex
    exhibit exhibits fact facts fax federal fee fees filed filing final finding findings firm first form further general
    government granted grounds hearing hereby hereinafter hon honorable hospital id immediate in inc index information injunction
    instructions insurance interest intervenor introduction issue joint judge judges judgment judicial jurisdiction jury
    justice law league lease lender letter liability license local manager master matter memorandum mortgage motion movant name
    negotiations new nos notary note notice number oath objection office officer opinion opposition order
    orders page pages paragraph part parte parties partner party pacer payment pending per permanent person petition
    petitioner petitioners plaintiff plaintiffs plan plea policy preliminary president presiding principal pro procedural professional
    procedure process project property proposed public pursuant qualified receipt record records regulation relief remand remanded reverse
    reply report representative request respectfully respondent respondents response restraining results reversed
    review rule rules schedule school scope se seal second secretary section seller buyer senior service services settlement
    short show signature state statement states statute stay stipulation submitted subpoena subsection suit
    summary summons superior supplemental supreme sworn system table tel telephone temporary tenant landlord term terms
    testimony third title town transcript trial tribunal tro trust trustee under union united university unknown venue vacated verdict verification
    versus village volume vs waiver warrant warranty whereas wherefore witness witnesses work writ yes no zip email e-mail
    """.split()  # noqa: SIM905 (a hundred quoted words are harder to read)
)
SMALL = frozenset("of the for and in to by on or a an with from at as his her its their this that my our your s".split())
_WORD = re.compile(r"[A-Za-z]+(?:['’][A-Za-z]+)?")
NAMED = (
    re.compile(r"(?i)\bunited states\b(?! (?:code|dollars))"),
    re.compile(r"(?i)\b(?:supreme|superior|circuit|district|appeals|federal) court (?:of|for)\b.*[A-Z]"),
)


def is_generic(name: str) -> bool:
    """Whether all words of a name are words of the trade: `Motion to Dismiss`, `the Court`, `Defendants`."""
    if any(pattern.search(name) for pattern in NAMED):
        return False
    words = [re.sub(r"['’]s?$", "", word).lower() for word in _WORD.findall(name)]
    return all(word in GENERIC or word in SMALL or len(word) == 1 for word in words)


_KEPT = re.compile(
    r"(?i)(?:united|superior|supreme|district|circuit|court|city|county|state|department|board|office|bureau|commission|bank|"
    r"university|town|village|league|union|school|hospital|first|second|third)\b"
)
"""Words of the trade that a name may begin with."""


def without_trade(text: str, start: int, end: int, *, tail: bool = False) -> tuple[int, int]:
    """A name's range without the words of the trade before it: `Appellant City of El Paso`; with `tail`, after it too."""
    while (space := re.search(r"\s+", text[start:end])) and is_generic(text[start : start + space.start()]):
        if _KEPT.match(text[start:end]) or _is_initial(text[start : start + space.start()]):
            break
        start += space.end()
    while tail and (last := re.search(r",?\s+(\S+)$", text[start:end])) and is_generic(last[1]):
        if _is_initial(last[1]) or last[1].rstrip(".").lower() in {"ii", "iii", "iv"}:
            break
        end = start + last.start()
    return start, end


def _is_initial(word: str) -> bool:
    return len(word.rstrip(".")) == 1
