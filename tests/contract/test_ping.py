"""Calls of a dead-man service."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.errors import NotificationError
from dataverse_backup.notify.ping import LONGEST_BODY, Moment, ping
from tests.servers.ports import free_port
from tests.servers.web import WebServer

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "0a1b2c3d-secret"


@pytest.fixture
def server() -> Iterator[WebServer]:
    with WebServer() as made:
        yield made


def test_a_run_calls_when_it_starts_is_well_and_is_not(server: WebServer) -> None:
    for moment in Moment:
        ping(f"http://{server.address}/{SECRET}/?x=1", moment, "the log\n")
    assert server.calls == [
        (f"/{SECRET}/start?x=1", b"the log\n"),
        (f"/{SECRET}?x=1", b"the log\n"),
        (f"/{SECRET}/fail?x=1", b"the log\n"),
    ]


def test_only_the_end_of_a_long_log_goes_with_it(server: WebServer) -> None:
    ping(f"http://{server.address}/x", Moment.FAILED, "a" * 100_000 + "\udcff the end")
    ((_, body),) = server.calls
    assert len(body) == LONGEST_BODY
    assert body.endswith(b"a\\udcff the end")


def refused(url: str) -> str:
    with pytest.raises(NotificationError) as error:
        ping(url, Moment.WELL, timeout=0.5)
    assert SECRET not in f"{error.value!r}{error.value.__cause__!r}"
    assert error.value.__suppress_context__
    return str(error.value)


def test_a_service_that_is_down_or_silent_or_wrong_is_told_without_its_address() -> None:
    assert refused(f"http://127.0.0.1:{free_port()}/{SECRET}").endswith("could not be called: Connection refused")
    assert "could not be called" in refused(f"https://{'a' * 64}/{SECRET}")
    with WebServer(status=404) as server:
        assert refused(f"http://{server.address}/{SECRET}") == "PingUrl: 127.0.0.1 answered 404"
        assert "could not be called" in refused(f"https://{server.address}/{SECRET}")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        assert "no answer in time" in refused(f"http://127.0.0.1:{silent.getsockname()[1]}/{SECRET}")


def test_a_redirection_to_a_file_is_not_followed() -> None:
    with WebServer(status=302, location=f"file:///etc/{SECRET}") as server:
        assert "127.0.0.1" in refused(f"http://{server.address}/{SECRET}")
