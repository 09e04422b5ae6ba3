"""`status --nagios`: the line, its figures and its verdict."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.cli.nagios import Verdict, answer
from dataverse_backup.config.values import duration_from
from dataverse_backup.errors import ConfigurationError
from dataverse_backup.ledger.sql import open_ledger
from tests.contract.ledger_cases import datafile
from tests.contract.many_failures import fail
from tests.unit.config_files import BACKUP, REST, loaded

if TYPE_CHECKING:
    from pathlib import Path

    from dataverse_backup.config import Settings

DAY = timedelta(days=1)
FIGURE = re.compile(r"'[^'=]+'=[0-9]+s?;;[0-9]*;0")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A destination called default, whose ledger is beside the configuration."""
    return loaded(tmp_path, REST)


def run(settings: Settings, outcome: str, *, failures: int = 0) -> None:
    with open_ledger(settings.ledger_url) as ledger:
        if failures:
            fail(ledger, [datafile(number) for number in range(failures)])
        else:
            ledger.end_run(ledger.begin_run("backup", "default"), outcome)


def ask(settings: Settings, max_age: timedelta = DAY) -> tuple[str, Verdict]:
    line, verdict = answer(lambda: settings, max_age)
    assert "\n" not in line
    words, _, figures = line.partition(" | ")
    assert words.startswith(f"DATAVERSE BACKUP {verdict.name} - ")
    assert all(FIGURE.fullmatch(figure) for figure in figures.split())
    return line, verdict


def test_a_recent_run_without_failures_is_ok(settings: Settings) -> None:
    run(settings, "ok")
    line, verdict = ask(settings)
    assert verdict is Verdict.OK
    assert "default: 0 OK, 0 failing, last run less than 1 s ago | 'default_ok'=0;;;0 " in line
    assert ";;86400;0" in line


def test_failing_files_are_a_warning(settings: Settings) -> None:
    run(settings, "", failures=2)
    line, verdict = ask(settings)
    assert verdict is Verdict.WARNING
    assert "2 failing" in line
    assert "'default_fail_read'=2;;;0" in line


def test_a_pulled_brake_is_critical_however_recent_the_last_good_run_is(settings: Settings) -> None:
    run(settings, "ok")
    run(settings, "brake")
    line, verdict = ask(settings)
    assert verdict is Verdict.CRITICAL
    assert "the newest run ended: brake" in line


@pytest.mark.parametrize("outcome", ["lost", "interrupted", "error"])
def test_a_newest_run_that_did_not_go_through_is_a_warning_while_the_last_good_one_is_recent(
    settings: Settings, outcome: str
) -> None:
    run(settings, "ok")
    run(settings, outcome)
    line, verdict = ask(settings)
    assert verdict is Verdict.WARNING
    assert f"the newest run ended: {outcome}" in line


def test_a_last_run_that_is_too_old_is_critical(settings: Settings) -> None:
    run(settings, "ok")
    line, verdict = ask(settings, timedelta(0))
    assert verdict is Verdict.CRITICAL
    assert "too long" in line


def test_a_destination_without_a_run_is_critical_whatever_the_others_are(tmp_path: Path) -> None:
    second = BACKUP.replace("[Backup]", "[Backup second]").replace("/backup", "/second")
    settings = loaded(tmp_path, REST + second)
    run(settings, "ok")
    line, verdict = ask(settings)
    assert verdict is Verdict.CRITICAL
    assert "second: no run went through yet" in line


def test_a_ledger_that_cannot_be_read_is_unknown(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"no database" * 1000)
    assert ask(settings)[1] is Verdict.UNKNOWN


def test_a_configuration_that_cannot_be_read_is_unknown_in_one_line() -> None:
    def load() -> Settings:
        raise ConfigurationError("x.ini cannot be used:\nline 1: a | b")

    assert answer(load, DAY) == ("DATAVERSE BACKUP UNKNOWN - x.ini cannot be used: line 1: a / b", Verdict.UNKNOWN)


@pytest.mark.parametrize(("text", "seconds"), [("26h", 93_600), ("90 m", 5400), ("2d", 172_800), ("5s", 5)])
def test_an_age_is_a_number_with_its_unit(text: str, seconds: int) -> None:
    assert duration_from(text) == seconds


@pytest.mark.parametrize("text", ["", "26", "h", "-1h", "1.5h", "1w", "9999999h", "0s"])
def test_anything_else_is_no_age(text: str) -> None:
    with pytest.raises(ValueError, match="such as 6h"):
        duration_from(text)
