"""The rows of OCR jobs: what was started under which token, what it costs, and which may hold a slot. Nothing here commits.

A row is written before the engine is asked, so that whatever happens then, nothing is paid for that isn't known of.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Integer, Interval, Uuid, any_, bindparam, case, func, literal, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import new_id, table_of
from app.errors import LeaseLost
from app.jobs.models import TextractJob, TextractJobStatus
from app.jobs.repository import jobs
from app.jobs.statements import is_in
from app.jobs.states import LIVE_STATES, JobState, Stage
from app.ocr.engine import EngineName, Operation

textract_jobs = table_of(TextractJob)

RESULTS_KEPT = timedelta(days=6, hours=12)
"""Textract keeps results and tokens for seven days from the start; what is older is not relied on."""
LEFT_ALONE = timedelta(minutes=1)
"""How long a job may be between the starts of its parts before the parts that run are asked about."""
ENDED_WELL = (TextractJobStatus.SUCCEEDED, TextractJobStatus.PARTIAL_SUCCESS)
GONE = (TextractJobStatus.REFUSED, TextractJobStatus.LOST)


def member_of(job_id: UUID, part: int) -> str:
    """Under which name an OCR job holds its slot."""
    return f"{job_id}:{part}"


@dataclass(frozen=True, slots=True)
class Beginning:
    """What is known of an OCR job before the engine is asked for it."""

    part: int
    first_page: int
    page_count: int
    engine: EngineName
    operation: Operation
    token: str
    price_microdollars: int
    synchronous: bool = False


async def begin(session: AsyncSession, job: Any, beginning: Beginning) -> TextractJob:
    """Write down that an OCR job is about to be started, or find that it was; under the job's fence.

    Raises `LeaseLost` where the job is another worker's by now.
    """
    row = {
        "id": new_id(),
        "project_id": job.project_id,
        "document_id": job.document_id,
        "job_id": job.id,
        "content_key": job.content_key,
        "generation": job.textract_generation,
        "part": beginning.part,
        "first_page": beginning.first_page,
        "page_count": beginning.page_count,
        "engine": beginning.engine,
        "operation": beginning.operation,
        "token": beginning.token,
        "synchronous": beginning.synchronous,
        "price_microdollars": beginning.price_microdollars,
        "cost_microdollars": beginning.price_microdollars * beginning.page_count,
    }
    found = (await session.execute(_BEGIN, {**row, "fence": job.fence})).one_or_none()
    if found is None:
        raise LeaseLost
    return TextractJob.of(found)


async def started(session: AsyncSession, row: TextractJob, textract_job_id: str) -> None:
    """Write the engine's id of an OCR job down."""
    await session.execute(_STARTED, {"row": row.id, "id_there": textract_job_id})


async def refused(session: AsyncSession, row: TextractJob, message: str) -> None:
    """Write down that the engine would not start an OCR job: it costs nothing."""
    await session.execute(_REFUSED, {"row": row.id, "why": message})


async def end(
    session: AsyncSession,
    row: TextractJob,
    status: TextractJobStatus,
    *,
    pages: int | None,
    message: str | None = None,
    seconds_ago: float = 0.0,
) -> None:
    """Write down how an OCR job has ended, and what it costs by the pages that were read, on its job as well.

    `seconds_ago` is how long it has been known to be over, or would have been, had somebody asked when it was due.
    """
    told = {"row": row.id, "ended_as": status, "why": message, "pages": pages, "ago": timedelta(seconds=seconds_ago)}
    await session.execute(_END, told)


async def count_gets(session: AsyncSession, counts: Mapping[UUID, int]) -> None:
    """Add to the Get calls that OCR jobs took."""
    if counts:
        await session.execute(_COUNT_GETS, {"ids": [str(each) for each in counts], "counts": list(counts.values())})


@dataclass(frozen=True, slots=True)
class EverOfJob:
    """All OCR jobs and synchronous calls that a job ever had, those that count now after those that they replaced."""

    rows: Sequence[TextractJob]

    @property
    def in_force(self) -> list[TextractJob]:
        """Of each part the one that counts now, in the order of the parts."""
        by_part = {row.part: row for row in self.rows if row.status not in GONE and not row.synchronous}
        return list(by_part.values())


async def ever_of_jobs(session: AsyncSession, job_ids: Collection[UUID]) -> dict[UUID, EverOfJob]:
    """The same of several jobs."""
    ever: dict[UUID, list[TextractJob]] = {job_id: [] for job_id in job_ids}
    for row in await session.execute(_EVER_OF_JOBS, {"jobs": list(job_ids)}):
        ever[row.job_id].append(TextractJob.of(row))
    return {job_id: EverOfJob(rows) for job_id, rows in ever.items()}


async def ever_of_job(session: AsyncSession, job_id: UUID) -> EverOfJob:
    """All OCR jobs and synchronous calls that a job ever had."""
    return EverOfJob([TextractJob.of(row) for row in await session.execute(_EVER_OF_JOB, {"job": job_id})])


async def spent_today(session: AsyncSession, project_id: UUID, *, but_for: Collection[str]) -> int:
    """What a project has spent since midnight (UTC) but for some tokens, running jobs included, in micro-dollars.

    Under a lock of the project until the transaction ends, so that no two jobs see the same rest of a cap.
    """
    await session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 1))"), {"key": str(project_id)})
    today = textract_jobs.c.created_at >= func.date_trunc("day", func.now(), "UTC")
    spent = select(func.coalesce(func.sum(textract_jobs.c.cost_microdollars), 0))
    others = (textract_jobs.c.project_id == project_id) & today & textract_jobs.c.token.not_in(but_for)
    return int(await session.scalar(spent.where(others)) or 0)


async def seconds_to_midnight(session: AsyncSession) -> float:
    """How long the day (UTC) lasts by the clock that `spent_today` goes by."""
    return float(await session.scalar(_TO_MIDNIGHT) or 0)


async def take_over(session: AsyncSession, job: Any, first_pages: Sequence[int]) -> list[TextractJob]:
    """Take over the OCR jobs that ended jobs of the same content were reading with, so that they are not paid for twice.

    `first_pages` has each part's first page. Returns the OCR jobs in the order of their parts, with what they cost; none
    where they aren't a whole set of which each runs or has ended well.
    """
    told = {"project": job.project_id, "content": job.content_key, "job": job.id, "kept": RESULTS_KEPT}
    paid = (await session.execute(_PAID_BEFORE, {**told, "first_pages": list(first_pages)})).all()
    if len(paid) < len(first_pages):
        return []
    taken = update(textract_jobs).where(textract_jobs.c.id.in_([row.id for row in paid]))
    moved = taken.values(job_id=job.id, document_id=job.document_id, let_go_at=None).returning(*textract_jobs.c)
    rows = [TextractJob.of(row) for row in await session.execute(moved)]
    for owner in {row.job_id for row in paid if row.job_id is not None}:
        await session.execute(_COUNT_COST, {"job": owner})
    return sorted(rows, key=lambda row: row.part)


async def open_members(session: AsyncSession, engine: EngineName, operation: Operation, within: timedelta) -> list[str]:
    """Who holds a slot of an engine's operation; what has run for longer than any job is waited for does not."""
    told = {"engine": engine, "operation": operation, "within": within}
    members = await session.scalar(_OPEN_MEMBERS, told)
    return members.split("\n") if members else []


async def abandoned(session: AsyncSession, *, within: timedelta, limit: int) -> list[TextractJob]:
    """OCR jobs that run on and that no poll asks about: they hold slots until they are known to have ended.

    Their jobs have ended or are gone, or have waited for a while to start the other parts of a document.
    """
    rows = await session.execute(_ABANDONED, {"within": within, "most": limit})
    return [TextractJob.of(row) for row in rows]


async def make_due(session: AsyncSession, textract_job_ids: Sequence[str]) -> set[str]:
    """Have jobs looked at now whose OCR jobs are said to have ended; returns those that needn't be told of again."""
    rows = await session.execute(_MAKE_DUE, {"ids": list(textract_job_ids)})
    return {row.textract_job_id for row in rows}


@dataclass(frozen=True, slots=True)
class Duration:
    """How long a recent OCR job took."""

    pages: int
    seconds: float


async def recent_durations(
    session: AsyncSession, engine: EngineName, operation: Operation, *, limit: int = 300
) -> list[Duration]:
    """How long the OCR jobs that ended last took, from their start to the moment at which the poll was due that saw their end.

    Not to the moment that it was made: while a worker is busy, each estimate would add its lateness to the last one's.
    """
    seconds = func.extract("epoch", textract_jobs.c.ended_at - textract_jobs.c.started_at)
    query = (
        select(textract_jobs.c.page_count, seconds)
        .where(textract_jobs.c.engine == engine, textract_jobs.c.operation == operation)
        .where(textract_jobs.c.ended_at.is_not(None), textract_jobs.c.status.in_(ENDED_WELL))
        .where(~textract_jobs.c.synchronous, textract_jobs.c.page_count > 0)
        .order_by(textract_jobs.c.ended_at.desc())
        .limit(limit)
    )
    return [Duration(row[0], float(row[1])) for row in await session.execute(query)]


_EVER = select(textract_jobs).order_by(textract_jobs.c.part, textract_jobs.c.generation, textract_jobs.c.created_at)
_EVER_OF_JOBS = _EVER.where(textract_jobs.c.job_id == any_(bindparam("jobs", type_=ARRAY(Uuid()))))
# By itself: of a list Postgres doesn't know how long it is, and plans for it anew each time.
_EVER_OF_JOB = _EVER.where(textract_jobs.c.job_id == bindparam("job", type_=Uuid()))
_UNSTARTED = textract_jobs.c.status.in_((TextractJobStatus.STARTING, TextractJobStatus.REFUSED))
# What is tried again is of now: its slot, its cost on the day's account, and its place among a part's jobs.
_BEGUN_COLUMNS = tuple(
    name
    for name in textract_jobs.c.keys()  # noqa: SIM118 (its columns, by name)
    if name not in {"textract_job_id", "status", "message", "gets", "created_at", "started_at", "ended_at", "let_go_at"}
)
_HELD = (
    select(jobs.c.id)
    .where(jobs.c.id == bindparam("job_id", type_=Uuid()), jobs.c.fence == bindparam("fence"))
    .where(jobs.c.state == JobState.WORKING)
    .with_for_update()
    .cte("held")
)
_ROW = upsert(textract_jobs).from_select(
    _BEGUN_COLUMNS,
    select(*(bindparam(name, type_=textract_jobs.c[name].type) for name in _BEGUN_COLUMNS)).select_from(_HELD),
)
_BEGIN = _ROW.on_conflict_do_update(
    constraint="uq_textract_jobs_engine_operation_token",
    set_={
        "job_id": _ROW.excluded.job_id,
        "let_go_at": None,
        "status": case((_UNSTARTED, TextractJobStatus.STARTING), else_=textract_jobs.c.status),
        "message": case((_UNSTARTED, None), else_=textract_jobs.c.message),
        "created_at": case((_UNSTARTED, func.now()), else_=textract_jobs.c.created_at),
        "cost_microdollars": case(
            (_UNSTARTED, _ROW.excluded.cost_microdollars), else_=textract_jobs.c.cost_microdollars
        ),
    },
).returning(*textract_jobs.c)
_CHANGE = update(textract_jobs).where(textract_jobs.c.id == bindparam("row"))
_NOW_STARTED = func.coalesce(textract_jobs.c.started_at, func.now())
_STARTED = _CHANGE.values(
    textract_job_id=bindparam("id_there"), status=TextractJobStatus.IN_PROGRESS, started_at=_NOW_STARTED
)
_REFUSED = _CHANGE.values(status=TextractJobStatus.REFUSED, message=bindparam("why"), cost_microdollars=0)
_PAGES = bindparam("pages", type_=Integer)
_ENDED = (
    _CHANGE.values(
        status=bindparam("ended_as"),
        message=bindparam("why"),
        ended_at=func.greatest(_NOW_STARTED, func.now() - bindparam("ago", type_=Interval)),
        started_at=_NOW_STARTED,
        page_count=func.coalesce(_PAGES, textract_jobs.c.page_count),
        cost_microdollars=func.coalesce(_PAGES * textract_jobs.c.price_microdollars, textract_jobs.c.cost_microdollars),
    )
    .returning(textract_jobs.c.id, textract_jobs.c.job_id, textract_jobs.c.cost_microdollars)
    .cte("ended")
)
_OTHERS_COST = (
    select(func.coalesce(func.sum(textract_jobs.c.cost_microdollars), 0))
    .where(textract_jobs.c.job_id == _ENDED.c.job_id, textract_jobs.c.id != _ENDED.c.id)
    .scalar_subquery()
)
_COST = _ENDED.c.cost_microdollars + _OTHERS_COST
_END = (
    update(jobs)
    .where(jobs.c.id == _ENDED.c.job_id, jobs.c.cost_microdollars != _COST)
    .values(cost_microdollars=_COST)
    .add_cte(_ENDED)
)

_STARTING = (jobs.c.stage == Stage.JOB_VALIDATED) & (textract_jobs.c.created_at < func.now() - LEFT_ALONE)
_IS_LIVE = (
    select(literal(1))
    .where(jobs.c.id == textract_jobs.c.job_id, is_in(LIVE_STATES), ~_STARTING)
    .correlate(textract_jobs)
)
_ABANDONED = (
    select(textract_jobs)
    .where(textract_jobs.c.status == TextractJobStatus.IN_PROGRESS, ~_IS_LIVE.exists())
    .where(textract_jobs.c.created_at > func.now() - bindparam("within", type_=Interval))
    .order_by(func.random())
    .limit(bindparam("most"))
)

_COUNT_GETS = text("""
    UPDATE textract_jobs SET gets = gets + more.count
    FROM unnest(CAST(:ids AS uuid[]), CAST(:counts AS int[])) AS more(id, count) WHERE textract_jobs.id = more.id
""")

# One value: as ten thousand rows they would keep the loop from everything else, every second.
_OPEN_MEMBERS = text("""
    SELECT string_agg(coalesce(job_id::text, 'gone-' || id) || ':' || part, chr(10)) FROM textract_jobs
    WHERE engine = :engine AND operation = :operation AND status IN ('STARTING', 'IN_PROGRESS') AND NOT synchronous
      AND created_at > now() - :within AND let_go_at IS NULL
      AND (status = 'IN_PROGRESS' OR created_at > now() - interval '2 minutes')
""").bindparams(bindparam("within", type_=Interval))

# A job's cost is that of its OCR jobs, wherever they have come from.
_COUNT_COST = text("""
    UPDATE jobs SET cost_microdollars = all_of_it.cost FROM (
        SELECT coalesce(sum(cost_microdollars), 0) AS cost FROM textract_jobs WHERE job_id = :job) all_of_it
    WHERE id = :job AND cost_microdollars <> all_of_it.cost
""").bindparams(bindparam("job", type_=Uuid()))

# By the database's own clock, and in hours: a day may have 25 of them in the session's time zone.
_TO_MIDNIGHT = text("""
    SELECT extract(epoch FROM date_trunc('day', now(), 'UTC') + interval '24 hours' - now())
""")

# Only from jobs that no longer live, for their rows are taken away from them; and no result that didn't add up.
_PAID_BEFORE = text("""
    SELECT DISTINCT ON (t.part) t.id, t.job_id FROM textract_jobs t LEFT JOIN jobs j ON j.id = t.job_id
    WHERE t.project_id = :project AND t.content_key = :content AND t.job_id IS DISTINCT FROM :job
      AND (j.id IS NULL OR (j.state IN ('deadletter', 'cancelled')
                            AND coalesce(j.error_code, '') NOT IN ('ocr_failed', 'ocr_result_invalid')))
      AND t.status IN ('IN_PROGRESS', 'SUCCEEDED') AND NOT t.synchronous
      AND t.created_at > now() - :kept AND t.first_page = (CAST(:first_pages AS int[]))[t.part]
    ORDER BY t.part, t.created_at DESC
""").bindparams(bindparam("kept", type_=Interval), bindparam("job", type_=Uuid()))

# Too early for one that is still being started, and for one that is being asked about this moment: the answer may be
# from just before its end. Both are to be told of again.
_MAKE_DUE = text("""
    WITH told AS (
        SELECT t.job_id, t.textract_job_id, coalesce(
            t.status = 'IN_PROGRESS' AND j.state IN ('queued', 'working', 'retryable') AND (
                j.stage = 'job_validated'
                OR (j.stage = 'parsing' AND j.textract_job_status = 'IN_PROGRESS' AND j.rung_at IS NOT NULL)
            ), false) AS too_early
        FROM textract_jobs t LEFT JOIN jobs j ON j.id = t.job_id WHERE t.textract_job_id = ANY(:ids)
    ), due AS (
        UPDATE jobs SET next_attempt_at = now() FROM told
        WHERE jobs.id = told.job_id AND NOT told.too_early AND jobs.stage = 'parsing'
          AND jobs.state IN ('queued', 'retryable') AND jobs.textract_job_status = 'IN_PROGRESS'
          AND jobs.next_attempt_at > now() AND jobs.rung_at IS NULL
    )
    SELECT textract_job_id FROM told WHERE NOT too_early
""").bindparams(bindparam("ids", type_=ARRAY(TEXT)))
