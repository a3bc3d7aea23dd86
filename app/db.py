"""The database: the base of all models, the names of constraints, engines and sessions."""

from contextlib import AbstractAsyncContextManager
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, ClassVar, Self, cast
from uuid import UUID
from weakref import WeakKeyDictionary

import asyncpg
import orjson
import uuid_utils
from sqlalchemy import CheckConstraint, DateTime, Dialect, MetaData, Row, Table, Text, TypeDecorator, Uuid, event
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase

from app.config import Settings
from app.driver import ACQUIRE_SECONDS, RECYCLE_SECONDS, Driver, EachByItself, together

Sessions = async_sessionmaker[AsyncSession]

NAMING_CONVENTION = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """What every table has in common."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: Text(),
        datetime: DateTime(timezone=True),
        UUID: Uuid(),
        dict[str, Any]: JSONB(),
        list[Any]: JSONB(),
        list[str]: JSONB(),
    }

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        """A row as an object, which no session knows of: at a tenth of what it costs to set each column by itself."""
        made = cls()
        made.__dict__.update(zip(row._fields, row, strict=True))
        return made


class EnumText(TypeDecorator[StrEnum]):
    """A text column whose values are members of an enum; the CHECK beside it is what holds it to them."""

    impl = Text
    cache_ok = True

    def __init__(self, members: type[StrEnum]) -> None:
        super().__init__()
        self.members = members

    def process_result_value(self, value: str | None, dialect: Dialect) -> StrEnum | None:  # noqa: ARG002 (SQLAlchemy's signature)
        return None if value is None else self.members(value)


def one_of(column: str, members: type[StrEnum]) -> CheckConstraint:
    """A CHECK that a text column holds a member of an enum: a new member is a migration, never a silent write."""
    names = ", ".join(f"'{member.value}'" for member in members)
    return CheckConstraint(f"{column} IN ({names})", name=f"{column}_known")


def table_of(model: type[Base]) -> Table:
    """The table of a model, for statements that are built without the ORM."""
    assert isinstance(model.__table__, Table)  # noqa: S101 (every model of ours has one)
    return model.__table__


def new_id() -> UUID:
    """A UUIDv7: ids of later rows sort after those of earlier ones."""
    return UUID(bytes=uuid_utils.uuid7().bytes)


def async_url(database_url: str) -> str:
    """The URL as SQLAlchemy wants it, from the form that everybody writes."""
    _, _, rest = database_url.partition("://")
    return f"postgresql+asyncpg://{rest}"


def open_engine(settings: Settings) -> AsyncEngine:
    """A connection pool, half of it for the driver itself; nothing is connected before the first statement."""
    options = {
        "timeout": 5,
        "command_timeout": 60,
        "server_settings": {
            "application_name": "quire",
            # A process that hangs within a transaction holds its locks, the sweep's among them, no longer than a lease.
            "idle_in_transaction_session_timeout": str(int(settings.lease_seconds * 1000)),
        },
    }
    own = settings.database_pool_size // 2
    engine = create_async_engine(
        async_url(settings.database_url),
        pool_size=settings.database_pool_size - own,
        max_overflow=0,
        pool_timeout=ACQUIRE_SECONDS,
        pool_recycle=RECYCLE_SECONDS,
        connect_args=options,
        json_serializer=lambda value: orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode(),
        json_deserializer=orjson.loads,
    )
    driver = _DRIVERS[engine] = Driver(settings.database_url, engine.dialect, own, options)
    event.listen(engine.sync_engine, "engine_disposed", lambda _: driver.close())
    return engine


_DRIVERS: WeakKeyDictionary[AsyncEngine, Driver] = WeakKeyDictionary()


def is_away(error: BaseException) -> bool:
    """Whether an error means that Postgres is starting, stopping or gone, rather than that it refused something.

    Source: SQLSTATE classes 08 (connection exception), 53 (out of resources) and 57 (operator intervention).
    """
    if isinstance(error, DBAPIError):
        state = getattr(error.orig, "sqlstate", None) or ""
        cause = error.orig.__cause__ if error.orig else None
        away = isinstance(error.orig, AWAY) or isinstance(cause, AWAY)
        return error.connection_invalidated or away or state.startswith(("08", "53", "57"))
    return isinstance(error, AWAY)


AWAY = (OSError, TimeoutError, asyncpg.InterfaceError, PoolTimeout)


def open_sessions(engine: AsyncEngine) -> Sessions:
    """Sessions whose objects stay readable after the commit."""
    return async_sessionmaker(engine, expire_on_commit=False)


def one_statement(sessions: Sessions) -> AbstractAsyncContextManager[AsyncSession]:
    """A session whose statements are transactions by themselves: no BEGIN and no COMMIT to wait for. For one, or for reads.

    It executes, and does nothing else that sessions do: what it reads are rows, and all there at once.
    """
    engine = sessions.kw["bind"]
    return cast(
        "AbstractAsyncContextManager[AsyncSession]", EachByItself(_DRIVERS[engine], _committing_by_itself(engine))
    )


def transaction(sessions: Sessions) -> AbstractAsyncContextManager[AsyncSession]:
    """A transaction of few statements that don't change from time to time, at a fraction of a session's cost.

    It executes, and does nothing else that sessions do; lists in `IN` are not for it.
    """
    return cast("AbstractAsyncContextManager[AsyncSession]", together(_DRIVERS[sessions.kw["bind"]]))


@lru_cache(maxsize=16)
def _committing_by_itself(engine: AsyncEngine) -> AsyncEngine:
    return engine.execution_options(isolation_level="AUTOCOMMIT")
