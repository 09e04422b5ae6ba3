"""`rclone copy`, with a configuration that is not the user's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.contender import found
from benchmarks.measuring import Command

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from benchmarks.contender import Run


def rclone_copy(run: Run, remote: Mapping[str, str], to: Path | str, options: Iterable[str]) -> Command:
    """Copy *run* into the folder or bucket *to* of *remote*, whose settings these are."""
    environment = {f"RCLONE_CONFIG_BENCH_{key}": value for key, value in remote.items()}
    environment["RCLONE_CONFIG"] = str(run.folder / "rclone.conf")
    return Command([found("rclone") or "rclone", "copy", *options, run.files, f"bench:{to}"], environment)
