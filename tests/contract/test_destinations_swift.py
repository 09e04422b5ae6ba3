"""What a destination in Swift does beyond the contract: segments, copies over there, faults, logins."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from swiftclient.exceptions import ClientException

from dataverse_backup.destinations.base import IDENTITY_KEY, Failure, Receipt, Staging, StoredDigest, note_key
from dataverse_backup.destinations.swift import SwiftDestination
from dataverse_backup.destinations.swift.large import SEGMENTS_PREFIX, LargeUpload
from dataverse_backup.destinations.swift.objects import Objects
from dataverse_backup.errors import (
    CopyDiffers,
    CopyFailed,
    CopyRefused,
    DestinationLost,
    DestinationRefused,
    KeyRefused,
    NoSpace,
    SourceChanged,
    Unavailable,
)
from dataverse_backup.fixity import Algorithm, HashingReader, VerifiedBy
from dataverse_backup.services.withheld import Body
from dataverse_backup.stores.memory import Fault, MemoryStream
from dataverse_backup.testing.places import NAME, STAGING
from dataverse_backup.testing.uploads import (
    ASIDE,
    KEY,
    OTHER,
    checksum,
    digest,
    failed,
    put,
    read_all,
    stored,
    upload,
)
from tests.contract.destination_cases import ContainerPlace
from tests.servers.keystone import TOKEN_MEMORY
from tests.servers.tcp_proxy import TcpProxy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.keystone import KeystoneServer
    from tests.servers.swift import SwiftServer

pytestmark = pytest.mark.xdist_group("Keystone")
MIB = 1 << 20
BIG = bytes(range(256)) * (10 * MIB // 1024)
"""Two segments and a half."""
LATER = Staging("ledger-1", "run-2")


@pytest.fixture
def place(swift_server: SwiftServer) -> ContainerPlace:
    return ContainerPlace(swift_server)


@pytest.fixture
def destination(place: ContainerPlace) -> Iterator[SwiftDestination]:
    with connected(place) as destination:
        yield destination


@contextmanager
def connected(place: ContainerPlace, staging: Staging = STAGING, **other: Any) -> Iterator[SwiftDestination]:
    """A destination on *place* with *other* settings."""
    with SwiftDestination(NAME, place.settings(**other), staging) as destination:
        destination.connect()
        yield destination


@contextmanager
def proxied(place: ContainerPlace, **other: Any) -> Iterator[tuple[SwiftDestination, TcpProxy]]:
    """A destination on *place* that reaches it by way of a proxy."""
    with TcpProxy(place.server.port) as proxy:
        access = replace(place.server.access, auth_url=f"{proxy.url}/auth/v1.0")
        with connected(place, access=access, **other) as destination:
            yield destination, proxy


def segments_left(place: ContainerPlace, data: bytes = BIG, *, key: str = KEY) -> LargeUpload:
    """What a run leaves that is killed before its large object appears."""
    left = LargeUpload(Objects(place.swift, place.settings()), STAGING, key)
    with HashingReader(MemoryStream(data), Algorithm.MD5) as reader:
        left.send(Body(reader, Algorithm.MD5, None), MIB)
    return left


# Segments.


def test_a_big_object_is_one_object_made_of_segments(place: ContainerPlace, destination: SwiftDestination) -> None:
    receipt = stored(destination, upload(KEY, BIG, Algorithm.SHA512))[KEY]
    assert (receipt.size, receipt.checksum) == (len(BIG), checksum(BIG, Algorithm.SHA512))
    assert place.read(KEY) == BIG
    assert len(place.everything()) == 1 + 3
    assert place.staged() == set()
    assert destination.sizes([KEY]) == {KEY: len(BIG)}


def test_a_big_object_moved_aside_keeps_its_segments(place: ContainerPlace, destination: SwiftDestination) -> None:
    stored(destination, upload(KEY, BIG))
    destination.supersede(KEY, ASIDE)
    assert place.final_keys() == {ASIDE}
    assert read_all(destination, ASIDE) == BIG
    assert len(place.everything()) == 1 + 3


@pytest.mark.parametrize(("old", "new"), [(BIG, BIG[::-1]), (BIG, b"small"), (b"small", BIG), (BIG[:MIB], BIG[1:MIB])])
def test_big_and_small_objects_supersede_each_other(
    place: ContainerPlace, destination: SwiftDestination, old: bytes, new: bytes
) -> None:
    stored(destination, upload(KEY, old))
    receipt = stored(destination, upload(KEY, new, supersede_to=ASIDE))[KEY]
    assert receipt.checksum == checksum(new)
    assert (place.read(KEY), place.read(ASIDE)) == (new, old)
    with connected(place, LATER) as later:
        later.sweep()
    assert (place.read(KEY), place.read(ASIDE)) == (new, old)
    assert place.staged() == set()


def test_a_sweep_removes_segments_whose_object_never_appeared(place: ContainerPlace) -> None:
    segments_left(place)
    place.plant(OTHER, b"data")
    with connected(place) as same_run:
        same_run.sweep()
    assert len(place.staged()) == 1 + 3
    with connected(place, LATER) as later:
        later.sweep()
    assert place.everything() == {OTHER}


def test_a_sweep_keeps_segments_whose_object_appeared_in_the_last_moment(place: ContainerPlace) -> None:
    left = segments_left(place)
    Objects(place.swift, place.settings()).put_manifest(KEY, left.segments, may_overwrite=False)
    with connected(place, LATER) as later:
        later.sweep()
        assert read_all(later, KEY) == BIG
    assert place.staged() == set()


def test_a_sweep_keeps_segments_whose_object_was_moved_aside_since(place: ContainerPlace) -> None:
    left = segments_left(place)
    Objects(place.swift, place.settings()).put_manifest(KEY, left.segments, may_overwrite=False)
    with connected(place) as same_run:
        stored(same_run, upload(KEY, b"new", supersede_to=ASIDE))
    with connected(place, LATER) as later:
        later.sweep()
        assert read_all(later, ASIDE) == BIG


def test_a_sweep_leaves_another_object_under_the_key_alone(place: ContainerPlace) -> None:
    segments_left(place)
    with connected(place) as other_worker:
        stored(other_worker, upload(KEY, BIG[::-1]))
    with connected(place, LATER) as later:
        later.sweep()
        assert read_all(later, KEY) == BIG[::-1]
    assert place.staged() == set()
    assert len(place.everything()) == 1 + 3


def test_a_large_object_that_comes_too_late_overwrites_nothing(place: ContainerPlace) -> None:
    late = segments_left(place)
    place.plant(KEY, b"first")
    with pytest.raises(ClientException, match="412"):
        late.commit(may_overwrite=False)
    assert place.everything() == {KEY}
    assert place.read(KEY) == b"first"


def test_a_service_that_takes_small_objects_only_gets_segments_of_its_size(place: ContainerPlace) -> None:
    with proxied(place, segment_size=1 << 30, whole_size=4 * MIB) as (destination, proxy):
        proxy.answers = {b'"max_file_size": 5368709122': b'"max_file_size":     524288'}
        destination.connect()
        stored(destination, upload(KEY, BIG))
    assert place.read(KEY) == BIG
    assert len(place.everything()) == 1 + 5


# Verify.


@pytest.mark.parametrize("data", [b"whole", BIG[:MIB], BIG], ids=["whole", "streamed", "in segments"])
def test_the_word_of_the_service_proves_a_copy_where_that_is_wanted(place: ContainerPlace, data: bytes) -> None:
    with connected(place, verify=VerifiedBy.SERVICE) as destination:
        receipt = stored(destination, upload(KEY, data, Algorithm.SHA256))[KEY]
        assert receipt.verified_by is VerifiedBy.SERVICE
        assert receipt.checksum == checksum(data, Algorithm.SHA256)
        found = digest(destination, KEY)
        assert isinstance(found, StoredDigest)
        assert found.verified_by is VerifiedBy.READ_BACK


def md5(data: bytes) -> bytes:
    return checksum(data).value.encode()


def test_an_etag_that_is_no_md5_makes_the_copy_be_read_back(place: ContainerPlace) -> None:
    with proxied(place, verify=VerifiedBy.SERVICE) as (destination, proxy):
        proxy.answers = {md5(b"data"): b"0" * 32}
        assert stored(destination, upload(KEY))[KEY].verified_by is VerifiedBy.READ_BACK


# Faults on the way. The proxy renames our ETag, so that Swift itself sees nothing.

GOOD, EVIL = b"the good bytes", b"the evil bytes"
LIE = {GOOD: EVIL, b"ETag": b"XTag"}


@pytest.mark.parametrize("verify", [VerifiedBy.READ_BACK, VerifiedBy.SERVICE])
def test_bytes_that_change_on_the_way_do_not_stay(place: ContainerPlace, verify: VerifiedBy) -> None:
    with proxied(place, verify=verify) as (destination, proxy):
        proxy.requests = LIE
        assert type(failed(destination, upload(KEY, GOOD))) is CopyDiffers
    assert place.everything() == set()


def test_bytes_that_change_on_the_way_are_seen_though_the_service_says_they_did_not(place: ContainerPlace) -> None:
    with proxied(place) as (destination, proxy):
        proxy.requests, proxy.answers = LIE, {md5(EVIL): md5(GOOD)}
        assert type(failed(destination, upload(KEY, GOOD))) is CopyDiffers
    assert place.everything() == set()


def test_bytes_that_change_on_the_way_supersede_nothing(place: ContainerPlace) -> None:
    place.plant(KEY, b"old")
    with proxied(place) as (destination, proxy):
        proxy.requests = LIE
        assert type(failed(destination, upload(KEY, GOOD, supersede_to=ASIDE))) is CopyDiffers
    assert place.read(KEY) == b"old"


def test_swift_itself_refuses_bytes_that_change_on_the_way(place: ContainerPlace) -> None:
    with proxied(place) as (destination, proxy):
        proxy.requests = {GOOD: EVIL}
        assert type(failed(destination, upload(KEY, GOOD))) is CopyDiffers
    assert place.everything() == set()


def test_a_segment_that_changes_on_the_way_does_not_become_an_object(place: ContainerPlace) -> None:
    with proxied(place) as (destination, proxy):
        proxy.requests = {GOOD: EVIL}
        error = failed(destination, upload(KEY, BIG[:MIB] + GOOD))
    assert type(error) in (CopyFailed, CopyDiffers)
    assert place.everything() == set()


@pytest.mark.parametrize("data", [BIG[:MIB], BIG], ids=["streamed", "in segments"])
def test_a_connection_that_is_cut_while_bytes_are_sent_stores_nothing(place: ContainerPlace, data: bytes) -> None:
    with proxied(place) as (destination, proxy):
        proxy.cut_requests_after, proxy.cuts = 700_000, 1
        assert type(failed(destination, upload(KEY, data))) is Unavailable
        assert place.everything() == set()
        stored(destination, upload(KEY, data))
    assert place.read(KEY) == data


def test_a_connection_that_is_cut_while_a_copy_is_read_goes_on_where_it_was(place: ContainerPlace) -> None:
    place.plant(KEY, BIG)
    with proxied(place) as (destination, proxy):
        proxy.cut_answers_after, proxy.cuts = MIB, 2
        found = digest(destination, KEY)
    assert isinstance(found, StoredDigest)
    assert found.checksum == checksum(BIG)
    assert proxy.cuts == 0


def test_a_service_that_is_down_is_unavailable_and_found_again(place: ContainerPlace) -> None:
    with proxied(place) as (destination, proxy):
        proxy.is_down = True
        proxy.cut_all()
        assert type(failed(destination, upload(KEY))) is Unavailable
        with pytest.raises(DestinationLost):
            destination.sizes([KEY])
        with pytest.raises(DestinationLost):
            destination.connect()
        proxy.is_down = False
        stored(destination, upload(KEY))


@pytest.mark.parametrize("data", [b"", b"x" * MIB], ids=["nothing", "half"])
def test_a_source_that_is_shorter_than_it_says_hangs_nowhere(
    place: ContainerPlace, destination: SwiftDestination, data: bytes
) -> None:
    began = time.monotonic()
    error = failed(destination, upload(KEY, data, fault=Fault(claimed_size=2 * MIB)))
    assert type(error) is SourceChanged
    assert time.monotonic() - began < 4, "the service waits for 5 seconds"
    assert place.everything() == set()


# The container, and what is allowed in it.


def test_a_container_that_is_full_is_no_space(place: ContainerPlace, destination: SwiftDestination) -> None:
    with place.swift.connection() as connection:
        connection.post_container(place.container, {"X-Container-Meta-Quota-Bytes": "100"})
    results = put(destination, upload(KEY, b"x" * 50), upload(OTHER, b"x" * 1000), upload("big", BIG))
    assert isinstance(results[KEY], Receipt)
    for key in (OTHER, "big"):
        result = results[key]
        assert isinstance(result, Failure)
        assert type(result.error) is NoSpace
    assert place.staged() == set()


def test_the_container_is_made_with_the_identity_and_not_before(swift_server: SwiftServer) -> None:
    place = ContainerPlace(swift_server)
    settings = replace(place.settings(), container=f"{place.container} new")
    with SwiftDestination(NAME, settings, STAGING) as destination:
        destination.connect()
        assert destination.read_identity() is None
        assert destination.sizes([KEY]) == {}
        destination.sweep()
        assert place.strays() == set()
        destination.write_identity("ledger-1")
        assert place.strays() == {settings.container}
        stored(destination, upload(KEY))


def test_a_container_that_goes_in_mid_run_is_a_lost_destination(place: ContainerPlace) -> None:
    with connected(place) as destination:
        destination.write_identity("ledger-1")
        destination.read_identity()
        with place.swift.connection() as connection:
            for key in place.everything():
                connection.delete_object(place.container, key)
            connection.delete_container(place.container)
        assert type(failed(destination, upload(KEY))) is Unavailable
        assert type(failed(destination, upload(KEY, BIG))) is Unavailable
        with pytest.raises(DestinationLost, match="is gone"):
            destination.connect()


def test_each_dataset_has_its_container_where_that_is_wanted(place: ContainerPlace) -> None:
    with connected(place, per_dataset=True) as destination:
        destination.write_identity("ledger-1")
        stored(destination, upload("10.5072/FK2/A/1", b"one"), upload("10.5072/FK2/A/2", BIG), upload("B/1"))
        destination.supersede("B/1", ASIDE)
        assert place.strays() == {"10.5072-FK2-A", "B"}
        with place.swift.connection() as connection:
            assert connection.get_object("10.5072-FK2-A", "10.5072/FK2/A/1")[1] == b"one"
        assert read_all(destination, "10.5072/FK2/A/2") == BIG
        assert read_all(destination, ASIDE) == b"data"
        assert place.staged() == place.orphans()
        note = note_key("10.5072/FK2/A", "manifest.json")
        assert destination.write_notes({note: b"note"}) == []
        assert place.strays() == {"10.5072-FK2-A", "B"}
        place.server.new_container()
        sizes = {entry.key: entry.size for entry in destination.entries() if not entry.key.startswith(SEGMENTS_PREFIX)}
        assert sizes == {
            IDENTITY_KEY: 8,
            ASIDE: 4,
            "10.5072/FK2/A/1": 3,
            "10.5072/FK2/A/2": len(BIG),
            note: 4,
        }


def test_a_key_is_no_longer_than_swift_takes(place: ContainerPlace, destination: SwiftDestination) -> None:
    longest = "/".join(["é" * 100] * 4) + "/" + "x" * 220
    assert len(longest.encode()) == 1024
    results = put(destination, upload(longest), upload(f"{longest}y"))
    assert isinstance(results[longest], Receipt)
    failure = results[f"{longest}y"]
    assert isinstance(failure, Failure)
    assert type(failure.error) is KeyRefused
    assert place.final_keys() == {longest}


# Logins.


@pytest.mark.parametrize("change", [{"key": "wrong"}, {"user": "test:nobody"}], ids=str)
def test_a_login_that_is_refused_needs_somebody(place: ContainerPlace, change: dict[str, Any]) -> None:
    settings = place.settings(access=replace(place.server.access, **change))
    with SwiftDestination(NAME, settings, STAGING) as destination:
        with pytest.raises(DestinationRefused) as caught:
            destination.connect()
        assert "key" in caught.value.hint
        assert "wrong" not in str(caught.value)
        assert type(failed(destination, upload(KEY))) is Unavailable


def test_a_user_who_may_only_read_is_refused(place: ContainerPlace) -> None:
    with place.swift.connection() as connection:
        connection.post_container(place.container, {"X-Container-Read": "test:reader"})
    place.plant(KEY, b"data")
    access = replace(place.server.access, user="test:reader", key="reading")
    with SwiftDestination(NAME, place.settings(access=access), STAGING) as destination:
        assert type(failed(destination, upload(OTHER))) is CopyRefused
        assert isinstance(digest(destination, KEY), StoredDigest)


def test_no_secret_is_logged(place: ContainerPlace, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with connected(place) as destination:
        stored(destination, upload(KEY))
        failed(destination, upload(KEY))
        assert destination.sizes(["none"]) == {}
        with destination._swift.connection() as connection:
            token = connection.token.removeprefix("AUTH_tk")
    assert "/v1/AUTH_test" in caplog.text
    for secret in (token[:6], place.server.access.key):
        assert secret not in caplog.text


def test_nobody_there_is_a_lost_destination(place: ContainerPlace) -> None:
    access = replace(place.server.access, auth_url="http://127.0.0.1:1/auth/v1.0")
    with SwiftDestination(NAME, place.settings(access=access), STAGING) as destination:
        with pytest.raises(DestinationLost):
            destination.connect()
        assert type(failed(destination, upload(KEY))) is Unavailable


def test_keystone_lets_us_in_and_a_token_that_ends_is_renewed(
    keystone_server: KeystoneServer, swift_with_keystone: SwiftServer
) -> None:
    place = ContainerPlace(swift_with_keystone)
    with connected(place) as destination:
        for data in (b"whole", BIG[:MIB], BIG):
            with destination._swift.connection() as connection:
                connection.head_account()
                keystone_server.revoke(connection.token)
            time.sleep(TOKEN_MEMORY + 0.1)
            assert stored(destination, upload(f"{len(data)}", data))[f"{len(data)}"].checksum == checksum(data)
        assert place.staged() == set()


def test_keystone_lets_us_in_with_an_application_credential(
    keystone_server: KeystoneServer, swift_with_keystone: SwiftServer
) -> None:
    place = ContainerPlace(swift_with_keystone)
    access = keystone_server.make_application_credential()
    with connected(place, access=access) as destination:
        stored(destination, upload(KEY, BIG))
        assert place.read(KEY) == BIG


def test_keystone_refuses_a_wrong_key_and_an_unknown_project(swift_with_keystone: SwiftServer) -> None:
    changes: list[dict[str, Any]] = [{"key": "wrong"}, {"project": "other"}, {"user_domain": "other"}]
    for change in changes:
        access = replace(swift_with_keystone.access, **change)
        place = ContainerPlace(swift_with_keystone)
        with (
            SwiftDestination(NAME, place.settings(access=access), STAGING) as destination,
            pytest.raises(DestinationRefused),
        ):
            destination.connect()


def test_a_region_without_an_object_store_is_a_lost_destination(swift_with_keystone: SwiftServer) -> None:
    access = replace(swift_with_keystone.access, region="elsewhere")
    settings = ContainerPlace(swift_with_keystone).settings(access=access)
    with (
        SwiftDestination(NAME, settings, STAGING) as destination,
        pytest.raises(DestinationLost, match="elsewhere"),
    ):
        destination.connect()
