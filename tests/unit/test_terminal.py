"""What somebody who watches sees of the log."""

from __future__ import annotations

import logging

import pytest

from dataverse_backup import logs
from dataverse_backup.cli.terminal import TerminalHandler


@pytest.mark.parametrize(
    ("level", "shown"),
    [(logging.INFO, "said"), (logging.WARNING, "warning: said"), (logging.ERROR, "error: said")],
)
def test_an_event_has_its_severity_and_its_hint(level: int, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    record = logging.LogRecord("x", level, "file", 1, "said", (), None)
    record.__dict__.update(logs.facts(hint="look [bold]there"))
    TerminalHandler().emit(record)
    assert capsys.readouterr().err == f"{shown}\nhint: look [bold]there\n"


def test_what_a_message_holds_never_reaches_the_terminal_as_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    record = logging.LogRecord("x", logging.ERROR, "file", 1, "\x1b]0;title\x07 [red]x \u202e", (), None)
    TerminalHandler().emit(record)
    assert capsys.readouterr().err == "error: \\x1b]0;title\\x07 [red]x \\u202e\n"
