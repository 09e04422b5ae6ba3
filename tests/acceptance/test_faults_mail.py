"""The result of a run by mail: through the real command to a real server, and when that does not work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dataverse_backup.errors import Reason
from dataverse_backup.ledger.base import Status
from demo.contents import OnDisk
from tests.acceptance.small import small_file, small_files, unequal_copies
from tests.servers import unavailable
from tests.servers.mail_command import MAIL, NoMail, mail_environment
from tests.servers.smtpd import SmtpServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.acceptance.conftest import Small

SOME_FAILED = 3
NOTIFICATIONS = f"[Notifications]\nEmail: one@example.edu, two@example.edu\nMailCommand: {MAIL}"


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    with SmtpServer() as server:
        yield server


def environment(folder: Path, port: int) -> dict[str, str]:
    try:
        return mail_environment(folder, port)
    except NoMail as missing:
        unavailable(str(missing))


def test_a_mail_says_how_many_were_copied_and_names_what_failed(
    small: Small, tmp_path: Path, server: SmtpServer
) -> None:
    missing = {"on_disk": OnDisk.NOTHING, "status": Status.FAIL_READ, "reason": Reason.MISSING}
    installation = small([*small_files(2), small_file(label="Übersicht\n~!touch pwned\n.\n.txt", **missing)])
    installation.extra = NOTIFICATIONS
    installation.environment = environment(tmp_path, server.port)
    answer = installation.run("backup")
    assert answer.returncode == SOME_FAILED, answer.stderr
    (mail,) = server.received
    assert server.recipients == [["one@example.edu", "two@example.edu"]]
    assert mail["Subject"].startswith("Dataverse backup FAILED: 2 files backed up, 1 failed (")
    assert "this run: 2 copied or proven, 1 failed" in mail.get_content()
    assert "FAIL_READ missing: 1 file" in mail.get_content()
    assert "- datafile 103, doi:10.5072/FK2/AWKWRD, Übersicht ~!touch pwned . .txt\r\n" in mail.get_content()
    assert f"    {installation.sample.expected[2].key}\r\n" in mail.get_content()


def test_a_mail_that_all_is_well_is_sent_too(small: Small, tmp_path: Path, server: SmtpServer) -> None:
    installation = small(small_files(1))
    installation.extra = NOTIFICATIONS
    installation.environment = environment(tmp_path, server.port)
    answer = installation.run("backup", "--quiet")
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")
    (mail,) = server.received
    assert mail["Subject"].startswith("Dataverse backup OK: 1 files backed up, 0 failed (")


def test_a_relay_that_is_down_is_said_and_the_copies_stay(small: Small, tmp_path: Path, server: SmtpServer) -> None:
    installation = small(small_files(1))
    installation.extra = NOTIFICATIONS
    installation.environment = environment(tmp_path, port=1)
    answer = installation.run("backup", "--quiet")
    assert answer.returncode == SOME_FAILED
    assert f"no mail was sent: {MAIL} ended with 1" in answer.stderr
    assert unequal_copies(installation.sample, installation.backup) == []
    assert server.received == []


def test_a_mail_command_that_is_missing_is_said_by_check_and_by_a_run(small: Small, tmp_path: Path) -> None:
    installation = small(small_files(1))
    installation.extra = "[Notifications]\nEmail: one@example.edu"
    installation.environment = {"PATH": str(tmp_path)}
    answer = installation.run("check")
    assert answer.returncode == SOME_FAILED
    assert "FAILED (" in answer.stdout
    assert "there is no command mail" in answer.stdout
    answer = installation.run("backup")
    assert answer.returncode == SOME_FAILED
    assert "there is no command mail" in answer.stderr
    assert "bsd-mailx" in answer.stderr
    assert unequal_copies(installation.sample, installation.backup) == []


def test_a_run_that_could_not_run_is_told_by_mail(small: Small, tmp_path: Path, server: SmtpServer) -> None:
    installation = small(small_files(1))
    installation.extra = NOTIFICATIONS
    installation.environment = environment(tmp_path, server.port)
    installation.dsn = "host=127.0.0.1 port=1 dbname=dvndb user=dvnapp password=secret-word"
    answer = installation.run("backup")
    assert answer.returncode == 1, answer.stderr
    (mail,) = server.received
    assert mail["Subject"].startswith("Dataverse backup FAILED: the Dataverse database dvnapp@")
    assert "the Dataverse database dvnapp@127.0.0.1:1/dvndb does not answer" in mail.get_content()
    assert "secret-word" not in mail.get_content()
