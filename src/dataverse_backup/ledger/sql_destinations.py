"""What is kept of destinations, in a database."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from dataverse_backup.ledger import upserts
from dataverse_backup.ledger.destinations import Destinations
from dataverse_backup.ledger.records import LogoTurn
from dataverse_backup.ledger.tables import destinations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection, Row
    from sqlalchemy.sql.dml import UpdateBase

    from dataverse_backup.ledger.database import Database

_its = destinations.c


class SqlDestinations(Destinations, ABC):
    """One row for each destination."""

    _database: Database
    _dialect: str

    @abstractmethod
    def _write(self, connection: Connection, statement: UpdateBase, values: Sequence[dict[str, Any]]) -> None:
        """Execute *statement* with each of *values*."""

    def destinations(self) -> list[str]:
        """Every name that was ever noted."""
        with self._database.reading() as connection:
            return sorted(connection.scalars(select(_its.name)))

    def knows_destination(self, destination: str) -> bool:
        """Whether it was claimed."""
        row = self._told_of(destination, _its.claimed)
        return row is not None and row.claimed is not None

    def claim_destination(self, destination: str) -> None:
        """Remember when."""
        self._keep(destination, _its.claimed.is_(None), claimed=datetime.now(UTC))

    def abilities(self, destination: str) -> str:
        """One question."""
        row = self._told_of(destination, _its.abilities)
        return "" if row is None else row.abilities or ""

    def keep_abilities(self, destination: str, abilities: str) -> None:
        """In its row."""
        self._keep(destination, abilities=abilities)

    def room(self, destination: str) -> int | None:
        """One question."""
        row = self._told_of(destination, _its.room)
        return None if row is None else row.room

    def keep_room(self, destination: str, workers: int | None) -> None:
        """In its row."""
        self._keep(destination, room=workers)

    def logo_turn(self, destination: str) -> LogoTurn:
        """One question."""
        row = self._told_of(destination, _its.logos_after, _its.logos_newest)
        return LogoTurn() if row is None else LogoTurn(row.logos_after, row.logos_newest)

    def keep_logo_turn(self, destination: str, turn: LogoTurn) -> None:
        """In its row."""
        self._keep(destination, logos_after=turn.after, logos_newest=turn.newest)

    def _told_of(self, destination: str, *what: ColumnElement[Any]) -> Row[Any] | None:
        with self._database.reading() as connection:
            return connection.execute(select(*what).where(_its.name == destination)).first()

    def _keep(self, destination: str, *where: ColumnElement[bool], **told: object) -> None:
        with self._database.writing() as connection:
            self._know(connection, destination)
            connection.execute(update(destinations).where(_its.name == destination, *where).values(**told))

    def _know(self, connection: Connection, *names: str) -> None:
        """Have a row for each of *names*."""
        self._write(connection, upserts.know(self._dialect), [{"name": name} for name in names])
