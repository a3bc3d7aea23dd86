"""`quire check`: every setting and dependency, what is missing, and how to mend it."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import asdict

from pydantic import ValidationError
from rich.console import Console
from rich.text import Text

from app.cli.check_fleet import check_engines, check_queues, check_quotas, check_server
from app.cli.check_machine import check_disk, check_languages
from app.cli.check_settings import check_names, check_settings
from app.cli.check_stores import check_bucket, check_postgres, check_redis
from app.cli.connection import FAILED
from app.cli.finding import Finding, Grade, attempted
from app.cli.operating import operator_settings
from app.cli.output import Screen, say
from app.config import Settings
from app.mistakes import mistakes
from app.resources import Resources, open_resources

SIGNS = {Grade.OK: ("ok", "green"), Grade.WARNING: ("look", "yellow"), Grade.WRONG: ("WRONG", "bold red")}

Check = Callable[[Resources], Awaitable[Sequence[Finding]]]
CHECKS: tuple[tuple[str, Check], ...] = (
    ("postgres", check_postgres),
    ("redis", check_redis),
    ("bucket", check_bucket),
    ("engines", check_engines),
    ("quotas", check_quotas),
    ("queues", check_queues),
)


async def check(*, as_json: bool) -> int:
    """Print what is well and what isn't; returns `FAILED` where something is wrong."""
    console, worst = Screen(), Grade.OK
    async with aclosing(_findings()) as findings:
        async for finding in findings:
            worst = max(worst, finding.grade, key=list(Grade).index)
            if as_json:
                say(asdict(finding))
            else:
                _show(console, finding)
    return FAILED if worst is Grade.WRONG else 0


async def _findings() -> AsyncGenerator[Finding, None]:
    for finding in check_names():
        yield finding
    try:
        Settings()
    except ValidationError as error:
        for mistake in mistakes(error):
            yield Finding("settings", Grade.WRONG, mistake)
        return
    settings = operator_settings()
    for finding in (*check_settings(settings), *check_disk(settings), *check_languages(settings)):
        yield finding
    if settings.engine_nowhere is not None:
        return  # as is said by now
    async with open_resources(settings, redis_retries=0) as resources:
        looked = [asyncio.create_task(attempted(name, ask(resources))) for name, ask in CHECKS]
        looked.append(asyncio.create_task(attempted("server", check_server())))
        for each in looked:
            for finding in await each:
                yield finding


def _show(console: Console, finding: Finding) -> None:
    said, style = SIGNS[finding.grade]
    line = Text.assemble((f"{said:<6}", style), f"{finding.name}: {finding.detail}")
    if finding.mend:
        line.append(f" {finding.mend}", style="bold")
    console.print(line, soft_wrap=True)
