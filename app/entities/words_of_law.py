"""Words that filings write with a capital and that name nobody: Plaintiff, Motion, Exhibit."""

import re
from functools import lru_cache

GENERIC = frozenset(
    """
    accompanying act action administration affidavit affirm affirmed affirmative agency agreement agreements allegation amended amicus amount answer appeal appeals
    appearance appellant appellants appellate appellee appellees applicable application argument article attachment
    attorney attorneys background bank bar before benefits board brief bureau calendar caption case cause certificate certification cf
    chapter chief circuit city claim claimant claims class clause clerk cm cmecf code commission commissioner committee common
    company complaint compel conclusion confidential consultant consumer contract contractor counsel count counterclaim county
    court courts curiam curiae cv damages date dated day days dba de decision declaration decree default defendant
    defendants defense denied department deposition direct director discovery dismiss dismissal district division dkt
    docket docketing doe does document documents due ecf electronic emergency employee employees employer entry esq esquire evidence ex
    exhibit exhibits fact facts fax federal fee fees file filed filing final finding findings firm first form further general
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
    accordingly additionally administrative analysis consequently contributions definitions discussion estoppel executive finally furthermore governing herein hereof hereto
    however indeed indemnification instead kickbacks likewise meanwhile moreover nevertheless nonassignment nonetheless
    otherwise promissory rebates recitals severability similarly specifically taxes termination thereof therefore thus
    whereof witnesseth
    versus village volume vs waiver warrant warranty whereas wherefore witness witnesses work writ yes no zip email e-mail
    """.split()  # noqa: SIM905 (a hundred quoted words are harder to read)
)
SMALL = frozenset(
    [
        "of",
        "the",
        "for",
        "and",
        "in",
        "to",
        "by",
        "on",
        "or",
        "a",
        "an",
        "with",
        "from",
        "at",
        "as",
        "his",
        "her",
        "its",
        "their",
        "this",
        "that",
        "my",
        "our",
        "your",
        "s",
    ]
)
_WORD = re.compile(r"[A-Za-z]+(?:['’][A-Za-z]+)?")
NAMED = (
    re.compile(r"(?i)\bunited states\b(?! (?:code|dollars)| (?:district|circuit|magistrate|bankruptcy)$)"),
    re.compile(r"\bU\.S\. [A-Z].* (?:Administration|Department|Service|Bureau|Agency|Commission|Office)$"),
    re.compile(r"(?i)\b(?:supreme|superior|circuit|district|appeals|federal) court (?:of|for)\b.*[A-Z]"),
)


@lru_cache(maxsize=2048)
def is_generic(name: str) -> bool:
    """Whether all words of a name are words of the trade: `Motion to Dismiss`, `the Court`, `Defendants`."""
    if any(pattern.search(name) for pattern in NAMED):
        return False
    words = [re.sub(r"['’]s?$", "", word).lower() for word in _WORD.findall(name)]
    return all(word in GENERIC or word in SMALL or len(word) == 1 for word in words)


_LEADS = frozenset(
    """
    plaintiff plaintiffs defendant defendants appellant appellants appellee appellees petitioner petitioners respondent
    respondents claimant claimants debtor debtors intervenor movant trustee attorney attorneys counsel judge judges justice
    justices clerk witness employer employee honorable hon mr mrs ms dr messrs docket order case dear by cc re and but if
    when while because since although however also then thus under see whereas
    """.split()  # noqa: SIM905 (as above)
)
"""Words before a name that are no part of it."""
_TAILS = frozenset(
    [
        "no",
        "nos",
        "rule",
        "rules",
        "judge",
        "judges",
        "justices",
        "clerk",
        "esq",
        "esquire",
        "docket",
        "plaintiff",
        "plaintiffs",
        "defendant",
        "defendants",
    ]
)
"""Words after a name that are no part of it."""


def without_trade(text: str, start: int, end: int) -> tuple[int, int]:
    """A name's range without the words of the trade around it: `Appellant City of El Paso`, `Tenth Circuit Rules`."""
    while (lead := re.match(r"([A-Za-z]+)[.,]?\s+(?=\S)", text[start:end])) and lead[1].lower() in _LEADS:
        start += lead.end()
    while (tail := re.search(r"(?<=\S),?\s+([A-Za-z]+)\.?$", text[start:end])) and tail[1].lower() in _TAILS:
        end = start + tail.start()
    return start, end
