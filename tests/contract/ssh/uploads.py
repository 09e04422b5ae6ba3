"""What the tests of the destination over SSH send, and what they look at afterwards."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dataverse_backup.destinations.base import Receipt, Staging, Upload
from dataverse_backup.destinations.ssh.destination import SshDestination
from dataverse_backup.fixity import Algorithm, BytesStream
from dataverse_backup.testing.uploads import checksum

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dataverse_backup.destinations.base import Destination
    from dataverse_backup.destinations.ssh import SshSettings
    from dataverse_backup.fixity import ByteStream

STAGING = Staging("ledger-1", "run-1")
DATA = b"some bytes"


def upload(
    key: str,
    data: bytes = DATA,
    algorithm: Algorithm = Algorithm.MD5,
    *,
    on_open: Callable[[], None] | None = None,
    supersede_to: str | None = None,
) -> Upload:
    """An upload of *data*; *on_open* is called when its source is opened."""

    def opened() -> ByteStream:
        if on_open is not None:
            on_open()
        return BytesStream(data, place="store", key=key)

    return Upload(key, opened, algorithm, checksum(data, algorithm), supersede_to)


def destination(settings: SshSettings, abilities: str = "") -> SshDestination:
    return SshDestination("offsite", settings, replace(STAGING, abilities=abilities))


def stored(one: Destination, *uploads: Upload) -> list[Receipt]:
    """The receipts of uploads that must succeed."""
    receipts = []
    for result in one.put(uploads):
        assert isinstance(result, Receipt), result
        receipts.append(result)
    return receipts


def objects(root: Path) -> set[str]:
    """The keys below *root* that are not our own."""
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file() and ".dataverse" not in str(path)}
