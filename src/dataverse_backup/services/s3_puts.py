"""Small objects, sent to S3 without what botocore does around every request: that takes longer than sending them.

The first request of each kind is botocore's own. What it sent, and the service took, is the pattern of those that
follow: where they go, how and for which region they are signed, and what they ask for. What is not answered by 200 is
botocore's again, from the start: it waits, tries again, follows a bucket to its region, and knows what errors mean.
"""

from __future__ import annotations

import re
import ssl
import threading
from collections import defaultdict, deque
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from botocore.auth import UNSIGNED_PAYLOAD, S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError
from botocore.utils import SAFE_CHARS, get_environ_proxies, percent_encode
from urllib3.util import wait_for_read

from dataverse_backup.services.s3 import WORTH_ASKING, authorities_of, credentials_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from botocore.awsrequest import AWSPreparedRequest
    from botocore.config import Config
    from botocore.credentials import Credentials
    from mypy_boto3_s3 import S3Client

    from dataverse_backup.services.s3 import S3Access

_OF_THE_KIND = frozenset({"Bucket", "IfNoneMatch", "ServerSideEncryption", "SSEKMSKeyId", "StorageClass"})
"""What requests of one kind have in common."""
_OF_THE_OBJECT = {"ContentMD5": "Content-MD5", "ChecksumSHA256": "x-amz-checksum-sha256"}
"""What each has for itself besides its name and its bytes, and the header for it. What asks for more is botocore's."""
_ANSWERED = {
    "etag": "ETag",
    "x-amz-version-id": "VersionId",
    "x-amz-checksum-sha256": "ChecksumSHA256",
    "x-amz-server-side-encryption": "ServerSideEncryption",
    "x-amz-server-side-encryption-customer-algorithm": "SSECustomerAlgorithm",
}
"""Headers of an answer to PutObject, and what botocore calls them."""
_MADE_ANEW = frozenset(
    {"authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256", "content-length", "host"}
    | {"amz-sdk-invocation-id", "amz-sdk-request"}
    | {header.lower() for header in _OF_THE_OBJECT.values()}
)
_OUT_OF_THE_ORDINARY = frozenset({"transfer-encoding", "x-amz-trailer", "x-amz-s3session-token", "expect"})
_LONGEST_ANSWER = 1 << 16
_QUIETLY = 100
"""So many objects are botocore's after one that did not go well: it has manners towards a service that is busy."""
_SIGNED = re.compile(r"AWS4-HMAC-SHA256 Credential=[^,]+/[0-9]{8}/(?P<region>[^/,]+)/s3/aws4_request, ")

Kind = frozenset[tuple[str, str]]


class SmallPuts:
    """Sends small objects to one service, for several threads."""

    def __init__(self, client: S3Client, access: S3Access) -> None:
        """Do what *client* does, which was made for *access*."""
        self._client, self._access = client, access
        self._caught = threading.local()
        client.meta.events.register("before-send.s3.PutObject", self._catch)
        self._patterns: dict[Kind, _Pattern | None] = {}
        self._lines = _Lines(access)
        self._to_be_quiet = 0

    def put_object(self, **request: Any) -> Mapping[str, Any]:
        """As the client's ``put_object``: its errors, and of its answer what _ANSWERED names."""
        kind = _kind_of(request)
        if kind is None or self._is_quiet():
            return self._client.put_object(**request)
        if kind not in self._patterns:
            return self._learned(kind, request)
        pattern = self._patterns[kind]
        answer = self._sent(pattern, request) if pattern is not None else None
        return self._client.put_object(**request) if answer is None else answer

    def close(self) -> None:
        """Give back the connections."""
        self._lines.close()

    def _is_quiet(self) -> bool:
        is_quiet = self._to_be_quiet > 0
        self._to_be_quiet -= is_quiet  # not exact where several threads do it, and need not be
        return is_quiet

    def _catch(self, request: AWSPreparedRequest, **_: object) -> None:
        self._caught.request = request

    def _learned(self, kind: Kind, request: Mapping[str, Any]) -> Mapping[str, Any]:
        answer = self._client.put_object(**request)
        self._patterns[kind] = _pattern_of(self._caught.request, request["Key"], self._client, self._access)
        return answer

    def _sent(self, pattern: _Pattern, request: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """What the service answers; None where that is no success."""
        try:
            path, headers = pattern.signed(request)
            with self._lines.one(pattern.origin) as line:
                line.request("PUT", path, request["Body"], headers)
                answer = line.getresponse()
                answer.read(_LONGEST_ANSWER)
            if answer.status == HTTPStatus.OK:
                return {name: value for header, name in _ANSWERED.items() if (value := answer.headers.get(header))}
        except (OSError, HTTPException, BotoCoreError):
            pass  # botocore says what is wrong, if it is still
        self._to_be_quiet = _QUIETLY
        return None


def _kind_of(request: Mapping[str, Any]) -> Kind | None:
    """What *request* has in common with others; None for one that is not to be sent from here."""
    kind = frozenset((name, value) for name, value in request.items() if name in _OF_THE_KIND)
    is_plain = len(kind) + len(_OF_THE_OBJECT.keys() & request.keys()) + len(("Key", "Body")) == len(request)
    return kind if is_plain and len(request["Body"]) < WORTH_ASKING else None


@dataclass(frozen=True, slots=True)
class _Pattern:
    """How requests of one kind are made."""

    origin: SplitResult
    """The service: a URL without a path."""
    before_key: str
    """The path, up to the key."""
    headers: Mapping[str, str]
    region: str
    config: Config
    credentials: Credentials

    def signed(self, request: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
        """Path and headers. Raises BotoCoreError where the credentials are not valid any more."""
        path = self.before_key + _quoted(request["Key"])
        its_own = {header: request[name] for name, header in _OF_THE_OBJECT.items() if name in request}
        made = AWSRequest("PUT", self.origin.geturl() + path, {**self.headers, **its_own})
        made.context["client_config"] = self.config
        S3SigV4Auth(self.credentials.get_frozen_credentials(), "s3", self.region).add_auth(made)
        return path, {**made.headers, "Content-Length": str(len(request["Body"]))}


def _pattern_of(sent: AWSPreparedRequest, key: str, client: S3Client, access: S3Access) -> _Pattern | None:
    """How botocore sent the object *key*; None where that is nothing to be imitated."""
    url, headers = urlsplit(sent.url), {name.lower(): _text(value) for name, value in sent.headers.items()}
    signed = _SIGNED.match(headers.get("authorization", ""))
    credentials = credentials_of(access)
    is_ordinary = (
        url.path.endswith(f"/{_quoted(key)}")
        and not url.query
        and headers.get("x-amz-content-sha256") == UNSIGNED_PAYLOAD
        and _OUT_OF_THE_ORDINARY.isdisjoint(headers)
        and not get_environ_proxies(sent.url).get(url.scheme)
        and access.proxy is None
    )
    if signed is None or credentials is None or not is_ordinary:
        return None
    origin = SplitResult(url.scheme, url.netloc, "", "", "")
    kept = {name: value for name, value in headers.items() if name not in _MADE_ANEW}
    return _Pattern(
        origin, url.path.removesuffix(_quoted(key)), kept, signed["region"], client.meta.config, credentials
    )


def _quoted(key: str) -> str:
    quoted: str = percent_encode(key, safe=f"{SAFE_CHARS}/~")
    return quoted


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


class _Lines:
    """Connections that are kept open, as many as were used at once."""

    def __init__(self, access: S3Access) -> None:
        self._access = access
        self._idle: defaultdict[SplitResult, deque[HTTPConnection]] = defaultdict(deque)

    @contextmanager
    def one(self, origin: SplitResult) -> Iterator[HTTPConnection]:
        """A connection to *origin* that nobody else uses. Raises OSError."""
        line = self._kept(origin) or self._new(origin)
        try:
            yield line
        except BaseException:
            line.close()
            raise
        if line.sock is not None:  # the service has not closed it
            self._idle[origin].append(line)

    def close(self) -> None:
        """End all that are not in use."""
        for lines in self._idle.values():
            while lines:
                lines.pop().close()

    def _kept(self, origin: SplitResult) -> HTTPConnection | None:
        with suppress(IndexError):
            while True:
                line = self._idle[origin].pop()
                if not wait_for_read(line.sock, timeout=0):
                    return line
                line.close()  # the service has ended it meanwhile, or says something that nobody asked
        return None

    def _new(self, origin: SplitResult) -> HTTPConnection:
        host, port, timeout = origin.hostname or "", origin.port, self._access.connect_timeout
        if origin.scheme == "https":
            line: HTTPConnection = HTTPSConnection(host, port, timeout=timeout, context=self._trust)
        else:
            line = HTTPConnection(host, port, timeout=timeout)
        line.connect()
        line.sock.settimeout(self._access.read_timeout)
        return line

    @cached_property
    def _trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=authorities_of(self._access))
