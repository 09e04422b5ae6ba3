"""The destination as workers see it: over the system's ``ssh`` program where that is possible, else over asyncssh.

A worker does much of one thing. What it does seldom (moving copies aside, going on with what was broken off, reading a
copy) it does as everybody else does, by an `SshDestination`, which is made when it is first of use: asyncssh takes long
to import. Whatever keeps the program from starting is that one's business too: it knows what the errors of a login
mean.
"""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from typing import TYPE_CHECKING

from dataverse_backup.destinations.base import (
    Destination,
    Failure,
    Listable,
    StoredDigest,
    Streaming,
    checked_path_key,
)
from dataverse_backup.destinations.partials import Resumable
from dataverse_backup.destinations.ssh.abilities import Abilities
from dataverse_backup.destinations.ssh.carrier import Carrier, Gone, Lost, NotOurs
from dataverse_backup.destinations.ssh.doubts import all_unavailable, doubted, not_ours
from dataverse_backup.destinations.ssh.flights import Flights
from dataverse_backup.destinations.ssh.paths import Paths, is_openssh
from dataverse_backup.destinations.ssh.program import NoProgram
from dataverse_backup.destinations.ssh.remarks import unavailable
from dataverse_backup.destinations.ssh.shell import AGENT, about, beginning, believed, word
from dataverse_backup.errors import (
    ConfigurationError,
    CopyMissing,
    DestinationLost,
    DestinationRefused,
    KeyRefused,
)
from dataverse_backup.fixity import Checksum, VerifiedBy
from dataverse_backup.room import left_by_others

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dataverse_backup.destinations.base import Entry, Receipt, Staging, Traits, Upload
    from dataverse_backup.destinations.ssh.destination import SshDestination
    from dataverse_backup.destinations.ssh.settings import SshSettings
    from dataverse_backup.destinations.ssh.shell import Shell
    from dataverse_backup.fixity import Algorithm, ByteStream

log = logging.getLogger(__name__)

_NO_CARRIER = (NoProgram, Lost, Gone, OSError, ConfigurationError)


class CarriedSshDestination(Destination, Listable, Resumable, Streaming):
    """Copies in a folder of a server that somebody has reached, and probed, before."""

    def __init__(self, name: str, settings: SshSettings, staging: Staging) -> None:
        """Use *settings* with the first call; nothing is connected yet."""
        self.name, self.method = name, "ssh"
        self._settings, self._staging = settings, staging
        self.resumes_from = settings.resumes_from
        self._abilities = Abilities.from_text(staging.abilities, settings.where)
        self._identity: str | None = None
        """What the root must carry; None: whatever it carries will do."""
        self._carrier: Carrier | None = None
        self._seen: bytes | None = None
        """What our program said of the identity when it began, until somebody asks."""
        self._launched: Carrier | None = None
        """One that was sent ahead."""
        self._has_given_up = False
        """Whether the program did not take us where asyncssh did."""
        self._other: SshDestination | None = None
        self._left: dict[str, bytes] = {}
        self._unhashed: set[Algorithm] = set()

    def connect(self) -> Traits:
        self._part()
        if self._carried() is None or self._abilities is None:
            return self._others().connect()
        return self._abilities.traits()

    def prepare(self) -> None:
        if self._carrier is not None or self._launched is not None or self._other is not None:
            return
        try:
            if self._abilities is not None:
                _shell_with_python(self._abilities)
            self._launched = Carrier.launched(self._settings, AGENT)
        except _NO_CARRIER:  # why so is said when it is needed
            self._others().prepare()

    def assume(self, abilities: str) -> None:
        if self._abilities is None and self._carrier is None:
            self._abilities = Abilities.from_text(abilities, self._settings.where)
            if self._other is not None:
                self._other.assume(abilities)

    def abilities(self) -> str:
        if self._abilities is None:
            return self._others().abilities()
        return self._abilities.to_text()

    @property
    def streams(self) -> bool:
        return self._carrier is not None and not self._carrier.is_over

    def put(self, uploads: Iterable[Upload]) -> Iterator[Receipt | Failure]:
        try:
            carrier = self._carried()
        except DestinationLost as lost:
            yield from all_unavailable(self.name, [upload.key for upload in uploads], lost)
            return
        if carrier is None:
            yield from self._others().put(list(uploads))
            return
        flights = Flights(
            carrier, self._paths(), self._staging, self._settings, left=self._left, unhashed=self._unhashed
        )
        try:
            yield from doubted(self.name, flights.store(uploads), self._forget)
        except NotOurs as error:
            raise self._refused() from error
        if flights.others:
            yield from self._put_by_others(list(flights.others.values()))

    def _put_by_others(self, uploads: Sequence[Upload]) -> Iterator[Receipt | Failure]:
        try:
            others = self._reached_others()
        except DestinationLost as lost:
            yield from all_unavailable(self.name, [upload.key for upload in uploads], lost)
        else:
            yield from others.put(uploads)

    def digests(self, keys: Sequence[str], algorithm: Algorithm) -> Iterator[StoredDigest | Failure]:
        try:
            carrier = self._carried()
        except DestinationLost as lost:
            yield from all_unavailable(self.name, keys, lost)
            return
        if carrier is None:
            yield from self._others().digests(keys, algorithm)
            return
        asked = []
        for key in dict.fromkeys(keys):
            try:
                self._paths().path(checked_path_key(self.name, key))
                asked.append(key)
            except KeyRefused as refused:
                yield Failure(key, refused)
        yield from self._told_digests(carrier, asked, algorithm)

    def _told_digests(
        self, carrier: Carrier, keys: Sequence[str], algorithm: Algorithm
    ) -> Iterator[StoredDigest | Failure]:
        try:
            lines = carrier.ask(about(b"digests %s" % word(algorithm), keys))
        except NotOurs as error:
            raise self._refused() from error
        except (Lost, Gone) as error:
            yield from (Failure(key, unavailable(self.name, key, error)) for key in keys)
            return
        told = believed(keys, lines)
        for key, stored in told.items():
            if stored is None:
                yield Failure(key, CopyMissing(self.name, key, "there is no such object"))
            else:
                yield StoredDigest(key, stored.size, Checksum(algorithm, stored.digest), VerifiedBy.REMOTE_HASH)
        if not_said := [key for key in keys if key not in told]:
            yield from self._others().digests(not_said, algorithm)

    def sizes(self, keys: Sequence[str]) -> dict[str, int]:
        carrier = self._carried()
        if carrier is None:
            return self._others().sizes(keys)
        asked = [key for key in keys if self._paths().takes(key)]
        try:
            lines = carrier.ask(about(b"sizes", asked))
        except (Lost, Gone) as error:
            raise self._lost(error) from error
        return {key: int(line) for key, line in zip(asked, lines, strict=True) if line != b"-"}

    def entries(self, folder: str = "") -> Iterator[Entry]:
        """As ``Listable.entries``; over asyncssh, unless nothing lies in *folder*."""
        if not self._is_empty(folder):
            yield from self._reached_others().entries(folder)

    def _is_empty(self, folder: str) -> bool:
        """Whether it is seen at once that nothing lies in *folder*, and that it is ours. Raises DestinationLost."""
        carrier = self._carried()
        if carrier is None or not folder or len(folder.split()) > 1 or not self._paths().takes(folder):
            return False
        try:
            carrier.tell(b"listed %s\n" % folder.encode(), about(b"sizes", [folder]))
            names, _ = carrier.answer(), carrier.answer()
        except (Lost, Gone) as error:
            raise self._lost(error) from error
        return not names

    def read_identity(self) -> str | None:
        carrier = self._carried()
        if carrier is None:
            self._identity = self._others().read_identity()
            return self._identity
        try:
            seen, self._seen = self._seen, None
            line = seen or carrier.ask(b"identity\n")[-1]
            self._identity = None if line == b"-" else bytes.fromhex(line.decode()).decode(errors="replace")
            carrier.tell(self._expectation())
        except (Lost, Gone) as error:
            raise self._lost(error) from error
        return self._identity

    def write_identity(self, ledger_id: str) -> None:
        self._others().write_identity(ledger_id)
        self._identity = ledger_id
        self._part()  # the next one is told

    def open(self, key: str) -> ByteStream:
        return self._reached_others().open(key)

    def supersede(self, key: str, to: str) -> None:
        self._reached_others().supersede(key, to)

    def sweep(self) -> None:
        self._others().sweep()

    def remove(self, keys: Sequence[str]) -> None:
        self._others().remove(keys)

    def close(self) -> None:
        self._part()
        self._dismiss_launched()
        if self._other is not None:
            self._other.close()

    # The one way and the other.

    def _carried(self) -> Carrier | None:
        """The carrier, started if it is not there; None where asyncssh is to be used. Raises DestinationLost."""
        if self._carrier is not None and not self._carrier.is_over:
            return self._carrier
        self._part()
        if self._has_given_up or self._abilities is None:
            self._dismiss_launched()
            return None
        try:
            self._carrier = self._started(self._abilities)
        except _NO_CARRIER as why:
            self._dismiss_launched()
            log.info("%s: not over the ssh program: %s", self.name, why)
            if not self._others().is_connected:  # else it may be itself what took the only room
                self._others().connect()
            self._has_given_up = True
        return self._carrier

    def _started(self, abilities: Abilities) -> Carrier:
        """The one that was launched before, or else another."""
        shell = _shell_with_python(abilities)
        if (launched := self._take_launched()) is not None:
            try:
                return self._begun(launched, abilities, shell.sync)
            except (Lost, Gone) as why:  # it may have come too early
                log.debug("%s: the ssh program starts once more: %s", self.name, why)
        return self._begun(Carrier.launched(self._settings, AGENT), abilities, shell.sync)

    def _begun(self, carrier: Carrier, abilities: Abilities, sync: str) -> Carrier:
        try:
            given = beginning(os.fsencode(abilities.root), self._settings.dir_mode, sync)
            self._seen = carrier.begin(given + self._expectation(), self._settings.stall_timeout)
        except BaseException:
            carrier.kill()
            raise
        return carrier

    def _take_launched(self) -> Carrier | None:
        launched, self._launched = self._launched, None
        return launched

    def _dismiss_launched(self) -> None:
        if (launched := self._take_launched()) is not None:
            launched.kill()

    def _expectation(self) -> bytes:
        """Which identity our program is to find from now on."""
        identity = (self._identity or "").encode()
        return b"ours %d\n%s" % (len(identity), identity)

    def _others(self) -> SshDestination:
        """What does the rest, over asyncssh."""
        if self._other is None:
            from dataverse_backup.destinations.ssh.destination import SshDestination  # noqa: PLC0415 -- when used

            staging = self._staging if self._abilities is not None else replace(self._staging, abilities="")
            self._other = SshDestination(self.name, self._settings, staging)
            self._other.left = self._left
            if self._identity is not None:
                self._other.expect(self._identity)
        self._other.pace = self.pace
        return self._other

    def _reached_others(self) -> SshDestination:
        """The same, connected; where there is no room for one more connection ours goes. Raises DestinationLost."""
        others = self._others()
        if self._carrier is not None and not others.is_connected:
            try:
                others.connect()
            except DestinationRefused:
                raise
            except DestinationLost:
                self._part()
                left_by_others(others.connect)
        return others

    def _paths(self) -> Paths:
        if self._abilities is None:
            raise RuntimeError("a carrier was started with abilities")
        server = self._abilities.server
        return Paths(self.name, os.fsencode(self._abilities.root), keeps_control_characters=is_openssh(server))

    def _forget(self) -> None:
        """What was assumed does not hold: probe, over asyncssh."""
        self._abilities = None
        self._part()
        if self._other is not None:
            self._other.close()
            self._other = None

    def _part(self) -> None:
        """Be carried no more; nothing is on its way, or all of that was given up."""
        carrier, self._carrier = self._carrier, None
        if carrier is not None:
            carrier.kill()

    def _refused(self) -> DestinationRefused:
        self._part()
        return not_ours(self.name, self._settings.directory)

    def _lost(self, error: Lost | Gone) -> DestinationLost:
        if isinstance(error, NotOurs):
            return self._refused()
        return DestinationLost(f"{self.name}: the connection was lost: {error}")


def _shell_with_python(abilities: Abilities) -> Shell:
    """The account's. Raises NoProgram where it has none."""
    if abilities.shell is None or not abilities.shell.has_python:
        raise NoProgram("the account has no shell with Python")
    return abilities.shell
