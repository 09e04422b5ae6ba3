"""What every destination of ours promises that deletes copies."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.destinations.memory import Faults, MemoryDestination
from dataverse_backup.destinations.prunable import Doomed, Fate
from dataverse_backup.destinations.s3 import S3Destination
from dataverse_backup.testing.places import NAME, STAGING, FolderPlace
from dataverse_backup.testing.prunable import *  # noqa: F403 -- the suite: pytest collects what is here
from dataverse_backup.testing.prunable import BIG, fates
from dataverse_backup.testing.uploads import ASIDE, KEY, stored, upload
from tests.contract.destination_cases import CASES, BucketPlace, ContainerPlace
from tests.servers.lying_s3 import Lie, LyingS3

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dataverse_backup.testing.places import Place
    from tests.servers.seaweedfs import SeaweedfsServer


@pytest.fixture(params=["memory", "filesystem", "ssh without shell", "s3", "swift"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """One of each kind that deletes in a way of its own."""
    with CASES[request.param](request) as place:
        yield place


@pytest.fixture(params=["filesystem", "ssh with shell", "ssh without shell"])
def folder(request: pytest.FixtureRequest) -> Iterator[FolderPlace]:
    """A root in which anything can lie that lies in folders."""
    with CASES[request.param](request) as place:
        assert isinstance(place, FolderPlace)
        yield place


def test_folders_that_became_empty_go_and_others_stay(folder: FolderPlace) -> None:
    folder.plant("a/b/c/d", b"x")
    folder.plant("a/e", b"x")
    with folder.destination() as destination:
        destination.connect()
        destination.write_identity("ledger-1")
        assert fates(destination, Doomed("a/b/c/d", 1)) == {"a/b/c/d": Fate.REMOVED}
        assert not (folder.root / "a" / "b").exists()
        assert fates(destination, Doomed("a/e", 1)) == {"a/e": Fate.REMOVED}
    assert sorted(path.name for path in folder.root.iterdir()) == [".dataverse-backup"]


def test_what_a_link_leads_to_stays(folder: FolderPlace) -> None:
    outside = folder.root.parent / "outside"
    outside.mkdir()
    (outside / "file").write_bytes(b"data")
    (folder.root / "link").symlink_to(outside / "file")
    (folder.root / "linked").symlink_to(outside)
    with folder.destination() as destination:
        destination.connect()
        destination.write_identity("ledger-1")
        found = fates(destination, Doomed("link", 4), Doomed("linked/file", 4))
    assert Fate.REMOVED not in found.values()
    assert (outside / "file").read_bytes() == b"data"
    assert (folder.root / "link").is_symlink()


def test_in_memory_what_is_locked_stays_as_planned() -> None:
    destination = MemoryDestination(objects={KEY: b"data"}, faults=Faults(locked=[KEY]))
    assert fates(destination, Doomed(KEY, 4)) == {KEY: Fate.LOCKED}
    assert destination.objects == {KEY: b"data"}


# Locks and versions of S3.


@pytest.fixture(scope="module")
def locked_bucket(s3_server: SeaweedfsServer) -> str:
    """A bucket with versions and Object Lock."""
    return s3_server.make_bucket(ObjectLockEnabledForBucket=True)


def test_what_is_under_object_lock_stays_and_what_is_not_goes(s3_server: SeaweedfsServer, locked_bucket: str) -> None:
    place = BucketPlace(s3_server)
    settings = place.settings(bucket=locked_bucket, lock_mode="GOVERNANCE", lock_days=3)
    with S3Destination(NAME, settings, STAGING) as destination:
        destination.connect()
        stored(destination, upload("locked", b"data"))
    put, its = place.client.put_object, f"{place.prefix}/"
    put(Bucket=locked_bucket, Key=f"{its}free", Body=b"data")
    put(Bucket=locked_bucket, Key=f"{its}held", Body=b"data", ObjectLockLegalHoldStatus="ON")
    with S3Destination(NAME, place.settings(bucket=locked_bucket), STAGING) as destination:
        destination.connect()
        found = {result.key: result for result in destination.prune([Doomed(k, 4) for k in ("locked", "free", "held")])}
        assert destination.sizes(["locked", "free", "held"]) == {"locked": 4, "held": 4}
    assert {key: getattr(result, "fate", None) for key, result in found.items()} == {
        "locked": Fate.LOCKED,
        "held": Fate.LOCKED,
        "free": Fate.REMOVED,
    }
    until = datetime.now(UTC) + timedelta(days=3)
    assert f"until {until:%Y-%m-%d}" in str(found["locked"])
    kept = place.client.list_object_versions(Bucket=locked_bucket, Prefix=f"{place.prefix}/free")
    assert len(kept["Versions"]) == len(kept["DeleteMarkers"]) == 1


def test_what_nobody_tells_to_be_free_stays(s3_server: SeaweedfsServer, locked_bucket: str) -> None:
    place = BucketPlace(s3_server)
    place.client.put_object(Bucket=locked_bucket, Key=f"{place.prefix}/free", Body=b"data")
    with LyingS3(s3_server) as liar:
        access = s3_server.access(endpoint=liar.url)
        with S3Destination(NAME, place.settings(bucket=locked_bucket, access=access), STAGING) as destination:
            destination.connect()
            liar.lies = [Lie("GET", 403, "AccessDenied", times=9)]
            (result,) = destination.prune([Doomed("free", 4)])
            liar.lies = []
            assert "s3:GetObjectRetention" in str(result)
            assert destination.sizes(["free"]) == {"free": 4}


# Segments of Swift.


@pytest.fixture
def container(request: pytest.FixtureRequest) -> Iterator[ContainerPlace]:
    with CASES["swift"](request) as place:
        assert isinstance(place, ContainerPlace)
        yield place


def test_segments_that_another_object_has_stay(container: ContainerPlace) -> None:
    """A crash in the middle of moving a copy aside leaves two names of the same segments."""
    with container.destination() as destination:
        destination.connect()
        destination.write_identity("ledger-1")
        stored(destination, upload(KEY, BIG))
        with container.swift.connection() as connection:
            query = "multipart-manifest=get"
            headers = {"X-Copy-From": f"{container.container}/{KEY}"}
            connection.put_object(container.container, ASIDE, b"", headers=headers, query_string=query)
        assert fates(destination, Doomed(KEY, len(BIG))) == {KEY: Fate.REMOVED}
        assert container.read(ASIDE) == BIG
        assert fates(destination, Doomed(ASIDE, len(BIG))) == {ASIDE: Fate.REMOVED}
    assert container.final_keys() == set()
    assert container.orphans() == set()


def test_a_removal_that_a_crash_interrupted_is_finished_by_the_next_sweep(
    container: ContainerPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with container.destination() as destination:
        destination.connect()
        destination.write_identity("ledger-1")
        stored(destination, upload(KEY, BIG))
        with monkeypatch.context() as patched:
            patched.setattr("dataverse_backup.destinations.swift.large.remove_segments", killed)
            with pytest.raises(KeyboardInterrupt):
                fates(destination, Doomed(KEY, len(BIG)))
        assert container.final_keys() == set()
        assert container.orphans() != set()
    with container.destination(replace(STAGING, run="run-2")) as destination:
        destination.connect()
        destination.sweep()
    assert container.orphans() == container.staged() == set()
