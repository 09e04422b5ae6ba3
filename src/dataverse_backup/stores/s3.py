"""A store of type ``s3``: objects in one bucket (facts 2.3)."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from dataverse_backup.datafile import LOGO_PREFIX, LOGOS
from dataverse_backup.errors import SourceMissing, SourceRefused, SourceUnavailable, StoreLost
from dataverse_backup.services.origin import Origin
from dataverse_backup.services.s3 import VENDOR_ERRORS, connected, diagnosis, service_of
from dataverse_backup.services.s3_object import ObjectReader
from dataverse_backup.services.s3_plain import PlainRequests
from dataverse_backup.stores.base import Store, ordered_names
from dataverse_backup.stores.listable import ListableStore, StoredObject
from dataverse_backup.stores.paths import checked_name
from dataverse_backup.stores.restorable import Restorable
from dataverse_backup.stores.service_errors import source_error

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from mypy_boto3_s3 import S3Client

    from dataverse_backup.datafile import Datafile
    from dataverse_backup.fixity import Checksum
    from dataverse_backup.services.s3 import S3Access
    from dataverse_backup.stores.restorable import Opening, PutBack


class S3Store(Store, Restorable, ListableStore):
    """Objects in the configured bucket; the one in a storage identifier is not looked at, as Dataverse does."""

    def __init__(self, store_id: str, access: S3Access, bucket: str, *, page: int = 1000) -> None:
        """Read *bucket*, the ``dataverse.files.<id>.bucket-name``; nothing is connected before it is needed.

        *page* is how many objects are listed with one request; S3 gives no more than 1,000.
        """
        self.id = store_id
        self._access, self._bucket, self._page = access, bucket, page
        self._client: S3Client | None = None
        self._plain: PlainRequests | None = None

    def names(self, datafile: Datafile) -> tuple[str, ...]:
        authority, name = datafile.dataset.authority, self.object_name(datafile)
        if authority.startswith("/") or name.startswith("/"):
            raise SourceRefused(self.id, datafile.storageidentifier, "it would lead out of its dataset")
        # An empty authority leaves a leading slash behind, which belongs to the key.
        return ordered_names(checked_name(self.id, f"{datafile.dataset.storage_path}/{name}"), datafile)

    def object_name(self, datafile: Datafile) -> str:
        return datafile.location.rpartition(":")[2]

    def open(self, name: str) -> S3Stream:
        try:
            return S3Stream(self._reading(), self._bucket, place=self.id, key=checked_name(self.id, name))
        except (SourceMissing, SourceUnavailable):
            self.probe()  # in an empty bucket, or behind a dead line, all are: that says nothing about this object
            raise

    def logos(self, dataset: Datafile) -> dict[str, str]:
        """As ``Store.logos``: one request, for everything whose name begins as theirs do."""
        if dataset.dataset.authority.startswith("/"):
            raise SourceRefused(self.id, dataset.storageidentifier, "it would lead out of its dataset")
        prefix = checked_name(self.id, f"{dataset.dataset.storage_path}/{LOGO_PREFIX}")
        with _source_errors(self.id, prefix):
            found = self._connected().list_objects_v2(Bucket=self._bucket, Prefix=prefix)
        there = {one["Key"].rpartition("/")[2]: one for one in found.get("Contents", ())}
        ours = {tag: there[name] for tag, name in LOGOS.items() if name in there}
        return {tag: f"{one['Size']} bytes, {one['ETag']}" for tag, one in ours.items()}

    def put_back(self, name: str, opening: Opening, checksum: Checksum) -> PutBack:
        from dataverse_backup.stores.s3_put_back import ObjectPutBack  # noqa: PLC0415 -- with all of boto3, when used

        return ObjectPutBack(self.id, self._connected(), self._bucket, checked_name(self.id, name)).put(
            opening, checksum
        )

    @property
    def place(self) -> Hashable:
        return "s3", service_of(self._connected()), self._bucket

    def entries(self) -> Iterator[StoredObject]:
        self.probe()
        pages = (
            self._connected()
            .get_paginator("list_objects_v2")
            .paginate(Bucket=self._bucket, PaginationConfig={"PageSize": self._page})
        )
        with self._lost_errors():
            for page in pages:
                for found in page.get("Contents", ()):
                    yield StoredObject(found["Key"], found["Size"], found["LastModified"])

    def probe(self) -> None:
        with self._lost_errors():
            found = self._connected().list_objects_v2(Bucket=self._bucket, MaxKeys=1)
        if not found.get("Contents"):
            hint = f"is it the 'bucket-name' that is configured for store {self.id}?"
            raise StoreLost(f"{self.id}: the bucket {self._bucket} is empty", hint)

    @contextmanager
    def _lost_errors(self) -> Iterator[None]:
        """What goes wrong with a question about all of the bucket is no error of an object."""
        try:
            yield
        except VENDOR_ERRORS as error:
            cause = diagnosis(error)
            raise StoreLost(f"{self.id}: the bucket {self._bucket}: {cause.said}", cause.hint) from error

    def close(self) -> None:
        client, plain = self._client, self._plain
        self._client = self._plain = None
        if plain is not None:
            plain.close()
        if client is not None:
            client.close()

    def _connected(self) -> S3Client:
        if self._client is None:
            self._client = connected(self._access)
        return self._client

    def _reading(self) -> PlainRequests:
        if self._plain is None:
            self._plain = PlainRequests(self._connected(), self._access)
        return self._plain


class S3Stream:
    """The bytes of one object."""

    def __init__(self, requests: PlainRequests, bucket: str, *, place: str, key: str) -> None:
        """Open the object *key* of *bucket* for the store *place*. Raises SourceError or StoreLost."""
        self.place, self.key = place, key
        with _source_errors(place, key):
            self._reader = ObjectReader(requests.get_object, bucket, key)
        self.size = self._reader.size
        etag = self._reader.etag
        self.origin = Origin(requests.service, bucket, key, etag) if etag else None

    def read(self, length: int, /) -> bytes:
        """Up to *length* further bytes; ``b''`` at the end. Raises SourceError or StoreLost."""
        with _source_errors(self.place, self.key):
            return self._reader.read(length)

    def close(self) -> None:
        """Give back the connection; may be called twice."""
        self._reader.close()


@contextmanager
def _source_errors(place: str, key: str) -> Iterator[None]:
    """Say in this project's words what S3 says about *key*."""
    try:
        yield
    except VENDOR_ERRORS as error:
        raise source_error(place, key, diagnosis(error)) from error
