"""Every error of the libraries that speak with Swift has a meaning of ours."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import requests.exceptions
import urllib3.exceptions
from keystoneauth1 import exceptions as keystone
from swiftclient import exceptions as swiftclient
from swiftclient.exceptions import ClientException

from dataverse_backup.services.swift import SWIFT_ERRORS, SwiftAccess, diagnose, storage_url
from dataverse_backup.services.trouble import Trouble


def exported_errors() -> list[type[Exception]]:
    modules = (swiftclient, keystone, requests.exceptions, urllib3.exceptions)
    exported: list[type[Any]] = [kind for module in modules for _, kind in inspect.getmembers(module, inspect.isclass)]
    return [
        kind
        for kind in exported
        if issubclass(kind, Exception)
        and not issubclass(kind, Warning)
        and not kind.__module__.startswith(("http.", "builtins", "json", "email."))
    ]


@pytest.mark.parametrize("kind", exported_errors(), ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_every_error_that_a_library_exports_has_a_meaning(kind: type[Exception]) -> None:
    assert issubclass(kind, SWIFT_ERRORS)


@pytest.mark.parametrize(
    ("status", "trouble"),
    [
        (401, Trouble.LOGIN_REFUSED),
        (403, Trouble.REFUSED),
        (404, Trouble.MISSING),
        (408, Trouble.UNAVAILABLE),
        (412, Trouble.OCCUPIED),
        (413, Trouble.NO_SPACE),
        (422, Trouble.BAD_DIGEST),
        (429, Trouble.THROTTLED),
        (498, Trouble.THROTTLED),
        (499, Trouble.UNAVAILABLE),
        (500, Trouble.UNAVAILABLE),
        (501, Trouble.NOT_OFFERED),
        (503, Trouble.UNAVAILABLE),
        (507, Trouble.NO_SPACE),
        (400, Trouble.OTHER),
        (None, Trouble.UNAVAILABLE),
    ],
)
def test_an_answer_of_swift_has_a_meaning(status: int | None, trouble: Trouble) -> None:
    found = diagnose(ClientException("Object PUT failed", http_status=status, http_reason="Because"))
    assert found.trouble is trouble
    assert status is None or found.said == f"the service answered {status} Because"


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (keystone.Unauthorized(), Trouble.LOGIN_REFUSED),
        (keystone.Forbidden(), Trouble.LOGIN_REFUSED),
        (keystone.NotFound(), Trouble.MISCONFIGURED),
        (keystone.ServiceUnavailable(), Trouble.UNAVAILABLE),
        (keystone.EndpointNotFound("nowhere"), Trouble.MISCONFIGURED),
        (keystone.ConnectFailure("nobody"), Trouble.UNAVAILABLE),
        (keystone.SSLError("a certificate"), Trouble.MISCONFIGURED),
        (requests.exceptions.SSLError("a certificate"), Trouble.MISCONFIGURED),
        (requests.exceptions.ReadTimeout("late"), Trouble.UNAVAILABLE),
        (urllib3.exceptions.IncompleteRead(1, 2), Trouble.UNAVAILABLE),
        (ConnectionResetError("cut"), Trouble.UNAVAILABLE),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_on_the_way_has_a_meaning(error: Exception, trouble: Trouble) -> None:
    assert diagnose(error).trouble is trouble


def test_who_has_to_do_something_is_told_what() -> None:
    assert "key" in diagnose(keystone.Unauthorized()).hint
    assert "address" in diagnose(keystone.EndpointNotFound("nowhere")).hint


@pytest.mark.parametrize(
    ("endpoint", "where"),
    [
        (None, "http://inside:8080/v1/AUTH_1"),
        ("https://outside", "https://outside/v1/AUTH_1"),
        ("https://outside/", "https://outside/v1/AUTH_1"),
        ("https://outside:8443/v1", "https://outside:8443/v1/AUTH_1"),
        ("https://outside/v1/AUTH_2", "https://outside/v1/AUTH_2"),
        ("https://outside/swift/v1/AUTH_2/", "https://outside/swift/v1/AUTH_2"),
    ],
)
def test_an_endpoint_is_a_host_or_a_whole_account(endpoint: str | None, where: str) -> None:
    assert storage_url(endpoint, "http://inside:8080/v1/AUTH_1") == where


def test_no_secret_is_in_what_is_shown_of_an_access() -> None:
    access = SwiftAccess("https://a", "3", "u", "secret", application_credential_secret="secret")
    assert "secret'" not in repr(access)
    assert "'secret" not in repr(access)
