"""A store that is never read: its datafiles are known, and their bytes belong to somebody else."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from dataverse_backup.errors import SourceRefused
from dataverse_backup.stores.base import Store

if TYPE_CHECKING:
    from dataverse_backup.datafile import Datafile
    from dataverse_backup.errors import Reason


class ExcludedStore(Store):
    """Excludes every datafile for one reason: ``type: remote``, ``globus`` or ``ignore``."""

    def __init__(self, store_id: str, reason: Reason, sentence: str) -> None:
        """Answer *reason* and *sentence*, which people read, whatever datafile is asked about."""
        self.id = store_id
        self._reason, self._sentence = reason, sentence

    @property
    def layout(self) -> str:
        return f"{type(self).__qualname__} {self._reason}"

    def excludes(self, datafile: Datafile) -> tuple[Reason, str]:
        del datafile
        return self._reason, self._sentence

    def object_name(self, datafile: Datafile) -> str:
        return datafile.location

    def names(self, datafile: Datafile) -> NoReturn:
        raise SourceRefused(self.id, datafile.storageidentifier, self._sentence)

    def open(self, name: str) -> NoReturn:
        raise SourceRefused(self.id, name, self._sentence)

    def probe(self) -> None:
        """Nothing can be lost where nothing is read."""
