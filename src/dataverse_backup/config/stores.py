"""What a ``[Store ID]`` section says about one of Dataverse's stores, in Dataverse's own key names (facts 3.2)."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from dataverse_backup.config.values import (
    OF_MACHINE,
    BucketName,
    Endpoint,
    LocalPath,
    SectionModel,
    Word,
    folder_place,
    s3_place,
)

PER_ENDPOINT = ".<endpoint>"
"""The end of an alias whose key is given once for every Swift endpoint."""


class StoreSettings(SectionModel):
    """What every store has: its type, which says how it is read."""

    type: str

    def place(self) -> Hashable:
        """What is equal to the place of a destination that would be written into this store; None where none can be."""
        return None


class FileStoreSettings(StoreSettings):
    """Files below a folder on this machine."""

    type: Literal["file"] = Field(alias="type", description="How Dataverse keeps the files.")
    directory: LocalPath = Field(
        Path("/tmp/files"),  # noqa: S108 - Dataverse's own default (facts 2.2), only read
        alias="directory",
        description="The folder of the files.",
    )

    def place(self) -> Hashable:
        """The folder."""
        return folder_place(self.directory)


class RemoteStoreSettings(StoreSettings):
    """Files on somebody else's web server: known, never copied."""

    type: Literal["remote"] = Field(alias="type", description="How Dataverse keeps the files.")
    base_store: str | None = Field(None, alias="base-store", description="The store of what Dataverse adds itself.")


class GlobusStoreSettings(StoreSettings):
    """Files at a Globus endpoint: known, never copied."""

    type: Literal["globus"] = Field(alias="type", description="How Dataverse keeps the files.")
    base_store: str | None = Field(None, alias="base-store", description="The store of what Dataverse adds itself.")


class IgnoredStoreSettings(StoreSettings):
    """A store that the administrator leaves out: its files are counted, never copied."""

    type: Literal["ignore"] = Field(alias="type", description="How Dataverse keeps the files.")


class S3StoreSettings(StoreSettings):
    """Objects in one S3 bucket. Without keys and profile the usual AWS places are asked."""

    type: Literal["s3"] = Field(alias="type", description="How Dataverse keeps the files.")
    bucket_name: BucketName = Field(alias="bucket-name", description="The bucket.", examples=["dataverse"])
    custom_endpoint_url: Endpoint | None = Field(
        None, alias="custom-endpoint-url", description="The service, if it is not AWS; with or without scheme."
    )
    custom_endpoint_region: Word = Field(
        "dataverse", alias="custom-endpoint-region", description="The region to sign for at a custom endpoint."
    )
    path_style_access: bool = Field(
        False, alias="path-style-access", description="Whether the bucket is in the path, not in the host name."
    )
    profile: str | None = Field(
        None,
        alias="profile",
        description="A profile of ~/.aws of the user of the backup.",
        json_schema_extra=OF_MACHINE,
    )
    proxy_url: str | None = Field(
        None, alias="proxy-url", description="A proxy on the way to the service.", json_schema_extra=OF_MACHINE
    )
    access_key: SecretStr | None = Field(None, alias="access-key", description="The id of an access key.")
    secret_key: SecretStr | None = Field(
        None, alias="secret-key", description="The secret of that access key.", validate_default=True
    )

    def place(self) -> Hashable:
        """The bucket: without a prefix, the keys of copies are those of the files themselves."""
        return s3_place(self.custom_endpoint_url, self.bucket_name)

    @field_validator("secret_key")
    @classmethod
    def _both_or_none(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if (value is None) != (info.data.get("access_key") is None):
            raise ValueError("access-key and secret-key are given together, or none of them")
        return value


SWIFT_LOGINS = ("keystone", "keystone_v3", "basic")
"""Dataverse's words for Keystone version 2 and 3, and for the login of Swift itself."""


class SwiftStoreSettings(StoreSettings):
    """Objects in Swift containers. Keys with an endpoint's name are dictionaries by that name."""

    type: Literal["swift"] = Field(alias="type", description="How Dataverse keeps the files.")
    default_endpoint: str = Field(
        alias="defaultEndpoint", description="The endpoint of what names none.", examples=["endpoint1"]
    )
    auth_type: dict[str, str] = Field(
        {}, alias="authType.<endpoint>", description="keystone (where none is given), keystone_v3 or basic."
    )
    auth_url: dict[str, Endpoint] = Field(
        {}, alias="authUrl.<endpoint>", description="Where to log in.", validate_default=True
    )
    tenant: dict[str, str] = Field({}, alias="tenant.<endpoint>", description="The tenant or project.")
    username: dict[str, str] = Field({}, alias="username.<endpoint>", description="The user.", validate_default=True)
    password: dict[str, SecretStr] = Field(
        {}, alias="password.<endpoint>", description="The password.", validate_default=True
    )
    endpoint: dict[str, str] = Field(
        {},
        alias="endpoint.<endpoint>",
        description="What Dataverse begins public addresses with; not used by a backup.",
    )
    hash_key: dict[str, SecretStr] = Field(
        {}, alias="hashKey.<endpoint>", description="The key of temporary addresses; not used by a backup."
    )
    folder_path_separator: str = Field(
        "_",
        alias="folderPathSeparator",
        description="What parts the folders in the names of containers of logos and the like; not used by a backup.",
    )

    @field_validator("auth_type")
    @classmethod
    def _known_logins(cls, value: dict[str, str]) -> dict[str, str]:
        if any(login not in SWIFT_LOGINS for login in value.values()):
            raise ValueError(f"must be one of {', '.join(SWIFT_LOGINS)}")
        return value

    @field_validator("auth_url")
    @classmethod
    def _has_default(cls, value: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        if info.data.get("default_endpoint") not in value:
            raise ValueError("missing for the default endpoint")
        return value

    @field_validator("username", "password")
    @classmethod
    def _has_all(cls, value: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        if missing := info.data.get("auth_url", {}).keys() - value.keys():
            raise ValueError(f"missing for the endpoint {min(missing)}")
        return value


STORES: dict[str, type[StoreSettings]] = {
    "file": FileStoreSettings,
    "s3": S3StoreSettings,
    "swift": SwiftStoreSettings,
    "remote": RemoteStoreSettings,
    "globus": GlobusStoreSettings,
    "ignore": IgnoredStoreSettings,
}
"""Every type of store with its model."""

WITHOUT_MEANING = (
    "label",
    "upload-out-of-band",
    "download-redirect",
    "upload-redirect",
    "public",
    "ingestsizelimit",
    "chunked-encoding",
    "payload-signing",
    "url-expiration-minutes",
    "min-part-size",
    "connection-pool-size",
    "disable-tagging",
    "isPublicContainer",
    "temporaryUrlExpiryTime",
    "base-url",
    "remote-store-name",
    "remote-store-url",
    "files-not-accessible-by-dataverse",
    "managed",
    "transfer-endpoint-with-basepath",
    "reference-endpoints-with-basepaths",
    "globus-token",
)
"""Keys that Dataverse has and that say nothing to a backup: known, so that a section can be copied whole."""
