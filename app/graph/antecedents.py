"""Whom a text is speaking of where it says `his` or `her`."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

MOST_PARTIES = 200
"""So many parties are remembered."""


@dataclass(slots=True)
class Antecedent:
    """The party to the case that a text is speaking of, told passage by passage; judges and counsel are not asked after."""

    _parties: set[Hashable] = field(default_factory=set)
    _last: Hashable | None = None

    def add(self, party: Hashable) -> None:
        """Take note of somebody who is a party."""
        if len(self._parties) < MOST_PARTIES:
            self._parties.add(party)

    def of(self, people: Sequence[Hashable]) -> Hashable | None:
        """The party whom the next passage is about, which names these `people`.

        It is the only one whom that passage names, or, if it names nobody, whom the last one did that names anybody.
        """
        if people:
            self._last = people[0] if len(set(people)) == 1 else None
        return self._last if self._last in self._parties else None
