"""What a caller can ask about what documents say."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.db import Sessions
from app.documents import repository as documents
from app.entities.mentions import EntityType
from app.errors import NameNotMerged, ResultNotReady, ResultUnavailable
from app.graph.relations import RelationType
from app.jobs import repository as jobs_repository
from app.jobs.models import Job
from app.jobs.states import LIVE_STATES
from app.jobs.steps import Step, wanted
from app.knowledge import catalogue, chunks, entities, graph, mentions, merges, relationships, runs
from app.knowledge.graph import Around

MERGES_TOLD = 200
BATCHES_TOLD = 500


@dataclass(frozen=True, slots=True)
class EntityFound:
    """An entity, and how often it is mentioned in how many documents."""

    entity: Any
    mention_count: int
    document_count: int


@dataclass(frozen=True, slots=True)
class EntityInFull:
    """An entity with all that is known of it."""

    found: EntityFound
    names: Sequence[Any]
    merges: Sequence[Any]
    documents: Sequence[Any]


@dataclass(frozen=True, slots=True)
class GraphFound:
    """What was found around an entity, with the entities themselves and, where they were asked for, documents."""

    around: Around
    entities: Sequence[EntityFound]
    documents: Sequence[Any]
    batches: Sequence[Any]
    """Those that the documents were taken with."""


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What a caller can ask about what documents say."""

    sessions: Sessions

    async def chunks(
        self, project_id: UUID, document_id: UUID, *, after: int, limit: int, page: int | None
    ) -> list[Any]:
        """Chunks of a document after a number. Raises `DocumentNotFound`, `ResultNotReady`, `ResultUnavailable`."""
        job = await self._run_with(project_id, document_id, Step.CHUNKING)
        async with self.sessions() as session:
            return list(await chunks.list_of_run(session, job.id, after=after, limit=limit, page=page))

    async def entities_of_document(
        self, project_id: UUID, document_id: UUID, *, after: int, limit: int, kind: EntityType | None, page: int | None
    ) -> list[Any]:
        """What a document names, by where it first does. Raises as `chunks` does."""
        job = await self._run_with(project_id, document_id, Step.ENTITIES)
        async with self.sessions() as session:
            return list(await catalogue.of_run(session, job.id, after=after, limit=limit, kind=kind, page=page))

    async def mentions(
        self,
        project_id: UUID,
        document_id: UUID,
        *,
        after: int,
        limit: int,
        kind: EntityType | None,
        page: int | None,
        entity_id: UUID | None,
    ) -> list[Any]:
        """Mentions of a document after a character. Raises as `chunks` does, and `EntityNotFound`."""
        job = await self._run_with(project_id, document_id, Step.ENTITIES)
        family = None if entity_id is None else await self._family(project_id, entity_id)
        async with self.sessions() as session:
            found = await mentions.list_of_run(
                session, job.id, after=after, limit=limit, kind=kind, page=page, entity_ids=family
            )
            return list(found)

    async def relationships(
        self,
        project_id: UUID,
        document_id: UUID,
        *,
        after: UUID | None,
        limit: int,
        kind: RelationType | None,
        entity_id: UUID | None,
        least_weight: float,
    ) -> list[Any]:
        """How what a document names is related. Raises as `chunks` does, and `EntityNotFound`."""
        job = await self._run_with(project_id, document_id, Step.RELATIONSHIPS)
        family = None if entity_id is None else await self._family(project_id, entity_id)
        async with self.sessions() as session:
            found = await relationships.list_of_run(
                session, job.id, after=after, limit=limit, kind=kind, entity_ids=family, least_weight=least_weight
            )
            return list(found)

    async def entities(
        self,
        project_id: UUID,
        *,
        before: UUID | None,
        limit: int,
        kind: EntityType | None,
        name: str | None,
        document_id: UUID | None,
    ) -> list[EntityFound]:
        """Entities of a project, the newest first. Raises `RequestInvalid`."""
        async with self.sessions() as session:
            rows = await catalogue.of_project(
                session, project_id, before=before, limit=limit, kind=kind, name=name, document_id=document_id
            )
            counts = await catalogue.counts(session, [row.id for row in rows])
        return [EntityFound(row, *counts.get(row.id, (0, 0))) for row in rows]

    async def entity(self, project_id: UUID, entity_id: UUID, *, documents_limit: int) -> EntityInFull:
        """An entity, or the one that it was merged into, with its newest documents. Raises `EntityNotFound`."""
        async with self.sessions() as session:
            root = await entities.find(session, project_id, entity_id)
            family = await entities.family(session, root.id)
            counts = await catalogue.counts(session, [root.id])
            return EntityInFull(
                EntityFound(root, *counts.get(root.id, (0, 0))),
                await catalogue.names_of(session, family),
                await merges.in_force(session, family, limit=MERGES_TOLD),
                await catalogue.documents_of(session, family, before=None, limit=documents_limit),
            )

    async def entities_by_ids(self, entity_ids: Sequence[UUID]) -> list[EntityFound]:
        """Entities that the caller was given."""
        async with self.sessions() as session:
            rows = await catalogue.by_ids(session, entity_ids)
            counts = await catalogue.counts(session, entity_ids)
        return [EntityFound(row, *counts.get(row.id, (0, 0))) for row in rows]

    async def documents_of_entity(
        self, project_id: UUID, entity_id: UUID, *, before: UUID | None, limit: int
    ) -> list[Any]:
        """The documents that mention an entity, the newest first. Raises `EntityNotFound`."""
        family = await self._family(project_id, entity_id)
        async with self.sessions() as session:
            return list(await catalogue.documents_of(session, family, before=before, limit=limit))

    async def merge(self, project_id: UUID, entity_id: UUID, others: Collection[UUID]) -> None:
        """Have one entity stand for others. Raises `EntityNotFound`, `EntitiesDiffer`."""
        async with self.sessions.begin() as session:
            await entities.take_turn(session, project_id)
            await merges.merge(session, project_id, entity_id, others)

    async def undo_merge(self, project_id: UUID, entity_id: UUID, merge_id: UUID) -> UUID:
        """Part what one merge had made one; returns what is parted. Raises `EntityNotFound`, `MergeNotFound`."""
        async with self.sessions.begin() as session:
            await entities.take_turn(session, project_id)
            return await merges.undo(session, project_id, entity_id, merge_id)

    async def split(self, project_id: UUID, entity_id: UUID, normal_form: str, document_id: UUID | None) -> list[UUID]:
        """Part a name from an entity, everywhere or in one document; returns what is parted.

        Raises `EntityNotFound`, and `NameNotMerged` for a name that nothing had joined to it.
        """
        async with self.sessions.begin() as session:
            await entities.take_turn(session, project_id)
            root = await entities.find(session, project_id, entity_id)
            family = await entities.family(session, root.id)
            found = await merges.of_name(session, family, normal_form, document_id)
            if not found:
                raise NameNotMerged
            parted = [await merges.undo(session, project_id, root.id, merge_id) for merge_id in found]
        return list(dict.fromkeys(parted))

    async def graph(
        self,
        project_id: UUID,
        entity_id: UUID,
        *,
        depth: int,
        limit: int,
        kinds: Collection[RelationType] | None,
        least_weight: float,
        documents_limit: int,
    ) -> GraphFound:
        """What is around an entity. Raises `EntityNotFound`."""
        async with self.sessions() as session:
            root = await entities.find(session, project_id, entity_id)
            around = await graph.around(
                session, root.id, depth=depth, limit=limit, kinds=kinds, least_weight=least_weight
            )
            ids = list(around.depths)
            rows = await catalogue.by_ids(session, ids)
            counts = await catalogue.counts(session, ids)
            mentioned = await graph.documents_of(session, ids, limit=documents_limit) if documents_limit else []
            shown = list({row.document_id for row in mentioned})
            batches = await graph.batches_of(session, shown, limit=BATCHES_TOLD) if shown else []
        found = [EntityFound(row, *counts.get(row.id, (0, 0))) for row in rows]
        return GraphFound(around, found, mentioned, batches)

    async def _family(self, project_id: UUID, entity_id: UUID) -> list[UUID]:
        async with self.sessions() as session:
            root = await entities.find(session, project_id, entity_id)
            return await entities.family(session, root.id)

    async def _run_with(self, project_id: UUID, document_id: UUID, step: Step) -> Job:
        """The run whose results of a step a document shows."""
        async with self.sessions() as session:
            await documents.find(session, project_id, document_id)
            job = await runs.newest_with(session, document_id, {step})
            if job is not None:
                return job
            latest = await jobs_repository.latest_of(session, document_id)
        if latest.state in LIVE_STATES and step in wanted(latest.options):
            raise ResultNotReady
        reason = latest.error_message or f"its job's options leave `{step}` out."
        raise ResultUnavailable(f"The document has nothing of that kind: {reason}")
