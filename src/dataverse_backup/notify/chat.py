"""Slack, Matrix, Teams and a hundred others, through apprise: the extra ``[notify]``."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from dataverse_backup.errors import NotificationError
from dataverse_backup.notify.base import Channel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from apprise import Apprise

    from dataverse_backup.notify.base import Message

NEEDS = 'pip install "dataverse-backup[notify]"'
FORMS = "the documentation of apprise has the form of every service's address, and its command `apprise` tries one out"


class Chat(Channel):
    """A short message to each of some addresses. They hold tokens: no error of ours has any part of them."""

    name = "NotifyUrls"
    takes_attachments = False

    def __init__(self, urls: Sequence[str]) -> None:
        self._urls = urls

    def __repr__(self) -> str:
        return f"<Chat with {len(self._urls)} addresses>"

    def check(self) -> str:
        """Whether each is an address that apprise knows; nobody is called."""
        unknown = [number for number, url in enumerate(self._urls, start=1) if _apprise(url) is None]
        if unknown:
            raise NotificationError(f"NotifyUrls: {self._named(unknown)} not known to apprise", FORMS)
        return f"{len(self._urls)} addresses"

    def send(self, message: Message) -> None:
        """Tell every address, and say in the end which could not be told."""
        failed = [number for number, url in enumerate(self._urls, start=1) if not _is_told(url, message)]
        if failed:
            raise NotificationError(f"NotifyUrls: {self._named(failed)} could not be told", FORMS)

    def _named(self, numbers: Sequence[int]) -> str:
        return f"address {', '.join(map(str, numbers))} of {len(self._urls)}"


def _is_told(url: str, message: Message) -> bool:
    address = _apprise(url)
    kind = "success" if message.is_well else "failure"
    return address is not None and bool(address.notify(body=message.brief, title=message.subject, notify_type=kind))


def _apprise(url: str) -> Apprise | None:
    """One address on its own, so that it can be said which one failed; None where apprise does not know its form."""
    try:
        from apprise import Apprise  # noqa: PLC0415 -- an extra
    except ImportError as missing:
        raise NotificationError("NotifyUrls needs apprise, which is not installed", NEEDS) from missing
    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # its complaints repeat addresses
    made = Apprise()
    return made if made.add(url) else None
