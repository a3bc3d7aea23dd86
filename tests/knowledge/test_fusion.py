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


def test_ties_are_broken_the_same_way_each_time() -> None:
    """Pages of hits don't repeat or lose one because two are equally good."""
    assert fuse({"text": [A], "vector": [B]}) == fuse({"vector": [B], "text": [A]})


def test_no_rankings_find_nothing() -> None:
    """Nor do empty ones."""
    assert fuse({}) == fuse({"text": [], "vector": []}) == []
