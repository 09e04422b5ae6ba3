"""The destinations that the configuration names, and the folders that something is restored to."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from dataverse_backup.assembly.extras import extra
from dataverse_backup.assembly.plain import secret
from dataverse_backup.config.destinations import (
    FilesystemDestinationSettings,
    S3DestinationSettings,
    SshDestinationSettings,
    SwiftDestinationSettings,
)
from dataverse_backup.config.kinds import added_destination
from dataverse_backup.errors import ConfigurationError
from dataverse_backup.fixity import VerifiedBy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from dataverse_backup.config import Settings
    from dataverse_backup.config.destinations import DestinationSettings
    from dataverse_backup.destinations.base import Destination, Staging
    from dataverse_backup.destinations.ssh import SshSettings


def make_destination(settings: DestinationSettings, staging: Staging) -> Destination:
    """The destination, not connected; what it has not yet committed is staged under *staging*."""
    if isinstance(settings, FilesystemDestinationSettings):
        return _make_filesystem(settings, staging)
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


def make_destination_for_worker(settings: DestinationSettings, staging: Staging) -> Destination:
    """The same for a worker: somebody has reached it before, and staging says what was found out then."""
    if isinstance(settings, SshDestinationSettings):
        return _make_carried_ssh(settings, staging)
    return make_destination(settings, staging)


def module_of(settings: DestinationSettings, *, for_worker: bool) -> str:
    """What the destination is made from, or that which is made for a worker; no module where a package brings it."""
    if isinstance(settings, SshDestinationSettings):
        is_carried = for_worker and settings.program == "auto"
        return f"dataverse_backup.destinations.ssh.{'carried' if is_carried else 'destination'}"
    return f"dataverse_backup.destinations.{settings.storage_type}"


def open_destination(settings: Settings, name: str) -> Callable[[Staging], Destination]:
    """Makes the destination called *name*, given where it stages."""
    return partial(make_destination, settings.destinations[name])


def _make_filesystem(settings: FilesystemDestinationSettings, staging: Staging) -> Destination:
    from dataverse_backup.destinations.filesystem import FilesystemDestination  # noqa: PLC0415 -- when used

    modes = {"file_mode": settings.file_mode, "dir_mode": settings.dir_mode}
    return FilesystemDestination(settings.name, settings.directory, staging, **modes)


def _make_ssh(settings: SshDestinationSettings, staging: Staging) -> Destination:
    from dataverse_backup.destinations.ssh.destination import SshDestination  # noqa: PLC0415 -- when used

    return SshDestination(settings.name, _ssh_settings(settings), staging)


def _make_carried_ssh(settings: SshDestinationSettings, staging: Staging) -> Destination:
    from dataverse_backup.destinations.ssh.carried import CarriedSshDestination  # noqa: PLC0415 -- when used

    return CarriedSshDestination(settings.name, _ssh_settings(settings), staging)


def _ssh_settings(settings: SshDestinationSettings) -> SshSettings:
    from dataverse_backup.destinations.ssh import SshSettings  # noqa: PLC0415 -- when used

    return SshSettings(
        host=settings.host,
        port=settings.port,
        username=settings.username,
        directory=settings.directory,
        config_file=settings.config_file,
        identity_file=settings.identity_file,
        known_hosts=settings.known_hosts,
        accept_new_host_keys=settings.accept_new_host_keys,
        uses_program=settings.program == "auto",
        file_mode=settings.file_mode,
        dir_mode=settings.dir_mode,
    )


def _make_s3(settings: S3DestinationSettings, staging: Staging) -> Destination:
    with extra("s3"):
        from dataverse_backup.destinations.s3 import S3Destination, S3Settings  # noqa: PLC0415 -- when used
        from dataverse_backup.services.s3 import S3Access  # noqa: PLC0415 -- when used

    access = S3Access(
        endpoint=settings.endpoint,
        region=settings.region,
        path_style=settings.is_path_style,
        profile=settings.profile,
        access_key=secret(settings.access_key),
        secret_key=secret(settings.secret_key),
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
    with extra("swift"):
        from dataverse_backup.destinations.swift import SwiftDestination, SwiftSettings  # noqa: PLC0415 -- when used
        from dataverse_backup.services.swift import SwiftAccess  # noqa: PLC0415 -- when used

    access = SwiftAccess(
        auth_url=settings.auth_url,
        auth_version=settings.auth_version,
        user=settings.user,
        key=secret(settings.key) or "",
        project=settings.tenant,
        user_domain=settings.user_domain,
        project_domain=settings.project_domain,
        region=settings.region,
        endpoint=settings.endpoint,
        application_credential_id=settings.application_credential_id,
        application_credential_secret=secret(settings.application_credential_secret) or "",
    )
    swift = SwiftSettings(
        access=access,
        container=settings.own_container,
        per_dataset=settings.is_per_dataset,
        verify=VerifiedBy(settings.verify),
        segment_size=settings.segment_size,
    )
    return SwiftDestination(settings.name, swift, staging)


def open_folder(folder: Path, staging: Staging) -> Destination:
    """*folder*, to put into it what is restored; not connected."""
    from dataverse_backup.destinations.filesystem import FilesystemDestination  # noqa: PLC0415 -- when used

    return FilesystemDestination(str(folder), folder, staging)


_SPEED = {"filesystem": 0, "ssh": 1}
"""How fast destinations of a kind are read, the fastest first; every other kind comes after them."""


def by_speed(settings: Settings, names: Iterable[str]) -> list[str]:
    """The destinations called *names*, the one that is read from fastest first."""
    kinds = {name: settings.destinations[name].storage_type for name in names}
    return sorted(kinds, key=lambda name: (_SPEED.get(kinds[name], len(_SPEED)), name))
