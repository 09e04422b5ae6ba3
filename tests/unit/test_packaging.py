"""What lies under packaging/, judged by the programs that will read it, without their privileges."""

from __future__ import annotations

import grp
import os
import pwd
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dataverse_backup.cli.exit_codes import ExitCode
from tests.servers import unavailable

PACKAGING = Path(__file__).parents[2] / "packaging"
SYSTEMD = PACKAGING / "systemd"
SERVICE, AUDIT = SYSTEMD / "dataverse-backup.service", SYSTEMD / "dataverse-backup-audit.service"
TIMERS = [SYSTEMD / "dataverse-backup.timer", SYSTEMD / "dataverse-backup-audit.timer"]
DROP_INS = sorted((SYSTEMD / "dataverse-backup.service.d").iterdir())
INSTALLED = "/usr/local/bin/dataverse-backup"
EXPOSURE = 20
"""Tenths; how exposed the service may be in the eyes of ``systemd-analyze security``: 0 to 100."""


def tool(name: str, package: str) -> str:
    """The program, or a skipped test."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    return shutil.which(name, path=path) or unavailable(f"no {name} here; on Debian: apt-get install {package}")


def said_by(*command: str | Path) -> str:
    """All that a program says; it must end well."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout
    return done.stdout


def values(unit: Path, key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", unit.read_text(), re.MULTILINE)


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units where systemd can find the command that they start: ours, wherever it is installed."""
    folder = tmp_path / "system"
    shutil.copytree(SYSTEMD, folder)
    command = Path(sys.executable).with_name("dataverse-backup")
    for service in (folder / SERVICE.name, folder / AUDIT.name):
        service.write_text(service.read_text().replace(f"={INSTALLED} ", f"={command} "))
    return folder


def test_systemd_finds_nothing_wrong_with_the_units_and_the_examples_of_drop_ins(units: Path) -> None:
    analyze = tool("systemd-analyze", "systemd")
    names = [SERVICE.name, AUDIT.name, *(timer.name for timer in TIMERS)]
    assert said_by(analyze, "verify", "--man=no", *(units / name for name in names)) == ""


def test_a_mistake_in_a_unit_would_be_seen(units: Path) -> None:
    drop_in = units / "dataverse-backup.service.d" / DROP_INS[0].name
    drop_in.write_text(drop_in.read_text() + "NoSuchSetting=yes\n")
    assert "NoSuchSetting" in said_by(tool("systemd-analyze", "systemd"), "verify", "--man=no", units / SERVICE.name)


def test_the_service_is_hardened(units: Path) -> None:
    analyze = tool("systemd-analyze", "systemd")
    judge = [analyze, "security", "--offline=true", f"--threshold={EXPOSURE}", "--no-pager"]
    assert "OK" in said_by(*judge, units / SERVICE.name)


def test_an_audit_is_as_hardened_as_a_backup() -> None:
    of_its_own = ("#", "Description=", "Documentation=", "ExecStart=")
    backup, audit = (
        [line for line in unit.read_text().splitlines() if not line.startswith(of_its_own)] for unit in (SERVICE, AUDIT)
    )
    assert audit == backup


@pytest.mark.parametrize("timer", TIMERS, ids=lambda path: path.stem)
def test_a_timer_says_when(timer: Path) -> None:
    (when,) = values(timer, "OnCalendar")
    assert said_by(tool("systemd-analyze", "systemd"), "calendar", when)


def test_what_needs_nobody_is_no_failure_of_the_service_and_everything_else_is() -> None:
    (codes,) = values(SERVICE, "SuccessExitStatus")
    assert {int(code) for code in codes.split()} == {ExitCode.BUSY, ExitCode.LIMIT, ExitCode.INTERRUPTED}


def test_the_user_is_made_and_is_the_same_everywhere() -> None:
    sysusers = tool("systemd-sysusers", "systemd")
    assert "Creating user 'dataverse-backup'" in said_by(sysusers, "--dry-run", SYSTEMD / "dataverse-backup.sysusers")
    (home,) = re.findall(r'" (/\S+)', (SYSTEMD / "dataverse-backup.sysusers").read_text())
    assert values(SERVICE, "User") == ["dataverse-backup"]
    assert home == "/var/lib/" + values(SERVICE, "StateDirectory")[0]
    assert {line.split()[5] for line in cron_lines()} == {"dataverse-backup"}


def cron_lines() -> list[str]:
    """The jobs, that which is only offered too."""
    text = (PACKAGING / "cron" / "dataverse-backup").read_text()
    return [line.removeprefix("#") for line in text.splitlines() if re.match(r"#?\d", line)]


def test_the_log_of_cron_is_rotated_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    rotate = tool("logrotate", "logrotate")
    log = tmp_path / "backup.log"
    shown = (PACKAGING / "logrotate" / "dataverse-backup").read_text()
    assert f"2>>{shown.split('*.log')[0].splitlines()[-1]}backup.log" in cron_lines()[1]
    us = f"{pwd.getpwuid(os.geteuid()).pw_name} {grp.getgrgid(os.getegid()).gr_name}"
    configuration = tmp_path / "logrotate.conf"
    configuration.write_text(
        shown.replace("/var/log/dataverse-backup/", f"{tmp_path}/").replace("dataverse-backup dataverse-backup", us)
    )
    configuration.chmod(0o644)
    for text in ("old\n", "new\n"):
        log.write_text(text)
        assert "error" not in said_by(rotate, "--force", "--state", tmp_path / "state", configuration)
    assert (log.stat().st_mode & 0o777, log.read_text()) == (0o640, "")
    assert (tmp_path / "backup.log.1").read_text() == "new\n"
    assert (tmp_path / "backup.log.2.gz").exists()


CONTAINERFILE = PACKAGING / "Containerfile"
HADOLINT = Path(sys.executable).with_name("hadolint")


def test_hadolint_finds_nothing_wrong_with_the_containerfile() -> None:
    assert said_by(HADOLINT, CONTAINERFILE) == ""


def test_the_container_runs_as_nobody_special_and_without_tools_that_build() -> None:
    _, last = re.split(r"(?<=\n)FROM .* AS build\n", CONTAINERFILE.read_text())
    _, last = re.split(r"(?<=\n)FROM ", last)
    assert re.findall(r"^USER (\d+)", last, re.MULTILINE) == ["10001"]
    assert "pip uninstall" in last
    assert "pip install" not in last
    assert "COPY --from=build /opt/dataverse-backup /opt/dataverse-backup" in last


def test_the_builder_of_the_container_is_sent_what_it_copies() -> None:
    checkout = PACKAGING.parent
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", CONTAINERFILE.read_text(), re.MULTILINE)
    sent = {line[1:] for line in (checkout / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    names = {name for line in copied for name in line.split()}
    assert names == sent
    assert [name for name in names if not (checkout / name).exists()] == []


def test_systemd_finds_nothing_wrong_with_the_units_of_a_cluster(tmp_path: Path) -> None:
    analyze = tool("systemd-analyze", "systemd")
    dask = Path(sys.executable).with_name("dask")
    for name in ("dataverse-backup-scheduler.service", "dataverse-backup-worker.service"):
        text = (SYSTEMD / name).read_text()
        assert "=/opt/dataverse-backup/bin/dask " in text
        (tmp_path / name).write_text(text.replace("=/opt/dataverse-backup/bin/dask ", f"={dask} "))
        assert said_by(analyze, "verify", "--man=no", tmp_path / name) == ""
