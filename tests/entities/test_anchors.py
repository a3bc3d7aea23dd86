"""What is tried at some places alone finds what would be found if it were tried at all."""

import phonenumbers
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.entities import case_numbers, citations, filings, statutes
from app.entities.amounts import MONEY, amounts
from app.entities.anchors import lowered, matches_at, matches_in_order, places
from app.entities.dates import PATTERNS, YEAR, dates, lone_years
from app.entities.patterns import _EMAIL, _PHONE_SHAPE, _emails, _phones
from app.entities.readable import _NOISE, _NOISE_BEGINS

PIECES = ["May", "JANUARY", "sept.", "Monday", "xsunday", "\u017funday", "day", " of", "the ", "in the year ", "In", "since", "late ",
          "5", "1st", "2O21", "l1", "2021", "1999", "11/12/2021", "2021-03-04", "1.2.99", "lo", "I", "II", "\u0130", "\u0131", "A.D. ",
          "US$", "us", "$", "€ ", "1,000", "1.5 million", "fifty", "dollars", "cent\u017f", "USD ", "C£", "k", "\u212a",
          " ", "  ", "\n", " \n", "\t", "\u00a0", "\u2003" * 13, "\f", "\r\n", ",", ", ", ".", "-", "\u00ad", "_", "__", ")", " ) ", "é", "a"]  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES), max_size=24).map("".join)


@settings(deadline=None, max_examples=600)
@given(TEXTS)
@example(
    "Monday, March 4, 2024 and the 5th day of May 2021; in 1999 US$5, May\u2003\u2003\u2003 5 of \n\n\n\n\n\n\n\n\n\n\n\n\n\nMay 2020"
)
def test_dates_and_amounts_are_those_that_a_search_finds(text: str) -> None:
    searched = [(match.re, match.span()) for pattern in PATTERNS for match in pattern.finditer(text)]
    assert [(match.re, match.span()) for match in dates(text)] == searched
    assert [match.span() for match in lone_years(text)] == [match.span() for match in YEAR.finditer(text)]
    assert [match.span() for match in amounts(text)] == [match.span() for match in MONEY.finditer(text)]


@settings(deadline=None, max_examples=300)
@given(TEXTS)
def test_noise_begins_nowhere_else(text: str) -> None:
    begun = matches_at(_NOISE, text, (match.start() for match in _NOISE_BEGINS.finditer(text)))
    assert [match.span() for match in begun] == [match.span() for match in _NOISE.finditer(text)]


NAMES = ["Court", " of", " for", " the ", "Appeals", "Bank", "Inc.", "LLC", "John", " Smith", "Q. ", "O'Hara", "St. ", "U.S. ", "County",
         "District", "Northern ", "Circuit", "Judge", "Chief ", "Hon. ", "Mr. ", "/s/ ", "s/ ", "Esq", "Clerk", "In re ", "EX PARTE ", "J.",
         "in the matter of ", "Before ", "Plaintiff ", ", CA", ", Ohio", "Courthouse", "SDNY", "xNDCA", "Third", "9th ", "United States",
         "Case No. ", "Nos ", "xCase 12", "8:16-cv-01261", "-17-CR-3", "21-50498", "(ABC)", "\u0661", "Cal. ", "Tex. Ins. Code § 4001.003",
         "Code", "Fed. R. Civ. P. 12(b)", "FRCP 4", "xfrap", "rule", "a@b.example", "me.x@", "@", "x" * 70, "-", "é", "\u0130",
         " ", "\n", ",", ", ", ".", "and ", "a", "7", "[1"]  # fmt: skip


@settings(deadline=None, max_examples=600)
@given(st.lists(st.sampled_from(NAMES), max_size=16).map("".join))
def test_names_numbers_and_citations_are_those_that_a_search_finds(text: str) -> None:
    begins = [match.start() for match in filings._BEGINS.finditer(text)]
    patterns = [*(rule[0] for rule in filings.RULES), *filings._COURTS, filings._PANEL]
    tried = [
        *((pattern, matches_in_order(pattern, text, begins)) for pattern in patterns),
        (filings._BEFORE, matches_at(filings._BEFORE, text, places(text, filings._BEFORE_BEGINS))),
        (filings._IN_RE, matches_at(filings._IN_RE, text, places(lowered(text), filings._IN_RE_BEGINS))),
        (case_numbers.FEDERAL, case_numbers.federal(text)),
        (case_numbers.LABELLED, case_numbers.labelled(text)),
    ]
    for pattern, found in tried:
        assert [match.span() for match in found] == [match.span() for match in pattern.finditer(text)]
    for rule, _, _, needed in filings.RULES:
        assert not needed or any(word in text for word in needed) or rule.search(text) is None
    for court, needed in zip(filings._COURTS, filings._OF_COURTS, strict=True):
        assert not needed or any(word in text for word in needed) or court.search(text) is None
    assert [(each.start, each.end) for each in _emails(text)] == [match.span() for match in _EMAIL.finditer(text)]
    assert [each[:2] for each in statutes.statutes(text)] == [match.span() for match in statutes._CODE.finditer(text)]
    rules = [match.span() for match in citations._RULES.finditer(text)]
    assert [(each.start, each.end) for each in citations._rules(text)][: len(rules)] == rules


FIGURES = ["503", "555", "0142", "(503)", "+1", "+44", "1", "20", "2024", "18,450.00", " ", " ", "  ", "-", ".", "/", ", ", "\n", "\t", "x", " x 12", " ext. 5",
           " Extension 77", " anexo 3", " int 4", ";ext=9", "#", ":30", "[", "(", ")", "~", "call", "a", "on", "é", "\u0661", "503-555-0142"]  # fmt: skip


@settings(deadline=None, max_examples=600)
@given(st.lists(st.sampled_from(FIGURES), max_size=16).map("".join))
@example("503 555 0142 / 503-555-0143 or +44 20 7946 0958, 12:30, x (503) 555-0142 ext. 5\n2024")
def test_phones_are_those_that_the_library_finds_in_all_of_a_text(text: str) -> None:
    whole = phonenumbers.PhoneNumberMatcher(text, "US", leniency=phonenumbers.Leniency.POSSIBLE)
    shaped = [(match.start, match.end) for match in whole if _PHONE_SHAPE.match(text[match.start : match.end])]
    assert [(each.start, each.end) for each in _phones(text)] == shaped
