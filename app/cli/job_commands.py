"""`quire jobs`: runs of documents through the pipeline."""

from typing import Annotated

import typer

from app.cli.choices import AsJson

job_cli = typer.Typer(help="Jobs: runs of documents through the pipeline.", no_args_is_help=True)

States = Annotated[
    list[str] | None, typer.Option("--state", help="queued, working, retryable, done, deadletter or cancelled.")
]
Stages = Annotated[list[str] | None, typer.Option("--stage", help="Such as parsing.")]
Codes = Annotated[list[str] | None, typer.Option("--code", help="The code of an error, such as document_encrypted.")]
Priorities = Annotated[list[str] | None, typer.Option("--priority", help="high, normal or low.")]
Batch = Annotated[str | None, typer.Option("--batch", metavar="BATCH_ID", help="Only those of a batch.")]
Document = Annotated[str | None, typer.Option("--document", metavar="DOCUMENT_ID", help="Only those of a document.")]
Since = Annotated[str | None, typer.Option(help="Only those made since then: 15m, 2h or 3d ago, or 2026-11-22T09:00Z.")]
Until = Annotated[str | None, typer.Option(help="Only those made before then.")]
JobIds = Annotated[list[str], typer.Argument(metavar="JOB_ID...")]


@job_cli.command("list")
def list_all(
    state: States = None,
    stage: Stages = None,
    code: Codes = None,
    priority: Priorities = None,
    batch: Batch = None,
    document: Document = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List jobs, the newest first. Options that may be given twice find either."""
    from app.cli.connection import run
    from app.cli.jobs import Wanted, list_jobs

    wanted = Wanted(state or (), stage or (), code or (), priority or (), batch, document, since, until)
    run(list_jobs(wanted, limit, as_json=as_json))


@job_cli.command("show")
def show(job_id: Annotated[str, typer.Argument(metavar="JOB_ID")], as_json: AsJson = False) -> None:
    """Show all that is known of a job."""
    from app.cli.connection import run
    from app.cli.jobs import show_job

    run(show_job(job_id, as_json=as_json))


@job_cli.command("retry")
def retry(
    job_ids: Annotated[list[str] | None, typer.Argument(metavar="[JOB_ID]...")] = None,
    state: States = None,
    code: Codes = None,
    batch: Batch = None,
    since: Since = None,
    until: Until = None,
    everything: Annotated[bool, typer.Option("--all", help="All that were given up.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 10_000,
    as_json: AsJson = False,
) -> None:
    """Try jobs again that were given up: those that are named, or all that the options find."""
    from app.cli.connection import run
    from app.cli.jobs import Wanted, retry_jobs

    wanted = Wanted(state or (), (), code or (), (), batch, None, since, until)
    run(retry_jobs(job_ids or (), wanted, limit, everything=everything, as_json=as_json))


@job_cli.command("cancel")
def cancel(job_ids: JobIds, as_json: AsJson = False) -> None:
    """Cancel jobs: what waits at once, what is being worked on within seconds."""
    from app.cli.connection import run
    from app.cli.jobs import cancel_jobs

    run(cancel_jobs(job_ids, as_json=as_json))


@job_cli.command("dead-letters")
def dead_letters(as_json: AsJson = False) -> None:
    """Show what was given up, by code, and whether trying again can help."""
    from app.cli.connection import run
    from app.cli.jobs import dead_letters

    run(dead_letters(as_json=as_json))
