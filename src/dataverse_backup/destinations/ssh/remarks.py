"""What is said over there, in our words; without asyncssh, which costs a worker more than many files do."""

from __future__ import annotations

from dataverse_backup.errors import (
    CopyError,
    CopyFailed,
    CopyRefused,
    KeyOccupied,
    KeyRefused,
    NoSpace,
    Unavailable,
)

_REMOTE_WORDS: dict[str, type[CopyError]] = {
    "no space left": NoSpace,
    "quota exceeded": NoSpace,
    "wrote only": NoSpace,  # GNU tar, of the file that filled the disk
    "permission denied": CopyRefused,
    "read-only file system": CopyRefused,
}

_ERRORS: dict[str, type[CopyError]] = {
    "EEXIST": KeyOccupied,
    "EISDIR": KeyOccupied,
    "ENOTDIR": KeyOccupied,
    "ENOSPC": NoSpace,
    "EDQUOT": NoSpace,
    "EACCES": CopyRefused,
    "EPERM": CopyRefused,
    "EROFS": CopyRefused,
    "ENAMETOOLONG": KeyRefused,
    "EILSEQ": KeyRefused,
}
"""By its name in errno.h; what is not here is a CopyFailed."""


def refusal(place: str, key: str, said: str) -> CopyError:
    """Why our program over there did not store *key*: the name of an error, and words."""
    name, _, told = said.partition(" ")
    return _ERRORS.get(name, CopyFailed)(place, key, f"the server said: {told[:500] or 'nothing'}")


def unavailable(place: str, key: str, error: BaseException) -> Unavailable:
    """That the connection ended by *error* while *key* was worked on."""
    return Unavailable(place, key, f"the connection was lost: {words(error)}")


def spoken_error(place: str, key: str, said: str) -> CopyError:
    """What a remote command *said* on its error output, as an error of *key*."""
    known = (ours for phrase, ours in _REMOTE_WORDS.items() if phrase in said.lower())
    return next(known, CopyFailed)(place, key, f"the remote command failed: {said.strip()[:500] or 'it said nothing'}")


def words(error: BaseException) -> str:
    """What *error* says, or at least what it is."""
    return str(error) or type(error).__name__
