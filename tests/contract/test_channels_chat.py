"""Chats through apprise, when something is wrong with them."""

from __future__ import annotations

import sys

import pytest

from dataverse_backup.errors import NotificationError
from dataverse_backup.notify.base import Message
from dataverse_backup.notify.chat import Chat
from tests.servers.ports import free_port
from tests.servers.web import WebServer

MESSAGE = Message("subject", "text\n", "<p>text</p>", "brief\n", is_well=True)
SECRET = "t0ken-word"


def refused(*urls: str, caplog: pytest.LogCaptureFixture) -> str:
    with pytest.raises(NotificationError) as error:
        Chat(urls).send(MESSAGE)
    assert SECRET not in f"{error.value!r}{error.value.hint}{caplog.text}{Chat(urls)!r}"
    return str(error.value)


def test_the_others_are_told_when_one_cannot_be(caplog: pytest.LogCaptureFixture) -> None:
    with WebServer() as server:
        said = refused(f"json://127.0.0.1:{free_port()}/{SECRET}", f"json://{server.address}/x", caplog=caplog)
        assert [path for path, _ in server.calls] == ["/x"]
    assert said == "NotifyUrls: address 1 of 2 could not be told"


def test_an_address_that_apprise_does_not_know_is_named_by_its_number(caplog: pytest.LogCaptureFixture) -> None:
    with WebServer() as server:
        said = refused(f"nonsense://{SECRET}", f"json://{server.address}/x", caplog=caplog)
        assert [path for path, _ in server.calls] == ["/x"]
    assert said == "NotifyUrls: address 1 of 2 could not be told"
    with pytest.raises(NotificationError, match="address 1 of 1 not known to apprise"):
        Chat([f"nonsense://{SECRET}"]).check()


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)  # as if it were not there
    with pytest.raises(NotificationError, match="not installed") as error:
        Chat(["json://x"]).send(MESSAGE)
    assert error.value.hint == 'pip install "dataverse-backup[notify]"'
