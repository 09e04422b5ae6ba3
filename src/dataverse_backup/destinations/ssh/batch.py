"""One batch: send, bring to the disk, prove, and only then give names (design: the promises of a destination)."""

from __future__ import annotations

import logging
import posixpath
import uuid
from collections import defaultdict, deque
from contextlib import suppress
from typing import TYPE_CHECKING

from dataverse_backup.destinations.base import Failure, Receipt
from dataverse_backup.destinations.partials import partial_name
from dataverse_backup.destinations.ssh.agent import AgentGone
from dataverse_backup.destinations.ssh.bundle import AgentBundle, TarBundle
from dataverse_backup.destinations.ssh.failures import CONNECTION_ERRORS, VENDOR_ERRORS, object_error
from dataverse_backup.destinations.ssh.files import each
from dataverse_backup.destinations.ssh.item import Item, pieces, refuse_bad_keys
from dataverse_backup.destinations.ssh.remarks import spoken_error
from dataverse_backup.destinations.ssh.shell import EXTRACTED
from dataverse_backup.errors import CopyDiffers, ObjectError, Unavailable
from dataverse_backup.fixity import Algorithm, Checksum, Durability, HashingReader, VerifiedBy

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    import asyncssh

    from dataverse_backup.destinations.base import Upload
    from dataverse_backup.destinations.ssh.agent import Agent
    from dataverse_backup.destinations.ssh.bundle import Bundle
    from dataverse_backup.destinations.ssh.loop import EventLoopThread
    from dataverse_backup.destinations.ssh.partials import RemotePartials
    from dataverse_backup.destinations.ssh.session import Session
    from dataverse_backup.destinations.ssh.settings import SshSettings
    from dataverse_backup.destinations.ssh.shell import Shell

log = logging.getLogger(__name__)

_READ_SIZE = 1024 * 1024
_WRITE_SIZE = 128 * 1024
_WRITES_IN_FLIGHT = 32
_SMALL_IN_FLIGHT = 32


class Batch:
    """Uploads that travel together. Reads and hashes in the caller's thread."""

    def __init__(
        self,
        place: str,
        loop: EventLoopThread,
        session: Session,
        staging_prefix: str,
        *,
        settings: SshSettings,
        partials: RemotePartials,
    ) -> None:
        """Stage below *staging_prefix*; *settings* say which objects travel alone, and which are continued."""
        self._place, self._loop, self._session, self._partials = place, loop, session, partials
        self._big_file, self._resumes_from = settings.big_file, settings.resumes_from
        self._files = session.files
        self._folder = f"{staging_prefix}/{uuid.uuid4().hex}"
        self._directory = self._files.path(self._folder)
        self._items: list[Item] = []
        self._bundle: Bundle | None = None
        self._bundle_algorithm: Algorithm | None = None
        self._bundle_complaint: str | None = None
        self._is_removed = False
        """Whether nothing was left in staging, and our folder there is gone."""
        self._writes: deque[tuple[Item, Future[None]]] = deque()

    def store(self, uploads: Sequence[Upload]) -> list[Receipt | Failure]:
        """Store what can be stored. Raises what a source raises beyond SourceError: StoreLost."""
        self._items = [Item(upload, str(number)) for number, upload in enumerate(uploads)]
        try:
            self._send_prove_reveal()
        except VENDOR_ERRORS as error:
            self._fail_all(error)
        finally:
            self._clean()
        return [item.outcome for item in self._items if item.outcome is not None]

    def _send_prove_reveal(self) -> None:
        refuse_bad_keys(self._files.paths, self._items)
        if not self._unfinished():
            return
        self._loop.run(self._files.make_parents(self._folder))
        for item in self._unfinished():
            self._send(item)
        self._finish_sending()
        if not self._files.can_fsync:
            self._sync()
        self._prove()
        self._reveal()

    def _unfinished(self) -> list[Item]:
        return [item for item in self._items if item.outcome is None]

    def _fail_all(self, error: Exception) -> None:
        for item in self._unfinished():
            if isinstance(error, CONNECTION_ERRORS) or self._session.connection.lost:
                item.fail(object_error(self._place, item.upload.key, error))
            else:
                item.fail(self._diagnosed(item, error))

    def _diagnosed(self, item: Item, error: Exception) -> ObjectError:
        return self._loop.run(self._files.diagnosed(item.upload.key, error))

    # Sending.

    def _send(self, item: Item) -> None:
        upload = item.upload
        try:
            with HashingReader(upload.open(), upload.algorithm) as reader:
                item.size = reader.size
                self._transmit(item, reader)
        except ObjectError as error:
            item.fail(error)

    def _transmit(self, item: Item, reader: HashingReader) -> None:
        """Send the bytes one way or another, and note their checksum. Raises SourceError."""
        if reader.size >= self._big_file:
            self._stream(item, reader)
            item.sent = reader.finish(item.upload.promised)
        elif self._session.shell is not None:
            item.name = f"{EXTRACTED}{item.name}"
            self._running_bundle(self._session.shell, item.upload.algorithm).add(item.name, reader, item.mode)
            item.sent = reader.finish(item.upload.promised)
        else:
            data = b"".join(pieces(reader, _WRITE_SIZE))
            item.sent = reader.finish(item.upload.promised)
            self._enqueue(item, data)

    def _running_bundle(self, shell: Shell, algorithm: Algorithm) -> Bundle:
        """The one of this batch, which the remote side hashes with the *algorithm* of the first that goes into it."""
        if self._bundle is None:
            self._bundle = self._started_bundle(shell, algorithm)
            self._bundle_algorithm = algorithm
        return self._bundle

    def _started_bundle(self, shell: Shell, algorithm: Algorithm) -> Bundle:
        mode, agent = self._files.file_mode, self._agent()
        if agent is not None:
            return AgentBundle(self._loop, agent, self._folder, mode, algorithm)
        self._make_directory()
        return TarBundle(self._loop, self._session.connection, shell.extract(algorithm), self._directory, mode)

    def _agent(self) -> Agent | None:
        """Our program over there, or None where there is none, or none that starts."""
        try:
            return self._loop.run(self._session.agent())
        except AgentGone as gone:
            log.warning("%s: %s", self._place, gone)
            return None

    def _make_directory(self) -> None:
        """Make the folder of this batch in staging; our program makes it by itself."""
        self._loop.run(self._files.make_directories(self._directory))

    def _enqueue(self, item: Item, data: bytes) -> None:
        """Write a small file while others are read, with a bounded number on their way."""
        self._make_directory()
        self._writes.append((item, self._loop.submit(self._files.write(self._staged(item), data, item.mode))))
        if len(self._writes) > _SMALL_IN_FLIGHT:
            self._await_write()

    def _await_write(self) -> None:
        item, future = self._writes.popleft()
        try:
            future.result()
        except CONNECTION_ERRORS:
            raise
        except VENDOR_ERRORS as error:
            item.fail(self._diagnosed(item, error))

    def _stream(self, item: Item, reader: HashingReader) -> None:
        """Write a big file with a bounded number of writes on their way, unless its key is taken already.

        Small ones are not asked about: giving them their names fails then, and a question costs as much as a rename.
        """
        try:
            if item.upload.supersede_to is None:
                self._loop.run(self._files.refuse_taken(item.upload.key))
            self._make_directory()
            file = self._opened(item, reader)
            try:
                self._write_pieces(file, reader)
                self._loop.run(self._files.complete(file, item.mode))
            finally:
                with suppress(*VENDOR_ERRORS):
                    self._loop.run(file.close())
        except CONNECTION_ERRORS:
            raise
        except VENDOR_ERRORS as error:
            raise self._diagnosed(item, error) from error

    def _opened(self, item: Item, reader: HashingReader) -> asyncssh.SFTPClientFile:
        """The file to write what is left of *reader* to: a new one, or what was broken off and holds the rest of it."""
        if (name := partial_name(item.upload, reader.size, self._resumes_from)) is not None:
            item.name = name
            item.kept = self._loop.run(self._partials.take(self._staged(item)))
        if not item.kept:
            return self._loop.run(self._files.create(self._staged(item)))
        self._compare_kept(item, reader)
        return self._loop.run(self._partials.reopened(self._staged(item)))

    def _compare_kept(self, item: Item, reader: HashingReader) -> None:
        """Read as many bytes as lie there. Raises Unavailable where those are others: the next try begins anew."""
        if item.kept > reader.size or not self._is_read_too(item, reader):
            self._loop.run(self._files.discard(self._staged(item)))
            said = "what an earlier try left there is not what is read now; it was removed, the next try begins anew"
            raise Unavailable(self._place, item.upload.key, said)

    def _is_read_too(self, item: Item, reader: HashingReader) -> bool:
        stored = self._loop.submit(self._stored_checksum(item))  # it is hashed over there while we read
        try:
            while (left := item.kept - reader.bytes_read) and reader.read_unsent(min(_READ_SIZE, left)):
                pass
            return stored.result() == reader.so_far()
        finally:
            stored.cancel()

    async def _stored_checksum(self, item: Item) -> Checksum | None:
        algorithm, shell, name = item.upload.algorithm, self._session.shell, item.name.encode()
        if shell is None or algorithm not in shell.hashes:
            return await self._files.checksum(self._staged(item), algorithm)
        found = await shell.digests(self._session.connection, self._directory, [name], algorithm)
        return Checksum(algorithm, found[name]) if name in found else None

    def _write_pieces(self, file: asyncssh.SFTPClientFile, reader: HashingReader) -> None:
        offset = reader.bytes_read
        writes: deque[Future[int]] = deque()
        try:
            for piece in pieces(reader, _WRITE_SIZE):
                writes.append(self._loop.submit(file.write(piece, offset)))
                offset += len(piece)
                if len(writes) > _WRITES_IN_FLIGHT:
                    writes.popleft().result()
        finally:  # also where the source breaks off: there shall be no holes in what is continued
            for write in writes:
                write.result()

    def _finish_sending(self) -> None:
        while self._writes:
            self._await_write()
        if self._bundle is not None:
            self._bundle_complaint = self._bundle.finish()
            if not self._bundle.is_synced:
                self._fail_bundled(self._bundle_complaint or "it was not synced")

    def _fail_bundled(self, complaint: str) -> None:
        for item in self._unfinished():
            if item.size < self._big_file:
                item.fail(spoken_error(self._place, item.upload.key, complaint))

    def _staged(self, item: Item) -> bytes:
        return posixpath.join(self._directory, item.name.encode())

    # Durability, proof, names.

    def _sync(self) -> None:
        """Bring the bytes to the disk where SFTP cannot; nothing gets a name without that."""
        if self._unfinished() and (complaint := self._loop.run(self._session.synced())) is not None:
            for item in self._unfinished():
                item.fail(spoken_error(self._place, item.upload.key, complaint))

    def _prove(self) -> None:
        """Hash what lies in staging, and fail whatever is not what was sent."""
        by_algorithm: dict[Algorithm, list[Item]] = defaultdict(list)
        for item in self._unfinished():
            if not self._is_proven_by_bundle(item):
                by_algorithm[item.upload.algorithm].append(item)
        for algorithm, items in by_algorithm.items():
            if self._session.shell is not None and algorithm in self._session.shell.hashes:
                self._prove_by_shell(items, algorithm)
            else:
                self._prove_by_reading(items)

    def _is_proven_by_bundle(self, item: Item) -> bool:
        """Whether the command that unpacked it has hashed what it had brought to the disk; then that is compared."""
        algorithm, name = item.upload.algorithm, item.name.encode()
        if self._bundle is None or algorithm != self._bundle_algorithm or name not in self._bundle.digests:
            return False
        item.verified_by = VerifiedBy.REMOTE_HASH
        self._compare(item, Checksum(algorithm, self._bundle.digests[name]))
        return True

    def _prove_by_shell(self, items: list[Item], algorithm: Algorithm) -> None:
        shell = self._session.shell
        assert shell is not None  # noqa: S101 -- the caller asked
        names = [item.name.encode() for item in items]
        found = self._loop.run(shell.digests(self._session.connection, self._directory, names, algorithm))
        for item, name in zip(items, names, strict=True):
            item.verified_by = VerifiedBy.REMOTE_HASH
            self._compare(item, Checksum(algorithm, found[name]) if name in found else None)

    def _prove_by_reading(self, items: list[Item]) -> None:
        async def read(item: Item) -> Checksum:
            return await self._files.checksum(self._staged(item), item.upload.algorithm)

        for item, found in zip(items, self._loop.run(each(read, items, _SMALL_IN_FLIGHT)), strict=True):
            if isinstance(found, CONNECTION_ERRORS):
                raise found
            if isinstance(found, Exception):
                item.fail(self._diagnosed(item, found))
            else:
                self._compare(item, found)

    def _compare(self, item: Item, stored: Checksum | None) -> None:
        key = item.upload.key
        if stored is not None and stored == item.sent:
            return
        if self._bundle_complaint is not None and item.size < self._big_file:
            item.fail(spoken_error(self._place, key, self._bundle_complaint))
        else:
            item.fail(CopyDiffers(self._place, key, f"{stored or 'nothing'} is stored, {item.sent} was sent"))

    def _reveal(self) -> None:
        """Give names, sync again, and write receipts."""
        is_synced = self._reveal_together()
        left = [item for item in self._unfinished() if not item.revealed]
        self._reveal_each(left)
        self._write_receipts(self._session.durable if is_synced and not left else self._synced())

    def _reveal_together(self) -> bool:
        """Let our program give the names that are free; True where it also brought all names to the disk."""
        items = {item.name.encode(): item for item in self._unfinished() if item.upload.supersede_to is None}
        if not items or (agent := self._agent()) is None:
            return False
        names = [(name, item.upload.key.encode()) for name, item in items.items()]
        try:
            told = self._loop.run(agent.name(names))
        except AgentGone as gone:  # what it named, and what it did not, shows when the others get their names
            log.warning("%s: %s", self._place, gone)
            return False
        for name in told.names & items.keys():
            items[name].revealed = True
        self._is_removed = told.is_removed
        return told.is_synced

    def _reveal_each(self, items: Sequence[Item]) -> None:
        """Give names over SFTP, which also says of each why it cannot have its own."""

        async def reveal(item: Item) -> None:
            await self._files.reveal(self._staged(item), item.upload.key, item.upload.supersede_to)
            item.revealed = True

        for item, error in zip(items, self._loop.run(each(reveal, items)), strict=True):
            if isinstance(error, CONNECTION_ERRORS):
                raise error
            if isinstance(error, Exception):
                item.fail(self._diagnosed(item, error))

    def _synced(self) -> Durability:
        """The bytes are on the disk and visible: where the names cannot be brought there too, receipts say so."""
        items = self._unfinished()
        if items and (complaint := self._loop.run(self._session.synced())) is not None:
            log.warning("%s: the names of %d copies may not survive a crash: %s", self._place, len(items), complaint)
            return Durability.DATA_ONLY
        return self._session.durable

    def _write_receipts(self, durable: Durability) -> None:
        for item in self._unfinished():
            assert item.sent is not None  # noqa: S101 -- an item without one has failed
            item.outcome = Receipt(item.upload.key, item.size, item.sent, item.verified_by, durable, item.kept)

    # Afterwards, whatever happened.

    def _clean(self) -> None:
        """Leave nothing in staging but what may be continued; what a lost connection leaves is swept by a later run."""
        if self._bundle is not None:
            self._bundle.abandon()
        for _, write in self._writes:  # where a source broke all off: what is still on its way would come after us
            with suppress(*VENDOR_ERRORS):
                write.result()
        if self._is_removed:
            return
        kept = [self._staged(item) for item in self._items if item.may_be_continued]
        try:
            if not self._session.connection.lost:
                self._loop.run(self._removed(kept))
                return
        except VENDOR_ERRORS:
            pass
        self._partials.remember(kept)

    async def _removed(self, kept: Sequence[bytes]) -> None:
        if await self._files.exists(self._directory):
            await each(self._partials.give_back, kept)
            await each(self._files.discard, [self._staged(item) for item in self._items if not item.revealed])
            await self._files.sftp.rmdir(self._directory)
