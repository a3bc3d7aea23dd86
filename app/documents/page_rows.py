"""A run's pages on their way into a file, as Postgres writes them: nothing of them is parsed on the way."""

from pathlib import Path
from uuid import UUID

import anyio
from sqlalchemy import Text, bindparam, cast, func, literal, select

from app.db import Sessions
from app.documents.repository import pages

PAGES_AT_ONCE = 50

_COLUMNS = ("number", "text", "lines", "word_count", "confidence", "rotation_degrees", "analysis")
_AS_JSON = func.json_build_object(*(part for name in _COLUMNS for part in (literal(name, Text), pages.c[name])))
_ROWS = (
    select(pages.c.number, cast(_AS_JSON, Text).label("content"))
    .where(pages.c.job_id == bindparam("job"), pages.c.number > bindparam("after"))
    .order_by(pages.c.number)
    .limit(PAGES_AT_ONCE)
)


async def write_pages(sessions: Sessions, job_id: UUID, path: Path) -> None:
    """Write a run's pages in order, each as a JSON object on a line of its own; a batch of them is in memory at a time."""
    after = 0
    async with await anyio.open_file(path, "w", encoding="utf-8") as file:
        while True:
            async with sessions() as session:
                rows = (await session.execute(_ROWS, {"job": job_id, "after": after})).all()
            await file.writelines(f"{row.content}\n" for row in rows)
            if len(rows) < PAGES_AT_ONCE:
                return
            after = rows[-1].number
