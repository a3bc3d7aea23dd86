"""`quire repair`: what has come apart, and putting it right again where that is asked for."""

import asyncio
from collections import Counter
from contextlib import aclosing

from botocore.exceptions import BotoCoreError, ClientError
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from app.cli.connection import FAILED
from app.cli.operating import operator_settings, told
from app.cli.output import line, problem_line, say
from app.errors import QuireError
from app.repair.defect import Defect
from app.repair.failed import Failed
from app.repair.survey import survey
from app.resources import open_resources


async def repair(*, apply: bool, which: Failed, as_json: bool) -> int:
    """Print each defect and what would be done about it, or do it; returns `FAILED` where something stays wrong."""
    counted: Counter[str] = Counter()
    left = 0
    with told():
        async with (
            open_resources(operator_settings(), redis_retries=1) as resources,
            aclosing(survey(resources, which)) as defects,
        ):
            async for defect in defects:
                mended = await _mended(defect) if apply and defect.mend is not None else None
                counted[defect.kind] += 1
                left += mended is not True
                _show(defect, mended, as_json=as_json)
    if not as_json:
        _sum_up(counted, left, apply=apply)
    return FAILED if left else 0


async def _mended(defect: Defect) -> bool:
    assert defect.mend is not None  # noqa: S101 (asked for only where there is one)
    try:
        await asyncio.shield(defect.mend())
    except (QuireError, SQLAlchemyError, RedisError, BotoCoreError, ClientError, OSError) as error:
        problem_line(f"{defect.subject}: {error.detail if isinstance(error, QuireError) else error}")
        return False
    return True


def _show(defect: Defect, mended: bool | None, *, as_json: bool) -> None:
    if as_json:
        names = ("kind", "subject", "detail", "remedy")
        said = {name: getattr(defect, name) for name in names}
        say(said | {"mendable": defect.mend is not None, "mended": mended})
        return
    sign = "mended" if mended else "not mended" if mended is False else "found" if defect.mend else "look at it"
    line(f"{sign:<10}  {defect.kind}: {defect.subject}: {defect.detail}; {defect.remedy}.")


def _sum_up(counted: Counter[str], left: int, *, apply: bool) -> None:
    if not counted:
        print("Nothing is wrong.")
        return
    said = ", ".join(f"{count} {kind}" for kind, count in counted.items())
    rest = f"{left} of them are still so" if apply else "nothing was changed; --apply mends what can be mended"
    print(f"{said}: {rest}.")
