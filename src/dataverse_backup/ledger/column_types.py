"""Types of columns that mean the same on every database."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import DateTime, Text, TypeDecorator

from dataverse_backup.ledger.storable import storable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Dialect
    from sqlalchemy.types import TypeEngine


_UP_TO_ZONE = -len("+00:00")


class Words(TypeDecorator[str]):
    """Text, compared byte by byte on every database, never failing on what a database cannot store."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[str]:
        """Text in the "C" collation where the database has collations: order and ranges are those of bytes."""
        return dialect.type_descriptor(Text(collation="C") if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's signature
        """*value* as it can be stored."""
        return None if value is None else storable(value)

    def bind_all(self, values: Sequence[str | None], dialect: Dialect) -> Sequence[str | None]:  # noqa: ARG002 - as others
        """As ``process_bind_param``, of a whole column; nearly always it is as it should be."""
        together = "".join(filter(None, values))
        if storable(together) == together:
            return values
        return [None if value is None else storable(value) for value in values]


class Instant(TypeDecorator[datetime]):
    """An aware time, UTC both ways; SQLite, which has neither zones nor times, stores UTC as text that sorts."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Text where a database has no times, written and read here."""
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else self.impl_instance)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | str | None:
        """*value* in UTC; ValueError for a time without a zone."""
        return self.bind_all([value], dialect)[0]

    def bind_all(self, values: Sequence[datetime | None], dialect: Dialect) -> Sequence[datetime | str | None]:
        """As ``process_bind_param``, of a whole column."""
        times = [None if value is None else _in_utc(value) for value in values]
        if dialect.name != "sqlite":
            return times
        return [None if time is None else time.isoformat(" ", "microseconds")[:_UP_TO_ZONE] for time in times]

    def process_result_value(self, value: datetime | str | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 -- SQLAlchemy's signature
        """The stored time in UTC."""
        if isinstance(value, str):
            return datetime.fromisoformat(f"{value}+00:00")
        return None if value is None else value.astimezone(UTC)


def _in_utc(time: datetime) -> datetime:
    if time.tzinfo is None:
        raise ValueError(f"{time!r} has no time zone")
    return time if time.tzinfo is UTC else time.astimezone(UTC)
