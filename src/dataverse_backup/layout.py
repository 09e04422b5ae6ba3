"""Where a copy lives at a destination.

``<storage authority>/<storage identifier>/<object name>``, plain files that need no tool to restore: the layout of the
script that Dataverse ships (facts 6.7), so that what it copied is recognised.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataverse_backup.datafile import TAB
from dataverse_backup.destinations.base import SUPERSEDED_PREFIX, is_own
from dataverse_backup.errors import KeyRefused

if TYPE_CHECKING:
    from datetime import datetime

    from dataverse_backup.datafile import Datafile
    from dataverse_backup.fixity import Checksum
    from dataverse_backup.stores.base import Store

TAB_SUFFIX = ".tab"
"""What the copy of a .tab is called after: under the datafile's own key lies its original."""


def key_for(datafile: Datafile, store: Store) -> str:
    """The key of the copy of *datafile*, whose bytes *store* has.

    Raises KeyRefused where the name would lead into what is ours at every destination; whether a destination can store
    a name is for the destination to say.
    """
    name = store.object_name(datafile)
    return _within_dataset(datafile, f"{name}{TAB_SUFFIX}" if datafile.tag == TAB else name)


def original_key_for(datafile: Datafile) -> str:
    """The key that the original script gave it: the text after the *last* colon (design, rule 8)."""
    return _within_dataset(datafile, original_object_name(datafile))


def original_object_name(datafile: Datafile) -> str:
    """The object name that the original script gave it."""
    return datafile.storageidentifier.rpartition(":")[2].removeprefix("//")


def keys_beside(key: str, datafile: Datafile) -> list[str]:
    """Other keys for a datafile whose own belongs to a different one, best first (design, rule 7).

    ``a/b.datafile-7``, and where a datafile lies at ``a``, so that there can be no folder of that name,
    ``a.datafile-7/b``.
    """
    parts = key.split("/")
    mark = _mark(datafile)
    return ["/".join([*parts[:at], parts[at] + mark, *parts[at + 1 :]]) for at in reversed(range(len(parts)))]


def is_beside(key: str, base: str, datafile: Datafile) -> bool:
    """Whether *key* is one of ``keys_beside(base, datafile)``."""
    return may_be_beside(key, datafile) and key in keys_beside(base, datafile)


def may_be_beside(key: str, datafile: Datafile) -> bool:
    """Whether *key* looks like one beside another: nearly none does, and then its own need not be asked for."""
    return _mark(datafile) in key


def _mark(datafile: Datafile) -> str:
    return f".datafile-{datafile.id}"


def superseded_key(key: str, checksum: Checksum, when: datetime) -> str:
    """Where the copy under *key*, whose bytes have *checksum*, is moved aside (design, rule 1)."""
    return f"{SUPERSEDED_PREFIX}/{key}/{when:%Y%m%dT%H%M%S.%fZ}-{checksum.value[:12]}"


def _within_dataset(datafile: Datafile, name: str) -> str:
    dataset = datafile.dataset
    key = "/".join(part for part in (dataset.authority, dataset.identifier, name) if part)
    if is_own(key):
        raise KeyRefused("layout", key, "its name would lead into what the backup keeps for itself")
    return key
