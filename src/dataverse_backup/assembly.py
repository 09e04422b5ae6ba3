"""Configuration to objects: the only module that names concrete classes.

What only one kind of service needs is imported when that kind is used.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from dataverse_backup.actions.sites import Installation, KeptDumps, Site
from dataverse_backup.allowance import Limits
from dataverse_backup.brake import Thresholds
from dataverse_backup.config.destinations import (
    FilesystemDestinationSettings,
    S3DestinationSettings,
    SshDestinationSettings,
    SwiftDestinationSettings,
)
from dataverse_backup.config.kinds import added_destination, added_store
from dataverse_backup.config.stores import FileStoreSettings, S3StoreSettings, SwiftStoreSettings
from dataverse_backup.destinations.base import Staging
from dataverse_backup.engine import Capacity
from dataverse_backup.errors import ConfigurationError, DestinationLost, Reason, WorkersLost
from dataverse_backup.fixity import VerifiedBy
from dataverse_backup.generations import Retention
from dataverse_backup.retrieval import FolderTarget, RetrieverFactory, StoreTarget
from dataverse_backup.stores.excluded import ExcludedStore
from dataverse_backup.stores.filesystem import FilesystemStore
from dataverse_backup.transfer import Transfer
from dataverse_backup.workers import processes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from pydantic import SecretStr

    from dataverse_backup.catalogue.base import Catalogue
    from dataverse_backup.catalogue.connection import DatabaseAddress
    from dataverse_backup.catalogue.dumping import Dumper
    from dataverse_backup.cluster.connection import Cluster
    from dataverse_backup.config import Settings
    from dataverse_backup.config.destinations import DestinationSettings
    from dataverse_backup.config.notifications import NotificationSettings
    from dataverse_backup.config.stores import StoreSettings
    from dataverse_backup.destinations.base import Destination
    from dataverse_backup.ledger.base import Ledger
    from dataverse_backup.notify.base import Channel
    from dataverse_backup.retrieval import Target
    from dataverse_backup.stores.base import Store

_EXCLUDED = {
    "remote": (Reason.REMOTE, "its bytes are on another server (a remote overlay store)"),
    "globus": (Reason.GLOBUS, "its bytes are at a Globus endpoint"),
    "ignore": (Reason.IGNORED, "the configuration says that this store is not to be backed up"),
}


def open_catalogue(settings: Settings) -> Catalogue:
    """The Dataverse database. Nothing is connected before it is asked."""
    from dataverse_backup.catalogue.dataverse import DataverseCatalogue  # noqa: PLC0415 -- when used

    database, address = settings.database, _address(settings)
    return DataverseCatalogue(
        address,
        timezone=database.timezone,
        default_store=settings.default_store,
        companions=settings.companions,
    )


def make_dumper(settings: Settings, names: Iterable[str]) -> Dumper | None:
    """What dumps the Dataverse database, if one of the destinations called *names* is to keep dumps."""
    if not any(settings.destinations[name].database_dump for name in names):
        return None
    from dataverse_backup.catalogue.pg_dump import PgDump  # noqa: PLC0415 -- when used

    return PgDump(_address(settings), _text(settings.database.pg_dump))


def _address(settings: Settings) -> DatabaseAddress:
    from dataverse_backup.catalogue.connection import DatabaseAddress  # noqa: PLC0415 -- when used

    database = settings.database
    return DatabaseAddress(
        host=database.host,
        port=database.port,
        dbname=database.database,
        user=database.username,
        password=database.password.get_secret_value() if database.password else None,
        sslmode=database.sslmode,
    )


def open_ledger(settings: Settings) -> Ledger:
    """The ledger; made and migrated at first use. Raises LedgerError."""
    from dataverse_backup.ledger.sql import open_ledger as open_sql_ledger  # noqa: PLC0415 -- SQLAlchemy is slow to load

    return open_sql_ledger(settings.ledger_url)


def find_ledger(settings: Settings) -> Ledger | None:
    """The ledger, or None where no run has made it yet; makes nothing. Raises LedgerError."""
    from dataverse_backup.ledger.sql import find_ledger as find_sql_ledger  # noqa: PLC0415 -- SQLAlchemy is slow to load

    return find_sql_ledger(settings.ledger_url)


def empty_ledger() -> Ledger:
    """What is known before the first run; it is forgotten again."""
    from dataverse_backup.ledger.memory import MemoryLedger  # noqa: PLC0415 -- hardly ever needed

    return MemoryLedger()


@contextmanager
def _extra(name: str) -> Iterator[None]:
    """Say how to install what only some need, where it is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("dataverse_backup"):
            raise
        said = f"{error.name} is not installed"
        raise ConfigurationError(said, f"pip install 'dataverse-backup[{name}]'") from error


def make_stores(settings: Mapping[str, StoreSettings]) -> dict[str, Store]:
    """Every configured store, by its Dataverse id. Raises ConfigurationError for a type that is not supported."""
    return {store_id: _make_store(store_id, store) for store_id, store in settings.items()}


def _make_store(store_id: str, settings: StoreSettings) -> Store:
    if settings.type in _EXCLUDED:
        return ExcludedStore(store_id, *_EXCLUDED[settings.type])
    if isinstance(settings, FileStoreSettings):
        return FilesystemStore(store_id, settings.directory)
    if isinstance(settings, S3StoreSettings):
        return _make_s3_store(store_id, settings)
    if isinstance(settings, SwiftStoreSettings):
        return _make_swift_store(store_id, settings)
    if kind := added_store(settings.type):
        return kind.make(store_id, settings)
    said = f"[Store {store_id}]: stores of type {settings.type} cannot be read yet"
    raise ConfigurationError(said, "`type: ignore` leaves its datafiles out, and says so in every report")


def _make_s3_store(store_id: str, settings: S3StoreSettings) -> Store:
    with _extra("s3"):
        from dataverse_backup.services.s3 import S3Access  # noqa: PLC0415 -- when used
        from dataverse_backup.stores.s3 import S3Store  # noqa: PLC0415 -- when used

    has_profile = settings.profile is not None  # it comes before keys (facts 3.2)
    access = S3Access(
        endpoint=settings.custom_endpoint_url,
        region=settings.custom_endpoint_region if settings.custom_endpoint_url else None,
        path_style=settings.path_style_access,
        profile=settings.profile,
        access_key=None if has_profile else _secret(settings.access_key),
        secret_key=None if has_profile else _secret(settings.secret_key),
        proxy=settings.proxy_url,
    )
    return S3Store(store_id, access, settings.bucket_name)


def _make_swift_store(store_id: str, settings: SwiftStoreSettings) -> Store:
    with _extra("swift"):
        from dataverse_backup.services.swift import DATAVERSE_LOGINS, SwiftAccess  # noqa: PLC0415 -- when used
        from dataverse_backup.stores.swift import SwiftStore  # noqa: PLC0415 -- when used

    endpoints = {
        name: SwiftAccess(
            auth_url=url,
            auth_version=DATAVERSE_LOGINS[settings.auth_type.get(name, "keystone")],
            user=settings.username[name],
            key=settings.password[name].get_secret_value(),
            project=settings.tenant.get(name, ""),
        )
        for name, url in settings.auth_url.items()
    }
    return SwiftStore(store_id, endpoints)


def make_destination(settings: DestinationSettings, staging: Staging) -> Destination:
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
    if isinstance(settings, SshDestinationSettings):
        return _make_ssh(settings, staging)
    if isinstance(settings, S3DestinationSettings):
        return _make_s3(settings, staging)
    if isinstance(settings, SwiftDestinationSettings):
        return _make_swift(settings, staging)
    kind = added_destination(settings.storage_type)
    if kind is None:
        raise ConfigurationError(f"no installed package brings StorageType {settings.storage_type}")
    return kind.make(settings, staging)


def _make_ssh(settings: SshDestinationSettings, staging: Staging) -> Destination:
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


def _make_s3(settings: S3DestinationSettings, staging: Staging) -> Destination:
    with _extra("s3"):
        from dataverse_backup.destinations.s3 import S3Destination, S3Settings  # noqa: PLC0415 -- when used
        from dataverse_backup.services.s3 import S3Access  # noqa: PLC0415 -- when used

    access = S3Access(
        endpoint=settings.endpoint,
        region=settings.region,
        path_style=settings.is_path_style,
        profile=settings.profile,
        access_key=_secret(settings.access_key),
        secret_key=_secret(settings.secret_key),
    )
    s3 = S3Settings(
        access=access,
        bucket=settings.bucket,
        prefix=settings.prefix,
        verify=VerifiedBy(settings.verify),
        copies_within=settings.server_side_copy == "auto",
        storage_class=settings.storage_class,
        encryption=None if settings.encryption == "none" else settings.encryption,
        kms_key=settings.kms_key,
        lock_mode=None if settings.object_lock == "none" else settings.object_lock,
        lock_days=settings.object_lock_days or 0,
    )
    return S3Destination(settings.name, s3, staging)


def _make_swift(settings: SwiftDestinationSettings, staging: Staging) -> Destination:
    with _extra("swift"):
        from dataverse_backup.destinations.swift import SwiftDestination, SwiftSettings  # noqa: PLC0415 -- when used
        from dataverse_backup.services.swift import SwiftAccess  # noqa: PLC0415 -- when used

    access = SwiftAccess(
        auth_url=settings.auth_url,
        auth_version=settings.auth_version,
        user=settings.user,
        key=_secret(settings.key) or "",
        project=settings.tenant,
        user_domain=settings.user_domain,
        project_domain=settings.project_domain,
        region=settings.region,
        endpoint=settings.endpoint,
        application_credential_id=settings.application_credential_id,
        application_credential_secret=_secret(settings.application_credential_secret) or "",
    )
    swift = SwiftSettings(
        access=access,
        container=settings.own_container,
        per_dataset=settings.is_per_dataset,
        verify=VerifiedBy(settings.verify),
        segment_size=settings.segment_size,
    )
    return SwiftDestination(settings.name, swift, staging)


def _secret(value: SecretStr | None) -> str | None:
    return value.get_secret_value() if value else None


def _text(path: object) -> str | None:
    return None if path is None else str(path)


@dataclass(frozen=True)
class TransferFactory:
    """Makes the transfer to one destination in a worker process; picklable."""

    destination: DestinationSettings
    staging: Staging

    def __call__(self, stores: Mapping[str, Store]) -> Transfer:
        """Copies from *stores*."""
        destination = make_destination(self.destination, self.staging)
        return Transfer(stores, destination, identity=self.staging.ledger_id)


def make_installation(settings: Settings, catalogue: Catalogue, ledger: Ledger) -> Installation:
    """What all destinations have in common. Raises ConfigurationError for a store that cannot be read."""
    make = partial(make_stores, settings.stores)
    return Installation(catalogue, ledger, make(), make, make_dumper(settings, settings.destinations))


def make_site(settings: Settings, name: str, cluster: Cluster | None = None) -> Site:
    """Everything that a backup to the destination called *name* needs; *cluster* does the work, or this machine."""
    destination = settings.destinations[name]
    return Site(
        name=name,
        method=destination.storage_type,
        open_destination=partial(_reach, destination, cluster),
        make_transfer=partial(TransferFactory, destination),
        capacity=Capacity(destination.workers, destination.batch_files, destination.batch_bytes),
        limits=Limits(destination.max_duration, destination.max_bytes),
        thresholds=Thresholds(destination.brake_share, destination.brake_count),
        bandwidth=destination.bandwidth_limit,
        open_workers=processes if cluster is None else cluster.open_workers,
        dumps=_kept_dumps(destination) if destination.database_dump else None,
        in_workers=partial(make_destination, destination),
    )


def _kept_dumps(settings: DestinationSettings) -> KeptDumps:
    age = timedelta(seconds=settings.database_dump_keep_for)
    every = timedelta(seconds=settings.database_dump_every)
    return KeptDumps(Retention(settings.database_dump_keep, age), every)


def _reach(settings: DestinationSettings, cluster: Cluster | None, staging: Staging) -> Destination:
    """The destination; what nobody can work on is lost from the start, as one that does not answer is."""
    if cluster is not None:
        try:
            cluster.connect()
        except WorkersLost as lost:
            raise DestinationLost(f"{settings.name}: {lost.message}", lost.hint) from lost
    return make_destination(settings, staging)


@contextmanager
def open_clusters(
    settings: Settings, names: Iterable[str], scheduler: str | None, is_stopping: Callable[[], bool]
) -> Iterator[dict[str, Cluster]]:
    """The cluster of each destination of *names* that is to have one; of all of them, where *scheduler* is given."""
    by_address: dict[str, list[str]] = defaultdict(list)
    for name in names:
        if address := scheduler or settings.destinations[name].scheduler:
            by_address[address].append(name)
    with ExitStack() as opened:
        yield {
            name: cluster
            for address, its in by_address.items()
            for cluster in [opened.enter_context(_make_cluster(settings, address, its, is_stopping))]
            for name in its
        }


def _make_cluster(settings: Settings, address: str, names: list[str], is_stopping: Callable[[], bool]) -> Cluster:
    with _extra("cluster"):
        import distributed  # noqa: F401, PLC0415 -- when used

    from dataverse_backup.cluster.connection import Cluster  # noqa: PLC0415 -- when used

    destinations = [settings.destinations[name] for name in names]
    return Cluster(address, settings, names, partial(_try_out, settings.stores, destinations), is_stopping)


def _try_out(stores: Mapping[str, StoreSettings], destinations: Iterable[DestinationSettings]) -> None:
    """Make all of them, and connect to none: what is not installed, or cannot be used, is known then."""
    for store in make_stores(stores).values():
        store.close()
    for destination in destinations:
        make_destination(destination, Staging("", "")).close()


_SPEED = {"filesystem": 0, "ssh": 1}
"""How fast destinations of a kind are read, the fastest first; every other kind comes after them."""


def by_speed(settings: Settings, names: Iterable[str]) -> list[str]:
    """The destinations called *names*, the one that is read from fastest first."""
    kinds = {name: settings.destinations[name].storage_type for name in names}
    return sorted(kinds, key=lambda name: (_SPEED.get(kinds[name], len(_SPEED)), name))


def open_passing_ledger(folder: Path) -> Ledger:
    """A ledger in *folder*, for the time of one command."""
    from dataverse_backup.ledger.sql import open_ledger as open_sql_ledger  # noqa: PLC0415 -- as above

    return open_sql_ledger(f"sqlite:///{folder}/ledger.db")


def make_retriever(
    settings: Settings, names: Iterable[str], make_target: Callable[[], Target], *, identity: str | None
) -> RetrieverFactory:
    """Makes what brings datafiles back from the destinations called *names*, which carry *identity*; picklable."""
    staging = Staging(identity or "reader", f"restore-{uuid.uuid4().hex}")  # nothing is staged there
    places = {name: partial(make_destination, settings.destinations[name], staging) for name in names}
    return RetrieverFactory(places, make_target, identity)


@dataclass(frozen=True)
class FolderTargetFactory:
    """Makes what brings datafiles into a folder; picklable."""

    folder: Path
    staging: Staging

    def __call__(self) -> FolderTarget:
        """With a connection of its own."""
        return FolderTarget(open_folder(self.folder, self.staging))


def open_folder(folder: Path, staging: Staging) -> Destination:
    """*folder*, to put into it what is restored; not connected."""
    from dataverse_backup.destinations.filesystem import FilesystemDestination  # noqa: PLC0415 -- when used

    return FilesystemDestination(str(folder), folder, staging)


@dataclass(frozen=True)
class StoreTargetFactory:
    """Makes what puts datafiles back into the stores; picklable."""

    stores: Mapping[str, StoreSettings]

    def __call__(self) -> StoreTarget:
        """With connections of its own."""
        return StoreTarget(make_stores(self.stores))


def make_channels(settings: NotificationSettings) -> list[Channel]:
    """Every way in which people are to hear of a run."""
    channels: list[Channel] = []
    if settings.email:
        channels.append(_make_mail(settings))
    if settings.notify_urls is not None:
        from dataverse_backup.notify.chat import Chat  # noqa: PLC0415 -- when used

        channels.append(Chat(settings.notify_urls.get_secret_value().split()))
    return channels


def _make_mail(settings: NotificationSettings) -> Channel:
    from dataverse_backup.notify.command import MailCommand, Sendmail, is_sendmail  # noqa: PLC0415 -- when used
    from dataverse_backup.notify.smtp import SmtpMail, SmtpServer  # noqa: PLC0415 -- when used

    if settings.smtp_server is not None:
        password = settings.smtp_password.get_secret_value() if settings.smtp_password else None
        server = SmtpServer(
            settings.smtp_server, settings.port, settings.smtp_security, settings.smtp_username, password
        )
        return SmtpMail(settings.email, server, settings.sender)
    if is_sendmail(settings.mail_command):
        return Sendmail(settings.email, settings.mail_command, sender=settings.sender)
    return MailCommand(settings.email, settings.mail_command)


def open_destination(settings: Settings, name: str) -> Callable[[Staging], Destination]:
    """Makes the destination called *name*, given where it stages."""
    return partial(make_destination, settings.destinations[name])
