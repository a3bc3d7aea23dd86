"""Normal forms: what is written in different ways comes to the same, and what is different doesn't."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.entities.mentions import EntityType
from app.entities.normal_forms import normal_form
from app.entities.person_names import parsed

ALIKE = {
    EntityType.PERSON: {
        "richard p liebowitz": ["Richard P. Liebowitz", "RICHARD P. LIEBOWITZ", "Mr. Richard P Liebowitz, Esq."],
        "john smith, jr": ["John Smith, Jr.", "Hon. John Smith Jr", "SMITH JR., JOHN", "Dr. John Smith, Junior"],
        "vanessa st pierre": ["Vanessa St. Pierre", "Vanessa St Pierre"],
        "jose garcia": ["José García", "Jose Garcia"],
        "angela t quigless": ["Angela T. Quigless, P.J.", "Judge Angela T. Quigless"],
        "j r vance": ["J.R. Vance", "J. R. Vance"],
        "o'hara": ["O’Hara", "Ms. O'Hara"],
    },
    EntityType.ORGANIZATION: {
        "acme freight": ["Acme Freight, Inc.", "ACME FREIGHT INC", "The Acme Freight Company", "Acme Freight, LLC, et al."],
        "national football league": ["Nat'l Football League", "the National Football League"],
        "united states district court": ["U.S. District Court", "United States District Court"],
        "holloway and price": ["Holloway & Price LLP", "Holloway and Price, L.L.P."],
    },
    EntityType.PLACE: {
        "atlanta, georgia": ["Atlanta, GA", "Atlanta, Georgia", "ATLANTA, Ga."],
        "new york": ["N.Y.", "New York", "the New York"],
        "united states": ["USA", "U.S.", "the United States of America"],
    },
    EntityType.DATE: {
        "2021-01-11": ["January 11, 2021", "Jan. 11 2021", "01/11/2021", "1/11/21", "2021-01-11", "11 January 2021",
                       "this 11th day of January, 2021", "January ll, 2O21"],
        "2014-08": ["August 2014", "Aug. 2014", "August of 2014"],
        "--07-25": ["July 25", "July 25th"],
        "2009": ["2009"],
    },
    EntityType.MONEY: {
        "USD 200000.00": ["$200,000", "$200,000.00", "US$ 200,000", "200,000 dollars", "two hundred thousand dollars", "$200k"],
        "USD 1500000.00": ["$1.5 million", "$1,500,000", "one million five hundred thousand dollars"],
        "USD 0.25": ["25 cents", "$0.25"],
        "EUR 12.50": ["€12.50", "EUR 12.50", "12.50 euros"],
    },
    EntityType.PHONE: {"+14048156095": ["404-815-6095", "(404) 815-6095", "+1 404 815 6095", "404.815.6095"]},
    EntityType.EMAIL: {"jo@example.org": ["Jo@Example.org", "jo @ example.org"]},
    EntityType.CASE_NUMBER: {
        "8:16-cv-01261": ["8:16-cv-1261-DOC (KESx)", "8:16-CV-01261-DOC-KES", "Case No. 8:16-cv-01261"],
        "17-cv-06761": ["17-cv-6761", "17 - cv - 06761", "17-civ-6761"],
        "21-50498": ["No. 21-50498", "21-50498"],
    },
    EntityType.ADDRESS: {
        "1100 peachtree st ste 2800 atlanta ga 30309": [
            "1100 Peachtree Street, Suite 2800\nAtlanta, GA 30309-4530", "1100 Peachtree St., Ste. 2800, Atlanta, Georgia 30309"
        ],
    },
}  # fmt: skip

DIFFERENT = [
    (EntityType.PERSON, "John Smith, Jr.", "John Smith, Sr."),
    (EntityType.PERSON, "John Smith", "Joan Smith"),
    (EntityType.ORGANIZATION, "Local 12", "Local 15"),
    (EntityType.ORGANIZATION, "National Football League", "National Football League Players Association"),
    (EntityType.DATE, "July 25", "July 25, 2016"),
    (EntityType.MONEY, "$100", "€100"),
    (EntityType.CASE_NUMBER, "1:17-cv-6761", "2:17-cv-6761"),
    (EntityType.CASE_NUMBER, "17-cv-6761", "17-cr-6761"),
]

NOTHING = [
    (EntityType.PERSON, "Judge"),
    (EntityType.PERSON, "J."),
    (EntityType.PERSON, "12"),
    (EntityType.DATE, "February 30, 2020"),
    (EntityType.DATE, "thirty days"),
    (EntityType.DATE, "Rule 26"),
    (EntityType.MONEY, "a lot of money"),
    (EntityType.MONEY, "200,000"),
    (EntityType.PHONE, "12"),
    (EntityType.PHONE, "call me"),
    (EntityType.ADDRESS, "Main Street"),
    (EntityType.PLACE, "—"),
]


@pytest.mark.parametrize(
    ("kind", "form", "text"),
    [(kind, form, text) for kind, forms in ALIKE.items() for form, texts in forms.items() for text in texts],
)
def test_ways_of_writing_come_to_one_form(kind: EntityType, form: str, text: str) -> None:
    assert normal_form(kind, text) == form


@pytest.mark.parametrize(("kind", "one", "other"), DIFFERENT)
def test_what_differs_stays_apart(kind: EntityType, one: str, other: str) -> None:
    assert normal_form(kind, one) != normal_form(kind, other)


@pytest.mark.parametrize(("kind", "text"), NOTHING)
def test_what_is_nothing_of_a_type_has_no_form(kind: EntityType, text: str) -> None:
    assert not normal_form(kind, text)


@given(kind=st.sampled_from(EntityType), text=st.text(max_size=80))
def test_any_text_has_a_form_or_none(kind: EntityType, text: str) -> None:
    """Whatever a scanner makes of a page, no form raises, and none has line breaks or spaces around it."""
    form = normal_form(kind, text)
    assert form == form.strip()
    assert "\n" not in form


WORD = st.from_regex(r"[a-z]{2,9}(?:'[a-z]{2,5}|-[a-z]{2,6})?", fullmatch=True)


@given(given_names=st.lists(st.one_of(WORD, st.sampled_from("abcdefgh")), max_size=3), family=WORD)
def test_a_persons_form_is_read_as_itself(given_names: list[str], family: str) -> None:
    """The form of a form is that form: what is kept can be compared again."""
    name = parsed(" ".join([*given_names, family]))
    if name is not None:
        assert parsed(name.normal) == name


@given(days=st.dates())
def test_dates_survive_being_written_out(days: date) -> None:
    if 1600 <= days.year <= 2199:
        assert normal_form(EntityType.DATE, f"{days:%B} {days.day}, {days.year}") == days.isoformat()


@given(cents=st.integers(0, 10**12))
def test_amounts_survive_being_written_out(cents: int) -> None:
    assert (
        normal_form(EntityType.MONEY, f"${cents // 100:,}.{cents % 100:02}") == f"USD {cents // 100}.{cents % 100:02}"
    )
