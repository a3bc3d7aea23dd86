"""A statement as the driver takes it, written down once, and what it returns."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import asyncpg
from sqlalchemy import BindParameter, Dialect, Executable, Float, Numeric, Row, UpdateBase
from sqlalchemy.dialects.postgresql.asyncpg import PGCompiler_asyncpg
from sqlalchemy.engine import result_tuple
from sqlalchemy.exc import CompileError, MultipleResultsFound, NoResultFound
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import SelectBase
from sqlalchemy.types import TypeEngine

Process = Callable[[Any], Any]
Parameters = Mapping[str, Any]

FLOAT8, NUMERIC = 701, 1700
"""The numbers that these types have in Postgres's `pg_type`."""


class Rows:
    """What a statement has returned, all of it."""

    __slots__ = ("_rows",)

    def __init__(self, rows: Sequence[Row[Any]]) -> None:
        self._rows = rows

    def __iter__(self) -> Iterator[Row[Any]]:
        return iter(self._rows)

    def all(self) -> Sequence[Row[Any]]:
        """Every row."""
        return self._rows

    def first(self) -> Row[Any] | None:
        """The first row, if there is one."""
        return self._rows[0] if self._rows else None

    def one_or_none(self) -> Row[Any] | None:
        """The only row, if there is one. Raises `MultipleResultsFound`."""
        if len(self._rows) > 1:
            raise MultipleResultsFound("There are several rows where one was wanted.")
        return self.first()

    def one(self) -> Row[Any]:
        """The only row. Raises `NoResultFound` and `MultipleResultsFound`."""
        row = self.one_or_none()
        if row is None:
            raise NoResultFound("There is no row where one was wanted.")
        return row

    def mappings(self) -> "Values":
        """Every row by its columns' names."""
        return Values([row._mapping for row in self._rows])

    def scalar(self) -> Any:
        """The first column of the first row, if there is one."""
        return self._rows[0][0] if self._rows else None

    def scalars(self) -> "Values":
        """The first column of every row."""
        return Values([row[0] for row in self._rows])


class Values(list[Any]):
    """One value of each row."""

    def all(self) -> Sequence[Any]:
        """Every one."""
        return self

    def first(self) -> Any:
        """The first one, if there is any."""
        return self[0] if self else None


@dataclass(slots=True)
class Written:
    """A statement as the driver takes it, for parameters of some names."""

    sql: str
    places: Sequence[tuple[str, Any, Process | None]]
    """Of each parameter its name, what it is where nothing is given, and what makes it the driver's."""
    types: Sequence[Process | None]
    """What makes each column's value ours; nothing where the statement says nothing of its columns."""
    _rows: Callable[[Any], Row[Any]] | None = None

    def arguments(self, parameters: Parameters) -> list[Any]:
        """The parameters in their places."""
        given = parameters.get
        return [
            given(name, instead) if process is None else process(given(name, instead))
            for name, instead, process in self.places
        ]

    def rows(self, records: Sequence[asyncpg.Record]) -> Rows:
        """The records as rows that know their columns' names."""
        if not records:
            return Rows(())
        if self._rows is None:
            self._rows = result_tuple(list(records[0].keys()))
        if self.types:
            return Rows([self._rows(self._processed(record)) for record in records])
        return Rows([self._rows(tuple(record)) for record in records])

    def _processed(self, record: asyncpg.Record) -> tuple[Any, ...]:
        return tuple(
            value if process is None else process(value) for value, process in zip(record, self.types, strict=True)
        )


class Constants(PGCompiler_asyncpg):
    """Writes what is the same at each execution into the statement, and leaves the parameters alone in their places.

    So Postgres sees that an index on some states is one for the statement, and plans it once instead of each time.
    """

    def visit_bindparam(self, bindparam: BindParameter[Any], *args: Any, **kwargs: Any) -> Any:
        if not bindparam.required and bindparam.key not in (self.column_keys or ()):
            with suppress(CompileError):  # of a type that can't be written out
                return super().visit_bindparam(bindparam, *args, **kwargs | {"literal_binds": True})  # type: ignore[no-untyped-call]
        return super().visit_bindparam(bindparam, *args, **kwargs)  # type: ignore[no-untyped-call]


def written_down(statement: Executable, parameters: Parameters, dialect: Dialect) -> Written | None:
    """A statement as the driver takes it; None where each execution needs another text, as for lists that are parameters."""
    compiled = statement.compile(dialect=_writing(dialect), column_keys=list(parameters) or None)  # type: ignore[attr-defined]
    assert isinstance(compiled, SQLCompiler)  # noqa: S101 (what is executed so is no DDL)
    if "__[POSTCOMPILE" in compiled.string or compiled.insert_prefetch or compiled.update_prefetch:
        return None
    values = compiled.construct_params(parameters)
    places = []
    for name in compiled.positiontup or ():
        process = compiled.binds[name].type.dialect_impl(dialect).bind_processor(dialect)
        places.append((name, None if name in parameters else values[name], process))
    types = [_reading(column.type, dialect) for column in _columns(statement)]
    return Written(compiled.string, places, types if any(types) else ())


@lru_cache(maxsize=16)
def _writing(dialect: Dialect) -> Dialect:
    writing = copy(dialect)
    writing.statement_compiler = Constants
    return writing


def _reading(kind: TypeEngine[Any], dialect: Dialect) -> Process | None:
    """What makes values of a type ours. Of numbers SQLAlchemy wants to know which of Postgres's types they come as."""
    number = FLOAT8 if isinstance(kind, Float) else NUMERIC if isinstance(kind, Numeric) else None
    return kind.dialect_impl(dialect).result_processor(dialect, number)


def _columns(statement: Executable) -> Sequence[Any]:
    """What a statement returns, as far as it says so itself."""
    if isinstance(statement, SelectBase):
        return list(statement.selected_columns)
    return list(statement.exported_columns) if isinstance(statement, UpdateBase) else ()
