"""Configuration files that tests of the configuration write and load."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dataverse_backup.config import Settings, load
from dataverse_backup.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

REPOSITORY = "[Repository]\nFileSystemDirectory: /data\n"
BACKUP = "[Backup]\nStorageType: filesystem\nDirectory: /backup\n"
REST = REPOSITORY + BACKUP
"""Makes a configuration whole; appended, so that the lines of what is tested stay the first."""


def written(folder: Path, text: str) -> Path:
    path = folder / "config.ini"
    path.write_bytes(text.encode())
    path.chmod(0o600)
    return path


def loaded(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> Settings:
    return load(written(folder, text), environ or {})


def mistakes(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> list[str]:
    """What loading *text* complains of, line by line, without the name of the file."""
    with pytest.raises(ConfigurationError) as refused:
        loaded(folder, text, environ)
    return str(refused.value).split("\n")[1:]
