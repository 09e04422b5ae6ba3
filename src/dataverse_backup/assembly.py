"""Configuration to objects: the only module that names concrete classes.

What only one kind of service needs is imported when that kind is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from dataverse_backup.actions.backup import Site
from dataverse_backup.config.destinations import FilesystemDestinationSettings
from dataverse_backup.config.stores import FileStoreSettings
from dataverse_backup.errors import ConfigurationError, Reason
from dataverse_backup.stores.excluded import ExcludedStore
from dataverse_backup.stores.filesystem import FilesystemStore
from dataverse_backup.transfer import Transfer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dataverse_backup.catalogue.base import Catalogue
    from dataverse_backup.config import Settings
    from dataverse_backup.config.destinations import SshDestinationSettings
    from dataverse_backup.config.stores import StoreSettings
    from dataverse_backup.destinations.base import Destination, Staging
    from dataverse_backup.ledger.base import Ledger
    from dataverse_backup.stores.base import Store

_EXCLUDED = {
    "remote": (Reason.REMOTE, "its bytes are on another server (a remote overlay store)"),
    "globus": (Reason.GLOBUS, "its bytes are at a Globus endpoint"),
    "ignore": (Reason.IGNORED, "the configuration says that this store is not to be backed up"),
}


def open_catalogue(settings: Settings) -> Catalogue:
    """The Dataverse database. Nothing is connected before it is asked."""
    from dataverse_backup.catalogue.dataverse import DatabaseAddress, DataverseCatalogue  # noqa: PLC0415 -- when used

    database = settings.database
    address = DatabaseAddress(
        host=database.host,
        port=database.port,
        dbname=database.database,
        user=database.username,
        password=database.password.get_secret_value() if database.password else None,
        sslmode=database.sslmode,
    )
    return DataverseCatalogue(address, timezone=database.timezone, default_store=settings.default_store)


def open_ledger(settings: Settings) -> Ledger:
    """The ledger; made and migrated at first use. Raises LedgerError."""
    from dataverse_backup.ledger.sql import open_ledger as open_sql_ledger  # noqa: PLC0415 -- SQLAlchemy is slow to load

    return open_sql_ledger(settings.ledger_url)


def make_stores(settings: Mapping[str, StoreSettings]) -> dict[str, Store]:
    """Every configured store, by its Dataverse id. Raises ConfigurationError for a type that is not supported."""
    return {store_id: _make_store(store_id, store) for store_id, store in settings.items()}


def _make_store(store_id: str, settings: StoreSettings) -> Store:
    if settings.type in _EXCLUDED:
        return ExcludedStore(store_id, *_EXCLUDED[settings.type])
    if isinstance(settings, FileStoreSettings):
        return FilesystemStore(store_id, settings.directory)
    said = f"[Store {store_id}]: stores of type {settings.type} cannot be read yet"
    raise ConfigurationError(said, "`type: ignore` leaves its datafiles out, and says so in every report")


def make_destination(settings: SshDestinationSettings | FilesystemDestinationSettings, staging: Staging) -> Destination:
    """The destination, not connected; what it has not yet committed is staged under *staging*."""
    if isinstance(settings, FilesystemDestinationSettings):
        from dataverse_backup.destinations.filesystem import FilesystemDestination  # noqa: PLC0415 -- when used

        return FilesystemDestination(
            settings.name,
            settings.directory,
            staging,
            file_mode=settings.file_mode,
            dir_mode=settings.dir_mode,
        )
    from dataverse_backup.destinations.ssh import SshDestination, SshSettings  # noqa: PLC0415 -- when used

    ssh = SshSettings(
        host=settings.host,
        port=settings.port,
        username=settings.username,
        directory=settings.directory,
        config_file=_text(settings.config_file),
        identity_file=_text(settings.identity_file),
        known_hosts=_text(settings.known_hosts),
        accept_new_host_keys=settings.accept_new_host_keys,
        file_mode=settings.file_mode,
        dir_mode=settings.dir_mode,
    )
    return SshDestination(settings.name, ssh, staging)


def _text(path: object) -> str | None:
    return None if path is None else str(path)


@dataclass(frozen=True)
class TransferFactory:
    """Makes the transfer of a worker process; picklable."""

    stores: Mapping[str, StoreSettings]
    destination: SshDestinationSettings | FilesystemDestinationSettings
    staging: Staging

    def __call__(self) -> Transfer:
        destination = make_destination(self.destination, self.staging)
        return Transfer(make_stores(self.stores), destination, identity=self.staging.ledger_id)


def make_site(settings: Settings, name: str, catalogue: Catalogue, ledger: Ledger, stores: Mapping[str, Store]) -> Site:
    """Everything that a backup to the destination called *name* needs."""
    destination = settings.destinations[name]
    return Site(
        name=name,
        method=destination.storage_type,
        catalogue=catalogue,
        ledger=ledger,
        stores=stores,
        open_destination=partial(make_destination, destination),
        transfers=partial(TransferFactory, settings.stores, destination),
        workers=destination.workers,
        batch_files=destination.batch_files,
        batch_bytes=destination.batch_bytes,
    )


def open_destination(settings: Settings, name: str) -> Callable[[Staging], Destination]:
    """Makes the destination called *name*, given where it stages."""
    return partial(make_destination, settings.destinations[name])
