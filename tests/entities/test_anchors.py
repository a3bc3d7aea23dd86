"""What is tried at some places alone finds what would be found if it were tried at all."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.entities.amounts import MONEY, amounts
from app.entities.anchors import matches_at
from app.entities.dates import PATTERNS, YEAR, dates, lone_years
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
