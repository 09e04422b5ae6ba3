"""What tests need where store and destination are one S3 service."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from dataverse_backup.destinations.s3 import S3Destination
from dataverse_backup.services.origin import Origin
from dataverse_backup.services.s3 import service_of
from dataverse_backup.stores.memory import MemoryStream
from dataverse_backup.testing.places import NAME, STAGING
from tests.contract.destination_cases import BucketPlace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dataverse_backup.destinations.base import Destination, Failure, Receipt, Staging, Upload
    from dataverse_backup.fixity import ByteStream


class WithinPlace(BucketPlace):
    """A root in the service that has the bytes of every upload already."""

    def destination(self, staging: Staging = STAGING) -> Destination:
        return FedDestination(self, staging)


class FedDestination(S3Destination):
    """Whatever is put into it lies in another folder of the bucket before, under a name as unusual as its key."""

    def __init__(self, place: WithinPlace, staging: Staging) -> None:
        """Keep copies in *place*."""
        super().__init__(NAME, place.settings(), staging)
        self._place, self._folder = place, place.server.new_name()

    def put(self, uploads: Sequence[Upload]) -> Iterator[Receipt | Failure]:
        yield from super().put([replace(one, open=partial(self._lying_there, one)) for one in uploads])

    def _lying_there(self, one: Upload) -> ByteStream:
        stream = one.open()
        assert isinstance(stream, MemoryStream)
        name = f"{self._folder}/{one.key}"
        etag = self._place.client.put_object(Bucket=self._place.bucket, Key=name, Body=stream._data)["ETag"]
        return WithOrigin(stream, Origin(service_of(self._place.client), self._place.bucket, name, etag))


class WithOrigin(MemoryStream):
    """Bytes in memory that lie in a service as well."""

    def __init__(self, stream: MemoryStream, origin: Origin) -> None:
        """Give the bytes of *stream*."""
        super().__init__(stream._data, stream._fault, place=stream.place, key=stream.key)
        self.origin = origin


class Sent:
    """What clients of S3 sent while it was watched."""

    def __init__(self) -> None:
        self.size = 0
        """Bytes of objects and parts."""
        self.copies = 0
        """Requests to copy."""

    def watch(self, destination: S3Destination) -> None:
        """Count what *destination* sends from now on."""
        destination._connected().meta.events.register("before-send.s3", self._count)
        plain = destination._reach()._plain
        plain._put = partial(self._counted, plain._put)  # type: ignore[method-assign]  # what botocore does not see

    def _count(self, request: Any, **_: Any) -> None:
        is_copy = "x-amz-copy-source" in request.headers
        self.copies += is_copy
        if request.method == "PUT" and not is_copy and "/.dataverse-backup/" not in request.url:
            self.size += int(request.headers.get("Content-Length", 0))

    def _counted(self, send: Callable[..., Any], pattern: Any, request: Any) -> Any:
        if "/.dataverse-backup/" not in request["Key"]:
            self.size += len(request["Body"])
        return send(pattern, request)
