"""`quire batch`: many documents submitted as one."""

from pathlib import Path
from typing import Annotated

import typer

from app.batches.drafts import Strictness
from app.cli.choices import AsJson, PriorityOption
from app.jobs.states import Priority

batch_cli = typer.Typer(help="Batches: many documents submitted as one.", no_args_is_help=True)

BatchId = Annotated[str, typer.Argument(metavar="BATCH_ID")]


@batch_cli.command("submit")
def submit(
    place: Annotated[
        Path,
        typer.Argument(
            metavar="DIR|MANIFEST",
            help="A folder, or a CSV file with a column path, source or document_id; external_id and priority are known, "
            "every other column becomes metadata.",
        ),
    ],
    priority: PriorityOption = Priority.NORMAL,
    options: Annotated[str | None, typer.Option(help="How to read them: `BatchOptions` as a JSON object.")] = None,
    preflight: Annotated[
        Strictness, typer.Option(help="Refuse where no live worker would take it up, or only warn.")
    ] = Strictness.REQUIRE,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until all is read; exits with 1 if something failed.")
    ] = False,
    journal: Annotated[
        Path | None, typer.Option(help="What was sent already is written here; beside the folder if left out.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Submit a folder or a manifest. Called again after it was cut off, it goes on from there."""
    from app.cli.batching import BatchWishes, submit_batch
    from app.cli.connection import run

    run(submit_batch(place, BatchWishes(priority, options, preflight, journal, wait=wait, as_json=as_json)))


@batch_cli.command("list")
def list_all(
    state: Annotated[
        list[str] | None, typer.Option(help="queued, working, done or cancelled; may be given twice.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List the newest batches."""
    from app.cli.batches import list_batches
    from app.cli.connection import run

    run(list_batches(state or (), limit, as_json=as_json))


@batch_cli.command("status")
def status(
    batch_id: BatchId,
    wait: Annotated[
        bool, typer.Option("--wait", help="Go on until it has ended; exits with 1 if something failed.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show how a batch does."""
    from app.cli.batches import show_batch
    from app.cli.connection import run

    run(show_batch(batch_id, wait=wait, as_json=as_json))


@batch_cli.command("cancel")
def cancel(batch_id: BatchId, as_json: AsJson = False) -> None:
    """Cancel the rest of a batch."""
    from app.cli.batches import cancel_batch
    from app.cli.connection import run

    run(cancel_batch(batch_id, as_json=as_json))


@batch_cli.command("retry")
def retry(batch_id: BatchId, as_json: AsJson = False) -> None:
    """Try again all that failed of a batch."""
    from app.cli.batches import retry_batch
    from app.cli.connection import run

    run(retry_batch(batch_id, as_json=as_json))


@batch_cli.command("report")
def report(
    batch_id: BatchId,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The file to write to.")] = None,
) -> None:
    """Print every document of a batch as it stands, a line of JSON each."""
    from app.cli.batches import report_batch
    from app.cli.connection import run

    run(report_batch(batch_id, output))
