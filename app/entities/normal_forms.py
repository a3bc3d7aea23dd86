"""The form by which mentions of one type are compared, and entities are kept.

| type | normal form |
|---|---|
| person | `first middle last`, small, without accents and titles; a suffix follows a comma: `john smith, jr` |
| organization | small, without punctuation, article and legal form, abbreviations spelled out: `experian consumer services` |
| place | small; states and countries by their full names: `atlanta, georgia` |
| date | ISO 8601, as exact as it is known: `2021-01-11`, `2014-08`, `2009`, `--07-25` |
| money | currency and amount: `USD 200000.00` |
| phone | E.164: `+14048156095` |
| email | small |
| citation | volume, reporter, page: `466 U.S. 668` |
| case_number | office, year, type, number: `8:16-cv-01261`; others in capitals |
| address | small, words as the post abbreviates them, ZIP of five digits: `1100 peachtree st ste 2800 atlanta ga 30309` |
"""

import re

from app.entities.amounts import money_form
from app.entities.case_numbers import case_number_form
from app.entities.dates import date_form
from app.entities.mentions import EntityType
from app.entities.organization_names import organization_form
from app.entities.person_names import person_form
from app.entities.phones import phone_form
from app.entities.places import address_form, place_form

_SPACES = re.compile(r"\s+")


def normal_form(entity_type: EntityType, text: str) -> str:
    """The normal form of a name, amount or date as it stands; empty where the text is nothing of that type."""
    return _FORMS[entity_type](text)


def _email_form(text: str) -> str:
    return _SPACES.sub("", text).lower()


def _citation_form(text: str) -> str:
    return _SPACES.sub(" ", text).strip()


_FORMS = {
    EntityType.PERSON: person_form,
    EntityType.ORGANIZATION: organization_form,
    EntityType.PLACE: place_form,
    EntityType.DATE: date_form,
    EntityType.MONEY: money_form,
    EntityType.CITATION: _citation_form,
    EntityType.CASE_NUMBER: case_number_form,
    EntityType.EMAIL: _email_form,
    EntityType.PHONE: phone_form,
    EntityType.ADDRESS: address_form,
}
