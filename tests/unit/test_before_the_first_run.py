"""Commands that only answer, before there is anything to answer: they say so, and make nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from dataverse_backup.cli.application import app
from dataverse_backup.errors import RestoreError

if TYPE_CHECKING:
    from pathlib import Path

CONFIGURATION = """\
[Repository]
FileSystemDirectory: /data
[Backup]
StorageType: filesystem
Directory: /copies
"""


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    path = tmp_path / "config.ini"
    path.write_text(CONFIGURATION)
    return path


@pytest.mark.parametrize(
    "command",
    [["status"], ["status", "--json"], ["list"], ["list", "--csv"], ["report"], ["report", "--json"]],
    ids=" ".join,
)
def test_an_answer_before_the_first_run_makes_no_ledger(command: list[str], configuration: Path) -> None:
    answer = CliRunner().invoke(app, ["--config", str(configuration), *command])
    assert answer.exit_code == 0
    assert "there is no ledger yet" in answer.stderr
    if "--json" in command:
        json.loads(answer.stdout)
    assert list(configuration.parent.iterdir()) == [configuration]


@pytest.mark.parametrize(
    "command", [["restore", "--all", "--to", "out"], ["restore", "--all", "--to", "out", "--dry-run"]]
)
def test_a_restore_without_a_ledger_makes_none_and_says_what_helps(command: list[str], configuration: Path) -> None:
    answer = CliRunner().invoke(app, ["--config", str(configuration), *command])
    assert isinstance(answer.exception, RestoreError)
    assert "there is no ledger at sqlite:///" in answer.exception.message
    assert "--from-manifests" in answer.exception.hint
    assert list(configuration.parent.iterdir()) == [configuration]


def test_status_says_that_there_was_no_run_yet(configuration: Path) -> None:
    answer = CliRunner().invoke(app, ["--config", str(configuration), "status"])
    assert "no run yet" in answer.stdout


def test_nagios_is_told_that_there_was_no_run_yet(configuration: Path) -> None:
    answer = CliRunner().invoke(app, ["--config", str(configuration), "status", "--nagios"])
    assert answer.exit_code == 2
    assert "no run went through yet" in answer.stdout
    assert list(configuration.parent.iterdir()) == [configuration]


def test_a_report_of_nothing_shows_no_empty_tables(configuration: Path) -> None:
    answer = CliRunner().invoke(app, ["--config", str(configuration), "report"])
    lines = [line.strip() for line in answer.stdout.splitlines()]
    assert lines == ["No backup has run yet.", "destination default", "no run yet"]
