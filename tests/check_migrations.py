"""`python -m tests.check_migrations`: the migrations make the tables that the models describe, and can be undone.

Starts a Postgres of its own, unless DATABASE_URL names one, and leaves nothing in it.
"""

import asyncio
import io
import re
import sys
from contextlib import redirect_stdout
from enum import StrEnum

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Table

from app.config import Settings
from app.db import EnumText
from app.models import Base
from tests.databases import ROOT, Databases
from tests.stack import Servers

CHECKS = """
    SELECT conrelid::regclass::text AS table, pg_get_constraintdef(oid) AS definition FROM pg_constraint
    WHERE contype = 'c' AND connamespace = 'public'::regnamespace
"""
TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
TYPES = "SELECT typname FROM pg_type WHERE typtype = 'e' AND typnamespace = 'public'::regnamespace"


class MigrationsWrong(Exception):
    """The migrations don't do what they should; the message says where."""


def main() -> int:
    """Check the migrations; what is wrong is said on standard error."""
    servers = Servers(only=["postgres"])
    try:
        databases = Databases(servers.environment["DATABASE_URL"], migrate=False)
        try:
            url = databases.take()
            check(url)
            databases.give_back(url)
        finally:
            databases.close()
    except MigrationsWrong as error:
        sys.stderr.write(f"{error}\n")
        return 1
    finally:
        servers.stop()
    sys.stdout.write("The migrations lead to the models and back.\n")
    return 0


def check(url: str) -> None:
    """Go up, compare, go down, and up again. Raises `MigrationsWrong`."""
    config = Config(ROOT / "alembic.ini", stdout=io.StringIO())
    config.attributes["settings"] = Settings(_env_file=None, database_url=url)
    command.upgrade(config, "head")
    compare_tables(config)
    compare_enums(url)
    command.downgrade(config, "base")
    if left := [row[0] for query in (TABLES, TYPES) for row in asyncio.run(rows(url, query))]:
        raise MigrationsWrong(f"Downgrading to base leaves this behind: {', '.join(left)}.")
    command.upgrade(config, "head")


def compare_tables(config: Config) -> None:
    """Have Alembic compare the database with the models. Raises `MigrationsWrong`."""
    try:
        with redirect_stdout(io.StringIO()):
            command.check(config)
    except CommandError as error:
        raise MigrationsWrong(f"The models have changed, and no migration follows: {error}") from error


def compare_enums(url: str) -> None:
    """Compare each enum of the models with its CHECK constraint, which Alembic doesn't. Raises `MigrationsWrong`."""
    found = asyncio.run(rows(url, CHECKS))
    for table in Base.metadata.sorted_tables:
        for column, members in enums_of(table).items():
            wanted = {member.value for member in members}
            allowed = [values_of(row["definition"]) for row in found if is_of(row, table.name, column)]
            if not any(values == wanted for values in allowed):
                raise MigrationsWrong(
                    f"{table.name}.{column} may hold {sorted(wanted)} by {members.__name__}, and the database allows "
                    f"{sorted(allowed[0]) if allowed else 'anything'}: a migration is missing."
                )


def enums_of(table: Table) -> dict[str, type[StrEnum]]:
    """The enums of a table's columns that have a CHECK of their own; nullable ones repeat another column's."""
    return {
        column.name: column.type.members
        for column in table.columns
        if isinstance(column.type, EnumText) and not column.nullable
    }


def is_of(row: asyncpg.Record, table: str, column: str) -> bool:
    """Whether a constraint says which values a column may hold."""
    return row["table"] == table and re.match(rf"CHECK \(\(+{column} = ANY", row["definition"]) is not None


def values_of(definition: str) -> set[str]:
    """The values in a constraint's definition."""
    return set(re.findall(r"'([^']*)'::text", definition))


async def rows(url: str, query: str) -> list[asyncpg.Record]:
    """What a query returns."""
    connection = await asyncpg.connect(url)
    try:
        return list(await connection.fetch(query))
    finally:
        await connection.close()


if __name__ == "__main__":
    sys.exit(main())
