"""`resolve_entities`: the names of a document come to mean entities of its project, old ones or new.

What is compared with what the project knows takes time in a large document, so it is done outside of the project's turn; what
was added meanwhile by others is looked for in it, and if there is any, it is all done again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.db import one_statement, transaction
from app.entities.mentions import EntityType
from app.entities.resolution import KnownEntity, Named, Resolved, blocking_keys, resolve
from app.jobs.models import Job
from app.knowledge import entities, found, resolving
from app.knowledge.entities import EntityDraft
from app.knowledge.mentions import Name
from app.knowledge.resolving import Background, JoinedName
from app.pipeline.off_loop import off_loop
from app.pipeline.outcome import Outcome, Tools

FEW_NAMES = 50
"""So many are compared in less time than it takes to hand them to another process."""

TRIES = 3
"""How often a document is resolved outside of its project's turn, while others keep adding what it may mean; then within it."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What the names of a document mean, by what the project knew when that was found out."""

    resolved: Sequence[Resolved]
    merged: Mapping[Name, UUID]
    """Names that are the forms of entities which were merged into others: they mean those, whatever they are like."""


async def resolve_entities(job: Job, tools: Tools) -> Outcome:
    """Find out what each name means, and write it down with why."""
    names = await found.names(tools.sessions, job.id)
    if not names:
        return Outcome(details={"names": 0, "entities": 0, "joined": 0, "new": 0})
    keys = frozenset(key for name in names for key in blocking_keys(name))
    details: dict[str, object] = {}
    # What a few names mean is found out within the turn: it takes less time than a look before it.
    for outside in (True,) * (0 if len(names) <= FEW_NAMES else TRIES) + (False,):
        before = await _look(job, keys, tools) if outside else None
        meaning = await _meaning(names, before) if before is not None else None
        async with tools.project_turns.of(job.project_id), transaction(tools.sessions) as session:
            await entities.take_turn(session, job.project_id)
            now = await resolving.look(session, job, keys)
            if meaning is None or before is None:
                meaning = await _meaning(names, now)
            elif _roots(now) != _roots(before):
                continue
            means, details = await _write(session, job, meaning, now.undone)
        found.note_links(job.id, means)
        break
    return Outcome(details=details)


async def _look(job: Job, keys: frozenset[str], tools: Tools) -> Background:
    async with one_statement(tools.sessions) as session:
        return await resolving.look(session, job, keys)


def _roots(background: Background) -> set[tuple[UUID, UUID]]:
    return {(each.id, each.root_id) for each in background.known.values()}


async def _meaning(names: Sequence[Named], background: Background) -> Meaning:
    """Compare the names with each other and with what is known. An entity that was merged is known by its form alone."""
    known = background.known.values()
    merged = {each.form: each.id for each in known if each.id != each.root_id}
    roots = [KnownEntity(each.id, *each.form, each.name) for each in known if each.id == each.root_id]
    asked = [name for name in names if (name.type, name.normal) not in merged]
    few = len(asked) <= FEW_NAMES and len(roots) <= FEW_NAMES
    resolved = resolve(asked, roots) if few else await off_loop(resolve, asked, roots)
    told = {(name.type, name.normal) for name in names}
    own = {form: entity for form, entity in merged.items() if form in told}
    return Meaning(resolved, own)


async def _write(
    session: AsyncSession, job: Job, meaning: Meaning, undone: set[tuple[Name, UUID]]
) -> tuple[dict[Name, UUID], dict[str, object]]:
    """Keep new entities, say of each mention what it means, and of each name that isn't the entity's own why.

    Returns what the names mean, and what there is to tell of it.
    """
    drafts = [_draft(each.type, each.normal, each.name) for each in meaning.resolved if each.entity_id is None]
    kept = await entities.upsert(session, job.project_id, drafts)
    means: dict[Name, UUID] = dict(meaning.merged)
    joined: list[JoinedName] = []
    parted: list[EntityDraft] = []
    for each in meaning.resolved:
        entity = each.entity_id or kept[each.type, each.normal]
        for said in each.joined:
            form = (said.named.type, said.named.normal)
            if (form, entity) in undone:
                parted.append(_draft(*form, said.named.text))
                continue
            means[form] = entity
            if form != (each.type, each.normal):
                joined.append(JoinedName(*form, said.named.text, entity, said.score, said.reason))
    means |= await entities.upsert(session, job.project_id, parted)
    await resolving.link(session, job, means, joined)
    told = {"names": len(means), "entities": len(set(means.values())), "joined": len(joined), "new": len(kept)}
    return means, dict(told)


def _draft(kind: EntityType, normal: str, name: str) -> EntityDraft:
    return EntityDraft(kind, normal, name, entities.keys_of_name(kind, normal))
