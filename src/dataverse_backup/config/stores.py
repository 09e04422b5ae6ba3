"""What a ``[Store ID]`` section says about one of Dataverse's stores, in Dataverse's own key names (facts 3.2)."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from dataverse_backup.config.values import LocalPath, SectionModel

PER_ENDPOINT = ".<endpoint>"
"""The end of an alias whose key is given once for every Swift endpoint."""


class StoreSettings(SectionModel):
    """What every store has: its type, which says how it is read."""

    type: str


class FileStoreSettings(StoreSettings):
    """Files below a folder on this machine."""

    type: Literal["file"] = Field(alias="type", description="How Dataverse keeps the files.")
    directory: LocalPath = Field(
        Path("/tmp/files"),  # noqa: S108 - Dataverse's own default (facts 2.2), only read
        alias="directory",
        description="The folder of the files.",
    )


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
    bucket_name: str = Field(alias="bucket-name", description="The bucket.", examples=["dataverse"])
    custom_endpoint_url: str | None = Field(
        None, alias="custom-endpoint-url", description="The service, if it is not AWS; with or without scheme."
    )
    custom_endpoint_region: str = Field(
        "dataverse", alias="custom-endpoint-region", description="The region to sign for at a custom endpoint."
    )
    path_style_access: bool = Field(
        False, alias="path-style-access", description="Whether the bucket is in the path, not in the host name."
    )
    profile: str | None = Field(None, alias="profile", description="A profile of ~/.aws of the user of the backup.")
    proxy_url: str | None = Field(None, alias="proxy-url", description="A proxy on the way to the service.")
    access_key: SecretStr | None = Field(None, alias="access-key", description="The id of an access key.")
    secret_key: SecretStr | None = Field(None, alias="secret-key", description="The secret of that access key.")


class SwiftStoreSettings(StoreSettings):
    """Objects in Swift containers, one per dataset. Keys with an endpoint's name are dictionaries by that name."""

    type: Literal["swift"] = Field(alias="type", description="How Dataverse keeps the files.")
    default_endpoint: str = Field(
        alias="defaultEndpoint", description="The endpoint of what names none.", examples=["endpoint1"]
    )
    auth_type: dict[str, str] = Field({}, alias="authType.<endpoint>", description="keystone, keystone_v3 or basic.")
    auth_url: dict[str, str] = Field({}, alias="authUrl.<endpoint>", description="Where to log in.")
    tenant: dict[str, str] = Field({}, alias="tenant.<endpoint>", description="The tenant or project.")
    username: dict[str, str] = Field({}, alias="username.<endpoint>", description="The user.")
    password: dict[str, SecretStr] = Field({}, alias="password.<endpoint>", description="The password.")
    endpoint: dict[str, str] = Field({}, alias="endpoint.<endpoint>", description="The address of the objects.")
    hash_key: dict[str, SecretStr] = Field(
        {}, alias="hashKey.<endpoint>", description="The key of temporary addresses; not used by a backup."
    )
    folder_path_separator: str = Field(
        "_", alias="folderPathSeparator", description="What parts the folders in a container's name."
    )


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
