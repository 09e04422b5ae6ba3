"""What only some need is installed by those who need it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from dataverse_backup.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Say how to install what only some need, where it is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("dataverse_backup"):
            raise
        said = f"{error.name} is not installed"
        raise ConfigurationError(said, f"pip install 'dataverse-backup[{name}]'") from error
