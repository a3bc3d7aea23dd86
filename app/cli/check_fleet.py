"""Whether somebody reads and works: engines, their quotas, the workers of each queue, and the API itself."""

from collections.abc import Sequence

import httpx

from app.cli.connection import connected
from app.cli.finding import Finding, Grade, well
from app.config import Settings
from app.errors import OcrJobLost, OcrUnavailable, QuireError
from app.jobs.presence import served
from app.ocr.circuit import Position
from app.ocr.engine import EngineName, Operation
from app.ocr.pacing import lanes_of
from app.ocr.textract import TextractEngine
from app.queue import QueueName
from app.resources import Resources

UNKNOWN_JOB = "0" * 64
"""An OCR job that no engine has: asking about it costs nothing, and says whether we may ask."""

QUOTA_SETTINGS = {
    EngineName.TEXTRACT: ("textract_start_per_second", "textract_get_per_second", "textract_max_concurrent_jobs"),
    EngineName.LOCAL: (),
}


async def check_engines(resources: Resources) -> Sequence[Finding]:
    """That each engine answers, lets us ask, and isn't left alone."""
    states = await resources.ocr.router.states()
    found = []
    for name in resources.ocr.engines:
        engine = resources.ocr.engines[name]
        assert isinstance(engine, TextractEngine)  # noqa: S101 (there are no others)
        finding = await _engine(engine)
        if finding.grade is Grade.OK and states[name].state is not Position.CLOSED:
            detail = f"{name} answers, and is left alone since it failed ({states[name].reason})."
            finding = Finding("engines", Grade.WARNING, detail, "It is probed again by itself.")
        found.append(finding)
    return found


async def _engine(engine: TextractEngine) -> Finding:
    try:
        await engine.get(UNKNOWN_JOB, Operation.DETECTION)
    except OcrJobLost:
        pass  # as it is to be
    except OcrUnavailable:
        raise  # nobody is there
    except QuireError as error:
        detail = f"{engine.name} at {engine.endpoint_url} refuses us. {error.detail}"
        return Finding("engines", Grade.WRONG, detail, "Correct the AWS keys, and allow them textract:*.")
    return well("engines", f"{engine.name} answers at {engine.endpoint_url}.")


async def check_quotas(resources: Resources) -> Sequence[Finding]:
    """What the fleet allows itself to ask of each engine."""
    lanes = lanes_of(resources.settings, resources.ocr.engines)
    found = [
        well(
            "quotas",
            f"{lane.engine} {lane.operation}: {quota.start_per_second:g} starts and {quota.get_per_second:g} gets a "
            f"second, {quota.concurrent_jobs} jobs at once.",
        )
        for lane, quota in lanes.items()
    ]
    if EngineName.TEXTRACT in resources.ocr.engines and not _quotas_set(resources.settings):
        detail = f"those of Textract are the defaults of {resources.settings.aws_region}, as they were published."
        mend = "Set TEXTRACT_START_PER_SECOND and the like to your account's own (AWS Service Quotas)."
        found.append(Finding("quotas", Grade.WARNING, detail, mend))
    return found


def _quotas_set(settings: Settings) -> bool:
    return any(getattr(settings, name) is not None for name in QUOTA_SETTINGS[EngineName.TEXTRACT])


async def check_queues(resources: Resources) -> Sequence[Finding]:
    """That a live worker serves every queue."""
    workers = await served(resources.sessions)
    missing = [queue for queue in QueueName if not workers.get(queue)]
    found = []
    if len(missing) < len(QueueName):
        said = ", ".join(f"{queue} by {workers[queue]}" for queue in QueueName if workers.get(queue))
        found.append(well("queues", f"served by live workers: {said}."))
    if missing:
        names = ",".join(missing)
        mend = "Start one: quire worker" + ("" if len(missing) == len(QueueName) else f" --queues {names}")
        found.append(Finding("queues", Grade.WRONG, f"no live worker serves {names}.", mend))
    return found


async def check_server() -> Sequence[Finding]:
    """That the API answers, is ready, and takes our key."""
    async with connected() as server:
        address = server.client.base_url
        try:
            ready = (await server.client.get("/health/ready")).json()
        except (httpx.TransportError, ValueError):
            detail = f"no API answers at {address}."
            return [Finding("server", Grade.WARNING, detail, "Start it with `quire api`, or set QUIRE_URL.")]
        await server.get("/v1/queues")
    away = [f"{name} ({check['detail']})" for name, check in ready["checks"].items() if not check["ok"]]
    if away:
        return [Finding("server", Grade.WRONG, f"{address} is not ready: {'; '.join(away)}.", "Mend these parts.")]
    return [well("server", f"{address} is ready, and takes the key.")]
