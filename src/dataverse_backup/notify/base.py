"""The contract of a channel: one way in which people hear how a run ended."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Attachment:
    """A list of files in CSV."""

    name: str
    content: bytes
    """In UTF-8."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is told: the same in several forms. All text is printable: no control characters, no lone surrogates."""

    subject: str
    """One line, the outcome first."""
    text: str
    html: str
    brief: str
    """For a chat: a few lines."""
    is_well: bool
    attachments: tuple[Attachment, ...] = ()


class Channel(ABC):
    """One way to tell people. Nothing is tried again: the next run tells how things stand then."""

    name: str
    """For messages of ours: ``mail``, ``NotifyUrls``."""
    takes_attachments: bool
    """Whether a list of files can go with it; otherwise the text says where the lists are."""

    @abstractmethod
    def check(self) -> str:
        """Try out what can be tried without telling anybody: what there is, in words. Raises NotificationError."""

    @abstractmethod
    def send(self, message: Message) -> None:
        """Tell it.

        Returns when somebody took the message, which is not yet its delivery, and within a minute or two in any case.
        Raises NotificationError, without any secret, when not everybody could be told.
        """
