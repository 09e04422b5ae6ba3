"""Writing an object back into a store of type ``s3``."""

from __future__ import annotations

import base64
import hashlib
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from boto3.s3.transfer import TransferConfig, create_transfer_manager

from dataverse_backup.services.copy_errors import copy_error
from dataverse_backup.services.s3 import VENDOR_ERRORS, diagnosis
from dataverse_backup.services.s3_object import ObjectReader
from dataverse_backup.services.trouble import Trouble
from dataverse_backup.stores.restorable import aside_name
from dataverse_backup.stores.service_put_back import ServicePutBack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_s3 import S3Client

    from dataverse_backup.services.withheld import Body
    from dataverse_backup.stores.service_put_back import Found

WHOLE_SIZE = 16 << 20
"""Bytes of the largest object that is sent in one request."""
PART_SIZE = 64 << 20
_MOST_PARTS = 10_000
_ONE_COPY = TransferConfig(multipart_threshold=4 << 30, multipart_chunksize=1 << 30)
"""The service copies up to 5 GiB in one request, with tags and all; what is bigger is copied in parts."""
_TEMPORARY = "dv-state"
"""The tag of what was uploaded and not registered yet (facts 2.3): a rule of the bucket may delete what has it."""
_KNOWS_NO_CONDITION = {Trouble.NOT_OFFERED, Trouble.OTHER}


@dataclass(frozen=True, slots=True)
class _Present:
    """What lies under the name, and what is kept of it for what follows."""

    etag: str
    size: int
    options: dict[str, Any]


class ObjectPutBack(ServicePutBack[_Present]):
    """One object that is written back; in a bucket with versions every version stays as well."""

    def __init__(self, place: str, client: S3Client, bucket: str, name: str) -> None:
        """Put back what the store *place* calls *name*, which has been checked."""
        super().__init__(place, name)
        self._client, self._bucket = client, bucket

    def _look(self) -> _Present | None:
        try:
            head = self._client.head_object(Bucket=self._bucket, Key=self._name)
        except VENDOR_ERRORS as error:
            if diagnosis(error).trouble is Trouble.MISSING:
                return None
            raise
        options: dict[str, Any] = {"Metadata": head.get("Metadata", {}), "ContentType": head.get("ContentType")}
        options["Tagging"] = self._tags()
        return _Present(head["ETag"], head["ContentLength"], {name: one for name, one in options.items() if one})

    def _tags(self) -> str:
        """The tags of what lies there but for the temporary one; none where we may not ask, or nobody knows tags."""
        with suppress(*VENDOR_ERRORS):
            found = self._client.get_object_tagging(Bucket=self._bucket, Key=self._name)["TagSet"]
            return urlencode([(tag["Key"], tag["Value"]) for tag in found if tag["Key"] != _TEMPORARY])
        return ""

    def _opened(self, name: str) -> ObjectReader:
        return ObjectReader(self._client.get_object, self._bucket, name)

    def _send(self, body: Body, present: _Present | None, found: Found | None) -> None:
        options = {} if present is None else present.options
        if body.size <= WHOLE_SIZE:
            data = body.read_whole()
            self._keep_aside(present, found)
            self._put({"Body": data, "ContentMD5": _content_md5(data), **options}, present, self._client.put_object)
            return
        target = self._at(self._name)
        upload = {**target, "UploadId": self._client.create_multipart_upload(**target, **options)["UploadId"]}
        try:
            parts = list(self._sent_parts(upload, body))
            self._keep_aside(present, found)
            self._put(
                {"UploadId": upload["UploadId"], "MultipartUpload": {"Parts": parts}},
                present,
                self._client.complete_multipart_upload,
            )
        except BaseException:
            with suppress(*VENDOR_ERRORS):  # a rule of the bucket does it some day
                self._client.abort_multipart_upload(**upload)
            raise

    def _sent_parts(self, upload: dict[str, Any], body: Body) -> Iterator[dict[str, Any]]:
        part_size = max(PART_SIZE, -(-body.size // _MOST_PARTS))
        number, data = 1, _filled(body, part_size)
        while data:
            answer = self._client.upload_part(**upload, PartNumber=number, Body=data, ContentMD5=_content_md5(data))
            yield {"PartNumber": number, "ETag": answer["ETag"]}
            number, data = number + 1, _filled(body, part_size)

    def _put(self, request: dict[str, Any], present: _Present | None, send: Callable[..., Any]) -> None:
        """Send *request* on condition that still the same lies there, where the service knows conditions.

        A request that was tried again after its answer was lost fails, and had succeeded: what is there is proven next.
        """
        condition = {"IfNoneMatch": "*"} if present is None else {"IfMatch": present.etag}
        try:
            send(**self._at(self._name), **request, **condition)
        except VENDOR_ERRORS as error:
            trouble = diagnosis(error).trouble
            if trouble in _KNOWS_NO_CONDITION:
                send(**self._at(self._name), **request)
            elif trouble is not Trouble.OCCUPIED:
                raise

    def _keep_aside(self, present: _Present | None, found: Found | None) -> None:
        """Let what lies there lie aside as well, proven."""
        if present is None or found is None:
            return
        now = self._look()
        if now is None or now.etag != present.etag:
            raise self._changed()
        self._aside = aside = aside_name(self._name)
        with create_transfer_manager(self._client, _ONE_COPY) as manager:
            manager.copy(self._at(self._name), self._bucket, aside).result()
        self._prove_aside(aside, found)

    def _at(self, name: str) -> Any:
        return {"Bucket": self._bucket, "Key": name}

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Say in this project's words what S3 says."""
        try:
            yield
        except VENDOR_ERRORS as error:
            raise copy_error(self._place, self._name, diagnosis(error)) from error


def _filled(body: Body, length: int) -> bytes:
    """The next *length* bytes, fewer at the end."""
    pieces: list[bytes] = []
    while length and body.checksum is None:
        pieces.append(body.read(length))
        length -= len(pieces[-1])
    return b"".join(pieces)


def _content_md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
