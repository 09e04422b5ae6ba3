"""Uploads that our program over there takes, in flights: while one is synced and hashed there, the next one travels.

What is proven gets its names together with the proof of the next flight, so that one sync serves both, and no answer is
waited for but at the end. Nothing gets a name before its digest was compared here, and nothing has a receipt before the
sync after its name (design, rule 5).
"""

from __future__ import annotations

import logging
import uuid
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from dataverse_backup.destinations.base import Failure, Receipt
from dataverse_backup.destinations.partials import is_partial_name, may_pass, partial_name, partials_prefix
from dataverse_backup.destinations.ssh.carrier import Gone, Lost, NotOurs
from dataverse_backup.destinations.ssh.item import Item, pieces, refuse_bad_key
from dataverse_backup.destinations.ssh.remarks import refusal, spoken_error, unavailable
from dataverse_backup.destinations.ssh.shell import SYNCED, word
from dataverse_backup.errors import CopyDiffers, ObjectError, StoreLost
from dataverse_backup.fixity import Durability, HashingReader, VerifiedBy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from dataverse_backup.destinations.base import Staging, Upload
    from dataverse_backup.destinations.ssh.carrier import Carrier
    from dataverse_backup.destinations.ssh.paths import Paths
    from dataverse_backup.destinations.ssh.settings import SshSettings
    from dataverse_backup.errors import CopyError
    from dataverse_backup.fixity import Algorithm

    Results = Iterator[Receipt | Failure]

log = logging.getLogger(__name__)

FLIGHT_FILES = 256
FLIGHT_BYTES = 8 << 20
"""So much is proven together: the smaller, the more syncs; the bigger, the longer is waited for the last proof."""
_PIECE = 1 << 20
_TOGETHER = 1 << 18
"""So many bytes of small objects are handed over at once."""
_PARTS = 512
"""And so many parts, of which a system takes 1,024 at once."""


class Flights:
    """One ``put``. Reads, hashes and sends in the caller's thread."""

    def __init__(
        self,
        carrier: Carrier,
        paths: Paths,
        staging: Staging,
        settings: SshSettings,
        *,
        left: dict[str, bytes],
        unhashed: set[Algorithm],
    ) -> None:
        """*left* says where that lies which was broken off with the connection, *unhashed* what is not hashed there.

        Both are added to.
        """
        self._place, self._carrier, self._paths, self._settings = paths.place, carrier, paths, settings
        self._folder = f"{staging.prefix}/{uuid.uuid4().hex}"
        self._partials_folder = partials_prefix(staging)
        self._left, self._unhashed = left, unhashed
        self.others: dict[str, Upload] = {}
        """What has to go another way, by key: known when all is stored."""
        self._partials: frozenset[bytes] | None = None
        """The names of what was broken off by others; None: not heard yet."""
        self._parts: list[bytes] = []
        """What is to be handed over next."""
        self._size = 0
        self._answers: deque[Callable[[list[bytes]], Results]] = deque()
        """What takes the answers that are still to come, in this order."""
        self._proofs = 0
        """How many of them are proofs."""
        self._flight: list[Item] = []
        self._flight_bytes = 0
        self._named: list[Item] = []
        """What was given its names, which no sync was asked for since."""
        self._open: dict[str, Item] = {}
        """What has no conclusion that was told, by key."""
        self._has_begun = False

    def store(self, uploads: Iterable[Upload]) -> Results:
        """Store what can be stored; each of *uploads* is taken when it can be sent, before those are proven that were.

        Raises NotOurs, and what a source raises beyond SourceError: StoreLost.
        """
        left, is_done = iter(uploads), False
        try:
            yield from self._stored(left)
            is_done = True
        except NotOurs:
            raise
        except (Lost, Gone) as error:
            yield from self._broken_off(error)
            yield from (Failure(upload.key, self._ending(upload.key, error)) for upload in left)
        except StoreLost:
            is_done = True
            raise
        finally:
            if not is_done:
                self._carrier.close()

    def _stored(self, uploads: Iterator[Upload]) -> Results:
        lost: StoreLost | None = None
        try:
            for number, upload in enumerate(uploads):
                yield from self._taken(Item(upload, f"t{number}"))
        except StoreLost as error:
            lost = error
        if self._has_begun:
            yield from self._arrive()
        if lost is not None:
            raise lost

    def _taken(self, item: Item) -> Results:
        """Send it, or let it go another way, or say why neither."""
        upload = item.upload
        refuse_bad_key(self._paths, item, is_taken=upload.key in self._open or upload.key in self.others)
        if item.outcome is not None:
            yield item.outcome
        elif upload.supersede_to is not None or upload.algorithm in self._unhashed:
            self.others[upload.key] = upload
        else:
            self._begin()
            self._open[upload.key] = item
            yield from self._sent(item)

    def _sent(self, item: Item) -> Results:
        self._send(item)
        if item.outcome is not None:
            yield self._concluded(item)
        if len(self._flight) >= FLIGHT_FILES or self._flight_bytes >= FLIGHT_BYTES:
            yield from self._depart()

    def _begin(self) -> None:
        """Have a place to stage in, before the first that is sent."""
        if not self._has_begun:
            self._has_begun = True
            self._ask(f"begin {self._folder} alone\nlisted {self._partials_folder}\n".encode(), self._note_partials)

    def _concluded(self, item: Item) -> Receipt | Failure:
        assert item.outcome is not None  # noqa: S101 -- the caller saw to it
        del self._open[item.upload.key]
        return item.outcome

    def _broken_off(self, error: Lost | Gone) -> Results:
        """What was not concluded yet is not stored, as far as we know."""
        for item in self._open.values():
            if item.outcome is None:
                item.fail(self._ending(item.upload.key, error))
            if item.may_be_continued:
                self._left[item.name] = self._paths.path(f"{self._folder}/{item.name}")
            assert item.outcome is not None  # noqa: S101 -- that of a lost connection at least
            yield item.outcome

    def _ending(self, key: str, error: Lost | Gone) -> CopyError:
        if isinstance(error, Lost):
            return unavailable(self._place, key, error)
        return spoken_error(self._place, key, str(error))

    # What is told, and who hears the answers.

    def _tell(self, *parts: bytes) -> None:
        self._parts += parts
        self._size += sum(map(len, parts))
        if self._size >= _TOGETHER or len(self._parts) >= _PARTS:
            self._flush()

    def _flush(self) -> None:
        parts, self._parts, self._size = self._parts, [], 0
        self._carrier.tell(*parts)

    def _ask(self, request: bytes, take: Callable[[list[bytes]], Results]) -> None:
        self._tell(request)
        self._answers.append(take)

    def _heard(self) -> Results:
        """Take the next answer."""
        lines = self._carrier.answer()
        yield from self._answers.popleft()(lines)

    def _note_partials(self, lines: list[bytes]) -> Results:
        self._partials = frozenset(lines)
        yield from ()

    # Sending.

    def _send(self, item: Item) -> None:
        upload = item.upload
        try:
            with HashingReader(upload.open(), upload.algorithm) as reader:
                item.size = reader.size
                if reader.size < self._settings.big_file:
                    self._send_whole(item, reader)
                elif self._is_continued(item):
                    self.others[upload.key] = upload
                    del self._open[upload.key]
                else:
                    self._send_in_pieces(item, reader)
        except ObjectError as error:
            item.fail(error)

    def _send_whole(self, item: Item, reader: HashingReader) -> None:
        """Send what has been read to its end, and is what it should be."""
        data = b"".join(pieces(reader, _PIECE))
        item.sent = reader.finish(item.upload.promised)
        mode = item.mode or self._settings.file_mode
        self._tell(b"file %s %s %o %d\n" % (word(item.upload.algorithm), item.name.encode(), mode, len(data)), data)
        self._board(item)

    def _is_continued(self, item: Item) -> bool:
        """Whether a part of it lies over there, which an earlier try or run left."""
        name = partial_name(item.upload, item.size, self._settings.resumes_from)
        if name is None:
            return False
        self._flush()
        while self._partials is None:  # it is the first answer of all
            deque(self._heard(), maxlen=0)
        item.name = name
        return name in self._left or name.encode() in self._partials

    def _send_in_pieces(self, item: Item, reader: HashingReader) -> None:
        """Send while it is read. Raises SourceError, and CopyError as soon as we hear of it."""
        key = item.upload.key.encode()
        self._tell(b"open %s %s %d\n" % (word(item.upload.algorithm), item.name.encode(), len(key)), key)
        try:
            for piece in pieces(reader, _PIECE):
                self._tell(b"data %d\n" % len(piece), piece)
                self._refuse_by_news(item)
            item.sent = reader.finish(item.upload.promised)
        except (Lost, Gone):
            raise
        except BaseException as error:
            self._tell(*self._farewell(item, error))
            raise
        self._tell(b"close %o\n" % (item.mode or self._settings.file_mode))
        self._board(item)

    def _refuse_by_news(self, item: Item) -> None:
        self._carrier.listen()
        if (said := self._carrier.news.pop(item.name.encode(), None)) is not None:
            raise refusal(self._place, item.upload.key, said)

    def _farewell(self, item: Item, error: BaseException) -> tuple[bytes, ...]:
        """What becomes of the part of it that lies there now."""
        if not is_partial_name(item.name) or not may_pass(error):
            return (b"drop\n",)
        key = f"{self._partials_folder}/{item.name}".encode()
        return b"keep %d\n" % len(key), key

    def _board(self, item: Item) -> None:
        self._flight.append(item)
        self._flight_bytes += item.size

    # Proof and names.

    def _depart(self) -> Results:
        """Have proven what was sent. What is proven by now gets its names before: the same sync is for those too."""
        self._flush()
        while self._answers and self._carrier.has_answer:
            yield from self._heard()
        flight, self._flight, self._flight_bytes = self._flight, [], 0
        named, self._named = self._named, []
        self._proofs += 1
        self._ask(b"prove\n", partial(self._take_proof, flight, named))
        self._flush()

    def _arrive(self) -> Results:
        """Wait for all proofs, let what is left have its names, and bring those to the disk."""
        if self._flight:
            yield from self._depart()
        self._flush()
        while self._proofs:
            yield from self._heard()
        named, is_over = self._named, False
        while not is_over:
            self._ask(b"end\n", partial(self._take_end, named))
            self._flush()
            while self._answers:
                yield from self._heard()
            named, is_over = [], not self._parts  # what got no name is removed from staging, which ends once more

    def _take_proof(self, flight: Sequence[Item], named: Sequence[Item], lines: list[bytes]) -> Results:
        self._proofs -= 1
        synced, *others = lines
        yield from self._receipts(named, synced)
        told = {name: said.decode(errors="replace") for name, said in map(_told, others)}
        for item in flight:
            self._compare(item, synced, told.get(item.name.encode(), "! - it was not hashed"))
        yield from (self._concluded(item) for item in flight if item.outcome is not None)
        proven = [item for item in flight if item.outcome is None and item.upload.key in self._open]
        self._discard(item for item in flight if item.outcome is not None or item.upload.key not in self._open)
        if proven:
            words = _words(word for item in proven for word in (item.name.encode(), item.upload.key.encode()))
            self._ask(b"name %d\n%s" % (len(words), words), partial(self._take_names, proven))
            self._named += proven

    def _compare(self, item: Item, synced: bytes, said: str) -> None:
        """Fail *item* unless it was brought to the disk and lies there as it was sent."""
        key, sent = item.upload.key, item.sent
        if synced != SYNCED.encode():
            item.fail(spoken_error(self._place, key, synced.decode(errors="replace")))
        elif said.startswith("! - "):
            self._unhashed.add(item.upload.algorithm)
            self.others[key] = item.upload
            del self._open[key]
        elif said.startswith("! "):
            item.fail(refusal(self._place, key, said[2:]))
        elif sent is None or said != sent.value:
            item.fail(CopyDiffers(self._place, key, f"{item.upload.algorithm}:{said} is stored, {sent} was sent"))

    def _discard(self, items: Iterable[Item]) -> None:
        if words := _words(item.name.encode() for item in items):
            self._tell(b"discard %d\n%s" % (len(words), words))

    def _take_names(self, items: Sequence[Item], lines: list[bytes]) -> Results:
        told = {name: said.decode(errors="replace") for name, _, said in (line.partition(b" ") for line in lines)}
        for item in items:
            if (said := told.get(item.name.encode(), "- it was not heard of")) == "0":
                item.revealed = True
            else:
                item.fail(refusal(self._place, item.upload.key, said))
        self._discard(item for item in items if not item.revealed)
        yield from ()

    def _take_end(self, named: Sequence[Item], lines: list[bytes]) -> Results:
        yield from self._receipts(named, lines[-1])

    def _receipts(self, named: Sequence[Item], synced: bytes) -> Results:
        """What is to be said of those that have their names, which the last sync brought to the disk, or did not."""
        durable = Durability.YES
        if named and synced != SYNCED.encode():
            said = synced.decode(errors="replace")
            log.warning("%s: the names of %d copies may not survive a crash: %s", self._place, len(named), said)
            durable = Durability.DATA_ONLY
        for item in named:
            if item.outcome is None and item.sent is not None:
                item.outcome = Receipt(item.upload.key, item.size, item.sent, VerifiedBy.REMOTE_HASH, durable)
            yield self._concluded(item)


def _words(words: Iterable[bytes]) -> bytes:
    return b"".join(word + b"\0" for word in words)


def _told(line: bytes) -> tuple[bytes, bytes]:
    """The staged name that a line of a proof is about, and its digest; or ``!``, an error and words."""
    name, _, said = line.partition(b" ")
    if name != b"!":
        return name, said
    name, _, said = said.partition(b" ")
    return name, b"! " + said
