"""Objects sent to S3, and read, without what botocore does around every request: a small object takes less than that.

The first request of each kind is botocore's own. What it sent, and the service took, is the pattern of those that
follow: where they go, how and for which region they are signed, and what they ask for. What is not answered by 200 is
botocore's again, from the start: it waits, tries again, follows a bucket to its region, and knows what errors mean.
"""

from __future__ import annotations

import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from botocore.auth import UNSIGNED_PAYLOAD
from botocore.exceptions import BotoCoreError
from botocore.utils import SAFE_CHARS, get_environ_proxies, percent_encode

from dataverse_backup.services.http_lines import Lines, Origin
from dataverse_backup.services.s3 import PORTS, WORTH_ASKING, authorities_of, credentials_of, service_of
from dataverse_backup.services.s3_signature import signed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from botocore.awsrequest import AWSPreparedRequest
    from botocore.credentials import Credentials
    from mypy_boto3_s3 import S3Client

    from dataverse_backup.services.s3 import S3Access

_OF_THE_KIND = frozenset({"Bucket", "IfNoneMatch", "ServerSideEncryption", "SSEKMSKeyId", "StorageClass"})
"""What requests of one kind have in common."""
_OF_THE_OBJECT = {"ContentMD5": "content-md5", "ChecksumCRC64NVME": "x-amz-checksum-crc64nvme"}
"""What each has for itself besides its name and its bytes, and the header for it. What asks for more is botocore's."""
_ANSWERED = {
    "etag": "ETag",
    "x-amz-version-id": "VersionId",
    "x-amz-checksum-crc64nvme": "ChecksumCRC64NVME",
    "x-amz-checksum-type": "ChecksumType",
    "x-amz-server-side-encryption": "ServerSideEncryption",
    "x-amz-server-side-encryption-customer-algorithm": "SSECustomerAlgorithm",
}
"""Headers of an answer to PutObject, and what botocore calls them."""
_MADE_ANEW = frozenset(
    {"authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256", "content-length", "host"}
    | {"amz-sdk-invocation-id", "amz-sdk-request"}
    | {*_OF_THE_OBJECT.values()}
)
_OUT_OF_THE_ORDINARY = frozenset({"transfer-encoding", "x-amz-trailer", "x-amz-s3session-token", "expect"})
_QUIETLY = 100
"""So many objects are botocore's after one that did not go well: it has manners towards a service that is busy."""
_SIGNED = re.compile(r"AWS4-HMAC-SHA256 Credential=[^,]+/[0-9]{8}/(?P<region>[^/,]+)/s3/aws4_request, ")

Kind = tuple[str, frozenset[tuple[str, str]]]


class PlainRequests:
    """Sends small objects to one service and reads any, for several threads."""

    def __init__(self, client: S3Client, access: S3Access) -> None:
        """Do what *client*, which was made for *access*, does."""
        self.service = service_of(client)
        self._client, self._access = client, access
        self._caught = threading.local()
        for operation in ("PutObject", "GetObject"):
            client.meta.events.register(f"before-send.s3.{operation}", self._catch)
        self._patterns: dict[Kind, _Pattern | None] = {}
        self._lines = Lines(access.connect_timeout, access.read_timeout, partial(authorities_of, access))
        self._to_be_quiet = 0

    def put_object(self, **request: Any) -> Mapping[str, Any]:
        """As the client's ``put_object``: its errors, and of its answer what _ANSWERED names."""
        return self._answered(self._client.put_object, self._put, _kind_of_put(request), request)

    def get_object(self, **request: Any) -> Mapping[str, Any]:
        """As the client's ``get_object``: its errors, and of its answer the ETag, the length and the body."""
        return self._answered(self._client.get_object, self._got, _kind_of_get(request), request)

    def close(self) -> None:
        """Give back the connections."""
        self._lines.close()

    def _is_quiet(self) -> bool:
        is_quiet = self._to_be_quiet > 0
        self._to_be_quiet -= is_quiet  # not exact where several threads do it, and need not be
        return is_quiet

    def _catch(self, request: AWSPreparedRequest, **_: object) -> None:
        self._caught.url, self._caught.headers = request.url, request.headers  # and not the body, which may be big

    def _answered(
        self,
        by_botocore: Callable[..., Mapping[str, Any]],
        by_us: Callable[[_Pattern, Mapping[str, Any]], Mapping[str, Any] | None],
        kind: Kind | None,
        request: Mapping[str, Any],
    ) -> Mapping[str, Any]:
        if kind is None or self._is_quiet():
            return by_botocore(**request)
        if kind not in self._patterns:
            answer = by_botocore(**request)
            self._patterns[kind] = _pattern_of(self._caught.url, self._caught.headers, request["Key"], self._access)
            return answer
        pattern = self._patterns[kind]
        return (by_us(pattern, request) if pattern is not None else None) or by_botocore(**request)

    def _put(self, pattern: _Pattern, request: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """What the service answers; None where that is no success."""
        with self._trying():
            path, headers = pattern.signed("PUT", request)
            answer = self._lines.ask(pattern.origin, "PUT", path, headers, request["Body"])
            if answer.status == HTTPStatus.OK:
                return {name: value for header, name in _ANSWERED.items() if (value := answer.headers.get(header))}
            self._to_be_quiet = _QUIETLY
        return None

    def _got(self, pattern: _Pattern, request: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The same of an object that is read."""
        with self._trying():
            path, headers = pattern.signed("GET", request)
            reading = self._lines.open(pattern.origin, "GET", path, headers)
            answer = reading.answer
            if answer.status == HTTPStatus.OK and answer.length is not None:
                return {"Body": reading, "ContentLength": answer.length, "ETag": answer.headers.get("etag")}
            reading.drop()
            if answer.status != HTTPStatus.NOT_FOUND:
                self._to_be_quiet = _QUIETLY
        return None

    @contextmanager
    def _trying(self) -> Iterator[None]:
        """Where we do not get through botocore says what is wrong, if it is still."""
        try:
            yield
        except (OSError, ValueError, BotoCoreError):
            self._to_be_quiet = _QUIETLY


def _kind_of_put(request: Mapping[str, Any]) -> Kind | None:
    """What *request* has in common with others; None for one that is not to be sent from here."""
    kind = frozenset((name, value) for name, value in request.items() if name in _OF_THE_KIND)
    is_plain = len(kind) + len(_OF_THE_OBJECT.keys() & request.keys()) + len(("Key", "Body")) == len(request)
    return ("PUT", kind) if is_plain and len(request["Body"]) < WORTH_ASKING else None


def _kind_of_get(request: Mapping[str, Any]) -> Kind | None:
    """The same: what asks for more than for an object as a whole is not."""
    return ("GET", frozenset({("Bucket", request["Bucket"])})) if request.keys() == {"Bucket", "Key"} else None


@dataclass(frozen=True, slots=True)
class _Pattern:
    """How requests of one kind are made."""

    origin: Origin
    before_key: str
    """The path, up to the key."""
    headers: Mapping[str, str]
    region: str
    credentials: Credentials

    def signed(self, method: str, request: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
        """Path and headers. Raises BotoCoreError where the credentials are not valid any more."""
        path = self.before_key + _quoted(request["Key"])
        its_own = {header: request[name] for name, header in _OF_THE_OBJECT.items() if name in request}
        return path, signed(
            method, path, {**self.headers, **its_own}, self.credentials.get_frozen_credentials(), self.region
        )


def _pattern_of(address: str, sent: Mapping[str, str | bytes], key: str, access: S3Access) -> _Pattern | None:
    """How botocore sent the object *key*, with these headers; None where that is nothing to be imitated."""
    url, headers = urlsplit(address), {name.lower(): _text(value) for name, value in sent.items()}
    scope = _SIGNED.match(headers.get("authorization", ""))
    credentials = credentials_of(access)
    is_ordinary = (
        url.path.endswith(f"/{_quoted(key)}")
        and not url.query
        and headers.get("x-amz-content-sha256") == UNSIGNED_PAYLOAD
        and _OUT_OF_THE_ORDINARY.isdisjoint(headers)
        and not get_environ_proxies(address).get(url.scheme)
        and access.proxy is None
    )
    if scope is None or credentials is None or not url.hostname or not is_ordinary:
        return None
    kept = {name: value for name, value in headers.items() if name not in _MADE_ANEW}
    kept |= {"host": _host(url), "accept-encoding": "identity"}
    origin = Origin(url.scheme, url.hostname, url.port or PORTS[url.scheme])
    return _Pattern(origin, url.path.removesuffix(_quoted(key)), kept, scope["region"], credentials)


def _host(url: SplitResult) -> str:
    """What the header says, as http.client makes it."""
    host = f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname
    return f"{host}" if url.port in (None, PORTS[url.scheme]) else f"{host}:{url.port}"


def _quoted(key: str) -> str:
    quoted: str = percent_encode(key, safe=f"{SAFE_CHARS}/~")
    return quoted


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
