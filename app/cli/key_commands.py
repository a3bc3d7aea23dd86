"""`quire keys`: API keys, for operators."""

from typing import Annotated

import typer

from app.cli.choices import AsJson

key_cli = typer.Typer(help="API keys, made and revoked in the database itself.", no_args_is_help=True)

Project = Annotated[str, typer.Option(help="The project that the key opens; made where it isn't there.")]


@key_cli.command("create")
def create_key(
    project: Project = "default",
    name: Annotated[str, typer.Option(help="What the key is called in lists and in the audit trail.")] = "",
    requests_per_second: Annotated[
        float | None, typer.Option(help="How many requests it may make, where it isn't what the settings say.")
    ] = None,
    burst: Annotated[int | None, typer.Option(help="How many of them at once.")] = None,
    days: Annotated[float | None, typer.Option(help="How long it holds, more than 0; for ever if left out.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a new key and print it, once: only its hash is kept."""
    from app.cli.connection import run
    from app.cli.keys import create
    from app.projects.keys import KeyTerms

    run(create(project, name, KeyTerms(requests_per_second, burst), days=days, as_json=as_json))


@key_cli.command("list")
def list_keys(
    project: Annotated[str | None, typer.Option(help="Only the keys of this project.")] = None, as_json: AsJson = False
) -> None:
    """List the keys by their beginnings, revoked ones too."""
    from app.cli.connection import run
    from app.cli.keys import show

    run(show(project, as_json=as_json))


@key_cli.command("revoke")
def revoke_key(
    key: Annotated[str, typer.Argument(help="Its id, or its beginning as `quire keys list` shows it.")],
    as_json: AsJson = False,
) -> None:
    """Have a key open nothing from now on."""
    from app.cli.connection import run
    from app.cli.keys import revoke

    run(revoke(key.removesuffix("…"), as_json=as_json))


@key_cli.command("limit")
def limit_project(
    project: Annotated[str, typer.Argument(help="The project's name.")],
    weight: Annotated[float | None, typer.Option(help="How many turns it has where others have one.")] = None,
    max_open_documents: Annotated[int | None, typer.Option(help="How many documents it may have under way.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say what a project may have under way, and show what holds then; what isn't said stays."""
    from app.cli.connection import run
    from app.cli.keys import limit

    run(limit(project, weight=weight, max_open_documents=max_open_documents, as_json=as_json))


@key_cli.command("ensure")
def ensure_key(project: Project = "default") -> None:
    """Have the key in QUIRE_API_KEY open a project."""
    from app.cli.connection import run
    from app.cli.keys import ensure

    run(ensure(project))
