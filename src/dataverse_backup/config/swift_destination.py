"""What a ``[Backup]`` section says about a container of OpenStack Swift. The original script had most of these keys."""

from collections.abc import Hashable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationInfo, field_validator

from dataverse_backup.config.destination_base import DestinationSettings, Verify
from dataverse_backup.config.values import OF_MACHINE, Endpoint, LocalFile, Size

MEBIBYTE, GIBIBYTE = 1 << 20, 1 << 30
LONGEST_CONTAINER = 256
"""Bytes of a container's name that Swift takes."""
PER_DATASET = "per-dataset"
DEFAULT_CONTAINER = "dataverse-backup"


def _version(value: Any) -> Any:
    """``2``, ``2.0`` and ``v2`` are the same."""
    return value.lower().removeprefix("v").removesuffix(".0") if isinstance(value, str) else value


def _container(value: str) -> str:
    if "/" in value or len(value.encode()) > LONGEST_CONTAINER:
        raise ValueError(f"not the name of a container: at most {LONGEST_CONTAINER} bytes, and no /")
    return value


def _with_scheme(value: str) -> str:
    return value if "://" in value else f"https://{value}"


def _segment_size(value: int) -> int:
    if not MEBIBYTE <= value <= 5 * GIBIBYTE:
        raise ValueError("must be between 1M and 5G")
    return value


ServiceUrl = Annotated[Endpoint, AfterValidator(_with_scheme)]


class SwiftDestinationSettings(DestinationSettings):
    """Objects in a container of OpenStack Swift, or of a service compatible with it."""

    storage_type: Literal["swift"] = Field("swift", alias="StorageType", description="How the destination is reached.")
    auth_url: ServiceUrl = Field(
        alias="SwiftAuthUrl", description="Where to log in.", examples=["https://keystone.example.edu:5000/v3"]
    )
    auth_version: Annotated[Literal["1", "2", "3"], BeforeValidator(_version)] = Field(
        "3",
        alias="SwiftAuthVersion",
        description="How to log in: 3 or 2 are Keystone's, 1 is that of Swift itself (tempauth) and of Ceph.",
    )
    application_credential_id: str = Field(
        "",
        alias="SwiftApplicationCredentialId",
        description="An application credential of Keystone version 3, instead of user, key and tenant.",
        json_schema_extra=OF_MACHINE,
    )
    application_credential_secret: SecretStr | None = Field(
        None,
        alias="SwiftApplicationCredentialSecret",
        description="Its secret.",
        validate_default=True,
    )
    user: str = Field(
        "",
        alias="SwiftUser",
        description="The user, exactly as the service knows it.",
        examples=["dataverse"],
        validate_default=True,
    )
    key: SecretStr | None = Field(
        None, alias="SwiftKey", description="The password.", examples=["secret"], validate_default=True
    )
    key_file: LocalFile | None = Field(
        None,
        alias="SwiftKeyFile",
        description="A file whose first line is the password; $DATAVERSE_BACKUP_SWIFT_KEY comes before both.",
        json_schema_extra=OF_MACHINE,
    )
    tenant: str = Field(
        "",
        alias="SwiftTenant",
        description="The tenant or project; not for version 1.",
        examples=["backups"],
        validate_default=True,
    )
    user_domain: str = Field("Default", alias="SwiftUserDomain", description="The domain of the user, in version 3.")
    project_domain: str = Field(
        "Default", alias="SwiftProjectDomain", description="The domain of the project, in version 3."
    )
    region: str | None = Field(None, alias="SwiftRegion", description="The region, where there are several.")
    endpoint: ServiceUrl | None = Field(
        None,
        alias="SwiftEndPoint",
        description="Where the objects are, if not where the login says: a host, or the whole address of the account.",
    )
    container: Annotated[str, AfterValidator(_container)] = Field(
        DEFAULT_CONTAINER,
        alias="SwiftContainer",
        description="The container of all copies, made at first use; per-dataset: one for each dataset, named after"
        f" it, and {DEFAULT_CONTAINER} for what is our own.",
    )
    segment_size: Annotated[Size, AfterValidator(_segment_size)] = Field(
        GIBIBYTE,
        alias="SwiftSegmentSize",
        description="What is bigger is stored in segments of that size, as one static large object; 1M to 5G.",
    )
    verify: Verify = Field(
        "read-back",
        alias="Verify",
        description="What proves a copy: read-back reads all of it again; service takes the MD5 that Swift computed"
        " when it took the bytes, and reads back where that is not the one of what was sent.",
    )

    def place(self) -> Hashable:
        """The container and whose it is, as it is written: two ways to one container are not seen."""
        owner = self.application_credential_id or (self.user if self.auth_version == "1" else self.tenant)
        return self.storage_type, self.auth_url.lower(), owner, self.container

    @property
    def is_per_dataset(self) -> bool:
        """Whether each dataset has a container."""
        return self.container == PER_DATASET

    @property
    def own_container(self) -> str:
        """The container of all copies, or of what is our own."""
        return DEFAULT_CONTAINER if self.is_per_dataset else self.container

    @field_validator("application_credential_secret")
    @classmethod
    def _both_or_none(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if (value is None) != (not info.data.get("application_credential_id")):
            raise ValueError("given together with SwiftApplicationCredentialId, or none of them")
        if value is not None and info.data.get("auth_version") != "3":
            raise ValueError("application credentials need SwiftAuthVersion: 3")
        return value

    @field_validator("user", "key")
    @classmethod
    def _needed_without_credential(cls, value: Any, info: ValidationInfo) -> Any:
        if not value and not info.data.get("application_credential_id"):
            raise ValueError("missing")
        return value

    @field_validator("tenant")
    @classmethod
    def _needed_by_keystone(cls, value: str, info: ValidationInfo) -> str:
        if not value and info.data.get("auth_version") != "1" and not info.data.get("application_credential_id"):
            raise ValueError("missing: the project to log in to")
        return value
