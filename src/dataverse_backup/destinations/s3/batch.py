"""One batch on its way into a bucket."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

from dataverse_backup.destinations.base import Receipt
from dataverse_backup.destinations.partials import partial_name
from dataverse_backup.destinations.s3.flight import Flight, tried
from dataverse_backup.destinations.s3.objects import Span, crc64_of, crc64_text, is_made_of, md5_of
from dataverse_backup.errors import CopyDiffers, CopyRefused, KeyOccupied, KeyRefused, ObjectError, Unavailable
from dataverse_backup.fixity import Algorithm, Durability, HashingReader, VerifiedBy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from dataverse_backup.destinations.base import Failure, Upload
    from dataverse_backup.destinations.s3.aside import Aside
    from dataverse_backup.destinations.s3.bucket import Bucket
    from dataverse_backup.destinations.s3.objects import Part, Stored
    from dataverse_backup.destinations.s3.parts import PartUpload, PartUploads
    from dataverse_backup.destinations.s3.settings import S3Settings
    from dataverse_backup.destinations.s3.within import Within
    from dataverse_backup.fixity import Checksum
    from dataverse_backup.services.origin import Origin

    Publish = Callable[[dict[str, str]], Stored]
    """Makes an object visible if a condition holds."""


@dataclass(frozen=True, slots=True)
class Published:
    """An object that is visible and not yet proven."""

    key: str
    stored: Stored
    aside: str | None
    """Where the object lies that was under its key before."""


class Batch:
    """Sources are read in the caller's thread, one after the other; what was read travels in others.

    An object of one part is in memory, whole and compared with its registered checksum, before anything is sent. A
    bigger one is sent in parts, which nobody sees before they are completed: that is done when the whole of it has the
    registered checksum, otherwise they are thrown away.

    What lies in the same service is read, compared and read back in the same way, and copied there instead of sent
    (docs/decisions/0007).
    """

    def __init__(self, bucket: Bucket, settings: S3Settings, parts: PartUploads, aside: Aside, within: Within) -> None:
        self._bucket, self._settings = bucket, settings
        self._parts, self._aside, self._within = parts, aside, within
        self._flight = Flight[Receipt](bucket, settings.threads)

    def run(self, uploads: Sequence[Upload]) -> Iterator[Receipt | Failure]:
        """One Receipt or Failure for each upload. Raises StoreLost."""
        with self._flight:
            while uploads:
                # A key that occurs twice waits for its turn: not every service lets only the first one win.
                turn = {upload.key: upload for upload in reversed(uploads)}
                yield from self._flight.results((key, partial(self._begin, upload)) for key, upload in turn.items())
                uploads = [upload for upload in uploads if turn[upload.key] is not upload]

    def _begin(self, upload: Upload) -> Future[Receipt | Failure] | Receipt | Failure:
        return tried(upload.key, partial(self._begun, upload))

    def _begun(self, upload: Upload) -> Future[Receipt | Failure] | Receipt:
        """Read the source; a small object is then on its way, a big one is stored."""
        self._bucket.path(upload.key)
        if upload.supersede_to is not None:
            self._bucket.path(upload.supersede_to)
        stream = upload.open()
        origin = self._within.origin(stream)
        with HashingReader(stream, upload.algorithm) as reader:
            if reader.size > self._settings.biggest_whole:
                return self._send_in_parts(upload, reader, origin)
            data = _read(reader, reader.size)
            checksum = reader.finish(upload.promised)
        return self._flight.start(upload.key, partial(self._send_whole, upload, data, checksum, origin))

    def _send_whole(self, upload: Upload, data: bytes, checksum: Checksum, origin: Origin | None) -> Receipt:
        options = self._settings.options_for(upload.key)
        is_for_service = self._settings.verify is VerifiedBy.SERVICE
        if is_for_service and not self._bucket.names_md5 and self._bucket.checks_crc64:
            options["ChecksumCRC64NVME"] = crc64_text(crc64_of(data))
        if is_for_service or upload.supersede_to is not None:
            # A checksum may come along with a copy, computed from its origin. What takes the place of another object is
            # sent under the condition that it is still that one.
            origin = None
        if upload.supersede_to is None and (origin is not None or not self._bucket.keeps_conditions):
            self._refuse_occupied(upload.key)
        md5 = bytes.fromhex(checksum.value) if checksum.algorithm is Algorithm.MD5 else md5_of(data)
        send = partial(self._bucket.write, upload.key, data, options, md5=md5)
        published = self._publish(upload, partial(self._within.whole, origin, upload.key, send))
        if is_for_service and self._is_vouched_for(published, data, md5.hex()):
            return Receipt(upload.key, len(data), checksum, VerifiedBy.SERVICE, Durability.YES)
        return self._read_back(published, len(data), checksum, origin)

    def _is_vouched_for(self, published: Published, data: bytes, md5: str) -> bool:
        """Whether the service names a true checksum of the whole object, and it is that of *data*, which we sent."""
        if published.stored.md5 == md5:
            return True
        self._bucket.names_md5 = False
        seen = self._bucket.look(published.key)
        if seen is None or seen.size != len(data):
            return False
        if seen.crc64 is not None and self._bucket.checks_crc64:
            return seen.crc64 == crc64_text(crc64_of(data))
        return seen.md5 == md5

    def _send_in_parts(self, upload: Upload, reader: HashingReader, origin: Origin | None) -> Receipt:
        if upload.supersede_to is None:
            self._refuse_occupied(upload.key)  # now, not after everything was sent
        with self._begun_in_parts(upload, reader.size, origin) as under_way:
            parts = self._sent_parts(upload.key, under_way, reader, origin)
            checksum = reader.finish(upload.promised)
            if upload.supersede_to is None:
                self._refuse_occupied(upload.key)  # some services (Ceph) keep to conditions, and not to this one
            published = self._publish(upload, partial(self._bucket.multipart.complete, upload.key, under_way.id, parts))
        if self._settings.verify is VerifiedBy.SERVICE and is_made_of(parts, published.stored, reader.size):
            return Receipt(upload.key, reader.size, checksum, VerifiedBy.SERVICE, Durability.YES)
        return replace(self._read_back(published, reader.size, checksum, origin), kept=under_way.kept)

    def _begun_in_parts(self, upload: Upload, size: int, origin: Origin | None) -> AbstractContextManager[PartUpload]:
        """One that was broken off, where it may be continued; a lock would have begun to count when it was begun."""
        has_crc64 = origin is None and self._bucket.checks_crc64  # what the service copies comes without
        name = partial_name(upload, size, self._settings.resumes_from)
        if name is None or self._settings.lock_mode is not None:
            return self._parts.begun(upload.key, has_crc64=has_crc64)
        most = -(-size // self._settings.part_size_for(size))
        return self._parts.continued(upload.key, name, most, has_crc64=has_crc64)

    def _sent_parts(self, key: str, upload: PartUpload, reader: HashingReader, origin: Origin | None) -> list[Part]:
        size = self._settings.part_size_for(reader.size)
        under_way: deque[Future[Part]] = deque()
        parts: list[Part] = []
        with ThreadPoolExecutor(self._settings.threads) as pool:  # left with nothing under way: that would stay
            for number in count(1):
                start, there = reader.bytes_read, upload.parts.get(number)
                data = _read(reader, min(size, reader.size - start), is_sent=there is None)
                if not data:
                    break
                if len(under_way) >= self._settings.parts_under_way(size):
                    parts.append(under_way.popleft().result())
                if there is not None and there.holds(data):
                    upload.kept += len(data)
                    crc64 = crc64_of(data) if upload.has_crc64 else None
                    under_way.append(_done(replace(there.part, crc64=crc64)))
                    continue
                span = Span(origin, start, reader.bytes_read) if origin else None
                send = partial(self._bucket.multipart.send, key, upload.id, number, data, has_crc64=upload.has_crc64)
                under_way.append(pool.submit(self._within.part, span, key, upload.id, number, send))
            return parts + [future.result() for future in under_way]

    def _refuse_occupied(self, key: str) -> None:
        if self._bucket.look(key) is not None:
            raise KeyOccupied(self._bucket.place, key, "an object lies there already")

    def _publish(self, upload: Upload, publish: Publish) -> Published:
        """Let the object appear under its key. Raises KeyRefused where it appears under another one."""
        published = self._published(upload, publish)
        if "\\" in upload.key and not self._bucket.is_listed(upload.key):  # SeaweedFS makes a slash of a backslash
            said = f"the service stores it under another name; {self._withdrawn(published)}"
            raise KeyRefused(self._bucket.place, upload.key, said)
        return published

    def _published(self, upload: Upload, publish: Publish) -> Published:
        """Let the object appear under its key, whose present one is kept aside first: the key is never empty.

        Whoever may not supersede has looked whether the key is free, unless the service is sure to.
        """
        key, aside = upload.key, upload.supersede_to
        present = self._bucket.look(key) if aside is not None else None
        if aside is None or present is None:
            return Published(key, publish({"IfNoneMatch": "*"}), None)
        self._aside.keep(key, aside, present)
        try:
            return Published(key, publish({"IfMatch": present.etag}), aside)
        except Unavailable:
            raise  # it may have been published: what is aside may be all that is left of the present one
        except ObjectError:
            self._aside.drop_unless_needed(key, aside, present)
            raise

    def _read_back(self, published: Published, size: int, checksum: Checksum, origin: Origin | None) -> Receipt:
        """Read all of it again. Raises CopyDiffers, and the key reads as before, where other bytes are stored.

        Where the service may have copied *origin* otherwise it is to be tried again, and sent then: Unavailable.
        """
        key = published.key
        found = self._bucket.digest(key, checksum.algorithm)
        if found == (size, checksum):
            return Receipt(key, size, checksum, VerifiedBy.READ_BACK, Durability.YES)
        said = f"{found[0]} bytes, {found[1]} are stored; {size} bytes, {checksum} were sent"
        hint = "is what lies between us and the service, or the service itself, broken?"
        error = CopyDiffers(self._bucket.place, key, f"{said}; {self._withdrawn(published)}", hint)
        if origin is None or not self._within.copies(origin):
            raise error
        self._within.give_up(origin, error)
        raise Unavailable(self._bucket.place, key, f"the service copied other bytes: {said}") from error

    def _withdrawn(self, published: Published) -> str:
        """Let the key read as before; says what became of the bad object."""
        try:
            return self._withdraw(published)
        except ObjectError as error:
            return f"it could not be removed: {error}"

    def _withdraw(self, published: Published) -> str:
        key, bad, aside = published.key, published.stored, published.aside
        seen = self._bucket.look(key)
        if seen is None or seen.etag.strip('"') != bad.etag.strip('"'):
            return "somebody else has changed it since"
        is_gone = bad.version is not None and self._is_deleted(key, bad.version)
        if aside is not None:
            self._aside.bring_back(key, aside)
        elif not is_gone:
            self._bucket.delete(key)  # where there are versions, it is hidden by a mark now
        is_locked = bad.version is not None and not is_gone
        return "it is locked, hidden, and stays as an old version" if is_locked else "it was removed"

    def _is_deleted(self, key: str, version: str) -> bool:
        try:
            self._bucket.delete(key, version)
        except CopyRefused:
            return False
        return True


def _done(part: Part) -> Future[Part]:
    future: Future[Part] = Future()
    future.set_result(part)
    return future


def _read(reader: HashingReader, length: int, *, is_sent: bool = True) -> bytes:
    """The next *length* bytes; fewer only where the source ends early."""
    read = reader.read if is_sent else reader.read_unsent
    pieces: list[bytes] = []
    while length and (data := read(length)):
        pieces.append(data)
        length -= len(data)
    return b"".join(pieces)
