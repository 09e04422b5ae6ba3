"""Where the configuration file is looked for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from dataverse_backup.errors import ConfigurationError, printable

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE = "DATAVERSE_BACKUP_CONFIG"
HINT = "dataverse-backup config generate > config.ini writes one to begin with"


def find(explicit: Path | None, environ: Mapping[str, str] = os.environ) -> Path:
    """The file to load: *explicit*, else that of the environment, else the first that exists.

    One that was named and does not exist is an error, never passed over. Raises ConfigurationError.
    """
    if explicit is not None:
        return _named(explicit, "")
    if environ.get(VARIABLE):
        return _named(Path(environ[VARIABLE]), f", named by ${VARIABLE},")
    looked_at = places(environ)
    for place in looked_at:
        if _exists(place):
            return place
    looked = "\n".join(f"  {place}" for place in looked_at)
    raise ConfigurationError(f"no configuration file; looked for\n{looked}", HINT)


def places(environ: Mapping[str, str]) -> list[Path]:
    """Where a file is looked for that nobody named, in this order."""
    homes = [Path(environ["HOME"])] if environ.get("HOME") else []
    return [
        Path("config.ini"),
        *(home / ".config" / "dataverse-backup" / "config.ini" for home in homes),
        Path("/etc/dataverse-backup/config.ini"),
    ]


def _named(path: Path, by: str) -> Path:
    if not _exists(path):
        raise ConfigurationError(f"the configuration file {printable(str(path))}{by} does not exist", HINT)
    return path


def _exists(path: Path) -> bool:
    return os.path.exists(path)  # noqa: PTH110 - False for a folder that we may not enter, where Path.exists raises
