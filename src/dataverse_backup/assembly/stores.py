"""The stores that the configuration names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataverse_backup.assembly.extras import extra
from dataverse_backup.assembly.plain import secret
from dataverse_backup.config.kinds import added_store
from dataverse_backup.config.stores import FileStoreSettings, S3StoreSettings, SwiftStoreSettings
from dataverse_backup.errors import ConfigurationError, Reason
from dataverse_backup.stores.excluded import ExcludedStore
from dataverse_backup.stores.filesystem import FilesystemStore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dataverse_backup.config.stores import StoreSettings
    from dataverse_backup.stores.base import Store


_EXCLUDED = {
    "remote": (Reason.REMOTE, "its bytes are on another server (a remote overlay store)"),
    "globus": (Reason.GLOBUS, "its bytes are at a Globus endpoint"),
    "ignore": (Reason.IGNORED, "the configuration says that this store is not to be backed up"),
}


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
    with extra("s3"):
        from dataverse_backup.services.s3 import S3Access  # noqa: PLC0415 -- when used
        from dataverse_backup.stores.s3 import S3Store  # noqa: PLC0415 -- when used

    has_profile = settings.profile is not None  # it comes before keys (facts 3.2)
    access = S3Access(
        endpoint=settings.custom_endpoint_url,
        region=settings.custom_endpoint_region if settings.custom_endpoint_url else None,
        path_style=settings.path_style_access,
        profile=settings.profile,
        access_key=None if has_profile else secret(settings.access_key),
        secret_key=None if has_profile else secret(settings.secret_key),
        proxy=settings.proxy_url,
    )
    return S3Store(store_id, access, settings.bucket_name)


def _make_swift_store(store_id: str, settings: SwiftStoreSettings) -> Store:
    with extra("swift"):
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
