"""What a ``[Backup]`` section says about a bucket of S3, or of a service compatible with it."""

from collections.abc import Hashable
from typing import Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from dataverse_backup.config.destination_base import DestinationSettings, Verify
from dataverse_backup.config.values import OF_MACHINE, BucketName, Endpoint, KeyPrefix, Word, s3_place

COLD_CLASSES = {"GLACIER", "DEEP_ARCHIVE"}
"""Objects of these must be restored, for hours, before anybody can read them."""


class S3DestinationSettings(DestinationSettings):
    """Objects in one bucket. Without keys and profile the usual AWS places are asked."""

    storage_type: Literal["s3"] = Field("s3", alias="StorageType", description="How the destination is reached.")
    bucket: BucketName = Field(
        alias="S3Bucket", description="The bucket of all copies. It must exist.", examples=["dataverse-backup"]
    )
    prefix: KeyPrefix = Field("", alias="S3Prefix", description="What the names of all objects begin with: a/b.")
    endpoint: Endpoint | None = Field(
        None, alias="S3Endpoint", description="The service, if it is not AWS; https where no scheme is given."
    )
    region: Word | None = Field(
        None, alias="S3Region", description="The region; by default that of the AWS configuration."
    )
    path_style: bool | None = Field(
        None,
        alias="S3PathStyle",
        description="Whether the bucket is in the path, not in the host name; by default at an S3Endpoint.",
    )
    profile: Word | None = Field(
        None,
        alias="S3Profile",
        description="A profile of ~/.aws of the user of the backup, instead of keys.",
        json_schema_extra=OF_MACHINE,
    )
    access_key: SecretStr | None = Field(
        None,
        alias="S3AccessKey",
        description="The id of an access key; without one the usual AWS places are asked: AWS_ACCESS_KEY_ID and"
        " AWS_SECRET_ACCESS_KEY, ~/.aws, the roles of containers and machines.",
    )
    secret_key: SecretStr | None = Field(
        None, alias="S3SecretKey", description="The secret of that access key.", validate_default=True
    )
    server_side_copy: Literal["auto", "no"] = Field(
        "auto",
        alias="S3ServerSideCopy",
        description="auto: a file of an S3 store of the same service is read to be compared, and the service makes the"
        " copy by itself where it may; no: every file is sent from here.",
    )
    storage_class: Word | None = Field(
        None, alias="S3StorageClass", description="The storage class of every copy, such as STANDARD_IA."
    )
    encryption: Literal["none", "AES256", "aws:kms"] = Field(
        "none",
        alias="S3Encryption",
        description="With which keys the service encrypts every copy: AES256 its own, aws:kms those of a key service;"
        " none asks for nothing beyond what the bucket does by itself.",
    )
    kms_key: Word | None = Field(
        None, alias="S3KmsKey", description="The id of the key for aws:kms, if it is not the bucket's own."
    )
    object_lock: Literal["none", "GOVERNANCE", "COMPLIANCE"] = Field(
        "none",
        alias="S3ObjectLock",
        description="Whether the service keeps every copy from being deleted, and how strictly.",
    )
    object_lock_days: int | None = Field(
        None,
        alias="S3ObjectLockDays",
        ge=1,
        le=36_500,
        description="For how many days, from when it is stored.",
        validate_default=True,
    )
    verify: Verify = Field(
        "read-back",
        alias="Verify",
        description="What proves a copy: read-back reads all of it again; service takes the word of the service where"
        " that names a checksum of the whole object, and reads back otherwise.",
        validate_default=True,
    )

    def place(self) -> Hashable:
        """The bucket and the prefix."""
        return s3_place(self.endpoint, self.bucket, self.prefix)

    @property
    def is_path_style(self) -> bool:
        """Whether the bucket is in the path: at AWS it is not, and few others have a host name for each bucket."""
        return self.endpoint is not None if self.path_style is None else self.path_style

    @field_validator("secret_key")
    @classmethod
    def _both_or_none(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if (value is None) != (info.data.get("access_key") is None):
            raise ValueError("S3AccessKey and S3SecretKey are given together, or none of them")
        if value is not None and info.data.get("profile") is not None:
            raise ValueError("give S3Profile, or S3AccessKey and S3SecretKey, not both")
        return value

    @field_validator("storage_class")
    @classmethod
    def _in_capitals(cls, value: str | None) -> str | None:
        return value.upper() if value else value

    @field_validator("kms_key")
    @classmethod
    def _only_for_kms(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and info.data.get("encryption") != "aws:kms":
            raise ValueError("has a meaning only with S3Encryption: aws:kms")
        return value

    @field_validator("object_lock_days")
    @classmethod
    def _only_for_lock(cls, value: int | None, info: ValidationInfo) -> int | None:
        if (value is None) != (info.data.get("object_lock", "none") == "none"):
            raise ValueError("S3ObjectLock and S3ObjectLockDays are given together, or none of them")
        return value

    @field_validator("verify")
    @classmethod
    def _readable(cls, value: Verify, info: ValidationInfo) -> Verify:
        if value == "read-back" and info.data.get("storage_class") in COLD_CLASSES:
            raise ValueError(
                "a copy in that S3StorageClass cannot be read back: choose another one, or Verify: service"
            )
        return value
