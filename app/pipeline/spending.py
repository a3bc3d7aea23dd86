"""What reading costs, and what it may cost: known before an engine is asked."""

from datetime import UTC, datetime, timedelta

from app.errors import CostLimitExceeded, DailyCostReached
from app.jobs import textract_jobs
from app.jobs.models import Job, TextractJob
from app.jobs.textract_jobs import Beginning
from app.ocr.engine import EngineName, ReadRequest
from app.ocr.router import Choice
from app.pipeline.outcome import Tools


async def choose_engine(job: Job, request: ReadRequest, tools: Tools) -> Choice:
    """The engine to read with, within what a document may cost.

    Where the preferred one is too dear, one that costs nothing reads, unless the job named its engine. Raises
    `CostLimitExceeded`, `OcrEnginesAway`, and `OcrRequestInvalid` where no engine can serve the request.
    """
    wanted = EngineName(job.options["engine"]) if job.options.get("engine") else None
    ocr, most = tools.ocr, tools.settings.max_cost_per_document
    choice = await ocr.choose(wanted, request)
    cost = ocr.prices.cost(choice.engine.name, request, job.pages_total or 1)
    if most is None or cost <= most:
        return choice
    if wanted is None and choice.engine.name is not EngineName.LOCAL and EngineName.LOCAL in ocr.engines:
        cheaper = await ocr.choose(EngineName.LOCAL, request)
        reason = f"{choice.engine.name} would cost {cost} micro-dollars, more than a document may"
        return Choice(cheaper.engine, cheaper.probe, reason)
    raise CostLimitExceeded(
        f"Reading it would cost {cost} micro-dollars, and a document may cost {most}; raise MAX_COST_PER_DOCUMENT, and retry."
    )


async def begin_within_cap(job: Job, beginning: Beginning, tools: Tools) -> TextractJob:
    """Write down an OCR job that is about to be paid for. Raises `DailyCostReached` where the project's day is spent."""
    cap, cost = tools.settings.max_cost_per_project_per_day, beginning.price_microdollars * beginning.page_count
    async with tools.sessions.begin() as session:
        if cap is not None and cost:
            spent = await textract_jobs.spent_today(session, job.project_id, but_for=job.id)
            if spent + cost > cap:
                raise DailyCostReached(
                    f"The project has spent {spent} of the {cap} micro-dollars that it may on a day; this would cost {cost}.",
                    retry_in_seconds=_seconds_to_midnight(),
                )
        return await textract_jobs.begin(session, job, beginning)


def _seconds_to_midnight() -> float:
    now = datetime.now(UTC)
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return (midnight - now).total_seconds()
