"""Being an ordinary user for a moment: root may read and write everything, so refusals need somebody else."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

_NOBODY = 65534

_UNPRIVILEGED = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")


@contextmanager
def ordinary_user() -> Iterator[None]:
    """Nobody's rights, where ours are root's."""
    if os.geteuid() != 0:
        yield
        return
    group = os.getegid()
    os.setegid(_NOBODY)
    os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)


@contextmanager
def open_folder() -> Iterator[Path]:
    """A temporary folder that every user can enter and read."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def unprivileged() -> tuple[str, ...]:
    """To be put before a command: root who may do no more than the owner of root's files, so that modes count for it.

    The test is skipped where root may not become that.
    """
    if os.geteuid() != 0:
        return ()
    if shutil.which(_UNPRIVILEGED[0]) is None or subprocess.run([*_UNPRIVILEGED, "true"], check=False).returncode:
        pytest.skip("privileges cannot be given up here")
    return _UNPRIVILEGED
