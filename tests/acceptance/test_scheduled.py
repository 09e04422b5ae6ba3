"""What cron and systemd start, started as they do: the very lines of packaging/."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.installation import COMMAND
from tests.acceptance.small import small_files
from tests.unit.test_packaging import INSTALLED, SERVICE, cron_lines, values

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acceptance.conftest import Small
    from tests.acceptance.installation import Installation

CONFIGURATION, LOG = "/etc/dataverse-backup/config.ini", "/var/log/dataverse-backup/backup.log"


@pytest.fixture
def site(small: Small) -> Installation:
    return small(small_files(2))


def done(site: Installation, command: str) -> subprocess.CompletedProcess[str]:
    """Run a line for the shell, with our configuration in place of the installed one."""
    line = command.replace(CONFIGURATION, str(site.configure())).replace(LOG, str(site.folder / "backup.log"))
    environment = {"PATH": f"{COMMAND.parent}{os.pathsep}{os.defpath}", "HOME": str(site.folder)}
    return subprocess.run(
        ["/bin/sh", "-c", line], env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def copies(folder: Path) -> list[Path]:
    return [path for path in folder.glob("*/*/*/*") if path.is_file() and ".dataverse-backup" not in path.parts]


def test_cron_says_nothing_when_all_is_well_and_something_when_not(site: Installation) -> None:
    quiet, logged, audit = (line.split(None, 6)[6] for line in cron_lines())
    answer = done(site, quiet)
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")
    assert len(copies(site.backup)) == 2
    answer = done(site, logged)
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")
    assert "run ended" in (site.folder / "backup.log").read_text()
    answer = done(site, audit)
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")
    site.backup.rename(site.folder / "elsewhere")
    answer = done(site, quiet)
    assert answer.returncode == 1
    assert "hint:" in answer.stderr


def test_systemd_starts_a_run(site: Installation) -> None:
    (command,) = values(SERVICE, "ExecStart")
    answer = done(site, command.replace(INSTALLED, str(COMMAND)))
    assert answer.returncode == 0, answer.stderr
    assert len(copies(site.backup)) == 2
