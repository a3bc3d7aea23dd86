"""How Alembic reaches the database: over the same engine and settings as the service."""

import asyncio

from alembic import context
from sqlalchemy import Connection

from app.config import Settings
from app.db import EnumText, open_engine
from app.models import Base


def render_item(kind: str, item: object, _context: object) -> str | bool:
    """An enum is text in the database, held to its members by the CHECK beside it."""
    return "sa.Text()" if kind == "type" and isinstance(item, EnumText) else False


def migrate(connection: Connection) -> None:
    context.configure(
        connection=connection, target_metadata=Base.metadata, compare_server_default=True, render_item=render_item
    )
    with context.begin_transaction():
        context.run_migrations()


async def connect_and_migrate() -> None:
    settings = context.config.attributes.get("settings") or Settings()
    engine = open_engine(settings)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(migrate)
    finally:
        await engine.dispose()


asyncio.run(connect_and_migrate())
