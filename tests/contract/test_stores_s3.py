"""What only S3 can do to a store, on a real service and on one that lies."""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.datafile import Dataset
from dataverse_backup.errors import (
    KeyOccupied,
    SourceArchived,
    SourceChanged,
    SourceMissing,
    SourceUnavailable,
    StoreLost,
)
from dataverse_backup.services.s3 import _session
from dataverse_backup.stores.s3 import S3Store
from dataverse_backup.testing.restorable import copy_of, sha1
from dataverse_backup.testing.stores import datafile
from tests.servers.lying_s3 import Lie, LyingS3
from tests.servers.seaweedfs import ACCESS_KEY, SECRET_KEY
from tests.servers.tcp_proxy import TcpProxy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers.seaweedfs import SeaweedfsServer

MIB = 1 << 20
BIG = bytes(range(256)) * (11 * MIB // 256)


@pytest.fixture
def proxy(s3_server: SeaweedfsServer) -> Iterator[TcpProxy]:
    with TcpProxy(s3_server.port) as proxy:
        yield proxy


@pytest.fixture
def name(s3_server: SeaweedfsServer) -> str:
    """The name of a big object in the bucket that the tests share."""
    name = f"{s3_server.new_name()}/big"
    s3_server.shared_client.put_object(Bucket=s3_server.shared_bucket, Key=name, Body=BIG)
    return name


def store_at(server: SeaweedfsServer, url: str) -> S3Store:
    return S3Store("s3", server.access(endpoint=url, read_timeout=5.0), server.shared_bucket)


def read_all(store: S3Store, name: str) -> bytes:
    stream = store.open(name)
    try:
        return b"".join(iter(partial(stream.read, MIB), b""))
    finally:
        stream.close()


def test_a_read_that_breaks_goes_on_where_it_broke(s3_server: SeaweedfsServer, proxy: TcpProxy, name: str) -> None:
    proxy.cut_answers_after, proxy.cuts = 3 * MIB, 3
    with store_at(s3_server, proxy.url) as store:
        assert read_all(store, name) == BIG
    assert proxy.cuts == 0


def test_a_read_that_breaks_again_and_again_is_given_up(s3_server: SeaweedfsServer, proxy: TcpProxy, name: str) -> None:
    with store_at(s3_server, proxy.url) as store:
        stream = store.open(name)
        proxy.is_down = True
        proxy.cut_all()
        with pytest.raises(SourceUnavailable):
            deque(iter(partial(stream.read, MIB), b""))
        stream.close()


def test_an_object_that_changed_when_a_read_broke_is_not_read_on(
    s3_server: SeaweedfsServer, proxy: TcpProxy, name: str
) -> None:
    with store_at(s3_server, proxy.url) as store:
        stream = store.open(name)
        s3_server.shared_client.put_object(Bucket=s3_server.shared_bucket, Key=name, Body=BIG[::-1])
        proxy.cut_all()
        with pytest.raises(SourceChanged):
            deque(iter(partial(stream.read, MIB), b""))
        stream.close()


def test_a_service_that_knows_no_ranges_is_not_taken_at_its_word(s3_server: SeaweedfsServer, name: str) -> None:
    with LyingS3(s3_server) as liar, store_at(s3_server, liar.url) as store:
        liar.ignores_ranges, liar.cuts_short = True, True
        with pytest.raises(SourceUnavailable):
            read_all(store, name)


def test_one_object_that_is_not_given_now_is_unavailable(s3_server: SeaweedfsServer, name: str) -> None:
    with LyingS3(s3_server) as liar, store_at(s3_server, liar.url) as store:
        liar.lies = [Lie("GET", 500, "InternalError", times=3)]
        with pytest.raises(SourceUnavailable):
            store.open(name)


def test_an_object_in_cold_storage_is_archived(s3_server: SeaweedfsServer, name: str) -> None:
    with LyingS3(s3_server) as liar, store_at(s3_server, liar.url) as store:
        liar.lies = [Lie("GET", 403, "InvalidObjectState", more="<StorageClass>GLACIER</StorageClass>")]
        with pytest.raises(SourceArchived) as archived:
            store.open(name)
    assert (archived.value.place, archived.value.key) == ("s3", name)
    assert "restore" in archived.value.hint


def test_a_missing_bucket_a_wrong_key_and_a_dead_line_lose_the_store(s3_server: SeaweedfsServer) -> None:
    stores = [
        S3Store("s3", s3_server.access(), "no-such-bucket"),
        S3Store("s3", s3_server.access(secret_key="wrong"), s3_server.shared_bucket),
        S3Store("s3", s3_server.access(endpoint="http://127.0.0.1:1"), s3_server.shared_bucket),
    ]
    for store in stores:
        with store, pytest.raises(StoreLost) as lost:
            store.open("a")
        assert lost.value.hint
    for store in stores:
        with store, pytest.raises(StoreLost, match="s3: the bucket "):
            store.probe()


@pytest.fixture
def aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Where the AWS tools look, with a profile of ours and nothing else."""
    secrets = tmp_path / "credentials"
    secrets.write_text(f"[dataverse]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n")
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(secrets))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    _session.cache_clear()
    yield monkeypatch
    _session.cache_clear()


def test_a_profile_of_the_aws_tools_logs_in(s3_server: SeaweedfsServer, aws: pytest.MonkeyPatch) -> None:
    del aws
    access = s3_server.access(profile="dataverse", access_key=None, secret_key=None)
    s3_server.shared_client.put_object(Bucket=s3_server.shared_bucket, Key="some", Body=b"thing")
    with S3Store("s3", access, s3_server.shared_bucket) as store:
        store.probe()
    s3_server.shared_client.delete_object(Bucket=s3_server.shared_bucket, Key="some")


def test_without_keys_and_profile_the_environment_is_asked(
    s3_server: SeaweedfsServer, aws: pytest.MonkeyPatch, name: str
) -> None:
    access = s3_server.access(access_key=None, secret_key=None)
    with S3Store("s3", access, s3_server.shared_bucket) as store, pytest.raises(StoreLost) as lost:
        store.open(name)
    assert "access key" in lost.value.hint
    _session.cache_clear()
    aws.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    aws.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    with S3Store("s3", access, s3_server.shared_bucket) as store:
        store.open(name).close()


def test_a_key_with_a_leading_slash_is_that_of_a_dataset_without_authority(s3_server: SeaweedfsServer) -> None:
    file = datafile(storageidentifier="s3://b:18b3-1", dataset=Dataset("perma:P", "", s3_server.new_name()))
    with store_at(s3_server, s3_server.endpoint) as store:
        main = store.names(file)[0]
        assert main.startswith("/")
        s3_server.shared_client.put_object(Bucket=s3_server.shared_bucket, Key=main, Body=b"data")
        assert read_all(store, main) == b"data"


@pytest.mark.parametrize(
    ("authority", "identifier", "storageidentifier", "key"),
    [
        (
            "10.5072",
            "FK2/ABCDEF",
            "s3://bucket:18b39722140-50eb7d3c5ece",
            "10.5072/FK2/ABCDEF/18b39722140-50eb7d3c5ece",
        ),
        ("10.7910", "DVN/XYZ", "dvncloud://dvn-cloud:298910", "10.7910/DVN/XYZ/298910"),
        ("10.7910", "DVN/XYZ", "s3://dvn-cloud:a:b.txt", "10.7910/DVN/XYZ/b.txt"),
        ("", "PERMA123", "s3://b:18b3-1", "/PERMA123/18b3-1"),
        ("1902.1", "12345", "s3://b:my file é.pdf", "1902.1/12345/my file é.pdf"),
        ("10.7910", "DVN/XYZ", "s3://18b39722140-50eb7d3c5ece", "10.7910/DVN/XYZ/18b39722140-50eb7d3c5ece"),
    ],
)
def test_keys_are_those_of_dataverse(
    s3_server: SeaweedfsServer, authority: str, identifier: str, storageidentifier: str, key: str
) -> None:
    """Facts 2.10."""
    file = datafile(storageidentifier=storageidentifier, dataset=Dataset("pid", authority, identifier))
    store = store_at(s3_server, s3_server.endpoint)
    assert store.names(file) == (key, f"{key}.orig")
    assert store.object_name(file) == key.rpartition("/")[2]


def test_what_is_missing_in_a_bucket_that_has_other_things_is_missing(s3_server: SeaweedfsServer, name: str) -> None:
    with store_at(s3_server, s3_server.endpoint) as store, pytest.raises(SourceMissing):
        store.open(f"{name}.orig")


def test_what_is_put_back_loses_the_temporary_tag_and_keeps_what_else_was_said_of_it(
    s3_server: SeaweedfsServer,
) -> None:
    client, bucket, name = s3_server.shared_client, s3_server.shared_bucket, f"{s3_server.new_name()}/18b-1"
    client.put_object(
        Bucket=bucket,
        Key=name,
        Body=b"bad",
        Tagging="dv-state=temp&keep=yes",
        ContentType="text/csv",
        Metadata={"by": "somebody"},
    )
    with store_at(s3_server, s3_server.endpoint) as store:
        done = store.put_back(name, copy_of(b"good"), sha1(b"good"))
    tags = client.get_object_tagging(Bucket=bucket, Key=name)["TagSet"]
    assert [(tag["Key"], tag["Value"]) for tag in tags] == [("keep", "yes")]
    head = client.head_object(Bucket=bucket, Key=name)
    assert (head["ContentType"], head["Metadata"]) == ("text/csv", {"by": "somebody"})
    assert done.aside is not None


def test_in_a_bucket_with_versions_all_of_them_stay(s3_server: SeaweedfsServer) -> None:
    client, bucket = s3_server.shared_client, s3_server.make_bucket()
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for data in (b"first", b"bad"):
        client.put_object(Bucket=bucket, Key="a/18b-1", Body=data)
    with S3Store("s3", s3_server.access(), bucket) as store:
        store.put_back("a/18b-1", copy_of(b"good"), sha1(b"good"))
    versions = client.list_object_versions(Bucket=bucket)
    kept = [
        client.get_object(Bucket=bucket, Key=one["Key"], VersionId=one["VersionId"]) for one in versions["Versions"]
    ]
    assert sorted(one["Body"].read() for one in kept) == [b"bad", b"bad", b"first", b"good"]
    assert "DeleteMarkers" not in versions


def test_what_is_bigger_than_a_part_is_put_back_in_parts(
    s3_server: SeaweedfsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dataverse_backup.stores.s3_put_back.WHOLE_SIZE", 1 * MIB)
    monkeypatch.setattr("dataverse_backup.stores.s3_put_back.PART_SIZE", 5 * MIB)
    name = s3_server.new_name()
    with store_at(s3_server, s3_server.endpoint) as store:
        store.put_back(name, copy_of(BIG), sha1(BIG))
        assert read_all(store, name) == BIG
    assert s3_server.shared_client.head_object(Bucket=s3_server.shared_bucket, Key=name)["ETag"].endswith('-3"')


def test_a_service_that_knows_no_conditions_is_written_to_without(s3_server: SeaweedfsServer) -> None:
    name = s3_server.new_name()
    with LyingS3(s3_server) as liar, store_at(s3_server, liar.url) as store:
        liar.lies = [Lie("PUT", 501, "NotImplemented", header="If-None-Match")]
        store.put_back(name, copy_of(b"good"), sha1(b"good"))
        assert read_all(store, name) == b"good"


def test_what_a_service_stores_otherwise_than_it_was_sent_is_noticed(s3_server: SeaweedfsServer) -> None:
    with LyingS3(s3_server) as liar, store_at(s3_server, liar.url) as store:
        liar.alter = lambda data: data[::-1]
        with pytest.raises(KeyOccupied, match="lie there"):
            store.put_back(s3_server.new_name(), copy_of(b"good"), sha1(b"good"))
