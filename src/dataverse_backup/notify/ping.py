"""Calls a dead-man service, as healthchecks.io and its kin want it: it tells people when nobody calls."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from dataverse_backup.errors import NotificationError, printable

if TYPE_CHECKING:
    from urllib.request import OpenerDirector

TIMEOUT = 10.0
"""Seconds for each step of a call."""
LONGEST_BODY = 10_000
"""Bytes; healthchecks.io keeps no more of a call."""


class Moment(StrEnum):
    """What has happened: what follows the address of the service."""

    START = "/start"
    WELL = ""
    FAILED = "/fail"


def ping(url: str, moment: Moment, body: str = "", *, timeout: float = TIMEOUT) -> None:
    """Tell the service; the end of *body* goes with it.

    Raises NotificationError. The address is a secret, and no part of it but the host is in the error.
    """
    data = body.encode(errors="backslashreplace")[-LONGEST_BODY:]
    headers = {"Content-Type": "text/plain; charset=utf-8", "User-Agent": "dataverse-backup"}
    request = urllib.request.Request(_address(url, moment), data, headers)  # noqa: S310 -- http(s): the settings see to it
    host = urlsplit(url).hostname or ""
    try:
        with _opener().open(request, timeout=timeout):
            pass
    except urllib.error.HTTPError as error:
        error.close()
        raise NotificationError(f"PingUrl: {host} answered {error.code}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NotificationError(f"PingUrl: {host} could not be called: {_said(error)}") from None


def _address(url: str, moment: Moment) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=parts.path.rstrip("/") + moment))


def _opener() -> OpenerDirector:
    """Without the handlers of files and FTP, to which a redirection could lead."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPRedirectHandler(),
    ):
        opener.add_handler(handler)
    return opener


def _said(error: Exception) -> str:
    """The reason alone: the text of an error may have the address in it."""
    reason = getattr(error, "reason", None) or error
    said = getattr(reason, "strerror", None) or getattr(reason, "verify_message", None)
    return (
        printable(str(said))
        if said
        else "no answer in time"
        if isinstance(reason, TimeoutError)
        else type(reason).__name__
    )
