"""`quire jobs`: runs of documents through the pipeline, listed, tried again, cancelled."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from app.cli.connection import FAILED, CommandError, Server, connected, patiently
from app.cli.ids import check_ids
from app.cli.output import age, problem_line, say, table
from app.cli.reading import of_job

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which jobs are asked for; what is None or empty keeps none out."""

    states: Sequence[str] = ()
    stages: Sequence[str] = ()
    codes: Sequence[str] = ()
    priorities: Sequence[str] = ()
    batch_id: str | None = None
    document_id: str | None = None
    since: str | None = None
    until: str | None = None

    def parameters(self) -> dict[str, Any]:
        """As the API is asked. Raises `CommandError` for ids and moments that are none."""
        check_ids("batch", *([self.batch_id] if self.batch_id else ()))
        check_ids("document", *([self.document_id] if self.document_id else ()))
        return {
            "state": list(self.states) or None,
            "stage": list(self.stages) or None,
            "code": list(self.codes) or None,
            "priority": list(self.priorities) or None,
            "batch_id": self.batch_id,
            "document_id": self.document_id,
            "created_from": moment(self.since),
            "created_to": moment(self.until),
        }


def moment(said: str | None) -> str | None:
    """A moment, from how long ago it was (`90s`, `15m`, `2h`, `3d`) or as it is. Raises `CommandError`."""
    if said is None:
        return None
    if ago := re.fullmatch(r"(\d+)([smhd])", said):
        return (datetime.now(UTC) - timedelta(**{UNITS[ago[2]]: int(ago[1])})).isoformat()
    try:
        told = datetime.fromisoformat(said)
    except ValueError as error:
        raise CommandError(f"{said!r} is no moment; say 15m, 2h or 3d, or 2026-11-22T09:00Z.") from error
    return (told if told.tzinfo else told.astimezone()).isoformat()


async def list_jobs(wanted: Wanted, most: int, *, as_json: bool) -> None:
    """Print the newest jobs that are asked for."""
    async with connected() as server:
        jobs = [job async for job in server.listed("/v1/jobs", most=most, **wanted.parameters())]
    if as_json:
        for job in jobs:
            say(job)
        return
    columns = ("id", "document", "state", "stage", "pages", "attempts", "age", "error")
    table(columns, (_row(job) for job in jobs))


async def show_job(job_id: str, *, as_json: bool) -> None:
    """Print all that is known of a job."""
    check_ids("job", job_id)
    async with connected() as server:
        job = await server.get(f"/v1/jobs/{job_id}")
    if as_json:
        say(job)
        return
    timings = {f"  {stage}": f"{spent['seconds']:.2f} s" for stage, spent in job["stage_timings"].items()}
    rest = {
        "document": job["document_id"],
        "priority": job["priority"],
        "textract job": job["textract"]["job_id"],
        "textract status": job["textract"]["status"],
        "created": job["created_at"],
        "finished": job.get("finished_at"),
    }
    table(("", ""), [(name, value) for name, value in (of_job(job) | rest | timings).items() if value is not None])


async def retry_jobs(ids: Sequence[str], wanted: Wanted, most: int, *, everything: bool, as_json: bool) -> int:
    """Try jobs again: those that are named, or all that a filter finds."""
    check_ids("job", *ids)
    async with connected() as server:
        if ids:
            return await _each(server, ids, "retry", as_json=as_json)
        if not everything and wanted == Wanted():
            raise CommandError("Name jobs, or say which: --code, --batch, --since, --until, --state; or --all.")
        said = {name: value for name, value in wanted.parameters().items() if value is not None}
        answer = await patiently(lambda: server.post("/v1/jobs/retry", said | {"limit": most}))
    if as_json:
        say(answer)
    else:
        more = "; there may be more: ask again" if answer["more"] else ""
        print(f"{answer['retried']} jobs are tried again{more}.")
    return 0


async def cancel_jobs(ids: Sequence[str], *, as_json: bool) -> int:
    """Cancel the jobs that are named."""
    check_ids("job", *ids)
    async with connected() as server:
        return await _each(server, ids, "cancel", as_json=as_json)


async def dead_letters(*, as_json: bool) -> None:
    """Print what was given up, by code."""
    async with connected() as server:
        summary = await server.get("/v1/dead-letters")
    if as_json:
        say(summary)
        return
    rows = [
        (each["code"], each["count"], "yes" if each["retryable"] else "no", age(each["last_at"]), each["message"])
        for each in summary["items"]
    ]
    table(("code", "jobs", "retryable", "last", "what to do"), rows)


async def _each(server: Server, ids: Sequence[str], verb: str, *, as_json: bool) -> int:
    """Do something to each job; one that refuses keeps none of the others back."""
    refused = 0
    for job_id in ids:
        try:
            job = await patiently(lambda job_id=job_id: server.post(f"/v1/jobs/{job_id}/{verb}"))  # type: ignore[misc]  # bound in the loop
        except CommandError as error:
            if error.code is None:
                raise
            problem_line(f"{job_id}: {error.sentence}")
            refused += 1
            continue
        if as_json:
            say(job)
        else:
            print(f"{job['id']}  {job['state']:<10}  {job['stage']}")
    return FAILED if refused else 0


def _row(job: Mapping[str, Any]) -> tuple[object, ...]:
    progress, error = job["progress"], job["error"]
    pages = f"{progress['pages_done']}/{progress['pages_total'] or '?'}"
    code = error["code"] if error else None
    return (
        *(job["id"], job["document_id"], job["state"], job["stage"], pages),
        *(job["attempts"] or None, age(job["created_at"]), code),
    )
