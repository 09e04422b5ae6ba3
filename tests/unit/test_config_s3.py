"""What a configuration may say about S3, and what it may not."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.assembly import make_destination, make_stores
from dataverse_backup.config.s3_destination import S3DestinationSettings
from dataverse_backup.destinations.base import IDENTITY_KEY, Staging
from dataverse_backup.destinations.s3 import S3Destination, S3Settings
from dataverse_backup.errors import ConfigurationError
from dataverse_backup.fixity import VerifiedBy
from dataverse_backup.services.s3 import S3Access
from dataverse_backup.stores.s3 import S3Store
from tests.unit.config_files import REPOSITORY, loaded, mistakes

if TYPE_CHECKING:
    from pathlib import Path

S3 = "[Backup]\nStorageType: s3\nS3Bucket: backup\n"
STORE = "[Store s]\ntype: s3\nbucket-name: backup\n"


def of(tmp_path: Path, text: str) -> S3Settings:
    """What the destination is made of."""
    settings = loaded(tmp_path, REPOSITORY + S3 + text).destinations["default"]
    destination = make_destination(settings, Staging("ledger", "run"))
    assert isinstance(destination, S3Destination)
    assert destination.method == "s3"
    return destination._settings


def mistake(tmp_path: Path, text: str) -> str:
    """The only mistake of the destination."""
    (told,) = mistakes(tmp_path, REPOSITORY + S3 + text)
    return told


def test_a_bucket_at_aws_needs_nothing_but_its_name(tmp_path: Path) -> None:
    settings = of(tmp_path, "")
    assert (settings.bucket, settings.prefix, settings.verify) == ("backup", "", VerifiedBy.READ_BACK)
    assert settings.access == S3Access()
    assert settings.options_for("10.5072/a") == {}


def test_a_bucket_elsewhere_is_described_whole(tmp_path: Path) -> None:
    text = (
        "S3Endpoint: https://s3.example.edu:9000/\nS3Region: here\nS3Prefix: /a/b/\n"
        "S3AccessKey: key\nS3SecretKey: sec\n"
        "S3StorageClass: standard_ia\nS3Encryption: aws:kms\nS3KmsKey: id\nS3ObjectLock: GOVERNANCE\n"
        "S3ObjectLockDays: 30\nVerify: service\n"
    )
    settings = of(tmp_path, text)
    assert settings.access == S3Access(
        endpoint="https://s3.example.edu:9000", region="here", path_style=True, access_key="key", secret_key="sec"
    )
    assert (settings.prefix, settings.verify) == ("a/b", VerifiedBy.SERVICE)
    options = settings.options_for("10.5072/a")
    until = options.pop("ObjectLockRetainUntilDate")
    assert until.tzinfo is not None
    assert options == {
        "StorageClass": "STANDARD_IA",
        "ServerSideEncryption": "aws:kms",
        "SSEKMSKeyId": "id",
        "ObjectLockMode": "GOVERNANCE",
    }
    assert settings.options_for(IDENTITY_KEY) == {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "id"}


def test_copies_within_the_service_are_made_unless_somebody_says_no(tmp_path: Path) -> None:
    assert of(tmp_path, "").copies_within
    assert of(tmp_path, "S3ServerSideCopy: auto\n").copies_within
    assert not of(tmp_path, "S3ServerSideCopy: no\n").copies_within


def test_the_bucket_is_in_the_path_where_few_have_host_names_for_it(tmp_path: Path) -> None:
    assert of(tmp_path, "S3Endpoint: s3.example.edu\n").access.path_style
    assert not of(tmp_path, "S3Endpoint: s3.example.edu\nS3PathStyle: no\n").access.path_style
    assert of(tmp_path, "S3PathStyle: yes\n").access.path_style


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("S3AccessKey: a\n", "S3SecretKey: S3AccessKey and S3SecretKey are given together"),
        ("S3SecretKey: a\n", "S3SecretKey: S3AccessKey and S3SecretKey are given together"),
        ("S3Profile: p\nS3AccessKey: a\nS3SecretKey: b\n", "give S3Profile, or S3AccessKey and S3SecretKey"),
        ("S3StorageClass: GLACIER\n", "Verify: a copy in that S3StorageClass cannot be read back"),
        ("S3StorageClass: deep_archive\nVerify: read-back\n", "Verify: a copy in that S3StorageClass cannot"),
        ("S3KmsKey: k\n", "S3KmsKey: has a meaning only with S3Encryption: aws:kms"),
        ("S3Encryption: rot13\n", "S3Encryption: must be"),
        ("S3ObjectLock: GOVERNANCE\n", "S3ObjectLockDays: S3ObjectLock and S3ObjectLockDays are given together"),
        ("S3ObjectLockDays: 3\n", "S3ObjectLockDays: S3ObjectLock and S3ObjectLockDays are given together"),
        ("S3ObjectLock: COMPLIANCE\nS3ObjectLockDays: 0\n", "S3ObjectLockDays: must be greater than or equal to 1"),
        ("S3Endpoint: ftp://x\n", "S3Endpoint: not the address of a service"),
        ("S3Endpoint: https://user:pass@x\n", "S3Endpoint: not the address of a service"),
        ("S3Endpoint: https://x:99999\n", "S3Endpoint: not the address of a service"),
        ("S3Prefix: a//b\n", "S3Prefix: not a prefix"),
        ("S3Prefix: ../b\n", "S3Prefix: not a prefix"),
        ("S3ServerSideCopy: always\n", "S3ServerSideCopy: must be 'auto' or 'no'"),
        ("Verify: hope\n", "Verify: must be 'read-back' or 'service'"),
    ],
)
def test_what_cannot_be_is_a_mistake(tmp_path: Path, text: str, told: str) -> None:
    assert told in mistake(tmp_path, text)


@pytest.mark.parametrize("name", ["../b", "a/b", "-a", "a b", "ü"])
def test_a_name_that_is_none_of_a_bucket_is_a_mistake(tmp_path: Path, name: str) -> None:
    text = f"[Backup]\nStorageType: s3\nS3Bucket: {name}\n[Store s]\ntype: s3\nbucket-name: {name}\n"
    told = mistakes(tmp_path, REPOSITORY + text)
    assert [line.partition(": ")[2].partition(": not the name")[0] for line in told] == [
        "[Backup] S3Bucket",
        "[Store s] bucket-name",
    ]


def test_a_cold_class_is_taken_where_the_service_proves(tmp_path: Path) -> None:
    assert of(tmp_path, "S3StorageClass: GLACIER\nVerify: service\n").storage_class == "GLACIER"


@pytest.mark.parametrize(
    ("here", "there", "is_shared"),
    [
        ("", "", True),
        ("S3Endpoint: https://s3.amazonaws.com\n", "custom-endpoint-url: s3.eu-west-1.amazonaws.com\n", True),
        ("S3Endpoint: https://S3.example.edu\n", "custom-endpoint-url: s3.example.edu\n", True),
        ("S3Endpoint: https://s3.example.edu\n", "", False),
        ("S3Prefix: backup\n", "", False),
    ],
)
def test_a_backup_into_the_bucket_of_a_store_needs_a_prefix(
    tmp_path: Path, here: str, there: str, is_shared: bool
) -> None:
    text = REPOSITORY + S3 + here + STORE + there
    if is_shared:
        (told,) = mistakes(tmp_path, text)
        assert "store s: a backup there would damage it" in told
    else:
        assert loaded(tmp_path, text).destinations


def test_two_destinations_in_one_place_of_a_bucket_are_refused(tmp_path: Path) -> None:
    second = "[Backup b]\nStorageType: s3\nS3Bucket: backup\n"
    (told,) = mistakes(tmp_path, REPOSITORY + S3 + second)
    assert "one copy would count as two" in told
    assert len(loaded(tmp_path, REPOSITORY + S3 + second + "S3Prefix: b\n").destinations) == 2


@pytest.mark.parametrize(
    ("text", "access"),
    [
        ("", S3Access()),
        (
            "custom-endpoint-url: s3.example.edu\naccess-key: a\nsecret-key: b\npath-style-access: true\n",
            S3Access(endpoint="s3.example.edu", region="dataverse", path_style=True, access_key="a", secret_key="b"),
        ),
        ("profile: p\naccess-key: a\nsecret-key: b\n", S3Access(profile="p")),
        ("custom-endpoint-region: r\nproxy-url: http://p:3128\n", S3Access(proxy="http://p:3128")),
    ],
)
def test_a_store_is_reached_as_dataverse_reaches_it(tmp_path: Path, text: str, access: S3Access) -> None:
    store = make_stores(loaded(tmp_path, REPOSITORY + S3 + "S3Prefix: x\n" + STORE + text).stores)["s"]
    assert isinstance(store, S3Store)
    assert (store._access, store._bucket) == (access, "backup")


def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = loaded(tmp_path, REPOSITORY + S3 + "S3Prefix: x\n" + STORE)
    ours = [name for name in sys.modules if name.startswith("dataverse_backup.") and "s3" in name]
    for module in [*ours, *(name for name in sys.modules if name.startswith("botocore"))]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "botocore", None)  # which comes with boto3, and is what is imported first
    with pytest.raises(ConfigurationError, match=r"botocore\S* is not installed") as refused:
        make_destination(settings.destinations["default"], Staging("ledger", "run"))
    assert refused.value.hint == "pip install 'dataverse-backup[s3]'"
    with pytest.raises(ConfigurationError, match=r"botocore\S* is not installed"):
        make_stores(settings.stores)


def test_the_settings_can_be_sent_to_workers_and_show_no_secret(tmp_path: Path) -> None:
    settings = loaded(tmp_path, REPOSITORY + S3 + "S3AccessKey: hidden\nS3SecretKey: hidden\n").destinations["default"]
    assert isinstance(settings, S3DestinationSettings)
    assert "hidden" not in repr(settings)
    assert "hidden" not in repr(of(tmp_path, "S3AccessKey: a\nS3SecretKey: hidden\n"))
