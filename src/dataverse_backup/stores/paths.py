"""Names of objects in stores that are laid out as folders (facts 2.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataverse_backup.errors import SourceRefused
from dataverse_backup.stores.base import ordered_names

if TYPE_CHECKING:
    from dataverse_backup.datafile import Datafile, Dataset

_HINT = "look at the row's storage identifier and its dataset's PID"


def path_names(store_id: str, datafile: Datafile) -> tuple[str, ...]:
    """The paths, relative to the store's directory, where the registered bytes of *datafile* may lie.

    Authority, identifier and location, as Dataverse joins them: an empty authority leaves nothing behind, and no name
    is escaped. Ingested files end with the form that 4.0.x gave their originals (facts 1.7). Raises SourceRefused for
    what would lead out of the store.
    """
    dataset, location = datafile.dataset, datafile.location
    if dataset.authority.startswith("/") or location.startswith("/"):
        raise SourceRefused(store_id, datafile.storageidentifier, "an absolute path leads out of the store")
    joined = f"{dataset.storage_path}/{location}"
    main = checked_path(store_id, _without_empty_parts(joined))
    names = ordered_names(main, datafile)
    return (*names, _oldest_original(main)) if datafile.is_tabular else names


def dataset_folder(store_id: str, dataset: Dataset) -> str:
    """The path, relative to the store's directory, where Dataverse keeps what belongs to *dataset*.

    Raises SourceRefused for what would lead out of the store.
    """
    if dataset.authority.startswith("/"):
        raise SourceRefused(store_id, dataset.storage_path, "an absolute path leads out of the store")
    return checked_path(store_id, _without_empty_parts(dataset.storage_path))


def _without_empty_parts(path: str) -> str:
    if "//" not in f"/{path}/":  # as nearly always
        return path
    return "/".join(part for part in path.split("/") if part)


def _oldest_original(main: str) -> str:
    folder, slash, name = main.rpartition("/")
    return f"{folder}{slash}_{name}"


def checked_path(store_id: str, name: str) -> str:
    """*name*, if it stays below the store's directory; otherwise raises SourceRefused."""
    if name.startswith("/"):
        raise SourceRefused(store_id, name, "an absolute path leads out of the store", _HINT)
    return checked_name(store_id, name)


def checked_name(store_id: str, name: str) -> str:
    """*name*, if every kind of store can be asked for it without being led astray; otherwise raises SourceRefused."""
    if problem := _problem(name):
        raise SourceRefused(store_id, name, problem, _HINT)
    return name


def _problem(name: str) -> str | None:
    if ".." in name and ".." in name.split("/"):
        return "a '..' part leads out of the store"
    if "\0" in name:
        return "the name holds a NUL character"
    try:
        name.encode()
    except UnicodeEncodeError:
        return "the name is not valid Unicode"
    return None
