"""A channel that only remembers what it was told: for tests, and for trying things out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dataverse_backup.notify.base import Channel

if TYPE_CHECKING:
    from dataverse_backup.errors import NotificationError
    from dataverse_backup.notify.base import Message


@dataclass
class MemoryChannel(Channel):
    """Everything that it was told, in a list."""

    name: str = "memory"
    takes_attachments: bool = True
    told: list[Message] = field(default_factory=list)
    failure: NotificationError | None = None
    """Raised instead of listening."""

    def check(self) -> str:
        """As `send`, without a message."""
        if self.failure is not None:
            raise self.failure
        return f"{len(self.told)} messages"

    def send(self, message: Message) -> None:
        """Remember it."""
        if self.failure is not None:
            raise self.failure
        self.told.append(message)
