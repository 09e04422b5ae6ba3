from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.errors import NotificationError
from dataverse_backup.notify.mail import send

if TYPE_CHECKING:
    from pathlib import Path

RECORD = """\
#!{python}
import json, pathlib, sys
here = pathlib.Path(__file__).parent
(here / "argv").write_text(json.dumps(sys.argv[1:]))
(here / "stdin").write_bytes(sys.stdin.buffer.read())
"""


@pytest.fixture
def mail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A command ``mail`` that writes down what it was given."""
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    return command(tmp_path / "mail", RECORD.format(python=sys.executable))


def command(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def arguments(mail: Path) -> list[str]:
    return [str(argument) for argument in json.loads(mail.with_name("argv").read_text())]


def body(mail: Path) -> str:
    return mail.with_name("stdin").read_bytes().decode()


def test_a_mail_has_its_addresses_its_subject_and_its_body(mail: Path) -> None:
    send(["a@b.c", "root"], "Grüße; $(touch x)", "one\nzwei ü")
    assert arguments(mail) == ["-s", "Grüße; $(touch x)", "a@b.c", "root"]
    assert body(mail) == "one\nzwei ü\n"


def test_a_subject_is_one_line_without_control_characters(mail: Path) -> None:
    send(["a@b.c"], "one\r\nBcc: x@y.z\x1b[1m\0\udcff", "")
    assert arguments(mail)[1] == "one Bcc: x@y.z\\x1b[1m\\x00\\udcff"


def test_no_line_of_a_body_is_a_command_for_mail(mail: Path) -> None:
    send(["a@b.c"], "s", "~!touch x\n.\nbell\x07\ttab\r\nbroken \udcff")
    assert body(mail) == " ~!touch x\n .\nbell\\x07    tab\\r\nbroken \\udcff\n"


def test_without_an_address_no_mail_is_sent(mail: Path) -> None:
    send([], "s", "b")
    assert not mail.with_name("argv").exists()


@pytest.mark.parametrize("address", ["-oQ/tmp", "", "a@b.c\nx"])
def test_an_address_that_would_be_an_option_is_refused(mail: Path, address: str) -> None:
    with pytest.raises(NotificationError, match="not a mail address"):
        send(["a@b.c", address], "s", "b")
    assert not mail.with_name("argv").exists()


def test_a_missing_command_is_told_with_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(NotificationError, match="there is no command") as refused:
        send(["a@b.c"], "s", "b", str(tmp_path / "none"))
    assert "mailutils" in refused.value.hint


def test_a_command_that_cannot_be_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotificationError, match="cannot be run"):
        send(["a@b.c"], "s", "b", str(tmp_path))


def test_a_command_that_fails_is_told_with_its_last_words(tmp_path: Path) -> None:
    failing = command(tmp_path / "mail", "#!/bin/sh\necho first >&2\necho 'no \033route' >&2\necho >&2\nexit 75\n")
    with pytest.raises(NotificationError, match=r"ended with 75: no \\x1broute$"):
        send(["a@b.c"], "s", "b" * 1_000_000, str(failing))


def test_a_command_that_does_not_end_is_given_up(tmp_path: Path) -> None:
    slow = command(tmp_path / "mail", "#!/bin/sh\nexec sleep 60\n")
    with pytest.raises(NotificationError, match=r"did not end in 0.2 seconds"):
        send(["a@b.c"], "s", "b", str(slow), timeout=0.2)
