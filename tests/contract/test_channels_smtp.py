"""What goes wrong with a mail server, and how it is said."""

from __future__ import annotations

import socket
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.errors import NotificationError
from dataverse_backup.notify.base import Message
from dataverse_backup.notify.smtp import SmtpMail, SmtpServer
from tests.servers.ports import free_port
from tests.servers.smtpd import Certificate
from tests.servers.smtpd import SmtpServer as RealServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MESSAGE = Message("subject", "text\n", "<p>text</p>", "brief\n", is_well=True)
ANN, EVE = "ann@example.edu", "eve@example.edu"


def send(server: SmtpServer, *addresses: str) -> NotificationError:
    """What is said when *server* is to take a mail."""
    with pytest.raises(NotificationError) as refused:
        SmtpMail(addresses or [ANN], server, "x@y.z", timeout=0.5).send(MESSAGE)
    return refused.value


def test_a_server_that_is_down_is_named() -> None:
    port = free_port()
    error = send(SmtpServer("127.0.0.1", port, "none"))
    assert str(error) == f"no mail was sent: 127.0.0.1:{port}: Connection refused"


@pytest.mark.parametrize("host", ["no.such.host.invalid", "a..b"])
def test_a_host_that_does_not_exist_is_named(host: str) -> None:
    assert f"no mail was sent: {host}:25: " in str(send(SmtpServer(host, 25, "none")))


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that never says anything."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


@pytest.mark.parametrize("security", ["none", "tls"])
def test_a_server_that_says_nothing_is_given_up(silent: int, security: str) -> None:
    began = time.monotonic()
    error = send(SmtpServer("127.0.0.1", silent, security))
    assert "did not answer in time" in str(error)
    assert time.monotonic() - began < 5


def test_everybody_that_the_server_knows_gets_the_mail_and_the_others_are_named() -> None:
    with RealServer(refused=(EVE,)) as server:
        error = send(SmtpServer("127.0.0.1", server.port, "none"), EVE, ANN)
        assert server.recipients == [[ANN]]
    assert str(error) == f"the mail was sent, but not to everybody: {EVE} (550 5.1.1 no such user here)"


def test_recipients_that_are_all_refused_are_named() -> None:
    with RealServer(refused=(EVE,)) as server:
        error = send(SmtpServer("127.0.0.1", server.port, "none"), EVE)
    assert f"refused {EVE} (550 5.1.1 no such user here)" in str(error)


@pytest.mark.parametrize("password", ["wrong-secret", "falsches Geheimnis ü"])
def test_a_log_in_that_is_refused_is_told_without_the_password(password: str) -> None:
    with RealServer(login=("ann", "right")) as server:
        error = send(SmtpServer("127.0.0.1", server.port, "none", "ann", password))
    assert "refused the log-in (535)" in str(error)
    assert "SmtpPassword" in error.hint
    assert password not in f"{error!r}{error.hint}{error.__context__!r}"


def test_a_password_is_in_no_repr() -> None:
    assert "secret" not in repr(SmtpServer("host", 25, "none", "ann", "secret"))


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path, security: str) -> None:
    with RealServer(security, Certificate(tmp_path)) as server:
        error = send(SmtpServer("127.0.0.1", server.port, security))
        assert server.received == []
    assert "the certificate is not valid" in str(error)
    assert "SSL_CERT_FILE" in error.hint


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_of_another_name_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, security: str
) -> None:
    certificate = Certificate(tmp_path, name="other.example.edu")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.authority_file))
    with RealServer(security, certificate) as server:
        error = send(SmtpServer("127.0.0.1", server.port, security))
        assert server.received == []
    assert "not valid for" in str(error)


def test_no_mail_goes_in_clear_where_starttls_is_wanted_and_not_offered() -> None:
    with RealServer() as server:
        error = send(SmtpServer("127.0.0.1", server.port, "starttls"))
        assert server.received == []
    assert "SmtpSecurity" in error.hint


def test_a_server_without_what_is_needed_is_told_with_what_to_do() -> None:
    with RealServer() as server:
        assert "remove SmtpUsername" in send(SmtpServer("127.0.0.1", server.port, "none", "ann", "secret")).hint


def test_tls_to_a_server_that_begins_in_clear_is_told() -> None:
    with RealServer() as server:
        error = send(SmtpServer("127.0.0.1", server.port, "tls"))
    assert "SmtpSecurity: tls is for servers" in error.hint


def test_a_sender_that_is_not_configured_is_this_host() -> None:
    with RealServer() as server:
        SmtpMail([ANN], SmtpServer("127.0.0.1", server.port, "none"), timeout=5).send(replace(MESSAGE, subject="ü\nx"))
        (mail,) = server.received
    assert str(mail["From"]).startswith("dataverse-backup@")
    assert mail["Subject"] == "ü x"
    assert mail["Auto-Submitted"] == "auto-generated"
