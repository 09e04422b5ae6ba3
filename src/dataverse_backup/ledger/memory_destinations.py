"""What is kept of destinations, in memory."""

from __future__ import annotations

from dataverse_backup.ledger.destinations import Destinations
from dataverse_backup.ledger.records import LogoTurn


class MemoryDestinations(Destinations):
    """Kept in dictionaries."""

    _destinations: dict[str, bool]
    """Every name that was ever noted; whether it was claimed."""
    _abilities: dict[str, str]
    _rooms: dict[str, int | None]
    _logo_turns: dict[str, LogoTurn]

    def destinations(self) -> list[str]:
        """Every name that was ever noted."""
        return sorted(self._destinations)

    def knows_destination(self, destination: str) -> bool:
        """Whether it was claimed."""
        return self._destinations.get(destination, False)

    def claim_destination(self, destination: str) -> None:
        """Remember it."""
        self._destinations[destination] = True

    def abilities(self, destination: str) -> str:
        """As it was kept."""
        return self._abilities.get(destination, "")

    def keep_abilities(self, destination: str, abilities: str) -> None:
        """As it comes."""
        self._destinations.setdefault(destination, False)
        self._abilities[destination] = abilities

    def room(self, destination: str) -> int | None:
        """As it was kept."""
        return self._rooms.get(destination)

    def keep_room(self, destination: str, workers: int | None) -> None:
        """As it comes."""
        self._destinations.setdefault(destination, False)
        self._rooms[destination] = workers

    def logo_turn(self, destination: str) -> LogoTurn:
        """As it was kept."""
        return self._logo_turns.get(destination, LogoTurn())

    def keep_logo_turn(self, destination: str, turn: LogoTurn) -> None:
        """As it comes."""
        self._destinations.setdefault(destination, False)
        self._logo_turns[destination] = turn
