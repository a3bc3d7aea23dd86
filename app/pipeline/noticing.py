"""Hearing of ended OCR jobs from Textract itself, by SNS and SQS: they are looked at at once, and polls stay the safety net."""

from collections.abc import Sequence

from app.jobs import textract_jobs
from app.ocr.notices import CONFIG, Notice, Notices
from app.resources import Resources


async def hear_notices(resources: Resources, queue_url: str) -> None:
    """Make jobs due as notices of their end come in, until cancelled."""

    async def on_ended(notices: Sequence[Notice]) -> set[str]:
        async with resources.sessions.begin() as session:
            return await textract_jobs.make_due(session, [notice.engine_job_id for notice in notices])

    endpoint = resources.settings.aws_endpoint_url_sqs
    async with resources.aws.client("sqs", endpoint_url=endpoint, config=CONFIG) as client:
        await Notices(client, queue_url, on_ended).listen()
