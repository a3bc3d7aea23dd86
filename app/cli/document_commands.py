"""`quire submit`, `status` and `result`: documents, one by one."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli.choices import AsJson, PriorityOption
from app.jobs.states import Priority

document_cli = typer.Typer()


@document_cli.command()
def submit(
    files: Annotated[list[Path], typer.Argument(help="The documents: PDF, PNG, JPEG or TIFF.")],
    priority: PriorityOption = Priority.NORMAL,
    options: Annotated[str | None, typer.Option(help="How to read them: `ProcessingOptions` as a JSON object.")] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until they have been read; exits with 1 if one failed.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Submit documents, and follow them with --wait."""
    from app.cli.connection import run
    from app.cli.submitting import Wishes, submit

    run(submit(files, Wishes(priority, options, wait=wait, as_json=as_json)))


@document_cli.command()
def status(
    name: Annotated[str, typer.Argument(metavar="ID", help="Of a document, a job or a batch.")], as_json: AsJson = False
) -> None:
    """Show how a document, a job or a batch is doing."""
    from app.cli.connection import run
    from app.cli.reading import status

    run(status(name, as_json=as_json))


@document_cli.command()
def result(
    document_id: Annotated[str, typer.Argument(metavar="DOCUMENT_ID")],
    wanted: Annotated[
        str,
        typer.Option(
            "--format",
            help="text, markdown, json, textract, hocr, alto, pdf, chunks, entities, relationships or trace.",
        ),
    ] = "text",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The file to write to.")] = None,
) -> None:
    """Print what was read of a document, in the format that you want."""
    from app.cli.connection import run
    from app.cli.reading import result

    run(result(document_id, wanted=wanted, to=output))
