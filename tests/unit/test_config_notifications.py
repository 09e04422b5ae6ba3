"""The section [Notifications]."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dataverse_backup.assembly import make_channels
from dataverse_backup.config import load
from dataverse_backup.notify.chat import Chat
from dataverse_backup.notify.command import MailCommand, Sendmail
from dataverse_backup.notify.smtp import SmtpMail
from tests.unit.config_files import REST, loaded, mistakes, written

if TYPE_CHECKING:
    from pathlib import Path

    from dataverse_backup.config import NotificationSettings

SECRET = "S3cret-word"


def of(folder: Path, text: str, environ: dict[str, str] | None = None) -> NotificationSettings:
    return loaded(folder, f"[Notifications]\n{text}\n{REST}", environ).notifications


def test_without_a_word_nobody_is_told(tmp_path: Path) -> None:
    found = of(tmp_path, "")
    assert make_channels(found) == []
    assert (found.when, found.smtp_security, found.prometheus_file, found.report_directory) == (
        "always",
        "starttls",
        None,
        None,
    )


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("Email: a@b.c", [MailCommand]),
        ("Email: a@b.c\nMailCommand: /usr/sbin/sendmail", [Sendmail]),
        ("Email: a@b.c\nSmtpServer: smtp.b.c", [SmtpMail]),
        ("NotifyUrls: json://localhost", [Chat]),
        ("Email: a@b.c\nNotifyUrls: json://localhost", [MailCommand, Chat]),
    ],
)
def test_each_way_to_tell_is_made_of_its_keys(tmp_path: Path, text: str, kinds: list[type]) -> None:
    assert [type(channel) for channel in make_channels(of(tmp_path, text))] == kinds


@pytest.mark.parametrize(("security", "port"), [("none", 25), ("STARTTLS", 587), ("tls", 465)])
def test_the_port_is_the_usual_one_of_the_security(tmp_path: Path, security: str, port: int) -> None:
    assert of(tmp_path, f"SmtpServer: x\nSmtpSecurity: {security}").port == port
    assert of(tmp_path, f"SmtpServer: x\nSmtpSecurity: {security}\nSmtpPort: 2525").port == 2525


def test_a_password_comes_from_the_environment_a_file_or_the_file_itself(tmp_path: Path) -> None:
    (tmp_path / "password").write_text(f"{SECRET}\n")
    (tmp_path / "password").chmod(0o600)
    by_file = of(tmp_path, "SmtpUsername: ann\nSmtpPasswordFile: password")
    by_environment = of(tmp_path, "SmtpUsername: ann", {"DATAVERSE_BACKUP_SMTP_PASSWORD": SECRET})
    for found in (by_file, by_environment, of(tmp_path, f"SmtpUsername: ann\nSmtpPassword: {SECRET}")):
        assert found.smtp_password is not None
        assert found.smtp_password.get_secret_value() == SECRET
        assert SECRET not in repr(found)


def test_addresses_with_tokens_come_from_the_environment_or_a_file_too(tmp_path: Path) -> None:
    (tmp_path / "urls").write_text("slack://a/b json://c\n")
    (tmp_path / "urls").chmod(0o600)
    for found in (
        of(tmp_path, "NotifyUrlsFile: urls"),
        of(tmp_path, "", {"DATAVERSE_BACKUP_NOTIFY_URLS": "slack://a/b json://c"}),
    ):
        assert found.notify_urls is not None
        assert found.notify_urls.get_secret_value().split() == ["slack://a/b", "json://c"]


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("When: sometimes", "line 2: [Notifications] When: must be 'always', 'failure' or 'change'"),
        ("SmtpSecurity: ssl", "line 2: [Notifications] SmtpSecurity: must be 'none', 'starttls' or 'tls'"),
        ("SmtpServer: smtp.b.c:25", "line 2: [Notifications] SmtpServer: not the name of a host, without a port"),
        ("SmtpServer: a b", "line 2: [Notifications] SmtpServer: not the name of a host, without a port"),
        ("SmtpPort: 99999", "line 2: [Notifications] SmtpPort: must be less than or equal to 65535"),
        ("From: a@b.c, d@e.f", "line 2: [Notifications] From: not a mail address: name@host"),
        ("From: a@b.c> <x", "line 2: [Notifications] From: not a mail address: name@host"),
        (f"PingUrl: file:///{SECRET}", "line 2: [Notifications] PingUrl: not an address that begins with https://"),
        (f"PingUrl: https://[{SECRET}", "line 2: [Notifications] PingUrl: not an address that begins with https://"),
        (f"PingUrl: https://x/{SECRET} y", "line 2: [Notifications] PingUrl: not an address that begins with"),
        (f"NotifyUrls: {SECRET}", "line 2: [Notifications] NotifyUrls: not addresses such as slack://"),
        ("SmtpUsername: ann", "line 1: [Notifications]: SmtpUsername and SmtpPassword belong together"),
        (f"SmtpPassword: {SECRET}", "line 1: [Notifications]: SmtpUsername and SmtpPassword belong together"),
        ("SmtpPasswordFile: none", "line 2: [Notifications] SmtpPasswordFile: cannot be read: No such file"),
        ("Emial: a@b.c", "line 2: [Notifications] Emial: not a key of this section; did you mean Email?"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_without_the_value(tmp_path: Path, text: str, mistake: str) -> None:
    (found, *_) = mistakes(tmp_path, f"[Notifications]\n{text}\n{REST}")
    assert found.startswith(mistake)
    assert SECRET not in found


def test_a_password_in_two_places_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "p").write_text("x\n")
    text = f"[Notifications]\nSmtpUsername: a\nSmtpPassword: {SECRET}\nSmtpPasswordFile: p\n{REST}"
    assert mistakes(tmp_path, text) == [
        "line 4: [Notifications] SmtpPasswordFile: give SmtpPassword or SmtpPasswordFile, not both"
    ]


def test_a_password_in_clear_over_the_network_is_warned_about(tmp_path: Path) -> None:
    text = f"[Notifications]\nSmtpUsername: a\nSmtpPassword: {SECRET}\nSmtpSecurity: none\n{REST}"
    (warning,) = loaded(tmp_path, text).warnings
    assert "in clear" in warning
    assert loaded(tmp_path, text.replace("none", "tls")).warnings == []


@pytest.mark.parametrize("key", ["PingUrl: https://x/secret", "NotifyUrls: slack://a/b"])
def test_a_file_with_an_address_that_is_a_secret_should_not_be_open_to_others(tmp_path: Path, key: str) -> None:
    path = written(tmp_path, f"[Notifications]\n{key}\n{REST}")
    path.chmod(0o644)

    (warning,) = load(path, {}).warnings
    assert "chmod 600" in warning
