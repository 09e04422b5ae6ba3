"""What Swift says, in the words of a destination."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from dataverse_backup.errors import CopyDiffers, CopyFailed, Unavailable
from dataverse_backup.services.copy_errors import copy_error, destination_lost
from dataverse_backup.services.swift import SWIFT_ERRORS, diagnose
from dataverse_backup.services.swift_object import ObjectChanged, UnusableAnswer
from dataverse_backup.services.trouble import Trouble

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def copy_errors(place: str, key: str) -> Iterator[None]:
    """Translate what goes wrong with *key* into CopyError."""
    try:
        yield
    except ObjectChanged as error:
        raise CopyDiffers(place, key, "another object took its name while it was read") from error
    except UnusableAnswer as error:
        raise CopyFailed(place, key, str(error)) from error
    except SWIFT_ERRORS as error:
        raise copy_error(place, key, diagnose(error)) from error


@contextmanager
def writing_errors(place: str, key: str) -> Iterator[None]:
    """As ``copy_errors``, where nothing but the container can be missing: that is the loss of all of it."""
    with copy_errors(place, key):
        try:
            yield
        except SWIFT_ERRORS as error:
            diagnosis = diagnose(error)
            if diagnosis.trouble is not Trouble.MISSING:
                raise
            said, hint = f"its container is gone ({diagnosis.said})", "run `dataverse-backup check`"
            raise Unavailable(place, key, said, hint) from error


@contextmanager
def lost_errors(place: str) -> Iterator[None]:
    """Translate what goes wrong with the destination as a whole into DestinationLost."""
    try:
        yield
    except (ObjectChanged, UnusableAnswer, *SWIFT_ERRORS) as error:
        raise destination_lost(place, diagnose(error)) from error
