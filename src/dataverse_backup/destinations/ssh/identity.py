"""Whose the root is: read once, and looked at again before anything is concluded from what lies there or does not."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dataverse_backup.destinations.base import IDENTITY_KEY
from dataverse_backup.destinations.ssh.failures import VENDOR_ERRORS

if TYPE_CHECKING:
    from dataverse_backup.destinations.ssh.agent import Look
    from dataverse_backup.destinations.ssh.files import RemoteFiles


@dataclass(slots=True)
class Identity:
    """The text of IDENTITY_KEY as last read or written; every method runs in the event loop's thread."""

    text: str | None = None
    """None where there was none, or nobody has looked: then every root will do."""
    _mark: tuple[int | None, int | None] | None = None

    async def read(self, files: RemoteFiles) -> str | None:
        """Whose the root is now, to be remembered."""
        self._mark, self.text = await asyncio.gather(_mark(files), files.text(IDENTITY_KEY))
        return self.text

    def seen(self, look: Look) -> str | None:
        """Whose the root is, as it was just seen, to be remembered."""
        self._mark, self.text = look.mark, look.identity
        return self.text

    def is_in(self, look: Look) -> bool:
        """Whether the root, as it was just seen, carries what we remember."""
        return self.text is None or self.text == look.identity

    async def written(self, text: str, files: RemoteFiles) -> None:
        """Remember *text*, which lies there from now on; that is so before the first question is answered."""
        self.text, self._mark = text, None
        with suppress(*VENDOR_ERRORS):  # it is read when it is needed
            self._mark = await _mark(files)

    async def is_there(self, files: RemoteFiles) -> bool:
        """Whether the root carries what we remember: one question, where the file has not been touched since."""
        if self.text is None:
            return True
        mark = await _mark(files)
        if mark is not None and mark == self._mark:
            return True
        self._mark = mark
        return mark is not None and await files.text(IDENTITY_KEY) == self.text


async def _mark(files: RemoteFiles) -> tuple[int | None, int | None] | None:
    """What tells one identity file from another without reading it."""
    found = await files.attributes(files.path(IDENTITY_KEY))
    return None if found is None else (found.size, found.mtime)
