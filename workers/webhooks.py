"""What every worker does for webhooks: makes messages of what happened, and brings them to their endpoints."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from app.api.webhook_bodies import Bodies
from app.batches.progress import ProgressBook
from app.pipeline.sweep import every
from app.resources import Resources
from app.stopping import end
from app.webhooks import repository
from app.webhooks.addresses import Reach
from app.webhooks.delivery import KEPT, Delivery, Terms
from app.webhooks.fanout import Fanout
from app.webhooks.sending import open_sender

LOOK_SECONDS = 0.5
"""Between two looks at the log, and at what is due."""
TIDY_SECONDS = 60.0


@asynccontextmanager
async def delivering(resources: Resources) -> AsyncIterator[None]:
    """Tell webhooks what happens; leaving waits for the messages that are under way."""
    settings, sessions = resources.settings, resources.sessions
    reach = Reach.of(settings.webhook_allowed_networks, http=settings.webhook_allow_http)
    terms = Terms(
        at_once=settings.webhook_concurrency,
        disable_after=timedelta(seconds=settings.webhook_disable_after_seconds),
        base_seconds=settings.webhook_retry_base_seconds,
    )
    patience = timedelta(seconds=settings.webhook_give_up_seconds)
    fanout = Fanout(sessions, Bodies(ProgressBook(sessions, resources.redis)), patience)
    timeout = settings.webhook_timeout_seconds
    async with open_sender(reach, timeout_seconds=timeout, at_once=terms.at_once) as sender:
        delivery = Delivery(sessions, resources.redis, sender, terms)

        async def read_log() -> None:
            while await fanout.run_once():
                pass

        async def send_due() -> None:
            while await delivery.run_once():
                pass

        async def tidy() -> None:
            async with sessions.begin() as session:
                await repository.forget_deliveries(session, older_than=KEPT)

        pause = min(LOOK_SECONDS, settings.sweep_interval_seconds)
        tasks = [
            asyncio.create_task(every(pause, read_log)),
            asyncio.create_task(every(pause, send_due)),
            asyncio.create_task(every(TIDY_SECONDS, tidy)),
        ]
        try:
            yield
        finally:
            await end(tasks)
            await delivery.finish()
