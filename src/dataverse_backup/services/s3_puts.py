"""Small objects, sent to S3 without what botocore does around every request: that takes longer than sending them.

The first request of each kind is botocore's own. What it sent, and the service took, is the pattern of those that
follow: where they go, how and for which region they are signed, and what they ask for. What is not answered by 200 is
botocore's again, from the start: it waits, tries again, follows a bucket to its region, and knows what errors mean.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from botocore.auth import UNSIGNED_PAYLOAD
from botocore.exceptions import BotoCoreError
from botocore.utils import SAFE_CHARS, get_environ_proxies, percent_encode

from dataverse_backup.services.http_lines import Lines, Origin
from dataverse_backup.services.s3 import PORTS, WORTH_ASKING, authorities_of, credentials_of
from dataverse_backup.services.s3_signature import signed

if TYPE_CHECKING:
    from collections.abc import Mapping

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

Kind = frozenset[tuple[str, str]]


class SmallPuts:
    """Sends small objects to one service, for several threads."""

    def __init__(self, client: S3Client, access: S3Access) -> None:
        """Do what *client*, which was made for *access*, does."""
        self._client, self._access = client, access
        self._caught = threading.local()
        client.meta.events.register("before-send.s3.PutObject", self._catch)
        self._patterns: dict[Kind, _Pattern | None] = {}
        self._lines = Lines(access.connect_timeout, access.read_timeout, partial(authorities_of, access))
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
        self._caught.url, self._caught.headers = request.url, request.headers  # and not the body, which may be big

    def _learned(self, kind: Kind, request: Mapping[str, Any]) -> Mapping[str, Any]:
        answer = self._client.put_object(**request)
        self._patterns[kind] = _pattern_of(self._caught.url, self._caught.headers, request["Key"], self._access)
        return answer

    def _sent(self, pattern: _Pattern, request: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """What the service answers; None where that is no success."""
        try:
            path, headers = pattern.signed(request)
            answer = self._lines.ask(pattern.origin, "PUT", path, headers, request["Body"])
            if answer.status == HTTPStatus.OK:
                return {name: value for header, name in _ANSWERED.items() if (value := answer.headers.get(header))}
        except (OSError, ValueError, BotoCoreError):
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

    origin: Origin
    before_key: str
    """The path, up to the key."""
    headers: Mapping[str, str]
    region: str
    credentials: Credentials

    def signed(self, request: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
        """Path and headers. Raises BotoCoreError where the credentials are not valid any more."""
        path = self.before_key + _quoted(request["Key"])
        its_own = {header: request[name] for name, header in _OF_THE_OBJECT.items() if name in request}
        return path, signed(
            "PUT", path, {**self.headers, **its_own}, self.credentials.get_frozen_credentials(), self.region
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
