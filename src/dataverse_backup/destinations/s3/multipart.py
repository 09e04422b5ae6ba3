"""The requests of S3 for uploads in parts, in a destination's keys and with its errors."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dataverse_backup.destinations.s3.objects import Arrived, Part, Stored, as_base64, crc64_of, crc64_text, md5_of
from dataverse_backup.errors import CopyFailed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dataverse_backup.destinations.s3.bucket import Bucket
    from dataverse_backup.destinations.s3.objects import Span
    from dataverse_backup.services.origin import Origin


class Multipart:
    """Uploads in parts to one bucket, for several threads. Every method raises CopyError."""

    def __init__(self, bucket: Bucket) -> None:
        """Upload to *bucket*."""
        self._bucket, self._client = bucket, bucket.client

    def begin(self, key: str, *, has_crc64: bool) -> str:
        """Begin an upload in parts; returns its id. *has_crc64*: each part comes with that checksum."""
        checksum = {"ChecksumAlgorithm": "CRC64NVME", "ChecksumType": "FULL_OBJECT"} if has_crc64 else {}
        with self._bucket.errors(key):
            request = self._bucket.target(key) | self._bucket.options_for(key) | checksum
            return self._client.create_multipart_upload(**request)["UploadId"]

    def send(self, key: str, upload_id: str, number: int, data: bytes, *, has_crc64: bool) -> Part:
        """Send part *number*, from 1; the service refuses what does not fit its checksum, and tries it again."""
        part, checksum = _checked(number, data, has_crc64=has_crc64)
        with self._bucket.errors(key):
            answer = self._client.upload_part(**self._part(key, upload_id, number), Body=data, **checksum)
        return replace(part, etag=answer["ETag"])

    def copy(self, to: str, upload_id: str, number: int, source: Span) -> Part:
        """Let the service copy what *source* tells as part *number*."""
        request = self._part(to, upload_id, number) | {
            "CopySourceRange": f"bytes={source.start}-{source.stop - 1}",
            **copy_source(source.origin),
        }
        with self._bucket.errors(to):
            answer = self._client.upload_part_copy(**request)
        etag = answer.get("CopyPartResult", {}).get("ETag")
        if etag is None:
            raise CopyFailed(self._bucket.place, to, "the service does not say that it has copied anything")
        return Part(number, etag, source.stop - source.start)

    def arrived(self, key: str, upload_id: str) -> dict[int, Arrived]:
        """What has arrived of an upload, by number; nothing where there is no such upload any more."""
        pages = self._client.get_paginator("list_parts").paginate(**self._bucket.target(key), UploadId=upload_id)
        with self._bucket.errors(key), suppress(self._client.exceptions.NoSuchUpload):
            return {
                found["PartNumber"]: Arrived(Part(found["PartNumber"], found["ETag"], found["Size"]))
                for page in pages
                for found in page.get("Parts", ())
            }
        return {}

    def complete(self, key: str, upload_id: str, parts: Sequence[Part], condition: Mapping[str, str]) -> Stored:
        """Make the object of the *parts* visible; *condition* must hold."""
        request = self._bucket.target(key) | {
            "UploadId": upload_id,
            "MultipartUpload": {"Parts": [_told(part) for part in parts]},
        }
        with self._bucket.errors(key):
            answer = self._bucket.sent_if(condition, self._client.complete_multipart_upload, request)
        # Some services (Ceph) name another ETag in this answer than in all others.
        seen = self._bucket.look(key)
        version = answer.get("VersionId")
        return Stored(0, "", version, None, None) if seen is None else replace(seen, version=version)

    def abort(self, key: str, upload_id: str) -> None:
        """Give up an upload: what was sent is removed."""
        with self._bucket.errors(key):
            self._client.abort_multipart_upload(**self._bucket.target(key), UploadId=upload_id)

    def unfinished(self, key: str) -> list[str]:
        """The ids of all uploads to exactly this key."""
        target = self._bucket.target(key)
        bucket, name = target["Bucket"], target["Key"]
        pages = self._client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=name)
        with self._bucket.errors(key):
            return [
                found["UploadId"] for page in pages for found in page.get("Uploads", ()) if found.get("Key") == name
            ]

    def _part(self, key: str, upload_id: str, number: int) -> dict[str, Any]:
        return self._bucket.target(key) | {"UploadId": upload_id, "PartNumber": number}


def _checked(number: int, data: bytes, *, has_crc64: bool) -> tuple[Part, dict[str, Any]]:
    """Part *number*, which is *data* and not sent yet, and what the service is told to compare it with."""
    if has_crc64:
        crc64 = crc64_of(data)
        return Part(number, "", len(data), crc64=crc64), {"ChecksumCRC64NVME": crc64_text(crc64)}
    md5 = md5_of(data)
    return Part(number, "", len(data), md5=md5), {"ContentMD5": as_base64(md5)}


def _told(part: Part) -> dict[str, Any]:
    """What the service is told of a part that it has: MinIO wants its checksum again."""
    told = {"PartNumber": part.number, "ETag": part.etag}
    return told if part.crc64 is None else told | {"ChecksumCRC64NVME": crc64_text(part.crc64)}


def copy_source(origin: Origin) -> dict[str, Any]:
    """What a request says of what is to be copied."""
    return {"CopySource": {"Bucket": origin.container, "Key": origin.name}, "CopySourceIfMatch": origin.etag}
