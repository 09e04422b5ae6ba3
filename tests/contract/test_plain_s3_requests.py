"""Objects on their way to S3 and back: asked for as botocore would, and botocore's wherever that is not enough."""

from __future__ import annotations

import random
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import SSLError
from hypothesis import given
from hypothesis import strategies as st

from dataverse_backup.destinations.base import Failure, StoredDigest
from dataverse_backup.destinations.s3 import S3Destination
from dataverse_backup.errors import CopyError, KeyOccupied, Unavailable
from dataverse_backup.fixity import Algorithm, VerifiedBy
from dataverse_backup.services.s3 import S3Access, _session, connected
from dataverse_backup.services.s3_plain import PlainRequests
from dataverse_backup.testing.places import NAME, STAGING
from dataverse_backup.testing.uploads import KEY, failed, put, stored, upload
from tests.contract.destination_cases import BucketPlace
from tests.servers.lying_s3 import Lie, LyingS3
from tests.servers.smtpd import Certificate
from tests.servers.tcp_proxy import TcpProxy

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator
    from pathlib import Path

    from mypy_boto3_s3 import S3Client

    from tests.servers.seaweedfs import SeaweedfsServer

BOTOCORES = "amz-sdk-request"
"""A header of what botocore sends, and of nothing else."""


@dataclass
class Recorder:
    """A service that takes everything, and remembers it."""

    url: str = ""
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    closes: bool = False
    """It ends each connection after an answer, without having said so."""

    def senders(self) -> list[str]:
        """Who sent what came, in its order."""
        return ["botocore" if BOTOCORES in headers else "we" for _, headers, _ in self.requests]


@contextmanager
def recorder(context: ssl.SSLContext | None = None) -> Iterator[Recorder]:
    recorded = Recorder()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PUT(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            recorded.requests.append((self.path, headers, self.rfile.read(int(headers["content-length"]))))
            self.send_response_only(200)
            self.send_header("ETag", '"etag"')
            self.send_header("x-amz-version-id", "7")
            self.send_header("Content-Length", "0")
            self.end_headers()
            self.close_connection = recorded.closes

        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            recorded.requests.append((self.path, headers, b""))
            self.send_response_only(200)
            self.send_header("ETag", '"etag"')
            self.send_header("Content-Length", "4")
            self.end_headers()
            self.wfile.write(b"data")

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    recorded.url = f"{'http' if context is None else 'https'}://localhost:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield recorded
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def access_to(url: str, **other: Any) -> S3Access:
    return replace(S3Access(endpoint=url, access_key="key", secret_key="secret", path_style=True), **other)


@contextmanager
def puts_to(access: S3Access) -> Iterator[PlainRequests]:
    client = connected(access)
    puts = PlainRequests(client, access)
    try:
        yield puts
    finally:
        puts.close()
        client.close()


# What is sent.

KEYS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=40).filter(
    lambda key: key[0] != "/"
)
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "StorageClass": st.just("STANDARD_IA"),
        "ServerSideEncryption": st.sampled_from(["AES256", "aws:kms"]),
        "SSEKMSKeyId": st.just("a/key:1"),
        "IfNoneMatch": st.just("*"),
        "ContentMD5": st.just("1B2M2Y8AsgTpgAmY7PhCfg=="),
        "ChecksumCRC64NVME": st.just("AAAAAAAAAAA="),
    },
)


@pytest.fixture(scope="module")
def service() -> Iterator[Recorder]:
    with recorder() as recorded:
        yield recorded


@pytest.fixture(scope="module")
def puts(service: Recorder) -> Iterator[PlainRequests]:
    with puts_to(access_to(service.url)) as puts:
        yield puts


@pytest.fixture(scope="module")
def client(service: Recorder) -> Iterator[S3Client]:
    client = connected(access_to(service.url))
    yield client
    client.close()


@given(its_own=st.fixed_dictionaries({"Key": KEYS, "Body": st.binary(max_size=100)}), options=OPTIONS)
def test_what_is_sent_is_what_botocore_sends(
    service: Recorder, puts: PlainRequests, client: S3Client, its_own: dict[str, Any], options: Any
) -> None:
    request = {"Bucket": "bucket", **its_own, **options}
    puts.put_object(**request | {"Key": "the first one", "Body": b"other"})
    service.requests.clear()
    answer = puts.put_object(**request)
    client.put_object(**request)
    assert service.senders() == ["we", "botocore"]
    assert (answer["ETag"], answer["VersionId"]) == ('"etag"', "7")
    ours, its = service.requests
    assert (ours[0], ours[2]) == (its[0], its[2])
    assert lasting(ours[1]) == lasting(its[1])


@given(key=KEYS)
def test_what_is_read_is_asked_for_as_botocore_does(
    service: Recorder, puts: PlainRequests, client: S3Client, key: str
) -> None:
    puts.get_object(Bucket="bucket", Key="the first one")["Body"].close()
    service.requests.clear()
    for answer in (puts.get_object(Bucket="bucket", Key=key), client.get_object(Bucket="bucket", Key=key)):
        assert (answer["ETag"], answer["ContentLength"], answer["Body"].read(9)) == ('"etag"', 4, b"data")
        answer["Body"].close()
    assert service.senders() == ["we", "botocore"]
    ours, its = service.requests
    assert (ours[0], lasting(ours[1])) == (its[0], lasting(its[1]))


def test_what_asks_for_a_part_or_a_version_of_an_object_is_botocores(service: Recorder) -> None:
    service.requests.clear()
    more: Any
    with puts_to(access_to(service.url)) as puts:
        for more in ({}, {"Range": "bytes=1-"}, {"VersionId": "7"}, {"IfMatch": '"etag"'}, {}):
            puts.get_object(Bucket="bucket", Key="key", **more)["Body"].close()
    assert service.senders() == ["botocore"] * 4 + ["we"]


def lasting(headers: dict[str, str]) -> dict[str, str]:
    """Those that are the same whenever the request is made; that the signature is good is for a real service to say."""
    passing = {"authorization", "x-amz-date", "amz-sdk-request", "amz-sdk-invocation-id"}
    return {name: value for name, value in headers.items() if name not in passing}


def test_a_session_token_comes_along(service: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("ACCESS_KEY_ID", "key"), ("SECRET_ACCESS_KEY", "secret"), ("SESSION_TOKEN", "token")):
        monkeypatch.setenv(f"AWS_{name}", value)
    service.requests.clear()
    _session.cache_clear()
    with puts_to(access_to(service.url, access_key=None, secret_key=None, region="eu-south-9")) as puts:
        for key in ("first", "second"):
            puts.put_object(Bucket="bucket", Key=key, Body=b"data")
    _session.cache_clear()
    assert service.senders() == ["botocore", "we"]
    for _, headers, _ in service.requests:
        assert headers["x-amz-security-token"] == "token"
        assert "/eu-south-9/s3/aws4_request, SignedHeaders=" in headers["authorization"]
        assert "x-amz-security-token" in headers["authorization"]


def test_each_kind_of_request_is_learned_from_botocore(service: Recorder) -> None:
    service.requests.clear()
    with puts_to(access_to(service.url)) as puts:
        for number in range(2):
            options: Any
            for options in ({}, {"IfNoneMatch": "*"}, {"StorageClass": "STANDARD_IA"}):
                puts.put_object(Bucket="bucket", Key=f"{number}", Body=b"data", **options)
    assert service.senders() == ["botocore"] * 3 + ["we"] * 3


@pytest.mark.parametrize(
    "more",
    [
        {"Body": bytes(1 << 20)},
        {"IfMatch": '"etag"'},
        {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": "2030-01-01"},
        {"Metadata": {"a": "b"}},
    ],
    ids=lambda more: next(iter(more)),
)
def test_what_is_out_of_the_ordinary_is_botocores(service: Recorder, more: dict[str, Any]) -> None:
    service.requests.clear()
    with puts_to(access_to(service.url)) as puts:
        for number in range(3):
            puts.put_object(**{"Bucket": "bucket", "Key": f"{number}", "Body": b"data", **more})
    assert service.senders() == ["botocore"] * 3


def test_what_goes_through_a_proxy_is_botocores(service: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", service.url)
    service.requests.clear()
    with puts_to(access_to("http://nowhere.invalid")) as puts:
        for number in range(3):
            puts.put_object(Bucket="bucket", Key=f"{number}", Body=b"data")
    assert service.senders() == ["botocore"] * 3
    assert service.requests[0][0].startswith("http://nowhere.invalid/")


def test_a_certificate_is_examined_as_botocore_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trusted, stranger = Certificate(tmp_path, "localhost"), Certificate(tmp_path, "localhost")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(trusted.authority_file))
    _session.cache_clear()
    context = trusted.context()
    with recorder(context) as service, puts_to(access_to(service.url)) as puts:
        service.closes = True
        for number in range(3):
            puts.put_object(Bucket="bucket", Key=f"{number}", Body=b"data")
            time.sleep(0.05)  # until it has ended the connection
        stranger.authority.issue_cert("localhost").configure_cert(context)
        with pytest.raises(SSLError):
            puts.put_object(Bucket="bucket", Key="3", Body=b"data")
    _session.cache_clear()
    assert service.senders() == ["botocore", "we", "we"]


# What does not go well.

FAILURES = {
    "refused": Lie("PUT", 403, "AccessDenied"),
    "another digest": Lie("PUT", 400, "BadDigest"),
    "occupied": Lie("PUT", 412, "PreconditionFailed"),
    "busy": Lie("PUT", 503, "SlowDown"),
    "broken": Lie("PUT", 500, "InternalError"),
    "full": Lie("PUT", 507, "InsufficientStorage"),
    "nobody knows": Lie("PUT", 418, "Teapot"),
}


@pytest.fixture
def place(s3_server: SeaweedfsServer) -> BucketPlace:
    return BucketPlace(s3_server, VerifiedBy.SERVICE)


@pytest.fixture
def liar(s3_server: SeaweedfsServer) -> Iterator[LyingS3]:
    with LyingS3(s3_server) as liar:
        yield liar


def through(url: str, place: BucketPlace, **other: Any) -> S3Destination:
    access = place.server.access(endpoint=url, read_timeout=5.0)
    return S3Destination(NAME, place.settings(access=access, **other), STAGING)


def keys(number: int) -> list[str]:
    return [f"10.5072/FK2/{n}" for n in range(number)]


@pytest.mark.parametrize("failure", FAILURES)
def test_an_error_is_the_same_as_botocores(place: BucketPlace, liar: LyingS3, failure: str) -> None:
    with through(liar.url, place) as destination:
        liar.lies = [replace(FAILURES[failure])]
        wanted = failed(destination, upload(KEY))  # nothing is learned yet: it is botocore's
        liar.lies = []
        stored(destination, *map(upload, keys(2)))
        liar.lies = [replace(FAILURES[failure])]
        liar.seen.clear()
        found = failed(destination, upload(KEY))
    assert (type(found), str(found), vars(found)) == (type(wanted), str(wanted), vars(wanted))
    assert place.final_keys() == set(keys(2))


def test_a_busy_service_is_asked_by_botocore_from_then_on(place: BucketPlace, liar: LyingS3) -> None:
    with through(liar.url, place, threads=1) as destination:
        stored(destination, *map(upload, keys(5)))
        liar.lies = [Lie("PUT", 503, "SlowDown", times=1)]
        stored(destination, upload(KEY))
        liar.lies = [Lie("PUT", 403, "AccessDenied", header=BOTOCORES)]
        assert {type(result) for result in put(destination, *(upload(f"{KEY}{n}") for n in range(9))).values()} == {
            Failure
        }


def test_small_objects_are_not_botocores(place: BucketPlace, liar: LyingS3) -> None:
    with through(liar.url, place, threads=1) as destination:
        stored(destination, upload(KEY))
        liar.lies = [Lie("PUT", 403, "AccessDenied", header=BOTOCORES)]
        stored(destination, *map(upload, keys(5)))
    assert place.final_keys() == {KEY, *keys(5)}


def test_what_is_read_back_is_not_botocores(place: BucketPlace, liar: LyingS3) -> None:
    with through(liar.url, place, threads=1, verify=VerifiedBy.READ_BACK) as destination:
        stored(destination, upload(KEY))
        liar.lies = [Lie("GET", 403, "AccessDenied", header=BOTOCORES)]
        stored(destination, *map(upload, keys(5)))
        found = list(destination.digests([KEY, *keys(5)], Algorithm.MD5))
    assert {one.key for one in found if isinstance(one, StoredDigest)} == {KEY, *keys(5)}


def test_a_reading_that_is_cut_in_the_middle_is_gone_on_with(place: BucketPlace, liar: LyingS3) -> None:
    data = random.Random(1).randbytes(3 << 20)
    with through(liar.url, place, verify=VerifiedBy.READ_BACK) as destination:
        stored(destination, upload(f"{KEY}2"), upload(KEY, data))
        liar.cuts_short = True
        liar.seen.clear()
        stream = destination.open(KEY)
        pieces = [stream.read(1 << 20)]
        while len(b"".join(pieces)) < len(data) // 2:
            pieces.append(stream.read(1 << 20))
        liar.cuts_short = False
        while piece := stream.read(1 << 20):
            pieces.append(piece)
        stream.close()
    assert b"".join(pieces) == data
    assert len([one for one in liar.seen if one.startswith("GET")]) == 2


@pytest.mark.parametrize("failure", [Lie("GET", 404, "NoSuchKey"), Lie("GET", 403, "AccessDenied")], ids=["404", "403"])
def test_an_error_while_reading_is_the_same_as_botocores(place: BucketPlace, liar: LyingS3, failure: Lie) -> None:
    with through(liar.url, place, threads=1) as destination:
        stored(destination, upload(KEY), upload(f"{KEY}2"))
        liar.lies = [failure]
        wanted = _unread(destination)  # nothing is learned yet: it is botocore's
        liar.lies = []
        destination.open(KEY).close()
        liar.lies = [failure]
        liar.seen.clear()
        found = _unread(destination)
    assert (type(found), str(found)) == (type(wanted), str(wanted))
    assert len(liar.seen) == 2  # we have asked, and botocore has


def _unread(destination: S3Destination) -> CopyError:
    with pytest.raises(CopyError) as caught:
        destination.open(KEY)
    return caught.value


def test_a_connection_that_is_cut_in_the_middle_is_made_again(place: BucketPlace, s3_server: SeaweedfsServer) -> None:
    data = bytes(1 << 18)
    with TcpProxy(s3_server.port) as proxy, through(proxy.url, place, threads=2) as destination:
        stored(destination, *map(upload, keys(5)))
        proxy.cut_requests_after, proxy.cuts = 1 << 17, 2
        stored(destination, upload(KEY, data), upload(f"{KEY}2", data))
    assert proxy.cuts == 0
    assert place.read(KEY) == place.read(f"{KEY}2") == data


def test_an_answer_that_is_lost_leaves_the_object_to_be_proven(place: BucketPlace, liar: LyingS3) -> None:
    with through(liar.url, place, threads=1) as destination:
        stored(destination, *map(upload, keys(2)))
        liar.lies = [Lie("PUT", 500, "InternalError", times=1, is_late=True)]
        assert type(failed(destination, upload(KEY))) is KeyOccupied
    assert place.read(KEY) == b"data"


def test_connections_that_the_service_ended_meanwhile_are_not_used() -> None:
    with recorder() as service, puts_to(access_to(service.url)) as puts:
        service.closes = True
        for number in range(5):
            puts.put_object(Bucket="bucket", Key=f"{number}", Body=b"data")
            time.sleep(0.05)  # until it has
    assert service.senders() == ["botocore"] + ["we"] * 4


def test_a_service_that_does_not_answer_is_given_up_after_the_timeout(
    place: BucketPlace, s3_server: SeaweedfsServer
) -> None:
    access = s3_server.access(read_timeout=0.5)
    with S3Destination(NAME, place.settings(access=access, threads=1), STAGING) as destination:
        stored(destination, *map(upload, keys(2)))
        with s3_server.frozen():
            assert type(failed(destination, upload(KEY))) is Unavailable
