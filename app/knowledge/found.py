"""The mentions of a run as its stages hand them on: at hand where they were found in one go, else read from their rows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from app import at_hand
from app.db import Sessions, one_statement
from app.entities.resolution import Named, named
from app.knowledge import mentions
from app.knowledge.mentions import Linked, Name, Placed


@dataclass(frozen=True, slots=True)
class Found:
    """All mentions of a run, in the document's order, as their rows have them."""

    linked: Sequence[Linked]

    def names(self, *, unlinked: bool) -> list[Named]:
        """The names that the mentions have, or those that mean no entity yet, as `mentions.names` reads them."""
        mentioned = (each.mention for each in self.linked if not (unlinked and each.entity_id))
        return sorted(named(mentioned), key=lambda name: (name.type, name.normal))

    def linked_to(self, meanings: Mapping[Name, UUID]) -> "Found":
        """The same mentions, once names mean what they are said to."""
        return Found(
            [
                replace(each, entity_id=meanings.get((each.mention.type, each.mention.normal), each.entity_id))
                for each in self.linked
            ]
        )


def keep(job_id: UUID, placed: Iterable[Placed]) -> None:
    """Have all mentions of a run at hand, just as they were written."""
    linked = [Linked(each.mention, each.page, None) for each in placed]
    at_hand.keep(job_id, Found(sorted(linked, key=lambda each: each.mention.start)))


def note_links(job_id: UUID, meanings: Mapping[Name, UUID]) -> None:
    """Say the same of what is at hand as was written of the rows, once that is committed."""
    if (found := at_hand.find(job_id, Found)) is not None:
        at_hand.keep(job_id, found.linked_to(meanings))


async def names(sessions: Sessions, job_id: UUID, *, unlinked: bool = False) -> list[Named]:
    """The names that a run's mentions have, or those that mean no entity yet."""
    if (found := at_hand.find(job_id, Found)) is not None:
        return found.names(unlinked=unlinked)
    async with one_statement(sessions) as session:
        return await mentions.names(session, job_id, unlinked=unlinked)


async def on_pages(sessions: Sessions, job_id: UUID, first_page: int, last_page: int) -> list[Linked]:
    """The mentions that begin on some pages of a run, in the document's order."""
    if (found := at_hand.find(job_id, Found)) is not None:
        return [each for each in found.linked if first_page <= each.page <= last_page]
    async with one_statement(sessions) as session:
        return await mentions.on_pages(session, job_id, first_page, last_page)
