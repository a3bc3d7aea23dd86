"""The `quire` command: run the whole, or a part, set up what a part needs, and work with a server wherever it runs.

Each command that serves becomes the program that does it, and the others import what they need when they are called,
so that none pays for what the others import.
"""

import os
import sys
from collections.abc import Mapping

import typer

from app.cli.batch_commands import batch_cli
from app.cli.document_commands import document_cli
from app.cli.job_commands import job_cli
from app.cli.key_commands import key_cli
from app.cli.operator_commands import operator_cli
from app.mistakes import settings_or_end

cli = typer.Typer(help="Quire reads documents.", no_args_is_help=True, pretty_exceptions_enable=False)
bucket_cli = typer.Typer(help="The bucket that documents are kept in.", no_args_is_help=True)
embeddings_cli = typer.Typer(help="The models that vectors are made by.", no_args_is_help=True)


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
    settings = settings_or_end(asks_engines=True)
    _become("app.serve", "--host", settings.quire_host, "--port", str(settings.quire_port))


@cli.command()
def worker(queues: str = typer.Option("", help="Comma-separated queues to serve; all where none are named.")) -> None:
    """Serve queues of background tasks: all of them, unless some are named."""
    _become("workers", *(["--queues", queues] if queues else []), environment=_here())


@cli.command()
def setup() -> None:
    """Make what a deployment needs: tables, bucket, and the key in QUIRE_API_KEY."""
    _become("app.setup", "tables", "bucket", "key")


@cli.command()
def migrate() -> None:
    """Bring the database's tables up to date."""
    _become("app.setup", "tables", environment=_here())


@cli.command()
def openapi() -> None:
    """Print the OpenAPI document of the API."""
    _become("app.main", "/dev/stdout")


@embeddings_cli.command("status")
def embeddings_status() -> None:
    """Show the models that there are vectors of, and which one is searched."""
    _become("app.cli.embeddings", "status", environment=_here())


@embeddings_cli.command("switch")
def switch_embeddings() -> None:
    """Make the vectors that the next model lacks, then search by it; nothing stops meanwhile."""
    _become("app.cli.embeddings", "switch", environment=_here())


@embeddings_cli.command("forget")
def forget_embeddings(model: str) -> None:
    """Drop the vectors and the index of a model that is no longer searched."""
    _become("app.cli.embeddings", "forget", model, environment=_here())


@bucket_cli.command("ensure")
def ensure_bucket() -> None:
    """Make the bucket where it isn't there yet."""
    _become("app.setup", "bucket", environment=_here())


cli.add_typer(document_cli)
cli.add_typer(batch_cli, name="batch")
cli.add_typer(job_cli, name="jobs")
cli.add_typer(operator_cli)
cli.add_typer(key_cli, name="keys")
cli.add_typer(key_cli, name="key", hidden=True)
cli.add_typer(bucket_cli, name="bucket")
cli.add_typer(embeddings_cli, name="embeddings")


def _here() -> Mapping[str, str]:
    """The environment, and in it what leads to the stack of this folder."""
    from app.cli.connection import CommandError, end
    from app.cli.operating import full_environment

    try:
        return full_environment()
    except CommandError as error:
        end(error)


def _become(module: str, *arguments: str, environment: Mapping[str, str] = os.environ) -> None:
    os.execve(sys.executable, [sys.executable, "-m", module, *arguments], dict(environment))  # noqa: S606 (our own modules)
