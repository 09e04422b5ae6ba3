from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.errors import NotificationError
from dataverse_backup.notify.base import Message
from dataverse_backup.notify.command import MailCommand, Sendmail, found, is_sendmail

if TYPE_CHECKING:
    from pathlib import Path

RECORD = """\
#!{python}
import json, pathlib, sys
here = pathlib.Path(__file__).parent
(here / "argv").write_text(json.dumps(sys.argv[1:]))
(here / "stdin").write_bytes(sys.stdin.buffer.read())
"""
MESSAGE = Message("subject", "text\n", "<p>text</p>", "brief\n", is_well=True)


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
    MailCommand(["a@b.c", "root"]).send(replace(MESSAGE, subject="Grüße; $(touch x)", text="one\nzwei ü"))
    assert arguments(mail) == ["-s", "Grüße; $(touch x)", "a@b.c", "root"]
    assert body(mail) == "one\nzwei ü\n"


def test_a_subject_is_one_line_without_control_characters(mail: Path) -> None:
    MailCommand(["a@b.c"]).send(replace(MESSAGE, subject="one\r\nBcc: x@y.z\x1b[1m\0\udcff"))
    assert arguments(mail)[1] == "one Bcc: x@y.z\\x1b[1m\\x00\\udcff"


def test_no_line_of_a_body_is_a_command_for_mail(mail: Path) -> None:
    MailCommand(["a@b.c"]).send(replace(MESSAGE, text="~!touch x\n.\nbell\x07\ttab\r\nbroken \udcff"))
    assert body(mail) == " ~!touch x\n .\nbell\\x07    tab\\r\nbroken \\udcff\n"


@pytest.mark.parametrize("address", ["-oQ/tmp", "", "a@b.c\nx"])
@pytest.mark.parametrize("kind", [MailCommand, Sendmail])
def test_an_address_that_would_be_an_option_is_refused(
    mail: Path, address: str, kind: type[MailCommand | Sendmail]
) -> None:
    with pytest.raises(NotificationError, match="not a mail address"):
        kind(["a@b.c", address], str(mail)).send(MESSAGE)
    assert not mail.with_name("argv").exists()


def test_a_missing_command_is_told_with_what_to_install(tmp_path: Path) -> None:
    channel = MailCommand(["a@b.c"], str(tmp_path / "none"))
    with pytest.raises(NotificationError, match="there is no command") as refused:
        channel.send(MESSAGE)
    assert "mailutils" in refused.value.hint
    with pytest.raises(NotificationError, match="there is no command"):
        channel.check()


def test_a_command_that_cannot_be_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotificationError, match="cannot be run"):
        MailCommand(["a@b.c"], str(tmp_path)).send(MESSAGE)


def test_a_command_that_fails_is_told_with_its_last_words(tmp_path: Path) -> None:
    failing = command(tmp_path / "mail", "#!/bin/sh\necho first >&2\necho 'no \033route' >&2\necho >&2\nexit 75\n")
    with pytest.raises(NotificationError, match=r"ended with 75: no \\x1broute$"):
        MailCommand(["a@b.c"], str(failing)).send(replace(MESSAGE, text="b" * 1_000_000))


def test_a_command_that_does_not_end_is_given_up(tmp_path: Path) -> None:
    slow = command(tmp_path / "mail", "#!/bin/sh\nexec sleep 60\n")
    with pytest.raises(NotificationError, match=r"did not end in 0.2 seconds"):
        MailCommand(["a@b.c"], str(slow), timeout=0.2).send(MESSAGE)


def test_sendmail_reads_the_recipients_from_the_head_and_takes_no_dot_for_the_end(tmp_path: Path) -> None:
    recording = command(tmp_path / "sendmail", RECORD.format(python=sys.executable))
    Sendmail(["a@b.c", "root"], str(recording), sender="x@y.z").send(replace(MESSAGE, text="one\n.\ntwo\n"))
    assert arguments(recording) == ["-t", "-i", "-f", "x@y.z"]
    assert "To: a@b.c, root\n" in body(recording)
    assert "\n.\n" in body(recording)


def test_sendmail_is_found_where_the_path_of_a_cron_job_does_not_lead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = command(tmp_path / "sendmail", RECORD.format(python=sys.executable))
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("dataverse_backup.notify.command.SENDMAIL_FOLDERS", str(tmp_path))
    assert found("sendmail") == str(hidden)
    assert found("mail") is None
    Sendmail(["a@b.c"]).send(MESSAGE)
    assert arguments(hidden) == ["-t", "-i"]


def test_a_command_is_sendmail_by_its_name() -> None:
    assert is_sendmail("/usr/sbin/sendmail")
    assert not is_sendmail("mail")
