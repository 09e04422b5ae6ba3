"""What worker processes need is imported before they are made, and only where there is something for them to do."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.actions.backup import backup
from dataverse_backup.actions.events import Ending
from dataverse_backup.assembly import has_no_ledger
from dataverse_backup.assembly.readiness import modules_for
from tests.unit.config_files import loaded
from tests.unit.test_backup_several import Campus, ended

if TYPE_CHECKING:
    from pathlib import Path

EVERY_KIND = """
[Repository]
FileSystemDirectory: /data
[Store bucket]
type: s3
bucket-name: bucket
[Store container]
type: swift
defaultEndpoint: one
authUrl.one: https://k/v3
username.one: u
password.one: p
tenant.one: t
[Backup]
StorageType: ssh
SshHost: backup.example.edu
BackupDirectory: copies
[Backup folder]
StorageType: filesystem
Directory: /backup
[Backup bucket]
StorageType: s3
S3Bucket: backup
[Backup container]
StorageType: swift
SwiftAuthUrl: https://k/v3
SwiftUser: u
SwiftKey: k
SwiftTenant: t
"""

WORKER = """
import json, sys
from importlib import import_module
from pathlib import Path
modules, path, to_restore = json.loads(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] == "True"
for module in modules:
    import_module(module)
from dataverse_backup import config
from dataverse_backup.assembly.destinations import make_destination, make_destination_for_worker
from dataverse_backup.assembly.stores import make_stores
from dataverse_backup.destinations.base import Staging
settings = config.load(path)
before = set(sys.modules)
stores = make_stores(settings.stores)
make = make_destination if to_restore else make_destination_for_worker
destinations = [make(one, Staging("", "")) for one in settings.destinations.values()]
print(json.dumps([len(stores), len(destinations), sorted(set(sys.modules) - before), "asyncssh" in before]))
"""


@pytest.mark.parametrize("to_restore", [False, True])
def test_a_worker_that_makes_its_stores_and_destinations_finds_everything_imported(
    tmp_path: Path, to_restore: bool
) -> None:
    settings = loaded(tmp_path, EVERY_KIND)
    modules = modules_for(settings, settings.destinations, to_restore=to_restore)
    modules.remove("dataverse_backup.stores.file")  # which is one of those that are imported in any case
    command = [sys.executable, "-c", WORKER, json.dumps(modules), str(settings.path), str(to_restore)]
    stores, destinations, further, has_asyncssh = json.loads(subprocess.check_output(command, timeout=120))
    assert (stores, destinations) == (3, 4)
    assert further == []
    assert has_asyncssh == to_restore


def gets_ready_in_a_run(campus: Campus, *, limit: int | None = None) -> tuple[bool, Ending]:
    """Whether workers are made ready in a run, and how that ends."""
    asked: list[None] = []
    installation = replace(campus.installation, get_ready=lambda: asked.append(None))
    events = list(backup(installation, campus.sites(), campus.stop, limit=limit))
    return bool(asked), ended(events)["a"].ending


def test_workers_are_made_ready_where_there_is_work_and_not_where_there_is_none() -> None:
    campus = Campus(("a",))
    assert gets_ready_in_a_run(campus) == (True, Ending.OK)
    assert gets_ready_in_a_run(campus) == (False, Ending.OK)
    campus.has(7)
    assert gets_ready_in_a_run(campus) == (True, Ending.OK)
    campus.has(8)
    campus.store.objects.clear()
    assert gets_ready_in_a_run(campus) == (True, Ending.FAILURES)
    campus.catalogue.rows_now.clear()
    assert gets_ready_in_a_run(campus)[0]  # the last run was not well: it is likely that there is something to do


def test_without_a_ledger_it_is_known_before_one_is_opened_that_there_will_be_something_to_do(tmp_path: Path) -> None:
    settings = loaded(tmp_path, EVERY_KIND)
    assert has_no_ledger(settings)
    (tmp_path / "ledger.db").touch()
    assert not has_no_ledger(settings)


def test_whether_there_is_a_ledger_at_a_server_is_not_known_before_it_is_opened(tmp_path: Path) -> None:
    assert not has_no_ledger(loaded(tmp_path, f"[Database]\nBackupDatabase: ledger\n{EVERY_KIND}"))
