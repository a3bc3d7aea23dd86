"""Ids as they are given to commands: what is none is said so before the server is asked."""

from uuid import UUID

from app.cli.connection import CommandError

SHOWN_BY = {"job": "quire jobs list", "document": "quire jobs list", "batch": "quire batch list"}
"""The command that shows the ids of a kind."""


def check_ids(kind: str, *said: str) -> None:
    """That each is an id. Raises `CommandError`."""
    for each in said:
        try:
            UUID(each)
        except ValueError as error:
            raise CommandError(f"{each} is no {kind} id; `{SHOWN_BY[kind]}` shows them.") from error
