"""One ranking out of several."""

from uuid import UUID

import pytest

from app.knowledge.fusion import fuse

A, B, C, D = (UUID(int=number) for number in range(1, 5))


def test_what_both_rankings_have_goes_before_what_one_has() -> None:
    """Two middling places are worth more than one first place."""
    assert [each.found_id for each in fuse({"text": [A, B, C], "vector": [D, B, C]})] == [B, C, A, D]


def test_scores_are_sums_of_reciprocal_places() -> None:
    """As the paper has it, with its constant of 60; each place is told."""
    first, second = fuse({"text": [A, B], "vector": [A]})
    assert (first.found_id, first.places) == (A, {"text": 1, "vector": 1})
    assert (second.found_id, second.places) == (B, {"text": 2})
    assert [first.score, second.score] == pytest.approx([2 / 61, 1 / 62])


def test_ties_go_to_the_first_ranking() -> None:
    """What has the words of an address goes before what is only like it; and pages of hits repeat and lose none."""
    assert [each.found_id for each in fuse({"text": [B], "vector": [A]})] == [B, A]
    assert [each.found_id for each in fuse({"text": [A], "vector": [B]})] == [A, B]


def test_no_rankings_find_nothing() -> None:
    """Nor do empty ones."""
    assert fuse({}) == fuse({"text": [], "vector": []}) == []
