"""The `quire` command: run the whole, or a part, set up what a part needs, and work with a server wherever it runs.

Each command that serves becomes the program that does it, and the others import what they need when they are called,
so that none pays for what the others import.
"""

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from app.config import Settings

cli = typer.Typer(help="Quire reads documents.", no_args_is_help=True, pretty_exceptions_enable=False)
key_cli = typer.Typer(help="API keys.", no_args_is_help=True)
bucket_cli = typer.Typer(help="The bucket that documents are kept in.", no_args_is_help=True)
embeddings_cli = typer.Typer(help="The models that vectors are made by.", no_args_is_help=True)
cli.add_typer(key_cli, name="key")
cli.add_typer(bucket_cli, name="bucket")
cli.add_typer(embeddings_cli, name="embeddings")

PROJECT = typer.Option("default", help="The project that the key opens; made where it isn't there.")


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


class PriorityChoice(StrEnum):
    """Which documents are taken first."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


def main() -> None:
    """Run the `quire` command."""
    cli()


@cli.command()
def up() -> None:
    """Run the whole of Quire on this machine: every part that no setting places elsewhere."""
    _become("app.embedded.up")


@cli.command()
def api() -> None:
    """Serve the HTTP API."""
    settings = Settings()
    _become("app.serve", "--host", settings.quire_host, "--port", str(settings.quire_port))


@cli.command()
def worker(queues: str = typer.Option("", help="Comma-separated queues to serve; all where none are named.")) -> None:
    """Serve queues of background tasks: all of them, unless some are named."""
    _become("workers", *(["--queues", queues] if queues else []))


@cli.command()
def setup() -> None:
    """Make what a deployment needs: tables, bucket, and the key in QUIRE_API_KEY."""
    _become("app.setup", "tables", "bucket", "key")


@cli.command()
def migrate() -> None:
    """Bring the database's tables up to date."""
    _become("app.setup", "tables")


@key_cli.command("ensure")
def ensure_key(project: str = PROJECT) -> None:
    """Have the key in QUIRE_API_KEY open a project."""
    _become("app.setup", "key", "--project", project)


@key_cli.command("create")
def create_key(project: str = PROJECT) -> None:
    """Make a new key and print it, once: only its hash is kept."""
    _become("app.setup", "new-key", "--project", project)


@embeddings_cli.command("status")
def embeddings_status() -> None:
    """Show the models that there are vectors of, and which one is searched."""
    _become("app.cli.embeddings", "status")


@embeddings_cli.command("switch")
def switch_embeddings() -> None:
    """Make the vectors that the next model lacks, then search by it; nothing stops meanwhile."""
    _become("app.cli.embeddings", "switch")


@embeddings_cli.command("forget")
def forget_embeddings(model: str) -> None:
    """Drop the vectors and the index of a model that is no longer searched."""
    _become("app.cli.embeddings", "forget", model)


@bucket_cli.command("ensure")
def ensure_bucket() -> None:
    """Make the bucket where it isn't there yet."""
    _become("app.setup", "bucket")


@cli.command()
def submit(
    files: Annotated[list[Path], typer.Argument(help="The documents: PDF, PNG, JPEG or TIFF.")],
    priority: Annotated[PriorityChoice, typer.Option(help="Which documents are taken first.")] = PriorityChoice.NORMAL,
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


@cli.command()
def status(
    name: Annotated[str, typer.Argument(metavar="ID", help="Of a document, a job or a batch.")], as_json: AsJson = False
) -> None:
    """Show how a document, a job or a batch is doing."""
    from app.cli.connection import run
    from app.cli.reading import status

    run(status(name, as_json=as_json))


@cli.command()
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


def _become(module: str, *arguments: str) -> None:
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments])  # noqa: S606 (our own modules)
