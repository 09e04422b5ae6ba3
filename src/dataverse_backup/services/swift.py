"""OpenStack Swift: how it is reached, and what its errors mean."""

from __future__ import annotations

import http.client
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Self
from urllib.parse import urlsplit

import requests
import requests.exceptions as requesting
import urllib3.exceptions
from keystoneauth1 import exceptions as keystone
from keystoneauth1.identity import V2Password, V3ApplicationCredential, V3Password
from keystoneauth1.session import Session
from swiftclient import Connection
from swiftclient.authv1 import PasswordPlugin
from swiftclient.client import logger_settings
from swiftclient.exceptions import ClientException

from dataverse_backup.services.trouble import Diagnosis, Trouble, seconds_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keystoneauth1.plugin import BaseAuthPlugin

CONNECT_TIMEOUT, READ_TIMEOUT, LOGIN_TIMEOUT = 10.0, 120.0, 30.0
"""Seconds until a connection is made, and between two pieces of an answer: a copy made over there takes its time."""
_LONGEST_WORDS = 200
logger_settings["reveal_sensitive_prefix"] = 0  # the library would log the first 16 characters of each token

_LOGIN_HINT = "are user, key, project and the address of the login right?"
_ADDRESS_HINT = "look at the address and version of the login, the region and the endpoint"


AuthVersion = Literal["1", "2", "3"]

DATAVERSE_LOGINS: dict[str, AuthVersion] = {"basic": "1", "keystone": "2", "keystone_v3": "3"}
"""Dataverse's ``authType`` (facts 3.2)."""


@dataclass(frozen=True, slots=True)
class SwiftAccess:
    """Where to log in, and as whom; can be pickled. Version 1 is that of tempauth and Ceph, 2 and 3 are Keystone's."""

    auth_url: str
    auth_version: AuthVersion
    user: str = ""
    """Version 1 takes it as it stands: ``project:user`` where the service wants that."""
    key: str = field(default="", repr=False)
    project: str = ""
    user_domain: str = "Default"
    project_domain: str = "Default"
    region: str | None = None
    endpoint: str | None = None
    """Where the objects are, instead of where the service says; see ``storage_url``."""
    application_credential_id: str = ""
    """With its secret in place of user and key; version 3 only."""
    application_credential_secret: str = field(default="", repr=False)


class Swift:
    """One login, and as many connections as are used at the same time. Any thread may use it.

    Nothing is connected before the first request. Tokens that expired are renewed. Nothing is tried again here.
    """

    def __init__(self, access: SwiftAccess) -> None:
        """Log in as *access* says when the first request is made."""
        self._access = access
        self._http = requests.Session()
        self._session = _Login(access, self._http)
        self._idle: deque[Any] = deque()

    def take(self) -> Any:
        """A ``swiftclient.Connection`` for one request at a time; give it back. Raises SWIFT_ERRORS."""
        try:
            connection = self._idle.pop()
        except IndexError:
            return self._new_connection()
        try:
            connection.token = self._session.get_token()  # somebody else may have renewed it
        except BaseException:
            self.give_back(connection)
            raise
        return connection

    def _new_connection(self) -> Any:
        return Connection(
            session=self._session,
            retries=0,
            starting_backoff=0,
            timeout=(CONNECT_TIMEOUT, READ_TIMEOUT),
            os_options={"region_name": self._access.region},
        )

    def give_back(self, connection: Any) -> None:
        """Let somebody else use *connection*, whose last answer was read to its end."""
        self._idle.append(connection)

    @contextmanager
    def connection(self) -> Iterator[Any]:
        """A connection for a while."""
        connection = self.take()
        try:
            yield connection
        except BaseException:
            connection.close()  # it may be in the middle of a request; it opens another one when it is used again
            raise
        finally:
            self.give_back(connection)

    def close(self) -> None:
        """End every connection; may be called twice, and used again afterwards."""
        while self._idle:
            self._idle.pop().close()
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Login(Session):
    """Logs in as *access* says, and knows where the objects are."""

    def __init__(self, access: SwiftAccess, http: requests.Session) -> None:
        super().__init__(auth=_plugin(access), session=http, timeout=LOGIN_TIMEOUT)
        self._endpoint = access.endpoint

    def get_endpoint(self, auth: BaseAuthPlugin | None = None, **kwargs: Any) -> str:
        offered = super().get_endpoint(auth, **kwargs)
        if offered is None:
            raise keystone.EndpointNotFound("the login names no object store")
        return storage_url(self._endpoint, offered)


def _plugin(access: SwiftAccess) -> BaseAuthPlugin:
    if access.auth_version == "1":
        plugin: BaseAuthPlugin = PasswordPlugin(access.auth_url, access.user, access.key)
        return plugin
    url = access.auth_url.removesuffix("/tokens").removesuffix("/auth")  # as other clients want it
    if access.auth_version == "2":
        return V2Password(url, access.user, access.key, tenant_name=access.project)
    if access.application_credential_id:
        return V3ApplicationCredential(
            url,
            application_credential_id=access.application_credential_id,
            application_credential_secret=access.application_credential_secret,
        )
    return V3Password(
        url,
        access.key,
        username=access.user,
        user_domain_name=access.user_domain,
        project_name=access.project,
        project_domain_name=access.project_domain,
    )


def storage_url(endpoint: str | None, offered: str) -> str:
    """Where the account's objects are: *endpoint* where it names an account, else *offered* at the host of *endpoint*.

    ``https://swift.example.edu/v1`` is a host; ``https://swift.example.edu/v1/AUTH_1234`` names an account.
    """
    if not endpoint:
        return offered
    chosen = urlsplit(endpoint.rstrip("/"))
    if "/" in chosen.path.removeprefix("/"):
        return chosen.geturl()
    return urlsplit(offered)._replace(scheme=chosen.scheme, netloc=chosen.netloc).geturl()


_STATUSES = {
    401: Trouble.LOGIN_REFUSED,
    403: Trouble.REFUSED,
    404: Trouble.MISSING,
    408: Trouble.UNAVAILABLE,
    409: Trouble.UNAVAILABLE,  # somebody else wrote there just now
    412: Trouble.OCCUPIED,
    413: Trouble.NO_SPACE,
    422: Trouble.BAD_DIGEST,
    429: Trouble.THROTTLED,
    498: Trouble.THROTTLED,
    499: Trouble.UNAVAILABLE,
    414: Trouble.BAD_NAME,
    501: Trouble.NOT_OFFERED,
    507: Trouble.NO_SPACE,
}
"""What an answer means; further ones from 500 are UNAVAILABLE, the rest is OTHER."""

_ERRORS: tuple[tuple[type[Exception], Trouble], ...] = (
    (keystone.SSLError, Trouble.MISCONFIGURED),
    (keystone.ConnectionError, Trouble.UNAVAILABLE),
    (keystone.RetriableConnectionFailure, Trouble.UNAVAILABLE),
    (keystone.ClientException, Trouble.MISCONFIGURED),
    (keystone.ImpliedVersionMismatch, Trouble.MISCONFIGURED),
    (requesting.SSLError, Trouble.MISCONFIGURED),
    (requesting.InvalidURL, Trouble.MISCONFIGURED),
    (requesting.InvalidSchema, Trouble.MISCONFIGURED),
    (requesting.MissingSchema, Trouble.MISCONFIGURED),
    (requesting.URLRequired, Trouble.MISCONFIGURED),
    (requesting.TooManyRedirects, Trouble.MISCONFIGURED),
    (urllib3.exceptions.LocationValueError, Trouble.MISCONFIGURED),
    (urllib3.exceptions.ProxySchemeUnsupported, Trouble.MISCONFIGURED),
    (requests.RequestException, Trouble.UNAVAILABLE),
    (urllib3.exceptions.HTTPError, Trouble.UNAVAILABLE),
    (http.client.HTTPException, Trouble.UNAVAILABLE),
    (OSError, Trouble.UNAVAILABLE),
)
"""What the errors mean that are no answers of Swift's, the first that fits."""

SWIFT_ERRORS = (ClientException, *(kind for kind, _ in _ERRORS))
"""Everything that a request raises."""

_HINTS = {Trouble.LOGIN_REFUSED: _LOGIN_HINT, Trouble.MISCONFIGURED: _ADDRESS_HINT}


def diagnose(error: Exception) -> Diagnosis:
    """What one of SWIFT_ERRORS means."""
    trouble = _trouble(error)
    headers = getattr(error, "http_response_headers", None) or {}  # their names are in lower case
    return Diagnosis(trouble, _words(error), _HINTS.get(trouble, ""), seconds_of(headers.get("retry-after")))


def _trouble(error: Exception) -> Trouble:
    if isinstance(error, ClientException):
        return _of_status(error.http_status)
    if isinstance(error, keystone.HttpError):
        return _of_login(_of_status(error.http_status))
    return next((trouble for kind, trouble in _ERRORS if isinstance(error, kind)), Trouble.OTHER)


def _of_status(status: int | None) -> Trouble:
    if not status:  # a request that could not be repeated after the login was renewed; the next one can
        return Trouble.UNAVAILABLE
    later = status >= http.client.INTERNAL_SERVER_ERROR
    return _STATUSES.get(status, Trouble.UNAVAILABLE if later else Trouble.OTHER)


def _of_login(trouble: Trouble) -> Trouble:
    """What an answer means that Keystone gave, or the login of version 1."""
    if trouble in (Trouble.LOGIN_REFUSED, Trouble.REFUSED):
        return Trouble.LOGIN_REFUSED
    return trouble if trouble in (Trouble.UNAVAILABLE, Trouble.THROTTLED) else Trouble.MISCONFIGURED


def _words(error: Exception) -> str:
    if isinstance(error, ClientException) and error.http_status:
        return f"the service answered {error.http_status} {error.http_reason}".rstrip()
    lines = str(error).splitlines()
    return (lines[0] if lines else type(error).__name__)[:_LONGEST_WORDS]
