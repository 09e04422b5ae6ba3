"""What only S3 can do to copies, on a real service and on one that lies."""

from __future__ import annotations

import hashlib
import time
from collections import deque
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from dataverse_backup.actions.check import check_destination
from dataverse_backup.destinations.base import IDENTITY_KEY, STAGING_PREFIX, Staging, StoredDigest, Upload
from dataverse_backup.destinations.s3 import S3Destination
from dataverse_backup.destinations.s3.objects import Part, etag_of
from dataverse_backup.errors import (
    CopyDiffers,
    CopyFailed,
    CopyRefused,
    DestinationLost,
    DestinationRefused,
    KeyOccupied,
    KeyRefused,
    SourceDiffers,
    Unavailable,
)
from dataverse_backup.fixity import OWN_ALGORITHM, Algorithm, Checksum, VerifiedBy
from dataverse_backup.ledger.memory import MemoryLedger
from dataverse_backup.services.http_lines import Reading
from dataverse_backup.stores.memory import MemoryStream
from dataverse_backup.testing.places import NAME, STAGING
from dataverse_backup.testing.uploads import ASIDE, KEY, OTHER, checksum, digest, failed, put, stored, upload
from tests.contract.destination_cases import BucketPlace
from tests.servers.lying_s3 import Lie, LyingS3
from tests.servers.seaweedfs import READER_KEY, READER_SECRET
from tests.servers.tcp_proxy import TcpProxy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.servers.seaweedfs import SeaweedfsServer

PROOFS = (VerifiedBy.READ_BACK, VerifiedBy.SERVICE)
MIB = 1 << 20
WHOLE = b"whole" * 1000
BIG = bytes(range(256)) * (11 * MIB // 256)
"""Three parts of at most 5 MiB."""


@pytest.fixture
def place(s3_server: SeaweedfsServer) -> BucketPlace:
    return BucketPlace(s3_server)


@pytest.fixture
def liar(s3_server: SeaweedfsServer) -> Iterator[LyingS3]:
    with LyingS3(s3_server) as liar:
        yield liar


@pytest.fixture
def proxy(s3_server: SeaweedfsServer) -> Iterator[TcpProxy]:
    with TcpProxy(s3_server.port) as proxy:
        yield proxy


def through(url: str, place: BucketPlace, **other: Any) -> S3Destination:
    """A destination on *place* that is reached at *url*."""
    access = place.server.access(endpoint=url, read_timeout=5.0)
    return S3Destination(NAME, place.settings(access=access, **other), STAGING)


def direct(place: BucketPlace, staging: Staging = STAGING, **other: Any) -> S3Destination:
    return S3Destination(NAME, place.settings(**other), staging)


# A service that says 200 and stores something else.

FRAMED = b"5;chunk-signature=0\r\nwhole\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"
ALTERED: dict[str, Callable[[bytes], bytes]] = {
    "one bit": lambda data: data[:-1] + bytes((data[-1] ^ 1,)),
    "truncated": lambda data: data[: len(data) // 2],
    "nothing": lambda data: data[:0],
    "another file's bytes": lambda data: b"other" * (len(data) // 5),
    "framing left inside": lambda data: FRAMED + data,
}


@pytest.mark.parametrize("verify", PROOFS)
@pytest.mark.parametrize("alter", ALTERED)
def test_what_is_stored_otherwise_is_no_copy(place: BucketPlace, liar: LyingS3, alter: str, verify: VerifiedBy) -> None:
    liar.alter = ALTERED[alter]
    with through(liar.url, place, verify=verify) as destination:
        assert type(failed(destination, upload(KEY, WHOLE))) is CopyDiffers
    assert place.final_keys() == place.staged() == set()


@pytest.mark.parametrize("verify", PROOFS)
def test_an_object_in_parts_that_is_stored_otherwise_is_no_copy(
    place: BucketPlace, liar: LyingS3, verify: VerifiedBy
) -> None:
    liar.alter = lambda data: data[:-1] + bytes((data[-1] ^ 1,))
    with through(liar.url, place, verify=verify) as destination:
        assert type(failed(destination, upload(KEY, BIG))) is CopyDiffers
    assert place.final_keys() == place.staged() == set()


@pytest.mark.parametrize("verify", PROOFS)
def test_the_old_object_is_back_when_the_new_one_is_stored_otherwise(
    place: BucketPlace, liar: LyingS3, verify: VerifiedBy
) -> None:
    place.plant(KEY, b"old")
    liar.alter = ALTERED["one bit"]
    with through(liar.url, place, verify=verify) as destination:
        assert type(failed(destination, upload(KEY, WHOLE, supersede_to=ASIDE))) is CopyDiffers
    assert place.final_keys() == {KEY}
    assert place.read(KEY) == b"old"


@pytest.mark.parametrize("verify", PROOFS)
def test_a_copy_that_the_service_made_otherwise_replaces_nothing(
    place: BucketPlace, liar: LyingS3, verify: VerifiedBy
) -> None:
    place.plant(KEY, b"spoken")
    liar.spoils_copies = True
    with through(liar.url, place, verify=verify) as destination:
        with pytest.raises(CopyDiffers):
            destination.supersede(KEY, ASIDE)
        assert type(failed(destination, upload(KEY, WHOLE, supersede_to=ASIDE))) is CopyDiffers
    assert place.final_keys() == {KEY}
    assert place.read(KEY) == b"spoken"


@pytest.mark.parametrize("etag", ['"not-an-md5"', f'"{"0" * 32}"', '"9a0364b9e99bb480dd25e1f0284c8555-1"', ""])
def test_an_etag_that_is_no_md5_of_ours_proves_nothing(place: BucketPlace, liar: LyingS3, etag: str) -> None:
    liar.etag = etag
    liar.hides_checksums = True
    with through(liar.url, place, verify=VerifiedBy.SERVICE) as destination:
        receipt = stored(destination, upload(KEY, WHOLE))[KEY]
        assert receipt.verified_by is VerifiedBy.READ_BACK
        liar.alter = ALTERED["one bit"]
        assert type(failed(destination, upload(OTHER, WHOLE))) is CopyDiffers


def test_the_service_vouches_for_what_it_hashed(place: BucketPlace) -> None:
    with direct(place, verify=VerifiedBy.SERVICE) as destination:
        receipt = stored(destination, upload(KEY, WHOLE, Algorithm.SHA512))[KEY]
        assert (receipt.verified_by, receipt.checksum) == (VerifiedBy.SERVICE, checksum(WHOLE, Algorithm.SHA512))
        assert destination.connect().hashes == ("service", "read-back")
        found = digest(destination, KEY, Algorithm.SHA512)
        assert isinstance(found, StoredDigest)
        assert (found.verified_by, found.checksum) == (VerifiedBy.READ_BACK, receipt.checksum)


NO_CRC64 = Lie("PUT", 501, "NotImplemented", header="x-amz-checksum-crc64nvme")
TAKES_ANY_CRC64 = Lie("PUT", 200, "", header="x-amz-checksum-crc64nvme")


@pytest.mark.parametrize("lie", [NO_CRC64, TAKES_ANY_CRC64])
@pytest.mark.parametrize("etag", [None, f'"{"0" * 32}-2"', '"opaque"', ""])
def test_where_no_crc64_is_checked_an_etag_that_is_made_of_the_md5_of_our_parts_proves_and_no_other(
    place: BucketPlace, liar: LyingS3, etag: str | None, lie: Lie
) -> None:
    liar.etag, liar.lies = etag, [replace(lie)]
    with through(liar.url, place, verify=VerifiedBy.SERVICE) as destination:
        receipt = stored(destination, upload(KEY, BIG))[KEY]
    assert receipt.verified_by is (VerifiedBy.SERVICE if etag is None else VerifiedBy.READ_BACK)
    assert place.read(KEY) == BIG


def test_the_crc64_of_an_object_in_parts_proves_it_whatever_its_etag_is(place: BucketPlace, liar: LyingS3) -> None:
    liar.etag = '"opaque"'
    with through(liar.url, place, verify=VerifiedBy.SERVICE) as destination:
        assert stored(destination, upload(KEY, BIG))[KEY].verified_by is VerifiedBy.SERVICE
        liar.hides_checksums = True
        assert stored(destination, upload(OTHER, BIG))[OTHER].verified_by is VerifiedBy.READ_BACK


def test_where_etags_are_no_md5_the_crc64_proves_what_is_sent_in_one_request(place: BucketPlace, liar: LyingS3) -> None:
    liar.etag = f'"{"0" * 32}"'
    with through(liar.url, place, verify=VerifiedBy.SERVICE) as destination:
        proofs = [stored(destination, upload(key, WHOLE))[key].verified_by for key in (KEY, OTHER)]
    assert proofs == [VerifiedBy.READ_BACK, VerifiedBy.SERVICE]


def test_nothing_stays_of_finding_out_that_a_service_takes_any_checksum(place: BucketPlace, liar: LyingS3) -> None:
    liar.ignores_conditions = True  # and checksums
    with through(liar.url, place, verify=VerifiedBy.SERVICE) as destination:
        receipt = stored(destination, upload(KEY, BIG))[KEY]
    assert receipt.verified_by is VerifiedBy.SERVICE
    assert place.everything() == {KEY}


def test_what_the_service_copied_itself_it_does_not_vouch_for() -> None:
    sent = Part(1, '"a"', md5=b"m" * 16)
    assert etag_of([sent]) == f"{hashlib.md5(b'm' * 16).hexdigest()}-1"
    assert etag_of([sent, Part(2, '"b"')]) is None


# Conditions that a service does not know, or whose answers are lost.


def test_a_service_without_conditional_writes_is_looked_at_first(place: BucketPlace, liar: LyingS3) -> None:
    liar.lies = [Lie("PUT", 501, "NotImplemented", header=condition) for condition in ("if-none-match", "if-match")]
    place.plant(OTHER, b"old")
    with through(liar.url, place) as destination:
        assert destination.connect().remarks == ()
        stored(destination, upload(KEY))
        assert "conditional" in destination.connect().remarks[0]
        assert type(failed(destination, upload(OTHER))) is KeyOccupied
        stored(destination, upload(KEY, b"new", supersede_to=ASIDE))
    assert {key: place.read(key) for key in place.final_keys()} == {KEY: b"new", ASIDE: b"data", OTHER: b"old"}


def test_a_service_that_keeps_to_conditions_is_not_asked_twice(place: BucketPlace, liar: LyingS3) -> None:
    place.plant(IDENTITY_KEY, b"ledger-1")
    place.plant(OTHER, b"old")
    with through(liar.url, place, verify=VerifiedBy.SERVICE) as destination:
        destination.connect()
        liar.seen.clear()
        stored(destination, upload(KEY))
        assert [seen.partition(" ")[0] for seen in liar.seen] == ["PUT"]
        assert type(failed(destination, upload(OTHER))) is KeyOccupied
        assert type(failed(destination, upload(OTHER, BIG))) is KeyOccupied
    assert (place.read(OTHER), place.read(IDENTITY_KEY)) == (b"old", b"ledger-1")


def test_trying_out_a_service_that_ignores_conditions_changes_nothing(place: BucketPlace, liar: LyingS3) -> None:
    place.plant(IDENTITY_KEY, b"ledger-1")
    place.plant(KEY, b"old")
    liar.ignores_conditions = True
    with through(liar.url, place) as destination:
        destination.connect()
        assert type(failed(destination, upload(KEY))) is KeyOccupied
    assert (place.read(KEY), place.read(IDENTITY_KEY)) == (b"old", b"ledger-1")


def test_a_service_that_ignores_conditions_overwrites_nothing(place: BucketPlace, liar: LyingS3) -> None:
    liar.ignores_conditions = True
    with through(liar.url, place) as destination:
        results = list(destination.put([upload(KEY, b"first"), upload(KEY, b"second")]))
        assert sorted(type(result).__name__ for result in results) == ["Failure", "Receipt"]
        assert type(failed(destination, upload(KEY, b"third"))) is KeyOccupied
    assert place.read(KEY) == b"first"


def test_what_was_moved_aside_stays_when_nobody_knows_whether_it_was_replaced(
    place: BucketPlace, liar: LyingS3
) -> None:
    place.plant(KEY, b"old")
    liar.lies = [Lie("PUT", 500, "InternalError", times=1, header="if-match", is_late=True)]
    with through(liar.url, place) as destination:
        failed(destination, upload(KEY, b"new", supersede_to=ASIDE))
    assert (place.read(KEY), place.read(ASIDE)) == (b"new", b"old")


# Connections that break, and services that are busy.


def test_a_busy_service_is_asked_again(place: BucketPlace, liar: LyingS3) -> None:
    liar.lies = [Lie("PUT", 503, "SlowDown", times=1)]
    with through(liar.url, place) as destination:
        stored(destination, upload(KEY))


def test_a_service_that_stays_busy_is_unavailable_and_holds_nothing(place: BucketPlace, liar: LyingS3) -> None:
    liar.lies = [Lie("PUT", 503, "SlowDown")]
    with through(liar.url, place) as destination:
        results = put(destination, upload(KEY), upload(OTHER))
    assert {type(getattr(result, "error", None)) for result in results.values()} == {Unavailable}
    assert place.final_keys() == place.staged() == set()


def test_a_connection_that_is_cut_in_the_middle_of_a_part_is_made_again(place: BucketPlace, proxy: TcpProxy) -> None:
    proxy.cut_requests_after, proxy.cuts = 3 * MIB, 1
    with through(proxy.url, place) as destination:
        receipt = stored(destination, upload(KEY, BIG))[KEY]
    assert (receipt.size, receipt.checksum) == (len(BIG), checksum(BIG))
    assert place.read(KEY) == BIG
    assert place.staged() == set()


def test_a_service_that_goes_in_the_middle_of_a_part_is_swept_later(place: BucketPlace, proxy: TcpProxy) -> None:
    class Source(MemoryStream):
        def read(self, length: int, /) -> bytes:
            if self._position > 6 * MIB:
                proxy.is_down = True
                proxy.cut_all()
            return super().read(length)

    with through(proxy.url, place) as destination:
        one = Upload(KEY, partial(Source, BIG), Algorithm.MD5, checksum(BIG))
        assert type(failed(destination, one)) is Unavailable
    assert place.final_keys() == set()
    assert place.unfinished() == {f"{place.prefix}/{KEY}"}
    with direct(place, replace(STAGING, run="run-2")) as later:
        later.sweep()
    assert place.staged() == set()


def test_a_read_that_breaks_goes_on_where_it_broke(place: BucketPlace, proxy: TcpProxy) -> None:
    place.plant(KEY, BIG)
    proxy.cut_answers_after, proxy.cuts = 2 * MIB, 5
    with through(proxy.url, place) as destination:
        found = digest(destination, KEY)
    assert isinstance(found, StoredDigest)
    assert (found.size, found.checksum) == (len(BIG), checksum(BIG))
    assert proxy.cuts == 0


def test_an_object_that_changed_when_a_read_broke_is_not_read_on(place: BucketPlace, proxy: TcpProxy) -> None:
    place.plant(KEY, BIG)
    with through(proxy.url, place) as destination:
        stream = destination.open(KEY)
        place.plant(KEY, BIG[::-1])
        proxy.cut_all()
        with pytest.raises(Unavailable, match="replaced"):
            deque(iter(partial(stream.read, MIB), b""))
        stream.close()


def test_a_service_that_is_gone_is_lost_as_a_whole_and_unavailable_for_each_object(place: BucketPlace) -> None:
    with through("http://127.0.0.1:1", place) as destination:
        sizes = partial(destination.sizes, [KEY])
        for ask in (destination.connect, destination.read_identity, destination.sweep, sizes):
            with pytest.raises(DestinationLost) as lost:
                ask()
            assert lost.value.hint
        results = [*destination.put([upload(KEY), upload(OTHER)]), digest(destination, KEY)]
    assert [type(getattr(result, "error", None)) for result in results] == [Unavailable] * 3


def test_nobody_waits_for_each_object_when_the_service_is_gone(place: BucketPlace, proxy: TcpProxy) -> None:
    opened: list[str] = []

    def source(key: str) -> MemoryStream:
        opened.append(key)
        return MemoryStream(b"data")

    proxy.is_down = True
    keys = [f"10.5072/{number}" for number in range(60)]
    with through(proxy.url, place, threads=2) as destination:
        results = list(destination.put([Upload(key, partial(source, key), Algorithm.MD5, None) for key in keys]))
        found = list(destination.digests(keys, Algorithm.MD5))
    for answers in (results, found):
        assert {answer.key for answer in answers} == set(keys)
        assert {type(getattr(answer, "error", None)) for answer in answers} == {Unavailable}
    assert len(opened) < 10


def test_one_object_that_is_unavailable_stops_no_other(place: BucketPlace, liar: LyingS3) -> None:
    liar.lies = [Lie("PUT", 500, "InternalError", times=3)]
    with through(liar.url, place, threads=1) as destination:
        results = put(destination, *(upload(f"10.5072/{number}") for number in range(5)))
    assert sorted(type(result).__name__ for result in results.values()) == ["Failure"] + ["Receipt"] * 4


# What the configuration got wrong.


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ({"access_key": "nobody"}, "access key and secret key"),
        ({"secret_key": "wrong"}, "access key and secret key"),
    ],
)
def test_a_wrong_key_is_for_somebody_to_decide(place: BucketPlace, wrong: dict[str, str], hint: str) -> None:
    with (
        direct(place, access=place.server.access(**wrong)) as destination,
        pytest.raises(DestinationRefused, match=place.bucket) as refused,
    ):
        destination.connect()
    assert hint in refused.value.hint
    assert "wrong" not in str(refused.value)


def test_a_missing_bucket_is_lost(place: BucketPlace) -> None:
    with direct(place, bucket="no-such-bucket") as destination:
        with pytest.raises(DestinationLost, match="NoSuchBucket") as lost:
            destination.connect()
        assert "bucket" in lost.value.hint
        assert type(failed(destination, upload(KEY))) is Unavailable


@pytest.mark.parametrize(("status", "code"), [(301, "PermanentRedirect"), (400, "AuthorizationHeaderMalformed")])
def test_a_bucket_of_another_region_is_told_with_its_region(
    place: BucketPlace, liar: LyingS3, status: int, code: str
) -> None:
    more = "<Region>eu-south-9</Region>"
    liar.lies = [Lie(method, status, code, more=more) for method in ("GET", "HEAD", "PUT")]
    with through(liar.url, place) as destination, pytest.raises(DestinationLost) as lost:
        destination.connect()
    assert "eu-south-9" in lost.value.hint


def test_who_may_only_read_is_refused_and_writes_nothing(place: BucketPlace) -> None:
    with direct(place, access=place.server.access(access_key=READER_KEY, secret_key=READER_SECRET)) as destination:
        destination.connect()
        assert type(failed(destination, upload(KEY))) is CopyRefused
        assert type(failed(destination, upload(KEY, BIG))) is CopyRefused
    assert place.everything() == place.unfinished() == set()


def test_a_full_service_is_said_to_be_full(place: BucketPlace, liar: LyingS3) -> None:
    liar.lies = [Lie("PUT", 403, "QuotaExceeded")]
    with through(liar.url, place) as destination:
        assert failed(destination, upload(KEY)).__class__.__name__ == "NoSpace"


def test_an_answer_that_nobody_knows_is_told_in_its_own_words(place: BucketPlace, liar: LyingS3) -> None:
    liar.lies = [Lie("PUT", 418, "Teapot")]
    with through(liar.url, place) as destination:
        error = failed(destination, upload(KEY))
    assert type(error) is CopyFailed
    assert "Teapot as planned" in str(error)


# Objects in parts.


def test_a_big_object_is_stored_in_parts_and_proven(place: BucketPlace) -> None:
    for verify in PROOFS:
        with direct(place, verify=verify) as destination:
            receipt = stored(destination, upload(f"{KEY}-{verify}", BIG, Algorithm.SHA1))[f"{KEY}-{verify}"]
        assert (receipt.checksum, receipt.verified_by) == (checksum(BIG, Algorithm.SHA1), verify)
        assert place.read(f"{KEY}-{verify}") == BIG
    assert place.staged() == set()


def test_a_big_object_that_differs_from_what_is_registered_is_never_completed(
    place: BucketPlace, liar: LyingS3
) -> None:
    with through(liar.url, place) as destination:
        one = Upload(KEY, partial(MemoryStream, BIG), Algorithm.MD5, checksum(b"good"))
        assert type(failed(destination, one)) is SourceDiffers
    assert not [seen for seen in liar.seen if seen.startswith("POST") and "uploadId" in seen]
    assert place.everything() == place.unfinished() == set()


def test_a_big_object_takes_no_occupied_key_and_sends_nothing(place: BucketPlace, liar: LyingS3) -> None:
    place.plant(KEY, b"old")
    with through(liar.url, place) as destination:
        assert type(failed(destination, upload(KEY, BIG))) is KeyOccupied
    assert not [seen for seen in liar.seen if "partNumber" in seen]


def test_a_big_object_supersedes_a_big_one(place: BucketPlace) -> None:
    place.plant(KEY, BIG)
    with direct(place, copy_part_size=5 * MIB) as destination:
        stored(destination, upload(KEY, BIG[::-1], supersede_to=ASIDE))
        destination.supersede(KEY, OTHER)
    assert place.final_keys() == {ASIDE, OTHER}
    assert (place.read(ASIDE), place.read(OTHER)) == (BIG, BIG[::-1])
    assert place.staged() == set()


@pytest.mark.parametrize("size", [0, 8 * MIB, 10_000 * 8 * MIB, 10_000 * 8 * MIB + 1, 5 << 40])
def test_no_object_has_too_many_parts_and_none_takes_too_much_memory(place: BucketPlace, size: int) -> None:
    settings = place.settings(part_size=8 * MIB)
    part = settings.part_size_for(size)
    assert part >= 8 * MIB
    assert -(-size // part) <= 10_000
    assert settings.parts_under_way(part) == 1 or settings.parts_under_way(part) * part <= 8 * 8 * MIB


def test_a_sweep_gives_up_only_what_our_own_ledger_left(place: BucketPlace) -> None:
    uploads = {}
    for run, ledger in (("run-0", "ledger-1"), ("run-1", "ledger-1"), ("run-0", "ledger-2")):
        key = f"10.5072/{ledger}/{run}"
        place.plant(f"{STAGING_PREFIX}/{ledger}/{run}/record", key.encode())
        begun = place.client.create_multipart_upload(Bucket=place.bucket, Key=f"{place.prefix}/{key}")
        uploads[key] = begun["UploadId"]
    beside = f"{place.prefix}/10.5072/ledger-1/run-0-and-more"
    place.client.create_multipart_upload(Bucket=place.bucket, Key=beside)
    with direct(place) as destination:
        destination.sweep()
    kept = {f"{place.prefix}/10.5072/{rest}" for rest in ("ledger-1/run-1", "ledger-2/run-0")}
    assert place.unfinished() == kept | {beside}
    assert {key for key in place.everything() if "run-0/" in key} == {f"{STAGING_PREFIX}/ledger-2/run-0/record"}


def test_a_sweep_takes_no_copy_for_a_record_whatever_the_service_lists(place: BucketPlace, liar: LyingS3) -> None:
    record = f"{STAGING_PREFIX}/ledger-1/run-0/record"
    place.plant(record, b"x")
    place.plant(KEY, WHOLE)
    liar.rewrites = {record.encode(): KEY.encode()}
    with through(liar.url, place) as destination:
        destination.sweep()
    assert place.read(KEY) == WHOLE


@pytest.mark.parametrize("text", [b"", b"../../up", b"\xff\xfe", b"x" * 5000, b"/"])
def test_a_record_that_is_none_of_ours_is_swept_and_names_nothing(place: BucketPlace, text: bytes) -> None:
    place.plant(f"{STAGING_PREFIX}/ledger-1/run-0/record", text)
    with direct(place) as destination:
        destination.sweep()
    assert place.everything() == set()


# Keys.


def test_a_key_may_be_as_long_as_s3_takes_it_and_no_longer(place: BucketPlace) -> None:
    room = 1024 - len(place.prefix) - 1
    longest = "/".join(["d" * 200] * 4)
    longest += "/" + "f" * (room - len(longest) - 1)
    with direct(place) as destination:
        stored(destination, upload(longest))
        assert type(failed(destination, upload(f"{longest}f"))) is KeyRefused
    assert place.final_keys() == {longest}


@pytest.mark.parametrize("key", ["a?b#c%20d+e&f", "a b/ü", "%2F", "a;b,c=d@e:f$g!h*i'j(k)l"])
def test_what_has_a_meaning_in_an_address_has_none_in_a_key(place: BucketPlace, key: str) -> None:
    data = BIG if key.startswith("a?b") else WHOLE
    with direct(place) as destination:
        stored(destination, upload(key, data), upload(f"{key}2"))
        destination.supersede(key, f"{key}3")
    assert place.final_keys() == {f"{key}2", f"{key}3"}


def test_objects_without_a_prefix_lie_at_the_top_of_the_bucket(s3_server: SeaweedfsServer) -> None:
    bucket, client = s3_server.shelf_bucket, s3_server.shared_client
    settings = BucketPlace(s3_server).settings(bucket=bucket, prefix="")
    with S3Destination(NAME, settings, STAGING) as destination:
        stored(destination, upload("a/b"))
        assert destination.sizes(["a/b"]) == {"a/b": 4}
    assert [found["Key"] for found in client.list_objects_v2(Bucket=bucket)["Contents"]] == ["a/b"]
    client.delete_object(Bucket=bucket, Key="a/b")


# Notes.

NOTES = [f"10.5072/FK2/{number}/.dataverse-backup/md5sum.txt" for number in range(20)]


def test_notes_are_taken_away_together(place: BucketPlace, liar: LyingS3) -> None:
    with through(liar.url, place) as destination:
        assert destination.write_notes(dict.fromkeys(NOTES, b"note")) == []
        liar.seen.clear()
        assert destination.write_notes(dict.fromkeys(NOTES)) == []
    assert [seen.partition(" ")[0] for seen in liar.seen] == ["POST"]
    assert place.everything() == set()


def test_notes_are_taken_away_one_by_one_where_the_service_cannot_do_otherwise(
    place: BucketPlace, liar: LyingS3
) -> None:
    liar.lies = [Lie("POST", 501, "NotImplemented")]
    with through(liar.url, place) as destination:
        assert destination.write_notes(dict.fromkeys(NOTES, b"note")) == []
        assert destination.write_notes(dict.fromkeys(NOTES)) == []
    assert place.everything() == set()


def test_a_note_that_the_service_does_not_take_away_is_told_and_stops_no_other(
    place: BucketPlace, liar: LyingS3
) -> None:
    with through(liar.url, place) as destination:
        assert destination.write_notes(dict.fromkeys(NOTES[1:], b"note")) == []
        error = f"<Error><Key>{place.prefix}/{NOTES[0]}</Key><Code>AccessDenied</Code></Error></DeleteResult>"
        liar.rewrites = {b"</DeleteResult>": error.encode()}
        liar.lies = [Lie("DELETE", 403, "AccessDenied")]
        (failure,) = destination.write_notes(dict.fromkeys(NOTES))
    assert (failure.key, type(failure.error)) == (NOTES[0], CopyRefused)
    assert place.everything() == set()


# Versions, locks, encryption.


@pytest.fixture(scope="module")
def locked_bucket(s3_server: SeaweedfsServer) -> str:
    """A bucket with versions and Object Lock."""
    return s3_server.make_bucket(ObjectLockEnabledForBucket=True)


def versions(place: BucketPlace, bucket: str) -> list[tuple[str, bool]]:
    """The versions of objects below the prefix: the key of each, and whether it is the latest."""
    found = place.client.list_object_versions(Bucket=bucket, Prefix=f"{place.prefix}/").get("Versions", ())
    return [(one["Key"].removeprefix(f"{place.prefix}/"), one["IsLatest"]) for one in found]


def test_only_the_bad_version_is_removed(place: BucketPlace, liar: LyingS3, locked_bucket: str) -> None:
    place.client.put_object(Bucket=locked_bucket, Key=f"{place.prefix}/{KEY}", Body=b"old")
    liar.alter = ALTERED["one bit"]
    with through(liar.url, place, bucket=locked_bucket) as destination:
        assert type(failed(destination, upload(KEY, WHOLE, supersede_to=ASIDE))) is CopyDiffers
        assert type(failed(destination, upload(OTHER, WHOLE))) is CopyDiffers
        assert destination.sizes([KEY, OTHER, ASIDE]) == {KEY: 3}
    assert versions(place, locked_bucket) == [(KEY, True)]


def test_copies_are_locked_as_configured_and_our_own_objects_are_not(place: BucketPlace, locked_bucket: str) -> None:
    with direct(place, bucket=locked_bucket, lock_mode="GOVERNANCE", lock_days=3) as destination:
        stored(destination, upload(KEY), upload(OTHER, BIG))
        destination.write_identity("ledger-1")
    for key in (KEY, OTHER):
        found = place.client.head_object(Bucket=locked_bucket, Key=f"{place.prefix}/{key}")
        assert found["ObjectLockMode"] == "GOVERNANCE"
        left = found["ObjectLockRetainUntilDate"] - found["LastModified"]
        assert 2.9 < left.total_seconds() / 86_400 < 3.1
    identity = place.client.head_object(Bucket=locked_bucket, Key=f"{place.prefix}/.dataverse-backup/identity")
    assert "ObjectLockMode" not in identity


def test_a_bad_object_that_is_locked_is_hidden_and_said(place: BucketPlace, liar: LyingS3, locked_bucket: str) -> None:
    liar.corrupts_reading = True
    settings = {"bucket": locked_bucket, "lock_mode": "COMPLIANCE", "lock_days": 1}
    with through(liar.url, place, **settings) as destination:
        error = failed(destination, upload(KEY, WHOLE))
        assert type(error) is CopyDiffers
        assert "it is locked" in str(error)
        assert destination.sizes([KEY]) == {}


def test_the_service_encrypts_where_that_is_asked_for(place: BucketPlace) -> None:
    with direct(place, encryption="AES256", verify=VerifiedBy.SERVICE) as destination:
        stored(destination, upload(KEY), upload(OTHER, BIG))
        destination.supersede(KEY, ASIDE)
    for key in (ASIDE, OTHER):
        found = place.client.head_object(Bucket=place.bucket, Key=f"{place.prefix}/{key}")
        assert found["ServerSideEncryption"] == "AES256"


def test_no_secret_is_in_what_is_shown_of_the_settings(place: BucketPlace) -> None:
    access = place.server.access(proxy="http://user:hidden@proxy")
    shown = repr(place.settings(access=access))
    assert str(access.secret_key) not in shown
    assert "hidden" not in shown


def test_a_digest_of_ours_needs_no_service(place: BucketPlace) -> None:
    place.plant(KEY, WHOLE)
    with direct(place, verify=VerifiedBy.SERVICE) as destination:
        found = digest(destination, KEY, OWN_ALGORITHM)
    assert isinstance(found, StoredDigest)
    assert found.checksum == Checksum(OWN_ALGORITHM, hashlib.sha256(WHOLE).hexdigest())


# A service that is there and does nothing.


def test_a_frozen_service_is_unavailable_after_a_while_and_is_used_again_when_it_goes_on(
    place: BucketPlace, s3_server: SeaweedfsServer
) -> None:
    access = s3_server.access(connect_timeout=1.0, read_timeout=1.0)
    with S3Destination(NAME, place.settings(access=access), STAGING) as one:
        one.connect()
        began = time.monotonic()
        with s3_server.frozen():
            error = failed(one, upload(KEY))
        assert isinstance(error, Unavailable)
        assert time.monotonic() - began < 60
        stored(one, upload(KEY))


def test_an_identity_that_comes_byte_by_byte_is_read_and_kept_whole(
    place: BucketPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = place.destination()
    first.connect()
    first.write_identity("ledger-1")
    first.close()
    whole = Reading.read
    monkeypatch.setattr(Reading, "read", lambda self, length: whole(self, min(length, 1)))
    for turn in range(2):  # a service is asked whether it keeps to conditions by writing the identity again
        destination = place.destination()
        destination.connect()
        assert destination.read_identity() == "ledger-1"
        put(destination, upload(f"{KEY}-{turn}"))
        destination.close()


def test_a_check_believes_what_comes_byte_by_byte(place: BucketPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Reading.read
    monkeypatch.setattr(Reading, "read", lambda self, length: whole(self, min(length, 7)))
    checks = list(check_destination(NAME, MemoryLedger, place.destination))
    assert [check for check in checks if not check.is_ok] == []
