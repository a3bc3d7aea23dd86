"""Rows by their ids, a page at a time, so that memory doesn't grow with the table."""

from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, Uuid, bindparam

from app.db import Sessions
from app.repair.defect import AT_ONCE

FIRST = UUID(int=0)


async def pages(sessions: Sessions, statement: TextClause, **told: Any) -> AsyncIterator[Sequence[Any]]:
    """The pages of a statement that takes rows `:after` an id, in order of `id`, `AT_ONCE` at most."""
    after, typed = FIRST, statement.bindparams(bindparam("after", type_=Uuid()))
    while True:
        async with sessions() as session:
            rows = (await session.execute(typed, {"after": after, **told})).all()
        if rows:
            yield rows
            after = UUID(str(rows[-1].id))
        if len(rows) < AT_ONCE:
            return
