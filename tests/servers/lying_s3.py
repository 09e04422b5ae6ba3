"""A service in front of a real S3 service that lies, as broken services do."""

from __future__ import annotations

import http.client
import threading
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qs, unquote, urlsplit

from dataverse_backup.services.s3 import connected

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers.seaweedfs import SeaweedfsServer


@dataclass(slots=True)
class Lie:
    """An answer that the real service does not give."""

    method: str
    status: int
    code: str
    times: int = 1_000_000
    more: str = ""
    """Further elements of the error, as XML."""
    header: str = ""
    """Only requests that carry this header get it."""
    is_late: bool = False
    """The request is carried out first."""


class LyingS3:
    """Passes requests on to *server*. Change what it does at any time."""

    def __init__(self, server: SeaweedfsServer) -> None:
        """Listen on a free port of 127.0.0.1."""
        self.upstream = server
        self.client = connected(server.access())
        self.alter: Callable[[bytes], bytes] | None = None
        """What becomes of the bytes of an object, or of a part, on their way to the disk; the answer is 200."""
        self.ignores_conditions = False
        """It stores whole objects whatever the request says that must be."""
        self.etag: str | None = None
        """What every ETag of a whole object in the answers to PUT and HEAD is."""
        self.spoils_copies = False
        """What it copies itself is something else."""
        self.rewrites: dict[bytes, bytes] = {}
        """What is replaced in the text of its answers."""
        self.hides_checksums = False
        """It names no checksum but the ETag."""
        self.corrupts_reading = False
        """Every object is read backwards."""
        self.ignores_ranges = False
        """Every read begins at the first byte."""
        self.cuts_short = False
        """Every read breaks in the middle."""
        self.lies: list[Lie] = []
        self.seen: list[str] = []
        """Every request: method and path, with its query."""
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05})

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
        self.client.close()

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        """What a request gets."""
        self.seen.append(f"{method} {path}")
        for lie in self.lies:
            if lie.method == method and lie.times > 0 and (not lie.header or lie.header.lower() in headers):
                lie.times -= 1
                if lie.is_late:
                    self._passed(method, path, headers, body)
                text = f"<Error><Code>{lie.code}</Code><Message>as planned</Message>{lie.more}</Error>"
                return Answer(lie.status, {}, b"" if method == "HEAD" else text.encode())
        if self.ignores_ranges and "range" in headers:
            return self._whole(path)
        if self.spoils_copies and "x-amz-copy-source" in headers:
            return self._spoilt(method, path, headers)
        is_data = method == "PUT" and "x-amz-copy-source" not in headers
        if is_data and self.ignores_conditions:
            return self._stored(path, body)
        if is_data and self.alter is not None and not _is_own(path):
            return self._stored(path, self.alter(body))
        return self._passed(method, path, headers, body)

    def _passed(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.upstream.port, timeout=20)
        try:
            connection.request(method, path, body or None, headers)
            response = connection.getresponse()
            return self._told(Answer(response.status, dict(response.getheaders()), response.read()), method, path)
        finally:
            connection.close()

    def _spoilt(self, method: str, path: str, headers: dict[str, str]) -> Answer:
        """Say that something was copied, and store something else."""
        if "uploadId=" in path:
            etag = self._stored(path, b"spoilt" * (1 << 20)).headers["ETag"]
            return Answer(200, {}, f"<CopyPartResult><ETag>{etag}</ETag></CopyPartResult>".encode())
        copied = self._passed(method, path, headers, b"")
        self._stored(path, b"spoilt")
        return copied

    def _whole(self, path: str) -> Answer:
        _, bucket, key = unquote(urlsplit(path).path).split("/", 2)
        found = self.client.get_object(Bucket=bucket, Key=key)
        return Answer(200, {"ETag": found["ETag"]}, found["Body"].read())

    def _stored(self, path: str, body: bytes) -> Answer:
        """Store *body* whatever the request said of it; say that all went well."""
        parts = urlsplit(path)
        _, bucket, key = unquote(parts.path).split("/", 2)
        query = parse_qs(parts.query)
        if "uploadId" in query:
            answer = self.client.upload_part(
                Bucket=bucket,
                Key=key,
                UploadId=query["uploadId"][0],
                PartNumber=int(query["partNumber"][0]),
                Body=body,
            )
            etag, version = answer["ETag"], None
        else:
            put = self.client.put_object(Bucket=bucket, Key=key, Body=body)
            etag, version = put["ETag"], put.get("VersionId")
        return self._told(
            Answer(200, {"ETag": etag} | ({"x-amz-version-id": version} if version else {}), b""), "PUT", path
        )

    def _told(self, answer: Answer, method: str, path: str) -> Answer:
        headers, body = answer.headers, answer.body
        is_of_object = method in {"PUT", "HEAD"} and answer.status == http.client.OK and "partNumber=" not in path
        if self.etag is not None and is_of_object:
            headers = {name: value for name, value in headers.items() if name.lower() != "etag"} | {"ETag": self.etag}
        if self.hides_checksums:
            headers = {name: value for name, value in headers.items() if "x-amz-checksum" not in name.lower()}
        if self.corrupts_reading and method == "GET" and "etag" in map(str.lower, headers):
            body = body[::-1]
        for old, new in self.rewrites.items():
            body = body.replace(old, new)
        return Answer(answer.status, headers, body)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer."""

    status: int
    headers: dict[str, str]
    body: bytes


def _is_own(path: str) -> bool:
    """Whether it is a small object of the backup's own, which says nothing about copies."""
    return "/.dataverse-backup/" in path


def _handler(service: LyingS3) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items() if name.lower() != "expect"}
            body = self.rfile.read(int(headers.get("content-length", "0")))
            answer = service.answer(self.command, self.path, headers, body)
            self.send_response_only(answer.status)
            left_out = (
                {"content-length", "transfer-encoding", "connection"} if self.command != "HEAD" else {"connection"}
            )
            for name, value in answer.headers.items():
                if name.lower() not in left_out:
                    self.send_header(name, value)
            if self.command != "HEAD":
                self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            if service.cuts_short and self.command == "GET":
                answer = replace(answer, body=answer.body[: len(answer.body) // 2])
                self.close_connection = True
            self.wfile.write(answer.body)

        do_GET = _answer  # noqa: N815 -- these names are those of the library
        do_PUT = _answer  # noqa: N815
        do_HEAD = _answer  # noqa: N815
        do_POST = _answer  # noqa: N815
        do_DELETE = _answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler
