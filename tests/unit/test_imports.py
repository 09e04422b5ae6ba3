"""What is slow to import is imported where it is needed, and nowhere else: people and other processes wait for it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.workers import PRELOADED
from tests.unit.config_files import REST, written

if TYPE_CHECKING:
    from pathlib import Path

HELP = ["dataverse_backup.cli.running"]
BACKUP = [*HELP, "dataverse_backup.cli.backing_up", "dataverse_backup.cli.telling", "dataverse_backup.config"]
WORKER = [
    *PRELOADED,
    "dataverse_backup.joint",
    "dataverse_backup.assembly",
    "dataverse_backup.destinations.ssh.carried",
]

S3 = ["dataverse_backup.destinations.s3", "dataverse_backup.stores.s3"]

DATABASES = {"sqlalchemy", "psycopg", "alembic"}
SERVICES = {"asyncssh", "cryptography", "boto3", "botocore", "keystoneauth1", "swiftclient", "distributed"}
TELLING = {"jinja2", "smtplib", "apprise", "prometheus_client"}
OTHER_VERBS = {
    f"dataverse_backup.cli.{verb}" for verb in ("auditing", "pruning", "restoring", "reconciling", "explaining")
}


@pytest.mark.parametrize(
    ("imported", "needless"),
    [
        (HELP, {*DATABASES, *SERVICES, *TELLING, *OTHER_VERBS, "pydantic", "importlib.metadata"}),
        (BACKUP, {*DATABASES, *SERVICES, *TELLING, *OTHER_VERBS}),
        (WORKER, {*DATABASES, *TELLING, *SERVICES, "typer", "rich", "dataverse_backup.cli"}),
        (S3, {"boto3", "s3transfer"}),
    ],
    ids=["help", "backup", "worker", "s3"],
)
def test_what_is_not_needed_is_not_imported(imported: list[str], needless: set[str]) -> None:
    script = f"import sys, {', '.join(imported)}; print(*sys.modules)"
    found = subprocess.check_output([sys.executable, "-c", script], text=True, timeout=60).split()
    assert set(imported) <= set(found)
    assert needless & set(found) == set()


def test_a_worker_for_s3_finds_all_that_botocore_knows_in_the_memory_of_its_fork_server() -> None:
    access = 'S3Access(endpoint="http://127.0.0.1:1", access_key="key", secret_key="secret")'
    script = (
        f"from {S3[0]} import S3Destination; from dataverse_backup.services.s3 import S3Access, connected;"
        f"from botocore.loaders import JSONFileLoader; JSONFileLoader.load_file = None; connected({access}).close()"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_a_command_looks_for_garbage_again_once_it_has_imported_what_it_needs(tmp_path: Path) -> None:
    path = written(tmp_path, REST)
    script = (
        "import atexit, gc, sys; from dataverse_backup.cli import main;"
        "atexit.register(lambda: print(gc.isenabled(), gc.get_freeze_count() > 10_000)); main()"
    )
    command = [sys.executable, "-c", script, "--config", str(path), "config", "validate"]
    assert subprocess.check_output(command, text=True, timeout=60).splitlines()[-1] == "True True"
