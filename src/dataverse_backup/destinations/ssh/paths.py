"""Where keys lie over there."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass

from dataverse_backup.destinations.base import checked_path_key
from dataverse_backup.errors import KeyRefused

_MAX_PATH_BYTES = 4095  # PATH_MAX of Linux, without the closing NUL
_CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class Paths:
    """Below *root*, an absolute path at the destination *place*."""

    place: str
    root: bytes
    keeps_control_characters: bool = False
    """Whether names with control characters come back as they went in. OpenSSH's do; ``rclone serve sftp`` says that it
    stored one, and does not find it any more."""

    def path(self, key: str) -> bytes:
        """Where *key* lies. Raises KeyRefused for what the server would store under another name, or not at all."""
        if not self.keeps_control_characters and _CONTROL_CHARACTER.search(key):
            raise KeyRefused(self.place, key, "this server is not known to keep control characters in names")
        path = posixpath.join(self.root, key.encode())
        if len(path) > _MAX_PATH_BYTES:
            raise KeyRefused(self.place, key, f"its path is longer than {_MAX_PATH_BYTES} bytes")
        return path

    def takes(self, key: str) -> bool:
        """Whether there is a `path` for *key*."""
        try:
            self.path(checked_path_key(self.place, key))
        except KeyRefused:
            return False
        return True


def is_openssh(server: str) -> bool:
    """Whether a *server* that names itself so is OpenSSH's."""
    return server.startswith("SSH-2.0-OpenSSH")
