"""One ranking out of several that can't be compared by score. Pure: no I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

SMOOTHING = 60
"""How little the first places of a ranking differ: source: Cormack, Clarke, Buettcher, "Reciprocal Rank Fusion", SIGIR 2009."""


@dataclass(slots=True)
class Fused:
    """Something that was found, its score, and the places (from 1) that it has in the rankings that have it."""

    found_id: UUID
    score: float = 0.0
    places: dict[str, int] = field(default_factory=dict)


def fuse(rankings: Mapping[str, Sequence[UUID]]) -> list[Fused]:
    """What any of the rankings has, the best first: each adds the reciprocal of the place that it gives.

    Of what scores the same, the first ranking's comes first: whoever looks for a number or an address means what has its words.
    """
    by_id: dict[UUID, Fused] = {}
    for name, ranking in rankings.items():
        for place, found_id in enumerate(ranking, start=1):
            fused = by_id.setdefault(found_id, Fused(found_id))
            fused.score += 1 / (SMOOTHING + place)
            fused.places[name] = place
    order = {name: number for number, name in enumerate(rankings)}
    return sorted(
        by_id.values(), key=lambda fused: (-fused.score, min(order[name] for name in fused.places), fused.found_id)
    )
