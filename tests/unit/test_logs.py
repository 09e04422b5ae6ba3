"""The log: what it looks like for people, for journald and for programs, and how it comes from worker processes."""

from __future__ import annotations

import json
import logging
import os
import sys
from typing import TYPE_CHECKING

import pytest

from dataverse_backup import logs
from dataverse_backup.workers import processes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def record(message: str, level: int = logging.INFO, **facts: object) -> logging.LogRecord:
    made = logging.LogRecord("dataverse_backup.some", level, "file", 1, message, (), None)
    made.created = 1767225600.25
    made.__dict__.update(logs.facts(**facts))
    return made


def test_people_see_the_severity_the_message_and_its_facts() -> None:
    shown = logs.TextFormatter().format(record("copied", datafile=7, key="a b", reason=None, empty=""))
    assert shown == 'copied datafile=7 key="a b" empty=""'
    assert logs.TextFormatter().format(record("slow", logging.WARNING)) == "warning: slow"


def test_a_file_has_times() -> None:
    assert logs.TextFormatter(has_time=True).format(record("copied")) == "2026-01-01T00:00:00.250Z copied"


def test_a_hint_has_a_line_of_its_own() -> None:
    shown = logs.TextFormatter().format(record("no such folder", logging.ERROR, hint="make it"))
    assert shown == "error: no such folder\n  hint: make it"


def test_no_message_pretends_to_be_two_events() -> None:
    shown = logs.TextFormatter(has_priority=True).format(record("one\n<3>two\x1b[1m\u202e\udcff", key="a\nb"))
    assert shown.split("\n") == ["<6>one", '<6>  <3>two\\x1b[1m\\u202e\\udcff key="a\\nb"']


@pytest.mark.parametrize(("level", "priority"), [("DEBUG", 7), ("INFO", 6), ("WARNING", 4), ("ERROR", 3)])
def test_journald_is_told_how_bad_it_is(level: str, priority: int) -> None:
    shown = logs.TextFormatter(has_priority=True).format(record("x", logging.getLevelNamesMapping()[level]))
    assert shown.startswith(f"<{priority}>")


def test_programs_see_one_object_a_line_with_every_fact() -> None:
    shown = logs.JsonFormatter().format(record("copied\n", bytes=3, key='"\udcff\n', logger="forged"))
    assert "\n" not in shown
    assert shown.isascii()
    assert json.loads(shown) == {
        "time": "2026-01-01T00:00:00.250Z",
        "level": "info",
        "logger": "dataverse_backup.some",
        "event": "copied\n",
        "bytes": 3,
        "key": '"\udcff\n',
    }


def test_what_was_raised_is_said_in_one_line() -> None:
    try:
        raise ValueError("wrong")  # noqa: TRY301 -- so that it has a traceback
    except ValueError:
        made = logging.LogRecord("x", logging.ERROR, "file", 1, "not told", (), sys.exc_info())
    assert logs.TextFormatter().format(made) == "error: not told: ValueError: wrong"


def test_the_tail_keeps_the_last_lines_from_info_on() -> None:
    tail = logs.Tail()
    for number in range(logs.TAIL_LINES + 5):
        tail.handle(record(f"event {number}"))
    lines = tail.text().splitlines()
    assert len(lines) == logs.TAIL_LINES
    assert lines[-1].endswith("event 104")


def test_the_journal_is_known_by_its_device_and_inode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "journal").open("w") as journal:
        found = os.fstat(journal.fileno())
        monkeypatch.setattr(sys, "stderr", journal)
        assert logs.is_journal({"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"})
        assert not logs.is_journal({"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino + 1}"})
        assert not logs.is_journal({"JOURNAL_STREAM": "nonsense"})
        assert not logs.is_journal({})


def say(message: str, datafile: int) -> None:
    logging.getLogger("dataverse_backup.worker").info(message, extra=logs.facts(datafile=datafile))
    logging.getLogger("dataverse_backup.worker").debug("too much")


def say_nothing_of_libraries() -> None:
    logging.getLogger("library").info("too much")


def test_what_the_workers_of_a_run_log_is_heard_here(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "dataverse_backup"), processes(talkative, 1) as submit:
        assert submit("a task").result(timeout=60) == 6
    heard = [one for one in caplog.records if one.name.startswith(("dataverse_backup.worker", "library"))]
    assert [logs.TextFormatter().format(one) for one in heard] == ["made datafile=1"]
    assert heard[0].process != os.getpid()


def talkative() -> Callable[[str], int]:
    say("made", 1)
    say_nothing_of_libraries()
    return len
