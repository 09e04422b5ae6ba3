"""What a ledger asks of the database that it lives in."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import inspect
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from dataverse_backup.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection, Engine

    from dataverse_backup.ledger.base import Holder, Lock

WRITES = "ledger_writes"
"""The execution option of a transaction that will write: SQLite has to know at its start."""


class Database(ABC):
    """One kind of database: how to reach it, to lock in it, and what its errors mean."""

    place: str
    """Names the ledger in messages, without secrets."""
    engine: Engine

    @abstractmethod
    def prepare(self, connection: Connection) -> None:
        """Refuse what cannot hold a ledger; make others who want to make tables wait until this transaction ends."""

    def refuse_dataverse(self, connection: Connection, hint: str) -> None:
        """Raise LedgerError where a Dataverse lives in this database (design, rule 14)."""
        if inspect(connection).has_table("dvobject"):
            raise LedgerError(f"the database {self.place} holds a Dataverse: a ledger does not go there", hint)

    @abstractmethod
    def lock(self, ledger_id: str, destination: str) -> AbstractContextManager[Lock]:
        """As ``Ledger.lock``."""

    @abstractmethod
    def holder(self, ledger_id: str, destination: str) -> Holder | None:
        """As ``Ledger.holder``."""

    @abstractmethod
    def translate(self, error: DBAPIError) -> LedgerError:
        """What a driver's error means for the ledger."""

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Raise what the driver raises inside as LedgerError or LedgerUnavailable."""
        try:
            yield
        except DBAPIError as error:
            raise self.translate(error) from error
        except SQLAlchemyError as error:
            raise LedgerError(f"the ledger {self.place} cannot be used: {error}") from error

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for one short read."""
        with self.translated(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that is on disk at the end of the block, or undone."""
        with self.translated(), self.engine.execution_options(**{WRITES: True}).begin() as connection:
            yield connection


def one_line(error: DBAPIError) -> str:
    """What the driver said, on one line."""
    return re.sub(r"\s+", " ", str(error.orig)).strip()
