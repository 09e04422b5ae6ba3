"""What is concluded where a destination does not do what it did: that it is away, is another one, or has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataverse_backup.destinations.base import Failure
from dataverse_backup.errors import CopyDiffers, CopyFailed, DestinationRefused, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from dataverse_backup.destinations.base import Receipt
    from dataverse_backup.errors import DestinationLost

_MAY_WORK_OTHERWISE = (CopyFailed, CopyDiffers)
"""What becomes of an object where a server can no longer do what it once could."""


def all_unavailable(name: str, keys: Sequence[str], lost: DestinationLost) -> Iterator[Failure]:
    """Failures of *keys* that may be none later; what waits for somebody's decision is raised."""
    if isinstance(lost, DestinationRefused):
        raise lost
    message = lost.message.removeprefix(f"{name}: ")
    return (Failure(key, Unavailable(name, key, message, lost.hint)) for key in keys)


def doubted(name: str, results: Iterable[Receipt | Failure], forget: Callable[[], None]) -> Iterator[Receipt | Failure]:
    """*results*; a failure of what was only assumed to work is none that stays: *forget* what was assumed."""
    for result in results:
        if isinstance(result, Failure) and type(result.error) in _MAY_WORK_OTHERWISE:
            forget()
            said = f"{result.error.message}; what the server can do is probed again"
            yield Failure(result.key, Unavailable(name, result.key, said))
        else:
            yield result


def not_ours(name: str, directory: str) -> DestinationRefused:
    """That the root does not carry our identity any more."""
    said = f"{name}: {directory} does not carry our identity any more: is its disk mounted?"
    return DestinationRefused(said, "run `dataverse-backup check`")
