"""Copies within one S3 service keep every promise of `put`, and no byte is sent for them."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from dataverse_backup.destinations.base import Upload
from dataverse_backup.destinations.s3 import S3Destination
from dataverse_backup.errors import CopyDiffers, KeyOccupied, SourceDiffers, Unavailable
from dataverse_backup.fixity import Algorithm, VerifiedBy
from dataverse_backup.stores.s3 import S3Store
from dataverse_backup.stores.sharing import Sharing
from dataverse_backup.testing.destination_keys import (
    test_unusual_keys_travel_in_one_batch,  # noqa: F401 -- a clause of the suite about `put`
)
from dataverse_backup.testing.destination_puts import (
    test_a_lost_store_is_said_and_nothing_half_done_is_left,  # noqa: F401 -- the clauses of the suite about `put`
    test_a_receipt_tells_the_digest_of_the_stored_bytes,  # noqa: F401
    test_a_source_that_goes_wrong_stores_nothing_and_the_others_go_on,  # noqa: F401
    test_a_superseded_object_is_kept_byte_for_byte,  # noqa: F401
    test_an_occupied_key_is_left_alone,  # noqa: F401
    test_the_same_key_twice_in_a_batch_is_stored_once,  # noqa: F401
    test_what_is_stored_is_what_was_read,  # noqa: F401
)
from dataverse_backup.testing.places import NAME, STAGING
from dataverse_backup.testing.uploads import (
    KEY,
    OTHER,
    checksum,
    destination,  # noqa: F401 -- a fixture of the suite
    failed,
    stored,
    upload,
)
from tests.contract.destination_cases import BucketPlace
from tests.contract.within_a_service import FedDestination, Sent, WithinPlace
from tests.servers.lying_s3 import Lie, LyingS3
from tests.servers.seaweedfs import KEEPER_KEY, KEEPER_SECRET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dataverse_backup.fixity import ByteStream
    from tests.servers.seaweedfs import SeaweedfsServer

MIB = 1 << 20
WHOLE = b"whole" * 1000
BIG = bytes(range(256)) * (6 * MIB // 256)
"""Two parts of at most 5 MiB."""
SIZES = pytest.mark.parametrize("data", [WHOLE, BIG], ids=["whole", "in parts"])
COPIED, GIVEN_UP = "are copied by the service itself", "are sent from here"


@pytest.fixture(params=["s3_server", "swift_s3"])
def place(request: pytest.FixtureRequest) -> WithinPlace:
    """One empty root in each of the services."""
    return WithinPlace(request.getfixturevalue(request.param))


class Source:
    """A real store in a real service, and a destination beside it, both reached at *url*."""

    def __init__(self, server: SeaweedfsServer, url: str, **other: Any) -> None:
        """Let *other* settings of the destination replace those of the place."""
        self.place = BucketPlace(server)
        self._folder = server.new_name()
        access = server.access(endpoint=url, read_timeout=5.0)
        self.store = S3Store("s3", access, server.shared_bucket)
        self.sent = Sent()
        self.destination = S3Destination(NAME, self.place.settings(**({"access": access} | other)), STAGING)
        self.sent.watch(self.destination)

    def plant(self, key: str, data: bytes, **options: Any) -> None:
        """Let *data* be what the store has for *key*."""
        self.place.client.put_object(Bucket=self.place.server.shared_bucket, Key=self.name(key), Body=data, **options)

    def upload(self, key: str, data: bytes, **options: Any) -> Upload:
        """An upload of *data*, which the store has then."""
        self.plant(key, data, **options)
        return Upload(key, partial(self.store.open, self.name(key)), Algorithm.MD5, checksum(data))

    def name(self, key: str) -> str:
        """What the store calls it."""
        return f"{self._folder}/{key}"

    def close(self) -> None:
        self.store.close()
        self.destination.close()


@pytest.fixture
def liar(s3_server: SeaweedfsServer) -> Iterator[LyingS3]:
    with LyingS3(s3_server) as liar:
        yield liar


@pytest.fixture
def make(s3_server: SeaweedfsServer) -> Iterator[Callable[..., Source]]:
    """Makes sources, and closes them in the end."""
    made: list[Source] = []

    def make(url: str | None = None, **other: Any) -> Source:
        made.append(Source(s3_server, url or s3_server.endpoint, **other))
        return made[-1]

    yield make
    for source in made:
        source.close()


@pytest.fixture
def source(make: Callable[..., Source], liar: LyingS3) -> Source:
    """Both are the service that lies, when it does."""
    return make(liar.url)


@pytest.fixture(autouse=True)
def _log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="dataverse_backup")


# What travels, and what does not.


@SIZES
def test_no_byte_is_sent_for_what_lies_in_the_service_already(
    place: WithinPlace, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    sent = Sent()
    with FedDestination(place, STAGING) as within:
        sent.watch(within)
        for key in (KEY, OTHER):
            receipt = stored(within, upload(key, data, Algorithm.SHA1))[key]
            assert (receipt.checksum, receipt.verified_by) == (checksum(data, Algorithm.SHA1), VerifiedBy.READ_BACK)
    assert sent.copies >= 2
    assert sent.size == 0
    assert place.read(KEY) == place.read(OTHER) == data
    assert place.staged() == set()
    assert [COPIED in line for line in caplog.messages] == [True]


@SIZES
def test_what_a_store_opened_is_copied_whoever_reads_it_too(make: Callable[..., Source], data: bytes) -> None:
    source, other = make(), make(copies_within=False)
    sharing = Sharing({"s3": source.store})
    readers = sharing.reader(), sharing.reader()
    one = source.upload(KEY, data)
    for reader in readers:
        sharing.expect(reader, ("s3", source.name(KEY)))
    for reader, to in zip(readers, (source, other), strict=True):
        shared = replace(one, open=partial(reader.stores["s3"].open, source.name(KEY)))
        stored(to.destination, shared)
    assert (source.place.read(KEY), other.place.read(KEY)) == (data, data)
    assert (source.sent.size, other.sent.size) == (0, len(data))
    assert [reader.bytes_read for reader in readers] == [len(data), 0]


def test_what_the_service_vouches_for_is_sent_and_not_copied(make: Callable[..., Source]) -> None:
    source = make(verify=VerifiedBy.SERVICE)
    receipts = stored(source.destination, source.upload(KEY, WHOLE), source.upload(OTHER, BIG))
    assert receipts[KEY].verified_by is VerifiedBy.SERVICE
    assert receipts[OTHER].verified_by is VerifiedBy.READ_BACK
    assert source.sent.size == len(WHOLE)


def test_nothing_comes_along_but_the_bytes(source: Source) -> None:
    tagged = source.upload(KEY, WHOLE, Tagging="dv-state=temp", Metadata={"note": "x"}, ContentType="text/plain")
    stored(source.destination, tagged)
    assert source.sent.size == 0
    where: Any = {"Bucket": source.place.bucket, "Key": f"{source.place.prefix}/{KEY}"}
    assert source.place.client.get_object_tagging(**where)["TagSet"] == []
    found = source.place.client.head_object(**where)
    assert (found["Metadata"], found["ContentType"] == "text/plain") == ({}, False)


@SIZES
def test_another_service_is_asked_for_nothing(make: Callable[..., Source], liar: LyingS3, data: bytes) -> None:
    source, elsewhere = make(), make(liar.url)
    stored(elsewhere.destination, source.upload(KEY, data))
    assert (elsewhere.sent.size, elsewhere.sent.copies) == (len(data), 0)


# What is not as it should be.


@SIZES
def test_damaged_bytes_in_the_store_are_never_visible(source: Source, liar: LyingS3, data: bytes) -> None:
    one = source.upload(KEY, data)
    source.plant(KEY, data[::-1])
    assert type(failed(source.destination, one)) is SourceDiffers
    assert source.place.everything() == source.place.unfinished() == set()
    assert not [seen for seen in liar.seen if seen.startswith("POST") and "uploadId" in seen]


@SIZES
def test_what_the_service_copied_otherwise_is_no_copy_and_is_sent_at_the_next_try(
    source: Source, liar: LyingS3, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    liar.spoils_copies = True
    assert type(failed(source.destination, source.upload(KEY, data))) is Unavailable
    assert source.place.final_keys() == source.place.staged() == set()
    assert stored(source.destination, source.upload(KEY, data))[KEY].checksum == checksum(data)
    assert source.place.read(KEY) == data
    assert source.sent.size == len(data)
    assert [record.levelname for record in caplog.records if GIVEN_UP in record.message] == ["WARNING"]


def test_what_is_stored_otherwise_after_it_was_sent_is_no_copy_either(source: Source, liar: LyingS3) -> None:
    liar.lies = [Lie("PUT", 403, "AccessDenied", header="x-amz-copy-source")]
    liar.alter = lambda data: data[:-1]
    assert type(failed(source.destination, source.upload(KEY, WHOLE))) is CopyDiffers
    assert source.place.final_keys() == set()


@SIZES
def test_an_object_that_is_replaced_between_reading_and_copying_is_stored_as_it_was_read(
    source: Source, data: bytes
) -> None:
    one = source.upload(KEY, data)

    def opened() -> ByteStream:
        stream = one.open()
        source.plant(KEY, data[::-1])
        return stream

    assert stored(source.destination, replace(one, open=opened))[KEY].checksum == checksum(data)
    assert source.place.read(KEY) == data


@SIZES
def test_a_key_that_is_taken_is_left_alone(source: Source, data: bytes) -> None:
    source.place.plant(KEY, b"old")
    assert type(failed(source.destination, source.upload(KEY, data))) is KeyOccupied
    assert source.place.read(KEY) == b"old"


# A service that does not copy.

ANSWERS = [(403, "AccessDenied"), (501, "NotImplemented"), (400, "InvalidRequest"), (404, "NoSuchBucket")]


@pytest.mark.parametrize(("status", "code"), ANSWERS)
def test_what_the_service_does_not_copy_is_sent_and_said_once(
    source: Source, liar: LyingS3, caplog: pytest.LogCaptureFixture, status: int, code: str
) -> None:
    liar.lies = [Lie("PUT", status, code, header="x-amz-copy-source")]
    sizes = dict.fromkeys((f"{KEY}-{number}" for number in range(3)), WHOLE)
    for key, data in sizes.items():
        stored(source.destination, source.upload(key, data))
    assert {key: source.place.read(key) for key in sizes} == sizes
    assert source.sent.size == 3 * len(WHOLE)
    assert [GIVEN_UP in line for line in caplog.messages] == [True]
    asked = source.sent.copies
    stored(source.destination, source.upload(KEY, WHOLE), source.upload(OTHER, BIG))
    assert source.sent.copies == asked


def test_parts_that_the_service_does_not_copy_are_sent(
    source: Source, liar: LyingS3, caplog: pytest.LogCaptureFixture
) -> None:
    liar.lies = [Lie("PUT", 403, "AccessDenied", header="x-amz-copy-source", times=1)]
    stored(source.destination, source.upload(KEY, BIG))
    assert source.place.read(KEY) == BIG
    assert source.sent.size in {MIB, 5 * MIB, 6 * MIB}  # which of the two was refused, and when, is a matter of luck
    assert [line for line in caplog.messages if GIVEN_UP in line]


def test_a_service_that_is_busy_for_a_moment_copies_the_next_one(
    source: Source, liar: LyingS3, caplog: pytest.LogCaptureFixture
) -> None:
    liar.lies = [Lie("PUT", 503, "SlowDown", times=3, header="x-amz-copy-source")]  # as often as one request is tried
    stored(source.destination, source.upload(KEY, WHOLE))
    assert source.sent.size == len(WHOLE)
    stored(source.destination, source.upload(OTHER, WHOLE))
    assert source.sent.size == len(WHOLE)
    assert [GIVEN_UP in line for line in caplog.messages] == [False]


def test_whoever_may_not_read_the_store_sends(s3_server: SeaweedfsServer, make: Callable[..., Source]) -> None:
    access = s3_server.access(access_key=KEEPER_KEY, secret_key=KEEPER_SECRET)
    source = make(access=access, bucket=s3_server.kept_bucket)
    stored(source.destination, source.upload(KEY, WHOLE), source.upload(OTHER, BIG))
    assert source.sent.copies > 0
    assert source.sent.size == len(WHOLE) + len(BIG)


def test_nothing_is_copied_where_that_is_not_wanted(make: Callable[..., Source]) -> None:
    source = make(copies_within=False)
    stored(source.destination, source.upload(KEY, WHOLE), source.upload(OTHER, BIG))
    assert (source.sent.copies, source.sent.size) == (0, len(WHOLE) + len(BIG))
