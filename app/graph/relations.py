"""How a document's entities are related: typed edges with evidence and weight.

Plain functions over passages and the mentions in them, which are already resolved to entities.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from itertools import combinations, pairwise

from app.entities.mentions import EntityType, Mention, Passage
from app.entities.neighbours import neighbourhoods
from app.graph.antecedents import Antecedent
from app.graph.captions import caption
from app.graph.masking import masked
from app.graph.parties import caption_rules
from app.graph.rules import RULES, Match, matches
from app.graph.sentences import Sentences, sentences
from app.graph.wording import RelationType, Rule

__all__ = ["MOST_EVIDENCE", "Edge", "Evidence", "LinkedMention", "RelationReader", "RelationType", "joined"]

MOST_EVIDENCE = 20
"""So many sentences are kept as an edge's evidence at most."""

MOST_AROUND = 3000
"""So many characters of a sentence are told on either side of what it is evidence of; only of what is no sentence is there more."""

CITED, TOGETHER = 0.9, 0.1
"""The weights of a citation in a document, and of two names in one sentence."""

MOST_WEIGHT = {RelationType.CO_OCCURS: 0.5}
SUREST = 0.99
"""However many sentences say so, the weight of an edge is below this, or below its type's in `MOST_WEIGHT`."""

MOST_TOGETHER = 12
"""Of a sentence with more entities than these (a list of counsel, a table), only neighbours are told as named together."""

MOST_WAITING = 200
"""Edges of the document's own case that wait for its number, which may come after the parties' names."""

CO_OCCURRING = frozenset(
    {
        EntityType.PERSON,
        EntityType.ORGANIZATION,
        EntityType.PLACE,
        EntityType.MONEY,
        EntityType.CASE_NUMBER,
        EntityType.EMAIL,
        EntityType.PHONE,
        EntityType.ADDRESS,
    }
)


@dataclass(frozen=True, slots=True)
class LinkedMention:
    """A mention and the entity that it was resolved to."""

    entity: Hashable
    mention: Mention


@dataclass(frozen=True, slots=True)
class Evidence:
    """The sentence that an edge is read from: its character range in the document's text, and its weight."""

    start: int
    end: int
    page: int
    """The page that its passage begins on; the sentence may begin on a later one."""
    weight: float
    text: str
    """What it says, on one line: without what stands in that range and is kept apart (the numbers of pleading paper)."""


@dataclass(frozen=True, slots=True)
class Edge:
    """A relation between two entities."""

    type: RelationType
    source: Hashable
    target: Hashable
    weight: float
    """0 to 1: how likely it is that the relation holds, by all of its evidence."""
    role: str | None
    """For `party_to`: `plaintiff`, `defendant`, `appellant`, …"""
    evidence: tuple[Evidence, ...]
    """The strongest first, at most `MOST_EVIDENCE`."""


class _Own(Enum):
    """What a document calls its own; a member of an enum stays itself when a reader is pickled."""

    CASE = "case"


_CASE = _Own.CASE
"""Stands for the document's own case until its number is known."""


@dataclass(slots=True)
class RelationReader:
    """Reads a document's passages in order, a batch at a time; what it remembers is bounded.

    It remembers the document's own case number, which stands in the caption and is what later parties and citations
    belong to. The first passages that it is given are the document's first, unless it is given the case.
    """

    case: Hashable | None = None
    """The entity of the document's own case number: the first that is named. Give it to go on in a document's middle."""
    _waiting: list[Edge] = field(default_factory=list)
    _has_begun: bool = False
    _antecedent: Antecedent = field(default_factory=Antecedent)

    def read(self, passages: Sequence[Passage], mentions: Iterable[LinkedMention]) -> list[Edge]:
        """The edges of these passages, one for each pair of entities, type and role. `mentions` are those of the passages."""
        linked = sorted(mentions, key=lambda each: each.mention.start)
        title = caption(passages) if self.case is None and not self._has_begun else None
        self._has_begun = self._has_begun or bool(passages)
        if self.case is None:
            numbers = (each.entity for each in linked if each.mention.type is EntityType.CASE_NUMBER)
            self.case = next(numbers, None)
        edges = list(self._edges(passages, linked, title))
        if self.case is None:
            waits = [edge for edge in edges if _CASE in (edge.source, edge.target)]
            self._waiting = [*self._waiting, *waits][:MOST_WAITING]
            edges = [edge for edge in edges if _CASE not in (edge.source, edge.target)]
        else:
            edges, self._waiting = [_of_case(edge, self.case) for edge in [*self._waiting, *edges]], []
        return joined(edge for edge in edges if edge.source != edge.target)

    def _edges(
        self, passages: Sequence[Passage], linked: Sequence[LinkedMention], title: Passage | None
    ) -> Iterator[Edge]:
        """All edges of the passages; of the caption as a whole, the parties that no passage of it shows by itself."""
        of_title = [] if title is None else list(_of_caption(title, _within(title, linked)))
        known = set()
        for edge in of_title:
            self._antecedent.add(edge.source)
        for passage, _ in neighbourhoods(passages):
            within = _within(passage, linked)
            people = [each.entity for each in within if each.mention.type is EntityType.PERSON]
            for edge in _edges(passage, within, self._antecedent.of(people)):
                if edge.type is RelationType.PARTY_TO:
                    known.add(edge.source)
                    self._antecedent.add(edge.source)
                yield edge
        yield from (edge for edge in of_title if edge.source not in known)


def joined(edges: Iterable[Edge]) -> list[Edge]:
    """Edges of the same type, source, target and role made one: evidence together, weights as of independent witnesses."""
    alike: defaultdict[tuple[RelationType, Hashable, Hashable, str | None], list[Edge]] = defaultdict(list)
    for edge in edges:
        alike[edge.type, edge.source, edge.target, edge.role].append(edge)
    return [_one(those) for those in alike.values()]


def _one(edges: Sequence[Edge]) -> Edge:
    """One edge of several; a sentence that several rules read it from is one witness, by the strongest of them."""
    strongest: dict[tuple[int, int, int], Evidence] = {}
    doubt = 1.0
    for edge in edges:
        new = False
        for each in edge.evidence:
            place = (each.page, each.start, each.end)
            new = new or place not in strongest
            if place not in strongest or strongest[place].weight < each.weight:
                strongest[place] = each
        doubt = doubt * (1 - edge.weight) if new else min(doubt, 1 - edge.weight)
    evidence = sorted(strongest.values(), key=lambda each: (-each.weight, each.start))[:MOST_EVIDENCE]
    weight = min(1 - doubt, MOST_WEIGHT.get(edges[0].type, SUREST))
    return replace(edges[0], weight=round(weight, 4), evidence=tuple(evidence))


def _of_case(edge: Edge, case: Hashable) -> Edge:
    return replace(
        edge,
        source=case if edge.source is _CASE else edge.source,
        target=case if edge.target is _CASE else edge.target,
    )


def _within(passage: Passage, linked: Sequence[LinkedMention]) -> list[LinkedMention]:
    """Of mentions in order those of a passage itself: what is blanked in it is another one's."""
    end = passage.start + len(passage.text)
    first = bisect_left(linked, passage.start, key=_start)
    last = bisect_left(linked, end, lo=first, key=_start)
    return [
        each
        for each in linked[first:last]
        if each.mention.end <= end and not passage.text[each.mention.start - passage.start].isspace()
    ]


def _start(linked: LinkedMention) -> int:
    return linked.mention.start


def _edges(passage: Passage, linked: Sequence[LinkedMention], person: Hashable | None) -> Iterator[Edge]:
    """All edges of a passage, one for each place that says so; `person` is whom it is speaking of."""
    ranges = _ranges(passage, linked)
    told = sentences(passage.text, ranges)
    related = set()
    for edge in _ruled(passage, linked, told, RULES, person):
        related.add(frozenset((edge.source, edge.target)))
        yield edge
    for each, place in zip(linked, ranges, strict=True):
        if each.mention.type is EntityType.CITATION:
            yield _edge(RelationType.CITES, _CASE, each.entity, CITED, _evidence(passage, told, place, place, CITED))
    yield from _together(passage, linked, ranges, told, related)


def _of_caption(title: Passage, linked: Sequence[LinkedMention]) -> Iterator[Edge]:
    """The parties in a caption; one that several rules find is told by the first of them."""
    told = sentences(title.text, _ranges(title, linked))
    known = set()
    for edge in _ruled(title, linked, told, caption_rules(title.text)):
        if edge.source not in known:
            known.add(edge.source)
            yield edge


def _ruled(
    passage: Passage,
    linked: Sequence[LinkedMention],
    told: Sentences,
    rules: Sequence[Rule],
    person: Hashable | None = None,
) -> Iterator[Edge]:
    """What some rules find in a passage, with the sentences that have the whole of it as evidence."""
    names = [(each.mention.type, *place) for each, place in zip(linked, _ranges(passage, linked), strict=True)]
    text = masked(passage.text, names)
    for match in matches(text.text, [each.mention.text for each in linked], rules):
        place = text.place(match.start), text.place(match.end)
        yield from _matched(match, linked, _evidence(passage, told, place, place, match.weight), person)


def _ranges(passage: Passage, linked: Sequence[LinkedMention]) -> list[tuple[int, int]]:
    return [(each.mention.start - passage.start, each.mention.end - passage.start) for each in linked]


def _matched(
    match: Match, linked: Sequence[LinkedMention], evidence: Evidence, person: Hashable | None
) -> Iterator[Edge]:
    unnamed = person if match.type is RelationType.EMPLOYED_BY else _CASE
    for source in _entities(match.sources, linked, unnamed):
        for target in _entities(match.targets, linked, unnamed):
            yield _edge(match.type, source, target, match.weight, evidence, match.role)


def _entities(
    numbers: Sequence[int] | None, linked: Sequence[LinkedMention], unnamed: Hashable | None
) -> list[Hashable]:
    if numbers is None:
        return [] if unnamed is None else [unnamed]
    return list(dict.fromkeys(linked[number].entity for number in numbers))


def _together(
    passage: Passage,
    linked: Sequence[LinkedMention],
    ranges: Sequence[tuple[int, int]],
    told: Sentences,
    related: set[frozenset[Hashable]],
) -> Iterator[Edge]:
    """Entities that are named in one sentence, and of which the passage says no more than that."""
    by_sentence: defaultdict[int, dict[Hashable, tuple[int, int]]] = defaultdict(dict)
    for each, place in zip(linked, ranges, strict=True):
        if each.mention.type in CO_OCCURRING:
            by_sentence[told.number(place[0])].setdefault(each.entity, place)
    for named in by_sentence.values():
        items = list(named.items())
        pairs = combinations(items, 2) if len(items) <= MOST_TOGETHER else pairwise(items)
        for (one, first), (other, second) in pairs:
            if frozenset((one, other)) not in related:
                source, target = sorted((one, other), key=str)
                evidence = _evidence(passage, told, first, second, TOGETHER)
                yield _edge(RelationType.CO_OCCURS, source, target, TOGETHER, evidence)


def _evidence(
    passage: Passage, told: Sentences, first: tuple[int, int], last: tuple[int, int], weight: float
) -> Evidence:
    start, end = told.at(first[0], last[1])
    start, end = max(start, first[0] - MOST_AROUND), min(end, last[1] + MOST_AROUND)
    text = passage.text[start:end]
    start, end = start + len(text) - len(text.lstrip()), end - (len(text) - len(text.rstrip()))
    return Evidence(passage.start + start, passage.start + end, passage.page, weight, " ".join(text.split()))


def _edge(
    relation: RelationType,
    source: Hashable,
    target: Hashable,
    weight: float,
    evidence: Evidence,
    role: str | None = None,
) -> Edge:
    return Edge(relation, source, target, weight, role, (evidence,))
