"""What a ledger keeps of each destination, apart from what lies there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataverse_backup.ledger.records import LogoTurn


class Destinations(ABC):
    """The part of the ledger that is about destinations themselves."""

    @abstractmethod
    def destinations(self) -> list[str]:
        """The names of all destinations that the ledger has anything about, sorted."""

    @abstractmethod
    def knows_destination(self, destination: str) -> bool:
        """Whether *destination* has been given our identity before (design, rule 9)."""

    @abstractmethod
    def claim_destination(self, destination: str) -> None:
        """Remember that *destination* carries our identity."""

    @abstractmethod
    def abilities(self, destination: str) -> str:
        """What *destination* can do, as it told last (`Destination.abilities`); '' where it never did."""

    @abstractmethod
    def keep_abilities(self, destination: str, abilities: str) -> None:
        """Remember what *destination* can do."""

    @abstractmethod
    def room(self, destination: str) -> int | None:
        """For how many workers at once *destination* turned out to have room; None where it had for all, or is new."""

    @abstractmethod
    def keep_room(self, destination: str, workers: int | None) -> None:
        """Remember for how many *workers* it has."""

    @abstractmethod
    def logo_turn(self, destination: str) -> LogoTurn:
        """How far the datasets were asked for logos; from the beginning where they never were."""

    @abstractmethod
    def keep_logo_turn(self, destination: str, turn: LogoTurn) -> None:
        """Remember how far they were asked."""
