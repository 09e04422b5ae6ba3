"""One statement for many rows, as fast as the driver takes them.

SQLAlchemy writes the statement, once. What it does for each row of an ``executemany`` (names, defaults, types) takes
longer than the database does; here it is done for whole columns.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnDefault
from sqlalchemy.engine.default import DefaultDialect

from dataverse_backup.ledger import columns
from dataverse_backup.ledger.column_types import Instant, Words

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection, Dialect
    from sqlalchemy.sql.dml import UpdateBase
    from sqlalchemy.types import TypeEngine

    from dataverse_backup.ledger.columns import Columns, Values

    Column = Sequence[Any]
    """What many rows have in it."""


def write(connection: Connection, statement: UpdateBase, rows: Sequence[Values]) -> None:
    """Run *statement*, which is kept somewhere, for each of *rows*, all of which name the same things."""
    if rows:
        write_columns(connection, statement, columns.of_rows(rows))


def write_columns(connection: Connection, statement: UpdateBase, columns: Columns) -> int:
    """Run *statement*, which is kept somewhere, for each row of *columns*; how many rows it wrote in the database."""
    if not next(iter(columns.values())):
        return 0
    return _prepared(statement, connection.dialect, tuple(columns)).write(connection, columns)


class _Prepared:
    """A statement for rows that have the same names."""

    def __init__(self, statement: UpdateBase, dialect: Dialect, names: Sequence[str]) -> None:
        """*names* are what each row has."""
        if isinstance(dialect, DefaultDialect) and not dialect.positional:  # its driver takes both
            dialect = type(dialect)(paramstyle="format")
        written = statement.compile(dialect=dialect, column_keys=names)
        if written.positiontup is None:
            raise TypeError(f"{dialect.name} takes no parameters by their position")
        self._text, self._order = written.string, written.positiontup
        prepare = {name: _preparing(written.binds[name].type, dialect) for name in self._order}
        self._given = {name: prepare[name] for name in self._order if name in names}
        fixed = written.params | {column.key: _default(column.default) for column in written.insert_prefetch}
        self._fixed = {name: prepare[name]([fixed[name]]) for name in self._order if name not in names}

    def write(self, connection: Connection, columns: Columns) -> int:
        """Run the statement for each row of *columns*, of which there is one at least; how many rows it wrote."""
        count = len(next(iter(columns.values())))
        values = {name: prepared(columns[name]) for name, prepared in self._given.items()}
        values |= {name: [*value] * count for name, value in self._fixed.items()}
        rows = list(zip(*(values[name] for name in self._order), strict=True))
        return connection.exec_driver_sql(self._text, rows).rowcount


_prepared = lru_cache(maxsize=100)(_Prepared)


def _default(default: object) -> object:
    """What a column has where a row does not name it."""
    return default.arg if isinstance(default, ColumnDefault) else None


def _preparing(kind: TypeEngine[Any], dialect: Dialect) -> Callable[[Column], Column]:
    """What makes values of *kind* those that the driver takes."""
    if isinstance(kind, Words | Instant):
        return partial(kind.bind_all, dialect=dialect)
    process = kind.dialect_impl(dialect).bind_processor(dialect)
    return (lambda values: values) if process is None else (lambda values: [process(value) for value in values])
