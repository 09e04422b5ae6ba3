"""Progress where nobody looks at a terminal: a line for each destination, now and then."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from dataverse_backup.actions.events import Ended, Ending, Moving, Planning
from dataverse_backup.cli import progress
from dataverse_backup.cli.progress import make_progress
from dataverse_backup.cli.terminal import err
from dataverse_backup.plan import Plan, Share
from tests.contract.ledger_cases import datafile, succeeded

if TYPE_CHECKING:
    import pytest


def told(names: str, *, quiet: bool = False) -> None:
    """Two files of some 1,000 bytes for each destination, one of them tried."""
    with make_progress(quiet=quiet) as shown:
        for name in names:
            with Plan(work=Share(2, 2000)) as plan:
                shown.begin(Planning(name, plan))
        for name in names:
            shown.move(Moving(name, 500))
        for name in names:
            shown.advance(succeeded(datafile(1), destination=name))
        for name in names:
            shown.end(Ended(name, Ending.OK))


def test_each_destination_has_lines_of_its_own(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    with caplog.at_level(logging.INFO, "dataverse_backup"):
        told("ab")
    assert caplog.messages == [
        "a: 2 files, 2.0 kB to copy",
        "b: 2 files, 2.0 kB to copy",
        "a: 0 files, 500 B of 2 files, 2.0 kB",
        "b: 0 files, 500 B of 2 files, 2.0 kB",
        "a: 1 files, 1.5 kB of 2 files, 2.0 kB",
        "b: 1 files, 1.5 kB of 2 files, 2.0 kB",
        "a: ok",
        "b: ok",
    ]


def test_nothing_is_said_more_often_than_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "dataverse_backup"):
        told("a")
    assert caplog.messages == ["a: 2 files, 2.0 kB to copy", "a: ok"]


def test_quiet_is_quiet(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "dataverse_backup"):
        told("ab", quiet=True)
    assert (capsys.readouterr().err, caplog.messages) == ("", [])


def test_each_destination_has_a_bar_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(err, "_force_terminal", True)
    told("ab")
    shown = capsys.readouterr().err
    assert shown.count("1/2 files") >= 2


def test_a_bar_moves_within_a_file(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(err, "_force_terminal", True)
    with Plan(work=Share(1, 500 * 10**9)) as plan, make_progress(quiet=False) as shown:
        shown.begin(Planning("a", plan))
        shown.move(Moving("a", 125 * 10**9))
    assert "125.0/500.0 GB" in capsys.readouterr().err
