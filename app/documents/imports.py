"""Taking documents in from buckets of others."""

from dataclasses import dataclass, replace
from uuid import UUID

from app.documents.arrivals import Arrivals
from app.documents.submission import Description, Submission
from app.idempotency import Keep, keep_nothing
from app.queue import Queue


@dataclass(frozen=True, slots=True)
class Imports:
    """Takes documents in from buckets that the operator has allowed."""

    arrivals: Arrivals
    queue: Queue

    async def take(
        self, project_id: UUID, source: str, described: Description, *, keep: Keep[Submission] = keep_nothing
    ) -> Submission:
        """Copy `s3://bucket/key` in, and queue the job that reads it; it is called as its key is, where nothing else is said.

        Raises `SourceInvalid`, `SourceNotAllowed`, `SourceNotFound`, `SourceUnreadable`, a `Refused` for bytes that
        can't be taken, `StorageUnavailable`.
        """
        async with (
            self.arrivals.of_source(project_id, source) as arrival,
            self.arrivals.sessions.begin() as session,
        ):
            filename = described.filename or arrival.described.filename
            made = await arrival.record(session, replace(described, filename=filename))
            await keep(session, made)
        # After the commit: no worker may look for what isn't there. If we die here, the sweep finds it.
        await self.queue.announce(made.job)
        return made
