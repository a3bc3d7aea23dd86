"""`build_relationships`: how a document's entities are related, read from its sentences, with these as evidence."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import cast
from uuid import UUID

from app import events
from app.db import one_statement, transaction
from app.entities.mentions import Passage
from app.entities.resolution import Named
from app.graph.relations import Edge, LinkedMention, RelationReader, RelationType
from app.jobs.models import Job
from app.jobs.steps import Step
from app.knowledge import entities, found, mentions, relationships
from app.knowledge.entities import EntityDraft
from app.knowledge.mentions import Linked
from app.knowledge.relationships import EdgeDraft
from app.pipeline.extraction import KEPT_PAGES, PassageBatch, passage_batches
from app.pipeline.holding import written
from app.pipeline.off_loop import FEW_CHARACTERS, off_loop
from app.pipeline.outcome import Outcome, Tools
from app.pipeline.progress import note_progress

FEW_MENTIONS = 60
"""About as many as three pages have: they are related within a few milliseconds."""


@dataclass(slots=True)
class Waiting:
    """The mentions that no passage has been read for yet: a passage may end pages after the one that it begins on."""

    linked: list[Linked] = field(default_factory=list)
    read_to: int = 0
    """The last page whose mentions were fetched."""

    def of(self, passages: Sequence[Passage]) -> list[LinkedMention]:
        """The mentions in some passages; those before them are let go."""
        if not passages:
            return []
        starts = [each.mention.start for each in self.linked]
        found: list[LinkedMention] = []
        for passage in passages:
            first = bisect_left(starts, passage.start)
            last = bisect_left(starts, passage.start + len(passage.text))
            found += [
                LinkedMention(each.entity_id, each.mention)
                for each in self.linked[first:last]
                if each.entity_id is not None and _stands_in(passage, each)
            ]
        return found

    def let_go(self, before_page: int) -> None:
        """Forget the mentions on pages that are long behind."""
        self.linked = [each for each in self.linked if each.page >= before_page]


async def build_relationships(job: Job, tools: Tools) -> Outcome:
    """Read the document's passages with what they name, and write what relates, anew with each try."""
    names = await found.names(tools.sessions, job.id, unlinked=True)
    linked = await _link_plainly(job, names, tools) if names else 0
    reader, waiting = RelationReader(), Waiting()
    counts, is_all = dict[RelationType, int](), False
    async for batch in passage_batches(job, tools):
        is_first = not waiting.read_to
        is_all = is_first and batch.is_last
        waiting.linked += await found.on_pages(tools.sessions, job.id, waiting.read_to + 1, batch.last_page)
        waiting.read_to = batch.last_page
        reader, edges = await _related(reader, batch, waiting)
        waiting.let_go(batch.last_page - KEPT_PAGES)
        await _write(job, tools, list(_drafts(edges, batch)), batch, is_first=is_first)
        counts = dict(Counter(edge.type for edge in edges))
    if not is_all:
        async with one_statement(tools.sessions) as session:
            counts = await relationships.counts(session, job.id)
    told = {"relationships": sum(counts.values()), "by_type": counts}
    return Outcome(details=told | ({"linked": linked} if linked else {}))


def relate(
    reader: RelationReader, passages: Sequence[Passage], linked: Iterable[LinkedMention]
) -> tuple[RelationReader, list[Edge]]:
    """What relates the entities of some passages."""
    return reader, reader.read(passages, linked)


async def _related(reader: RelationReader, batch: PassageBatch, waiting: Waiting) -> tuple[RelationReader, list[Edge]]:
    """What relates the entities of some passages; where these name few, it takes less time than another process does."""
    linked = waiting.of(batch.passages)
    if len(linked) <= FEW_MENTIONS and sum(len(passage.text) for passage in batch.passages) <= FEW_CHARACTERS:
        return relate(reader, batch.passages, linked)
    return await off_loop(relate, reader, batch.passages, linked)


async def _link_plainly(job: Job, names: Sequence[Named], tools: Tools) -> int:
    """Have names that weren't resolved mean the entity of that very form, for there is no relating nothing."""
    drafts = [
        EntityDraft(name.type, name.normal, name.text, entities.keys_of_name(name.type, name.normal)) for name in names
    ]
    async with transaction(tools.sessions) as session:
        await entities.take_turn(session, job.project_id)
        there = await entities.by_forms(session, job.project_id, [(name.type, name.normal) for name in names])
        fresh = [draft for draft in drafts if (draft.type, draft.normal_form) not in there]
        means = there | await entities.upsert(session, job.project_id, fresh)
        linked = await mentions.link(session, job.id, means)
    found.note_links(job.id, means)
    return linked


async def _write(job: Job, tools: Tools, edges: Sequence[EdgeDraft], batch: PassageBatch, *, is_first: bool) -> None:
    """The edges of a batch; the first ones in place of all that an earlier try wrote."""
    write = relationships.replace if is_first else relationships.add
    if batch.is_last:
        async with one_statement(tools.sessions) as session:
            await write(session, job, edges)
        return
    await written(job)
    async with tools.sessions.begin() as session:
        await write(session, job, edges)
        told = {"pages_done": batch.last_page, "relationships": len(edges)}
        last = await note_progress(session, job, Step.RELATIONSHIPS, **told)
    await events.ring(tools.redis, job.id, last, project_id=job.project_id)


def _drafts(edges: Iterable[Edge], batch: PassageBatch) -> Iterable[EdgeDraft]:
    for edge in edges:
        yield EdgeDraft(
            type=edge.type,
            source_id=_entity(edge.source),
            target_id=_entity(edge.target),
            role=edge.role,
            weight=edge.weight,
            evidence=[
                {
                    "sentence": each.text,
                    "page": batch.places.page_of(each.start) or each.page,
                    "start": each.start,
                    "end": each.end,
                    "weight": each.weight,
                    "boxes": batch.places.of(each.start, each.end),
                }
                for each in edge.evidence
            ],
        )


def _stands_in(passage: Passage, linked: Linked) -> bool:
    """Whether a mention is of the passage itself, and not of what is blanked in it."""
    return not passage.text[linked.mention.start - passage.start].isspace()


def _entity(entity: Hashable) -> UUID:
    return cast("UUID", entity)
