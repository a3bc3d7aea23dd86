"""What reading costs, and what it may cost: known before an engine is asked."""

from collections.abc import Sequence

from app.db import one_statement
from app.errors import CostLimitExceeded, DailyCostReached, OcrRequestInvalid
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
    most = tools.settings.max_cost_per_document
    choice = await tools.ocr.choose(wanted, request)
    cost = tools.ocr.prices.cost(choice.engine.name, request, job.pages_total or 1)
    if most is None or cost <= most:
        return choice
    await tools.ocr.router.give_back(choice)  # it may have been let through as a probe, and will not be asked
    too_dear = CostLimitExceeded(
        f"Reading it would cost {cost} micro-dollars, and a document may cost {most}; raise MAX_COST_PER_DOCUMENT, and retry."
    )
    if wanted is not None or EngineName.LOCAL not in tools.ocr.engines:
        raise too_dear
    try:
        cheaper = await tools.ocr.choose(EngineName.LOCAL, request)
    except OcrRequestInvalid:
        raise too_dear from None
    reason = f"{choice.engine.name} would cost {cost} micro-dollars, more than a document may"
    return Choice(cheaper.engine, cheaper.probe, reason)


async def begin_within_cap(job: Job, beginnings: Sequence[Beginning], tools: Tools) -> TextractJob:
    """Write down the first of some OCR jobs that are to be paid for, if the project's day has money for all of them.

    Raises `DailyCostReached` where it hasn't, and `CostLimitExceeded` where no day ever has.
    """
    cap = tools.settings.max_cost_per_project_per_day
    cost = sum(each.price_microdollars * each.page_count for each in beginnings)
    if cap is not None and cost > cap:
        raise CostLimitExceeded(
            f"Reading it would cost {cost} micro-dollars, and the project may spend {cap} on a day;"
            " raise MAX_COST_PER_PROJECT_PER_DAY, and retry."
        )
    if cap is None or not cost:
        async with one_statement(tools.sessions) as session:
            return await textract_jobs.begin(session, job, beginnings[0])
    async with tools.sessions.begin() as session:
        tokens = [each.token for each in beginnings]
        spent = await textract_jobs.spent_today(session, job.project_id, but_for=tokens)
        if spent + cost > cap:
            raise DailyCostReached(
                f"The project has spent {spent} of the {cap} micro-dollars that it may on a day; this would cost {cost}.",
                retry_in_seconds=await textract_jobs.seconds_to_midnight(session),
            )
        return await textract_jobs.begin(session, job, beginnings[0])
