"""Notes of ours in a folder: staged, synced, and then over the notes that lay there."""

from __future__ import annotations

import os
import secrets
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from dataverse_backup.destinations.attempt import folders_above, parent
from dataverse_backup.destinations.base import Failure, checked_path_key
from dataverse_backup.errors import ObjectError
from dataverse_backup.services.files import write_all
from dataverse_backup.services.system_errors import copy_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dataverse_backup.destinations.base import Staging
    from dataverse_backup.services.tree import Tree

_SYNCS = 8
"""How many files are synced at once: a file system commits them together."""


class FolderNotes:
    """One call of ``write_notes``."""

    def __init__(self, place: str, tree: Tree, staging: Staging) -> None:
        """Stage below *staging*; *place* names the destination in errors."""
        self._place, self._tree = place, tree
        self._folder = f"{staging.prefix}/{secrets.token_hex(8)}"
        self._failures: list[Failure] = []
        self._changed: set[str] = set()

    def write(self, notes: Mapping[str, bytes | None]) -> list[Failure]:
        """Those that failed. Raises OSError where the folders cannot be synced."""
        staged = {key: f"{self._folder}/{number}" for number, key in enumerate(notes)}
        try:
            self._tree.make_folder(self._folder)
            with ThreadPoolExecutor(_SYNCS) as pool:
                done = pool.map(lambda key: self._tried(key, partial(self._stage, staged[key], notes[key])), notes)
                whole = [key for key, is_done in zip(notes, done, strict=True) if is_done]
            for key in whole:
                self._tried(
                    key,
                    partial(self._take_away, key) if notes[key] is None else partial(self._reveal, staged[key], key),
                )
            for folder in self._changed:
                self._tree.sync(folder)
        finally:
            with suppress(OSError):  # a later sweep does it
                self._tree.remove_folder(self._folder)
        return self._failures

    def _tried(self, key: str, step: Callable[[], None]) -> bool:
        try:
            with copy_errors(self._place, checked_path_key(self._place, key)):
                step()
        except ObjectError as error:
            self._failures.append(Failure(key, error))
            return False
        return True

    def _stage(self, name: str, data: bytes | None) -> None:
        if data is None:
            return
        with os.fdopen(self._tree.create(name), "wb", buffering=0) as file:
            write_all(file.fileno(), data)
            os.fsync(file.fileno())

    def _reveal(self, name: str, key: str) -> None:
        self._tree.make_folder(parent(key))
        self._tree.replace(name, key)
        self._changed |= set(folders_above(key))

    def _take_away(self, key: str) -> None:
        if self._tree.status(key) is not None:
            self._tree.unlink(key)
            self._changed.add(parent(key))
