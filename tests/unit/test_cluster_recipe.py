"""What travels to a worker of a cluster: no secret, and enough to notice a configuration that is another one."""

from __future__ import annotations

import pickle
from functools import partial
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from dataverse_backup import assembly
from dataverse_backup.cluster.recipe import Recipe, marks_of, unlike, written
from dataverse_backup.config import load
from dataverse_backup.destinations.base import Staging
from dataverse_backup.errors import WorkerUnfit
from dataverse_backup.joint import JointTransfer, JointTransferFactory
from tests.unit.config_files import loaded
from tests.unit.config_files import written as write

if TYPE_CHECKING:
    from pathlib import Path

    from dataverse_backup.config import Settings

SECRETS = [
    "dbpassword",
    "storesecret",
    "AKIASTORE",
    "AKIADESTINATION",
    "s3secret",
    "swiftsecret",
    "smtpsecret",
    "proxypw",
]
CONFIGURATION = """
[Database]
Password: dbpassword
BackupDatabase: postgresql://backup:dbpassword@db/ledger
[Repository]
FileSystemDirectory: /data
[Store s3]
type: s3
bucket-name: dataverse
custom-endpoint-url: https://s3.example.edu
proxy-url: http://user:proxypw@proxy:3128
access-key: AKIASTORE
secret-key: storesecret
[Backup]
SshHost: backup.example.edu
BackupDirectory: /srv/backup
SshIdentityFile: /etc/dataverse-backup/id
[Backup bucket]
StorageType: s3
S3Bucket: copies
S3AccessKey: AKIADESTINATION
S3SecretKey: s3secret
[Backup container]
StorageType: swift
SwiftAuthUrl: https://keystone.example.edu/v3
SwiftUser: backup
SwiftTenant: project
SwiftKey: swiftsecret
[Notifications]
Email: admin@example.edu
SmtpServer: smtp.example.edu
SmtpUsername: me
SmtpPassword: smtpsecret
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return loaded(tmp_path, CONFIGURATION)


def factory(settings: Settings) -> JointTransferFactory:
    """What a backup to all destinations hands to its workers."""
    staging = Staging("ledger", "run")
    transfers = {name: assembly.make_site(settings, name).make_transfer(staging) for name in settings.destinations}
    return JointTransferFactory(partial(assembly.make_stores, settings.stores), transfers)


def recipe(settings: Settings) -> Recipe:
    marks = marks_of(settings, settings.destinations)
    return Recipe("name", str(settings.path), marks, 20, written(factory(settings), settings))


def test_no_secret_travels(settings: Settings) -> None:
    sent = pickle.dumps(recipe(settings)) + pickle.dumps(recipe(settings), 0)
    assert [secret for secret in SECRETS if secret.encode() in sent] == []
    assert [secret for secret in SECRETS if secret.encode() not in pickle.dumps(CONFIGURATION)] == []


def test_what_holds_a_secret_of_its_own_does_not_travel(settings: Settings) -> None:
    with pytest.raises(pickle.PicklingError, match="no secret travels"):
        written(partial(print, SecretStr("s3cret")), settings)
    with pytest.raises(pickle.PicklingError, match="no secret travels"):
        written(partial(print, settings.database), settings)
    with pytest.raises(pickle.PicklingError, match="no secret travels"):
        written(partial(print, settings.destinations["bucket"].model_copy()), settings)


def test_a_worker_makes_its_transfers_from_its_own_configuration(settings: Settings) -> None:
    own = CONFIGURATION.replace("s3secret", "other").replace("/etc/dataverse-backup/id", "/root/.ssh/id")
    order = recipe(settings)
    write(settings.path.parent, own)  # where the worker's is
    made = order.make()
    assert isinstance(made, JointTransfer)
    made.close()


def test_a_worker_with_other_places_refuses(settings: Settings) -> None:
    order = recipe(settings)
    own = CONFIGURATION.replace("/srv/backup", "/srv/other").replace("bucket-name: dataverse", "bucket-name: another")
    write(settings.path.parent, own)
    with pytest.raises(WorkerUnfit) as unfit:
        order.make()
    assert "BackupDirectory of destination default" in unfit.value.message
    assert "bucket-name of store s3" in unfit.value.message
    assert "/srv" not in unfit.value.message


def test_a_worker_without_a_configuration_says_where_it_looked(settings: Settings) -> None:
    order = recipe(settings)
    settings.path.unlink()
    with pytest.raises(WorkerUnfit, match="does not exist") as unfit:
        order.make()
    assert "$DATAVERSE_BACKUP_CONFIG" in unfit.value.hint


def test_the_environment_of_a_worker_names_its_configuration(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = recipe(settings)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setenv("DATAVERSE_BACKUP_CONFIG", str(settings.path.rename(tmp_path / "elsewhere" / "own.ini")))
    order.make().close()


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ("", []),
        ("FileMode: 0600", ["FileMode of destination default"]),
        ("Workers: 7\nBatchFiles: 3\nBatchBytes: 1M\nSshKnownHosts: /tmp/x\nScheduler: tcp://there:8786", []),
        ("[Store further]\ntype: ignore\n[Backup further]\nStorageType: filesystem\nDirectory: /further", []),
    ],
)
def test_what_says_where_copies_go_must_be_equal_and_nothing_else(
    settings: Settings, tmp_path: Path, own: str, said: list[str]
) -> None:
    changed = CONFIGURATION.replace("[Backup bucket]", f"{own}\n[Backup bucket]")
    (tmp_path / "worker").mkdir()
    other = load(write(tmp_path / "worker", changed), {})
    names = list(settings.destinations)
    assert list(unlike(marks_of(settings, names), marks_of(other, names))) == said


def test_another_type_is_all_that_is_said_of_a_destination(settings: Settings, tmp_path: Path) -> None:
    changed = CONFIGURATION.replace("SshHost: backup.example.edu", "StorageType: filesystem")
    (tmp_path / "worker").mkdir()
    other = load(write(tmp_path / "worker", changed), {})
    marks = marks_of(settings, ["default"])
    assert list(unlike(marks, marks_of(other, ["default"]))) == ["StorageType of destination default"]
    assert list(unlike(marks, {})) == [f"{what} is not described there" for what in marks]
