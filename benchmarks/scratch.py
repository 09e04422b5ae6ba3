"""Where everything lies that is measured; nothing of it is removed before all is measured.

For minutes after files were deleted, ext4 without a journal looks at their inodes again whenever a file is made
(``recently_deleted`` in fs/ext4/ialloc.c: 60 seconds, and 300 more while the deletion is not on the disk). Making files
takes up to thirty times as long then, for whoever is measured next.
"""

from __future__ import annotations

import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

REMEMBERED_SECONDS = 360
MARK = "dataverse-backup-bench-has-deleted"
"""A file that says by its time when a benchmark has removed its files."""


@contextmanager
def scratch(above: Path | None, *, is_quick: bool) -> Iterator[Path]:
    """A new folder below *above*, by default that of temporary files, as soon as what was removed there is forgotten.

    A quick one waits for nothing, and nobody waits because of it: it is not to compare.
    """
    place = above or Path(tempfile.gettempdir())
    if not is_quick and (left := seconds_to_wait(place)) > 0:
        said = (
            f"a benchmark has removed many files in {place}, which slows down whoever makes some: waiting {left:.0f} s"
        )
        print(said, file=sys.stderr, flush=True)
        time.sleep(left)
    try:
        with tempfile.TemporaryDirectory(prefix="dataverse-backup-bench-", dir=place) as name:
            yield Path(name)
    finally:
        if not is_quick:
            (place / MARK).touch()


def seconds_to_wait(place: Path) -> float:
    """So long it takes until nothing in *place* is remembered as removed by a benchmark."""
    try:
        return REMEMBERED_SECONDS - (time.time() - (place / MARK).stat().st_mtime)
    except FileNotFoundError:
        return 0
