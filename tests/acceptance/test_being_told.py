"""The installed command on the sample Dataverse: who is told what, and what is watched."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from dataverse_backup.ledger.base import Status
from tests.acceptance.small import small_files
from tests.servers.ports import free_port
from tests.servers.smtpd import Certificate, SmtpServer
from tests.servers.web import WebServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import EmailMessage
    from pathlib import Path

    from tests.acceptance.conftest import Small
    from tests.acceptance.installation import Installation

SOME_FAILED = 3
SECRET = "S3cret-word"
FAILED = (Status.FAIL_READ, Status.FAIL_WRITE)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SmtpServer]:
    with SmtpServer("starttls", Certificate(tmp_path), ("ann", SECRET)) as made:
        yield made


def tell_by_smtp(installation: Installation, server: SmtpServer, *further: str) -> None:
    """Let *installation* send its mails to *server*."""
    (installation.folder / "password").write_text(f"{SECRET}\n")
    (installation.folder / "password").chmod(0o600)
    lines = [
        "[Notifications]",
        "Email: ann@example.edu",
        "From: backup@example.edu",
        "SmtpServer: 127.0.0.1",
        f"SmtpPort: {server.port}",
        "SmtpUsername: ann",
        "SmtpPasswordFile: password",
        *further,
    ]
    installation.extra = "\n".join(lines)
    assert server.certificate is not None
    installation.environment["SSL_CERT_FILE"] = str(server.certificate.authority_file)


def rows(mail: EmailMessage, name: str) -> list[dict[str, str]]:
    """One of the lists that are attached."""
    (found,) = [part for part in mail.iter_attachments() if part.get_filename() == name]
    content = found.get_payload(decode=True)
    assert isinstance(content, bytes)
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def body(mail: EmailMessage, kind: str = "plain") -> str:
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content())


def copied(installation: Installation) -> set[str]:
    """The ids of all datafiles that can be copied, and those of datasets with a logo."""
    files = {str(e.datafile_id) for e in installation.sample.expected if e.status is Status.OK}
    return files | {str(logo.id) for logo in installation.sample.logos}


def test_the_mail_names_exactly_the_planted_files_with_their_reasons(
    installation: Installation, server: SmtpServer
) -> None:
    tell_by_smtp(installation, server)
    answer = installation.run("backup")
    assert answer.returncode == SOME_FAILED
    assert SECRET not in answer.stdout + answer.stderr
    (mail,) = server.received
    planted = {(str(e.datafile_id), e.status, e.reason) for e in installation.sample.expected if e.status in FAILED}
    assert mail["Subject"].startswith(f"Dataverse backup FAILED: 292 files backed up, {len(planted)} failed (")
    assert {(row["datafile_id"], row["status"], row["reason"]) for row in rows(mail, "failed.csv")} == planted
    assert {row["datafile_id"] for row in rows(mail, "copied.csv")} == copied(installation)
    named = re.findall(r"^(FAIL_\w+) (\S+): |^  - datafile (\d+), ", body(mail), re.MULTILINE)
    assert {number for _, _, number in named if number} == {number for number, _, _ in planted}
    assert {(status, reason) for status, reason, _ in named if status} == {(s, r) for _, s, r in planted}
    assert all(f"</strong>, datafile {number}, " in body(mail, "html") for number, _, _ in planted)


def test_a_database_that_does_not_answer_is_told_to_everybody(small: Small, server: SmtpServer) -> None:
    installation = small(small_files(1))
    with WebServer() as service:
        figures = installation.folder / "backup.prom"
        told = (f"PingUrl: http://{service.address}/{SECRET}", f"PrometheusFile: {figures}", "When: failure")
        tell_by_smtp(installation, server, *told)
        installation.dsn = "host=127.0.0.1 port=1 dbname=dvndb user=dvnapp password=other-secret"
        answer = installation.run("backup")
    assert answer.returncode == 1
    assert [path for path, _ in service.calls] == [f"/{SECRET}/start", f"/{SECRET}/fail"]
    assert b"127.0.0.1" in service.calls[1][1]
    (mail,) = server.received
    assert mail["Subject"].startswith("Dataverse backup FAILED: ")
    assert "127.0.0.1" in mail["Subject"]
    assert 'last_run_outcome{destination="default",outcome="error"} 1.0' in figures.read_text()
    assert "secret" not in (answer.stderr + body(mail) + str(service.calls[1][1])).lower()


def test_a_mail_that_cannot_be_sent_counts_only_where_nothing_else_went_wrong(small: Small) -> None:
    installation = small(small_files(1))
    installation.extra = f"[Notifications]\nEmail: a@b.c\nSmtpServer: 127.0.0.1\nSmtpPort: {free_port()}"
    answer = installation.run("backup")
    assert answer.returncode == SOME_FAILED
    assert "error: no mail was sent: 127.0.0.1:" in answer.stderr
    assert "default: ok" in answer.stdout
    assert installation.status()["last_run"]["outcome"] == "ok"
    installation.extra = "[Notifications]\nEmail: a@b.c\nMailCommand: no-such-mail"
    installation.backup.rename(installation.folder / "away")
    answer = installation.run("backup")
    assert answer.returncode == 1
    assert "there is no command no-such-mail" in answer.stderr
    assert "mail: FAILED" in installation.run("check").stdout


def test_what_watches_is_kept_informed(small: Small) -> None:
    installation = small(small_files(3))
    figures, pages = installation.folder / "backup.prom", installation.folder / "pages"
    pages.mkdir()
    with WebServer() as service:
        installation.extra = (
            f"[Notifications]\nPrometheusFile: {figures}\nReportDirectory: {pages}\n"
            f"PingUrl: http://{service.address}/x\nNotifyUrls: json://{service.address}/{SECRET}"
        )
        answer = installation.run("--log-level", "info", "backup")
        assert answer.returncode == 0, answer.stderr
    assert SECRET not in answer.stdout + answer.stderr
    families = text_string_to_metric_families(figures.read_text())
    found = {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}
    assert found["dataverse_backup_files", "default", "OK"] == 3
    assert found["dataverse_backup_last_success_timestamp_seconds", "default"] > time.time() - 600
    assert "default" in (pages / "index.html").read_text()
    (start, chat, success) = service.calls
    assert (start[0], chat[0], success[0]) == ("/x/start", f"/{SECRET}", "/x")
    assert json.loads(chat[1])["title"].startswith("Dataverse backup OK: 3 files backed up, 0 failed")
    assert success[1].decode().startswith("default: ok; this run: 3 copied")
    assert success[1].decode().count("copied run=") == 3


def test_a_service_or_folder_that_is_gone_never_loses_the_result(small: Small) -> None:
    installation = small(small_files(1))
    installation.extra = f"[Notifications]\nPingUrl: http://127.0.0.1:{free_port()}/{SECRET}"
    answer = installation.run("backup")
    assert answer.returncode == 0
    assert "PingUrl: 127.0.0.1 could not be called" in answer.stderr
    assert SECRET not in answer.stderr
    keys = ("ReportDirectory", "PrometheusFile")
    installation.extra = "[Notifications]\n" + "".join(f"{key}: {installation.folder / key / 'x'}\n" for key in keys)
    answer = installation.run("backup")
    assert answer.returncode == SOME_FAILED
    assert "default: ok" in answer.stdout
    checked = installation.run("check").stdout
    for key in keys:
        assert str(installation.folder / key / "x") in answer.stderr
        assert f"{key}: FAILED" in checked


def test_what_a_killed_run_did_is_told_by_the_next(installation: Installation, server: SmtpServer) -> None:
    tell_by_smtp(installation, server)
    run = installation.start("backup")
    while not any(installation.backup.glob("10.*")) and run.poll() is None:
        time.sleep(0.01)
    run.kill()
    run.communicate(timeout=30)
    assert server.received == []
    installation.run("backup")
    (mail,) = server.received
    assert "told nobody" in body(mail)
    assert {row["datafile_id"] for row in rows(mail, "copied.csv")} == copied(installation)


def test_the_log_is_for_people_for_programs_or_for_the_journal(small: Small) -> None:
    installation = small(small_files(3))
    quiet = installation.run("backup", "--quiet")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
    (installation.folder / "ledger.db").unlink()
    (installation.backup / ".dataverse-backup" / "identity").unlink()
    for_programs = installation.run("--log-format", "json", "backup")
    events = [json.loads(line) for line in for_programs.stderr.splitlines()]
    adopted = [event for event in events if event["event"] == "adopted"]
    assert sorted(event["datafile"] for event in adopted) == [e.datafile_id for e in installation.sample.expected]
    facts = {"run", "datafile", "dataset", "destination", "key", "bytes", "seconds", "outcome"}
    assert all(facts <= event.keys() and event["outcome"] == "OK" for event in adopted)
    assert events[-1]["event"] == "run ended"
    installation.backup.rename(installation.folder / "away")
    failed = installation.run("--log-format", "json", "backup")
    assert [json.loads(line)["level"] for line in failed.stderr.splitlines()].count("error") == 1
    with (installation.folder / "journal").open("w+") as journal:
        subprocess.run(
            [
                "sh",
                "-c",
                'JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2) exec "$@"',
                "sh",
                *installation._command("backup"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=journal,
            timeout=60,
            check=False,
        )
        journal.seek(0)
        lines = journal.read().splitlines()
    assert all(line.startswith(("<3>", "<6>")) for line in lines)
    assert any(line.startswith("<3>error: ") for line in lines)


def test_nagios_is_answered_in_its_own_way(small: Small) -> None:
    installation = small(small_files(2))
    assert installation.run("status", "--nagios").returncode == 2
    installation.run("backup")
    answer = installation.run("status", "--nagios", "--max-age", "1d")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert re.fullmatch(r"DATAVERSE BACKUP OK - default: 2 OK, 0 failing, .* \| 'default_ok'=2;;;0 .*\n", answer.stdout)
    installation.extra = "[Nonsense]"
    answer = installation.run("status", "--nagios")
    assert answer.returncode == 3
    assert answer.stdout.startswith("DATAVERSE BACKUP UNKNOWN - ")
    assert answer.stdout.count("\n") == 1
