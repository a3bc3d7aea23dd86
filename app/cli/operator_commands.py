"""Commands of operators: `quire monitor`, `check`, `repair`, `loadtest`."""

from enum import StrEnum
from typing import Annotated

import typer

from app.cli.choices import AsJson, PriorityOption
from app.jobs.states import Priority

operator_cli = typer.Typer()


class FailedChoice(StrEnum):
    """Which of the jobs that were given up `quire repair` tries again."""

    RETRYABLE = "retryable"
    ALL = "all"
    NONE = "none"


@operator_cli.command()
def monitor(
    once: Annotated[bool, typer.Option("--once", help="Print it once, and end.")] = False,
    interval: Annotated[float, typer.Option(min=0.5, help="Seconds between two looks.")] = 2.0,
    as_json: AsJson = False,
) -> None:
    """Watch queues, workers, engines, running Textract jobs, failures and alerts, until Ctrl-C."""
    from app.cli.connection import run
    from app.cli.monitoring import monitor

    run(monitor(once=once, interval_seconds=interval, as_json=as_json))


@operator_cli.command()
def check(as_json: AsJson = False) -> None:
    """Check every setting and dependency, and say how to mend what is wrong; exits with 1 where something is."""
    from app.cli.checking import check
    from app.cli.connection import run

    run(check(as_json=as_json))


@operator_cli.command()
def repair(
    apply: Annotated[bool, typer.Option("--apply", help="Do it; else it is only said what would be done.")] = False,
    failed: Annotated[
        FailedChoice, typer.Option(help="Which of the jobs that were given up are tried again.")
    ] = FailedChoice.RETRYABLE,
    as_json: AsJson = False,
) -> None:
    """Find what has come apart between Postgres, Redis and the bucket; exits with 1 where something is, or stays, wrong."""
    from app.cli.connection import run
    from app.cli.repairing import repair
    from app.repair.failed import Failed

    run(repair(apply=apply, which=Failed(failed), as_json=as_json))


@operator_cli.command()
def loadtest(
    count: Annotated[int, typer.Option(min=1, help="How many documents.")] = 100,
    concurrency: Annotated[int, typer.Option(min=1, max=1000, help="How many of them at a time.")] = 10,
    priority: PriorityOption = Priority.NORMAL,
    as_json: AsJson = False,
) -> None:
    """Submit documents of its own, and tell throughput, latencies and failures; it really reads them, at their price."""
    from app.cli.connection import run
    from app.cli.load import load

    run(load(count, concurrency, priority, as_json=as_json))
