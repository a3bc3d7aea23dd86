"""The forms of numbers that a query asks for."""

import pytest

from app.knowledge.numbers import in_all_forms


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ("'fire'", "'fire'"),
        ("", ""),
        ("'50498'", "( '50498' | '-50498' )"),
        ("'cv' <-> '-1261'", "'cv' <-> ( '1261' | '-1261' | '01261' | '-01261' )"),
        ("!'00800'", "!( '00800' | '-00800' | '800' | '-800' )"),
        ("'000'", "( '000' | '-000' | '0' | '-0' | '00000' | '-00000' )"),
        ("'21.50498' & '9th' & 'a-1'", "'21.50498' & '9th' & 'a-1'"),
        ("'courts.example/''12''' | '12''13'", "'courts.example/''12''' | '12''13'"),
    ],
)
def test_a_number_is_asked_for_in_all_forms(query: str, asked: str) -> None:
    """What is no number stays, and so do numbers that are part of something else."""
    assert in_all_forms(query) == asked
