"""Writing the pages of a run: the rows, the events that tell of them, and the job's counters, in one statement."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Self

import orjson
from sqlalchemy import Double, Integer, Text, Uuid, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import TypeEngine

from app.documents.models import PageStatus
from app.errors import LeaseLost
from app.events import request_id
from app.jobs.models import Job
from app.ocr.blocks import PageText

ANALYSED = ("tables", "key_values", "queries", "signatures", "layout", "selections")
"""What analysis may find on a page beside its text, by the names that it has everywhere."""


class Saved(NamedTuple):
    """What is known once pages are written."""

    last_event_number: int
    are_first: bool
    """Whether the run had no pages before."""


async def save_pages(session: AsyncSession, job: Job, texts: Sequence[PageText], *, pages_done: int) -> Saved:
    """Write the pages of a run, over those that an earlier try of it wrote; each new one is an event, once.

    One statement: the session may commit by itself. Raises `LeaseLost`.
    """
    told = {"job": job.id, "held": job.fence, "done": pages_done, "request": request_id()}
    saved = (await session.execute(_SAVE, told | _columns(texts))).one_or_none()
    if saved is None:
        raise LeaseLost
    return Saved(*saved)


class ByStatus(dict[PageStatus, tuple[int, list[int]]]):
    """What became of the pages of a run: how many came out so, and the first hundred's numbers; an event names no more."""

    @classmethod
    def of(cls, pages: Iterable[PageText]) -> Self:
        """Of pages that were read, all that a run has."""
        numbers = defaultdict(list)
        for page in pages:
            numbers[_status_of(page)].append(page.number)
        return cls({status: (len(some), sorted(some)[:100]) for status, some in numbers.items()})


def _status_of(page: PageText) -> PageStatus:
    return PageStatus.READ if page.word_count else PageStatus.EMPTY


def stored(text: str) -> str:
    """A text as Postgres can have it: without NUL, which no engine means."""
    return text.replace("\x00", "")


def _columns(pages: Sequence[PageText]) -> dict[str, list[Any]]:
    """The pages by columns: as one JSON document, each line with its words would be parsed twice."""
    return {
        "numbers": [page.number for page in pages],
        "statuses": [_status_of(page) for page in pages],
        "texts": [stored(page.text) for page in pages],
        "confidences": [page.confidence for page in pages],
        "rotations": [page.rotation_degrees for page in pages],
        "word_counts": [page.word_count for page in pages],
        "lines": [orjson.dumps(page.lines).decode() for page in pages],
        "analyses": [orjson.dumps(_analysis(page)).decode() for page in pages],
    }


def _analysis(page: PageText) -> dict[str, Any]:
    return {name: found for name in ANALYSED if (found := getattr(page, name))}


_COLUMNS: Mapping[str, type[TypeEngine[Any]]] = {
    "numbers": Integer,
    "statuses": Text,
    "texts": Text,
    "confidences": Double,
    "rotations": Integer,
    "word_counts": Integer,
    "lines": Text,
    "analyses": Text,
}

_SAVE = text("""
    WITH held AS (
        SELECT id, project_id, document_id FROM jobs
        WHERE id = :job AND fence = :held AND state = 'working' FOR UPDATE
    ), written AS (
        INSERT INTO pages (job_id, document_id, number, status, text, confidence, rotation_degrees, word_count, lines, analysis)
        SELECT held.id, held.document_id, given.number, given.status, given.text, given.confidence,
            given.rotation_degrees, given.word_count, CAST(given.lines AS json), CAST(given.analysis AS jsonb)
        FROM held CROSS JOIN unnest(:numbers, :statuses, :texts, :confidences, :rotations, :word_counts, :lines, :analyses)
            AS given(number, status, text, confidence, rotation_degrees, word_count, lines, analysis)
        ON CONFLICT (job_id, number) DO UPDATE SET text = excluded.text, confidence = excluded.confidence,
            rotation_degrees = excluded.rotation_degrees, word_count = excluded.word_count, lines = excluded.lines,
            analysis = excluded.analysis
        RETURNING number, word_count, confidence, xmax = 0 AS is_new
    ), fresh AS (
        SELECT number, word_count, confidence, row_number() OVER (ORDER BY number) AS place FROM written WHERE is_new
    ), counted AS (
        UPDATE jobs SET pages_done = :done, updated_at = now(),
            last_event_number = last_event_number + (SELECT count(*) FROM fresh)
        FROM held WHERE jobs.id = held.id
        RETURNING last_event_number - (SELECT count(*) FROM fresh) AS number_before, last_event_number
    ), noted AS (
        INSERT INTO events (project_id, document_id, job_id, number, type, severity, payload, request_id)
        SELECT held.project_id, held.document_id, held.id, counted.number_before + fresh.place, 'page', 'info',
            jsonb_build_object('page', fresh.number, 'words', fresh.word_count, 'confidence', fresh.confidence), :request
        FROM fresh CROSS JOIN held CROSS JOIN counted
    )
    SELECT last_event_number, NOT EXISTS (SELECT FROM pages WHERE job_id = :job) AS are_first FROM counted
""").bindparams(
    bindparam("job", type_=Uuid()),
    bindparam("request", type_=Text()),
    *(bindparam(name, type_=ARRAY(kind)) for name, kind in _COLUMNS.items()),
)
