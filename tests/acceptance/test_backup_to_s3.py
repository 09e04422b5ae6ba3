"""The installed command: one of the stores is a bucket, and so is the destination."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dataverse_backup.destinations.base import is_own
from demo.contents import OnDisk
from demo.proof import differences
from tests.acceptance.small import small_file, small_files
from tests.servers.seaweedfs import ACCESS_KEY, SECRET_KEY

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acceptance.conftest import Small
    from tests.acceptance.installation import Installation
    from tests.servers.seaweedfs import SeaweedfsServer

COULD_NOT_RUN = 1
LOCAL = "local://{name}"


class Buckets:
    """The bucket of the store, and the place of the copies."""

    def __init__(self, server: SeaweedfsServer) -> None:
        self.server, self.client = server, server.shared_client
        self.store, self.copies = server.make_bucket(), server.shared_bucket
        self.prefix = server.new_name()

    def fill(self, folder: Path) -> None:
        """Put every file of *folder* into the bucket of the store, as Dataverse would have it there."""
        for path in folder.rglob("*"):
            if path.is_file():
                self.client.put_object(Bucket=self.store, Key=str(path.relative_to(folder)), Body=path.read_bytes())

    def stamps(self) -> dict[str, object]:
        """Every copy, and when it was stored."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.copies, Prefix=f"{self.prefix}/")
        found = {entry["Key"]: entry["LastModified"] for page in pages for entry in page.get("Contents", ())}
        return {key: when for key, when in found.items() if not is_own(key.removeprefix(f"{self.prefix}/"))}

    def fetch(self, folder: Path) -> Path:
        """Every copy as a file in *folder*."""
        for key in self.stamps():
            path = folder / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.client.get_object(Bucket=self.copies, Key=key)["Body"].read())
        return folder / self.prefix

    def unfinished(self) -> list[str]:
        found = self.client.list_multipart_uploads(Bucket=self.copies, Prefix=f"{self.prefix}/").get("Uploads", ())
        return [upload["Key"] for upload in found]


@pytest.fixture
def installation(small: Small) -> Installation:
    """Files in both stores: ordinary ones, an empty one, one that travels in parts, and an ingested one."""
    files = [*small_files(8), *small_files(8, storageidentifier=LOCAL), small_file(size=0), small_file(size=11 << 20)]
    return small([*files, small_file(storageidentifier=LOCAL, is_tabular=True, on_disk=OnDisk.ORIGINAL)])


@pytest.fixture
def buckets(s3_server: SeaweedfsServer, installation: Installation) -> Buckets:
    buckets = Buckets(s3_server)
    buckets.fill(installation.sample.stores["local"])
    installation.local_store = (
        f"type: s3\nbucket-name: {buckets.store}\ncustom-endpoint-url: {s3_server.endpoint}\n"
        f"path-style-access: true\naccess-key: {ACCESS_KEY}\nsecret-key: {SECRET_KEY}"
    )
    installation.back_up_to_s3(s3_server, buckets.copies, f"S3Prefix: {buckets.prefix}", "Workers: 2")
    return buckets


def test_every_copy_is_proven_and_none_is_made_twice(
    installation: Installation, buckets: Buckets, tmp_path: Path
) -> None:
    checked = installation.run("check")
    assert "store local: OK" in checked.stdout
    assert "destination default: connect: OK (proves copies by read-back)" in checked.stdout
    assert "destination default: write, prove, read back: OK (verified by read-back, durable: yes)" in checked.stdout

    answer = installation.run("--log-level", "info", "backup")
    assert answer.returncode == 0, answer.stderr
    assert f"files of the bucket {buckets.store} are copied by the service itself" in answer.stderr
    listed = installation.listed_with_companions()
    assert differences(installation.sample, listed, buckets.fetch(tmp_path / "fetched")) == []
    assert len(listed) == 20
    assert {line["verified_by"] for line in listed if line["status"] == "OK"} == {"read-back"}
    before = buckets.stamps()
    assert installation.run("backup", "--rerun").returncode == 0
    assert buckets.stamps() == before
    assert buckets.unfinished() == []


def test_what_is_wrong_with_a_bucket_is_said_and_nothing_is_recorded(
    installation: Installation, s3_server: SeaweedfsServer
) -> None:
    installation.back_up_to_s3(s3_server, "no-such-bucket")
    checked = installation.run("check")
    assert "destination default: FAILED (default: the bucket no-such-bucket: the service answered" in checked.stdout
    assert "hint: are the bucket's name, endpoint and region right?" in checked.stdout
    answer = installation.run("backup")
    assert answer.returncode == COULD_NOT_RUN
    assert SECRET_KEY not in answer.stdout + answer.stderr + checked.stdout + checked.stderr
    assert installation.listed() == []
