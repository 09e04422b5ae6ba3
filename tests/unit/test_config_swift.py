"""What the configuration says of Swift: destinations, stores, and where their secrets come from."""

from __future__ import annotations

from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.assembly import make_destination, make_stores
from dataverse_backup.config.destinations import SwiftDestinationSettings
from dataverse_backup.destinations.base import Staging
from dataverse_backup.destinations.swift import SwiftDestination
from dataverse_backup.fixity import VerifiedBy
from dataverse_backup.stores.swift import SwiftStore
from tests.unit.config_files import BACKUP, REPOSITORY, loaded, mistakes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dataverse_backup.destinations.swift.settings import SwiftSettings

ORIGINAL = Path(__file__).with_name("original-config.ini")
HEAD = "[Backup]\nStorageType: swift\nSwiftAuthUrl: https://k/v3\n"
LOGIN = "SwiftUser: u\nSwiftKey: k\nSwiftTenant: t\n"
WRONG_SIZE = "SwiftSegmentSize: must be between 1M and 5G"


def destination(tmp_path: Path, text: str, environ: Mapping[str, str] | None = None) -> SwiftSettings:
    """What the destination is made with."""
    settings = loaded(tmp_path, text + REPOSITORY, environ).destinations["default"]
    made = make_destination(settings, Staging("ledger", "run"))
    made.close()
    assert isinstance(made, SwiftDestination)
    return made._settings


def test_the_original_configuration_of_swift_is_a_destination(tmp_path: Path) -> None:
    text = ORIGINAL.read_text().replace("StorageType: ssh", "StorageType: swift")
    settings = loaded(tmp_path, text).destinations["default"]
    assert isinstance(settings, SwiftDestinationSettings)
    assert (settings.auth_url, settings.auth_version) == ("https://swift.example.edu/auth/v2.0", "2")
    assert (settings.user, settings.tenant) == ("swiftuser", "tenant")
    assert settings.key is not None
    assert settings.key.get_secret_value() == "swift-secret"
    assert settings.endpoint == "https://swift.example.edu/v1"


def test_what_is_not_said_is_safe(tmp_path: Path) -> None:
    swift = destination(tmp_path, HEAD + LOGIN)
    assert (swift.container, swift.per_dataset, swift.segment_size) == ("dataverse-backup", False, 1 << 30)
    assert swift.verify is VerifiedBy.READ_BACK
    assert astuple(swift.access)[:7] == ("https://k/v3", "3", "u", "k", "t", "Default", "Default")


def test_what_is_said_reaches_the_destination(tmp_path: Path) -> None:
    said = (
        "SwiftContainer: c é\nSwiftSegmentSize: 100M\nVerify: service\nSwiftRegion: r\nSwiftEndPoint: s.example.edu\n"
    )
    swift = destination(tmp_path, HEAD + LOGIN + said + "SwiftUserDomain: U\nSwiftProjectDomain: P\n")
    assert (swift.container, swift.segment_size, swift.verify) == ("c é", 100 << 20, VerifiedBy.SERVICE)
    access = swift.access
    assert (access.region, access.endpoint) == ("r", "https://s.example.edu")
    assert (access.user_domain, access.project_domain) == ("U", "P")


def test_an_application_credential_needs_no_user(tmp_path: Path) -> None:
    swift = destination(tmp_path, HEAD + "SwiftApplicationCredentialId: i\nSwiftApplicationCredentialSecret: s\n")
    assert (swift.access.application_credential_id, swift.access.application_credential_secret) == ("i", "s")


def test_the_login_of_swift_itself_needs_no_tenant(tmp_path: Path) -> None:
    swift = destination(tmp_path, HEAD + "SwiftAuthVersion: v1.0\nSwiftUser: a:b\nSwiftKey: k\n")
    assert (swift.access.auth_version, swift.access.user) == ("1", "a:b")


def test_each_dataset_may_have_a_container(tmp_path: Path) -> None:
    swift = destination(tmp_path, HEAD + LOGIN + "SwiftContainer: per-dataset\n")
    assert (swift.container, swift.per_dataset) == ("dataverse-backup", True)
    assert swift.container_of("10.5072/FK2/ABCDEF/18b-1") == "10.5072-FK2-ABCDEF"
    assert swift.container_of(".superseded/10.5072/FK2/ABCDEF/18b-1/x") == "dataverse-backup"
    assert swift.container_of("alone") == "dataverse-backup"
    assert len(swift.container_of("é" * 200 + "/x").encode()) == 256


def test_the_key_may_be_in_a_file_or_in_the_environment(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from the file\n")
    (tmp_path / "key").chmod(0o600)
    text = HEAD + "SwiftUser: u\nSwiftTenant: t\nSwiftKeyFile: key\n"
    assert destination(tmp_path, text).access.key == "from the file"
    environ = {"DATAVERSE_BACKUP_SWIFT_KEY": "from the environment"}
    assert destination(tmp_path, text, environ).access.key == "from the environment"
    assert loaded(tmp_path, text + REPOSITORY).warnings == []
    (tmp_path / "key").chmod(0o644)
    (warning,) = loaded(tmp_path, text + REPOSITORY).warnings
    assert "chmod 600" in warning


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("[Backup]\nStorageType: swift\n" + LOGIN, "line 1: [Backup] SwiftAuthUrl: missing"),
        (HEAD + "SwiftKey: k\nSwiftTenant: t\n", "line 1: [Backup] SwiftUser: missing"),
        (HEAD + "SwiftUser: u\nSwiftTenant: t\n", "line 1: [Backup] SwiftKey: missing"),
        (HEAD + "SwiftUser: u\nSwiftKey: k\n", "line 1: [Backup] SwiftTenant: missing: the project to log in to"),
        (HEAD + LOGIN + "SwiftAuthVersion: 4\n", "line 7: [Backup] SwiftAuthVersion: must be '1', '2' or '3'"),
        (HEAD + LOGIN + "SwiftContainer: a/b\n", "line 7: [Backup] SwiftContainer: not the name of a container"),
        (HEAD + LOGIN + f"SwiftContainer: {'é' * 129}\n", "SwiftContainer: not the name of a container: at most 256"),
        (HEAD + LOGIN + "SwiftSegmentSize: 1K\n", WRONG_SIZE),
        (HEAD + LOGIN + "SwiftSegmentSize: 1T\n", WRONG_SIZE),
        (HEAD + LOGIN + "Verify: never\n", "Verify: must be 'read-back' or 'service'"),
        (HEAD + LOGIN + "SwiftKeyFile: none\n", "SwiftKeyFile: give SwiftKey or SwiftKeyFile, not both"),
        (HEAD + "SwiftUser: u\nSwiftTenant: t\nSwiftKeyFile: none\n", "SwiftKeyFile: cannot be read"),
        (HEAD + LOGIN + "SwiftApplicationCredentialId: i\n", "SwiftApplicationCredentialSecret: given together with"),
        (
            HEAD + "SwiftAuthVersion: 2\nSwiftApplicationCredentialId: i\nSwiftApplicationCredentialSecret: s\n",
            "SwiftApplicationCredentialSecret: application credentials need SwiftAuthVersion: 3",
        ),
        (HEAD.replace("https://k/v3", "ftp://k") + LOGIN, "SwiftAuthUrl: not the address of a service"),
    ],
)
def test_each_mistake_is_told_with_its_place(tmp_path: Path, text: str, mistake: str) -> None:
    told = mistakes(tmp_path, text + REPOSITORY)
    assert [line for line in told if mistake in line], told


def test_a_container_is_the_place_of_one_destination(tmp_path: Path) -> None:
    second = HEAD.replace("[Backup]", "[Backup b]") + LOGIN
    assert "line 7: [Backup b]: the place of destination default too" in "\n".join(
        mistakes(tmp_path, HEAD + LOGIN + second + REPOSITORY)
    )
    assert len(loaded(tmp_path, HEAD + LOGIN + second + "SwiftContainer: other\n" + REPOSITORY).destinations) == 2


STORE = "[Store w]\ntype: swift\ndefaultEndpoint: one\n"
ONE = "authUrl.one: https://one/v2.0/tokens\nusername.one: u\npassword.one: p\n"


def test_every_endpoint_of_a_store_has_its_login(tmp_path: Path) -> None:
    two = "authUrl.two: https://two/auth\nusername.two: a:b\npassword.two: q\nauthType.two: basic\ntenant.one: t\n"
    stores = make_stores(loaded(tmp_path, STORE + ONE + two + REPOSITORY + BACKUP).stores)
    store = stores["w"]
    assert isinstance(store, SwiftStore)
    with store:
        one, second = (store._services[name]._access for name in ("one", "two"))
    assert (one.auth_version, one.user, one.key, one.project) == ("2", "u", "p", "t")
    assert (second.auth_version, second.auth_url, second.user) == ("1", "https://two/auth", "a:b")


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        (STORE, "line 1: [Store w] authUrl.<endpoint>: missing for the default endpoint"),
        (STORE + "authUrl.one: https://a\npassword.one: p\n", "username.<endpoint>: missing for the endpoint one"),
        (STORE + "authUrl.one: https://a\nusername.one: u\n", "password.<endpoint>: missing for the endpoint one"),
        (STORE + ONE + "authType.one: magic\n", "authType.<endpoint>: must be one of keystone, keystone_v3, basic"),
    ],
)
def test_each_mistake_of_a_store_is_told(tmp_path: Path, text: str, mistake: str) -> None:
    told = mistakes(tmp_path, text + REPOSITORY + BACKUP)
    assert [line for line in told if mistake in line], told
