"""Which names mean the same thing: within a document, and against what a project knows already.

Plain functions, without a database. Names are compared only where they share a blocking key, so that the cost grows
with the names that could be the same, not with the square of all. The fullest names go first; a shorter one joins the
entity that it is most like, unless it is as much like another: who of two Smiths is meant by `Smith`, nobody can say.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from app.entities.blocking import keys_of
from app.entities.mentions import ECHO, EntityType, Mention
from app.entities.similarity import ALIKE, NONE, SAME, Likeness, likeness

MARGIN = 0.02
"""By so much the best candidate has to be better than the next, or neither is taken."""

MOST_COMPARED = 200
"""So many candidates of a block are compared at most, those with the most names first: a bound, seldom reached."""


@dataclass(frozen=True, slots=True)
class Named:
    """A name as a document has it: all mentions of one type and normal form."""

    type: EntityType
    normal: str
    text: str
    """The name as it is most often written."""
    count: int = 1


@dataclass(frozen=True, slots=True)
class KnownEntity:
    """An entity that the project has already, found by a blocking key."""

    entity_id: UUID
    type: EntityType
    normal: str
    """Its `normal_form`."""
    name: str


@dataclass(frozen=True, slots=True)
class Joined:
    """A name that was taken for an entity's, with how sure that is and why."""

    named: Named
    score: float
    """0 to 1; 1 where the normal forms are the same."""
    reason: str
    """A stable word: `same_form`, `initials`, `surname_alone`, `similar_spelling`, `acronym`, `court`, …"""


@dataclass(frozen=True, slots=True)
class Resolved:
    """One entity of a document: what it is called, and all the names that mean it."""

    type: EntityType
    normal: str
    """The `normal_form` to keep it under: that of the known entity, or of the fullest name."""
    name: str
    entity_id: UUID | None
    """The known entity that it is; None for a new one."""
    joined: tuple[Joined, ...]
    """Every name of it, its own first."""


def named(mentions: Iterable[Mention]) -> list[Named]:
    """The names of mentions, each with the way it is most often written; in full, if it is written so anywhere."""
    written: defaultdict[tuple[EntityType, str], Counter[tuple[bool, str]]] = defaultdict(Counter)
    for mention in mentions:
        written[mention.type, mention.normal][is_short(mention), mention.text] += 1
    return [
        # Of those that are written as often as each other, the first in order: what `mode()` takes.
        Named(*name, min(texts, key=lambda text: (text[0], -texts[text], text[1]))[1], texts.total())
        for name, texts in written.items()
    ]


def is_short(mention: Mention) -> bool:
    """Whether a mention is one by what another says in full: `556 U.S. at 678`, or the short name that a text defines."""
    if mention.type is EntityType.CITATION:
        return mention.text[:1].isdigit() or " at " in mention.text
    return mention.source == ECHO


def blocking_keys(named: Named | KnownEntity) -> frozenset[str]:
    """The keys under which whatever may mean the same is found: `person:smith`; at least one, at most eight.

    Kept beside each entity (an indexed array); `resolve` wants all known entities that share a key with a name.
    """
    return keys_of(named.type, named.normal)


LONE_SURNAME = Likeness(SAME, ALIKE.reason)
"""Less than who has the name in full in the same document."""


@dataclass(slots=True)
class _Cluster:
    """An entity in the making."""

    known: KnownEntity | None
    joined: list[Joined] = field(default_factory=list)

    def like(self, name: Named) -> Likeness:
        """How a name compares with the names of this entity.

        A person's has to go together with every one of them: `J. Smith` goes with Jane and with John, who don't. An
        organisation's is compared with the fullest alone, for its acronym and its first word are not alike.
        """
        compared = [likeness(name.type, name.normal, other.named.normal) for other in self._joined(name.type)]
        elsewhere = _known_likeness(self.known, name) if self.known is not None else ALIKE
        if elsewhere.score == 0.0 or any(alike.score == 0.0 for alike in compared):
            return NONE
        if self.known is not None and not elsewhere.within_document:
            compared.append(elsewhere)
        return max(compared, key=_score, default=NONE)

    def _joined(self, entity_type: EntityType) -> list[Joined]:
        return self.joined if entity_type is EntityType.PERSON else self.joined[:1]

    def resolved(self) -> Resolved:
        """The entity as it is told: under the known form, or that of the fullest name, which came first."""
        first = self.joined[0].named
        return Resolved(
            type=first.type,
            normal=self.known.normal if self.known else first.normal,
            name=self.known.name if self.known else first.text,
            entity_id=self.known.entity_id if self.known else None,
            joined=tuple(self.joined),
        )


def resolve(names: Sequence[Named], known: Sequence[KnownEntity] = ()) -> list[Resolved]:
    """The entities that a document's names mean; each name belongs to exactly one. The order of names is no matter."""
    clusters: list[_Cluster] = []
    blocks: defaultdict[str, list[_Cluster]] = defaultdict(list)
    for entity in sorted(known, key=lambda each: (each.type, each.normal, each.entity_id)):
        clusters.append(_Cluster(entity))
        for key in blocking_keys(entity):
            blocks[key].append(clusters[-1])
    for name in sorted(_distinct(names), key=_fullness):
        keys = blocking_keys(name)
        cluster, alike = _best(name, _candidates(keys, blocks))
        if cluster is None:
            cluster = _Cluster(None)
            clusters.append(cluster)
        cluster.joined.append(Joined(name, round(alike.score, 3), alike.reason))
        for key in keys:
            if all(cluster is not each for each in blocks[key]):
                blocks[key].append(cluster)
    return [cluster.resolved() for cluster in clusters if cluster.joined]


def _distinct(names: Iterable[Named]) -> list[Named]:
    """Each type and normal form once."""
    merged: dict[tuple[EntityType, str], Named] = {}
    for name in sorted(names, key=lambda each: (-each.count, each.text)):
        key = name.type, name.normal
        count = merged[key].count + name.count if key in merged else name.count
        merged[key] = Named(name.type, name.normal, merged[key].text if key in merged else name.text, count)
    return list(merged.values())


def _fullness(name: Named) -> tuple[EntityType, bool, int, int, str]:
    """The order in which names are taken: those that say most first, so that the short ones find them all."""
    pinned = name.type is EntityType.CITATION and " at " in name.normal
    words = [word for word in name.normal.replace(",", " ").split() if len(word) > 1]
    return name.type, pinned, -len(words), -len(name.normal), name.normal


def _candidates(keys: Iterable[str], blocks: dict[str, list[_Cluster]]) -> list[_Cluster]:
    """The entities that share a key, each once."""
    found: dict[int, _Cluster] = {id(cluster): cluster for key in sorted(keys) for cluster in blocks.get(key, ())}
    return sorted(found.values(), key=lambda cluster: -len(cluster.joined))[:MOST_COMPARED]


def _best(name: Named, candidates: Iterable[_Cluster]) -> tuple[_Cluster | None, Likeness]:
    """The entity that a name means; none where no one is like enough, or two are and no one is known by that very form."""
    alike = [(cluster.like(name), cluster) for cluster in candidates]
    ranked = sorted((each for each in alike if each[0].score >= SAME), key=lambda each: -each[0].score)
    if not ranked:
        return None, ALIKE
    best, cluster = ranked[0]
    if best != ALIKE and len(ranked) > 1 and best.score - ranked[1][0].score < MARGIN:
        return next(((each, said) for said, each in ranked if said.reason == ALIKE.reason), (None, ALIKE))
    return cluster, best


def _known_likeness(known: KnownEntity, name: Named) -> Likeness:
    """How a name compares with the form that the project knows; a family name alone says little across documents."""
    alike = likeness(name.type, name.normal, known.normal)
    return LONE_SURNAME if alike == ALIKE and name.type is EntityType.PERSON and " " not in name.normal else alike


def _score(alike: Likeness) -> float:
    return alike.score
