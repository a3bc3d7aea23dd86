"""What a caller can ask about alerts."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from app.alerts import repository
from app.alerts.models import Alert, AlertCode
from app.db import Sessions


@dataclass(frozen=True, slots=True)
class Alerts:
    """What a caller can ask about alerts."""

    sessions: Sessions

    async def list(
        self, project_id: UUID | None, *, cleared: bool, before: int | None = None, limit: int = 50
    ) -> Sequence[Alert]:
        """Alerts of the whole service and, with a project, of that; open ones, or those that are over, the newest first."""
        async with self.sessions() as session:
            return await repository.list_alerts(
                session, project_id=project_id, cleared=cleared, before=before, limit=limit
            )

    async def count_open(self) -> dict[AlertCode, int]:
        """How many are open, of every code."""
        async with self.sessions() as session:
            return await repository.count_open(session)
