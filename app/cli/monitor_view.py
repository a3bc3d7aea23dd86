"""How `quire monitor` draws what it sees."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from app.cli.output import age

SHOWN = 12
"""Lines of a table that may grow, at most."""


class Seen(Protocol):
    """What there is to draw."""

    @property
    def queues(self) -> Sequence[Mapping[str, Any]]: ...
    @property
    def workers(self) -> Sequence[Mapping[str, Any]]: ...
    @property
    def alerts(self) -> Sequence[Mapping[str, Any]]: ...
    @property
    def textract_jobs(self) -> Sequence[Mapping[str, Any]]: ...
    @property
    def failures(self) -> Sequence[Mapping[str, Any]]: ...
    @property
    def jobs(self) -> Mapping[str, int]: ...
    @property
    def engines(self) -> Sequence[Mapping[str, Any]]: ...
    @property
    def pages_per_minute(self) -> float | None: ...


def drawn(seen: Seen, problem: str | None, address: str | None) -> RenderableType:
    """The whole picture, alerts first."""
    parts: list[RenderableType] = []
    if address is not None:
        parts.append(Text(f"{address}   {datetime.now(UTC):%H:%M:%S} UTC   Ctrl-C ends", style="dim"))
    if problem is not None:
        parts.append(Text(problem, style="bold red"))
    for alert in seen.alerts:
        said = alert["details"].get("message") or alert["subject"]
        style = "bold red" if alert["severity"] == "error" else "bold yellow"
        parts.append(Text(f"! {said} [{alert['code']}] since {age(alert['raised_at'])}", style=style))
    parts += [Text(_summary(seen)), _queues(seen.queues), _workers(seen.workers), _engines(seen.engines)]
    if seen.textract_jobs:
        parts.append(_textract_jobs(seen.textract_jobs))
    if seen.failures:
        parts.append(_failures(seen.failures))
    return Group(*parts)


def begun_at(job: Mapping[str, Any]) -> str:
    """When a job's Textract job was begun, or the job itself where that is yet to come."""
    return str(job["textract"]["started_at"] or job["created_at"])


def _summary(seen: Seen) -> str:
    jobs = ", ".join(f"{count:,} {state}" for state, count in sorted(seen.jobs.items()))
    pages = f"; {seen.pages_per_minute:,.0f} pages a minute" if seen.pages_per_minute is not None else ""
    return f"Jobs: {jobs or 'none'}{pages}"


def _queues(queues: Iterable[Mapping[str, Any]]) -> Table:
    drawn = _table("QUEUE", "depth", "oldest", "working", "a minute", "wait", "in Redis", "served by")
    for queue in queues:
        unserved = queue["depth"] and not queue["workers"]
        wait = queue["estimated_wait_seconds"]
        drawn.add_row(
            queue["name"],
            f"{queue['depth']:,}",
            _seconds(queue["oldest_seconds"]),
            str(queue["working"]),
            f"{queue['throughput_per_minute']:,.0f}",
            "?" if wait is None else _seconds(wait),
            "?" if queue["window_used"] is None else f"{queue['window_used']}/{queue['window']}",
            f"{queue['workers']} worker{'s' * (queue['workers'] > 1)}" if queue["workers"] else "nobody",
            style="bold red" if unserved else "" if queue["workers"] else "yellow",
        )
    return drawn


def _workers(workers: Sequence[Mapping[str, Any]]) -> Table:
    drawn = _table("WORKER", "up", "heard", "working", "queues", "does")
    for worker in workers[:SHOWN]:
        doing = ", ".join(f"{each['stage']} {age(each['since'])}" for each in worker["doing"][:4])
        drawn.add_row(
            *(worker["id"], age(worker["started_at"]), age(worker["heartbeat_at"]), str(worker["working"])),
            *(",".join(worker["queues"]), doing),
        )
    if not workers:
        drawn.add_row("none is alive; start one: quire worker", style="bold red")
    return _more(drawn, len(workers))


def _engines(engines: Iterable[Mapping[str, Any]]) -> Table:
    drawn = _table("ENGINE", "operation", "slots", "in line", "")
    for engine in engines:
        state = "left alone" if engine["away"] == 1 else "probed" if engine["away"] else "answers"
        slots = f"{engine.get('taken', 0)}/{engine.get('slots', '?')}"
        drawn.add_row(
            *(engine["engine"], engine["operation"], slots, str(engine.get("in_line", 0)), state),
            style="bold red" if engine["away"] else "",
        )
    return drawn


def _textract_jobs(jobs: Sequence[Mapping[str, Any]]) -> Table:
    drawn = _table("TEXTRACT JOB", "age", "pages", "status", "document")
    for job in jobs[:SHOWN]:
        textract, pages = job["textract"], job["progress"]["pages_total"]
        drawn.add_row(
            *(textract["job_id"] or "not begun yet", age(begun_at(job)), str(pages or "?")),
            *(textract["status"] or job["state"], job["document_id"]),
        )
    return _more(drawn, len(jobs))


def _failures(failures: Sequence[Mapping[str, Any]]) -> Table:
    drawn = _table("GIVEN UP", "jobs", "last", "what to do")
    for each in failures[:SHOWN]:
        drawn.add_row(each["code"], f"{each['count']:,}", age(each["last_at"]), each["message"])
    return _more(drawn, len(failures))


def _table(*columns: str) -> Table:
    drawn = Table(box=None, pad_edge=False, header_style="bold reverse", title_justify="left", padding=(0, 2, 0, 0))
    for column in columns:
        drawn.add_column(column, overflow="ellipsis", no_wrap=True)
    return drawn


def _more(drawn: Table, count: int) -> Table:
    if count > SHOWN:
        drawn.add_row(f"and {count - SHOWN} more", style="dim")
    return drawn


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f}s" if seconds < 60 else f"{seconds / 60:.0f}m" if seconds < 7200 else f"{seconds / 3600:.0f}h"  # noqa: PLR2004 (a minute, and two hours)
