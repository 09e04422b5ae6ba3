"""Try out everything that a backup needs, one line per thing."""

from __future__ import annotations

import hashlib
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dataverse_backup.actions.possession import take_possession
from dataverse_backup.chunks import beginning
from dataverse_backup.destinations.base import SCRATCH_PREFIX, Receipt, Staging, Upload
from dataverse_backup.errors import DataverseBackupError
from dataverse_backup.fixity import OWN_ALGORITHM, BytesStream, Checksum

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from dataverse_backup.catalogue.base import Catalogue
    from dataverse_backup.catalogue.dumping import Dumper
    from dataverse_backup.destinations.base import Destination, Traits
    from dataverse_backup.ledger.base import Ledger
    from dataverse_backup.stores.base import Store

CLOCK_TOLERANCE = 60.0
"""Seconds that the clocks of both machines may differ without a word."""


@dataclass(frozen=True, slots=True)
class Checked:
    """One thing that was tried."""

    name: str
    is_ok: bool
    said: str
    hint: str = ""


def check_catalogue(open_catalogue: Callable[[], Catalogue], stores: Mapping[str, Store]) -> Iterator[Checked]:
    """The Dataverse database, its grants and schema form, and whether every store that it uses is configured."""
    try:
        with open_catalogue() as catalogue:
            yield Checked("database", is_ok=True, said=catalogue.inspect())
            yield from _check_stores(catalogue.count_by_store(), stores)
    except DataverseBackupError as error:
        yield _failed("database", error)


def _check_stores(counts: Mapping[str, int], stores: Mapping[str, Store]) -> Iterator[Checked]:
    for store_id in sorted(counts.keys() - stores.keys()):
        said = f"{counts[store_id]} datafiles are in this store, and the configuration does not know it"
        hint = f"add a section [Store {store_id}]; `type: ignore` there says that it is intended"
        yield Checked(f"store {store_id}", is_ok=False, said=said, hint=hint)
    for store_id, store in sorted(stores.items()):
        yield _check_store(store_id, store, counts.get(store_id, 0))


def _check_store(store_id: str, store: Store, files: int) -> Checked:
    try:
        store.probe()
    except DataverseBackupError as error:
        return _failed(f"store {store_id}", error)
    return Checked(f"store {store_id}", is_ok=True, said=f"{files} datafiles")


def check_destination(
    name: str, open_ledger: Callable[[], Ledger], open_destination: Callable[[Staging], Destination]
) -> Iterator[Checked]:
    """One destination: connect, whose it is, write, prove, rename, read back and remove under a scratch name."""
    label = f"destination {name}"
    try:
        with open_ledger() as ledger, open_destination(Staging.of_check(ledger.id)) as destination:
            traits = destination.connect()
            yield Checked(f"{label}: connect", is_ok=True, said=f"proves copies by {', '.join(traits.hashes)}")
            take_possession(ledger, destination)
            ledger.keep_abilities(name, destination.abilities())  # probed just now, whatever was known before
            yield Checked(f"{label}: identity", is_ok=True, said=f"belongs to ledger {ledger.id}")
            yield _round_trip(f"{label}: write, prove, read back", destination)
            if (room := ledger.room(name)) is not None:
                said = f"workers that there was room for at once: {room}; each run tries one more"
                yield Checked(f"{label}: remark", is_ok=True, said=said)
            yield from _describe(label, destination.connect())  # again: what was tried out may have shown more
    except DataverseBackupError as error:
        yield _failed(label, error)


def _round_trip(label: str, destination: Destination) -> Checked:
    data = uuid.uuid4().bytes * 256
    wanted = Checksum(OWN_ALGORITHM, hashlib.sha256(data).hexdigest())
    key = f"{SCRATCH_PREFIX}/{uuid.uuid4().hex}"
    with _scratch(destination, key):
        (result,) = destination.put(
            [Upload(key, lambda: BytesStream(data, place="scratch", key=key), OWN_ALGORITHM, wanted)]
        )
        if not isinstance(result, Receipt):
            return _failed(label, result.error)
        (found,) = destination.digests([key], OWN_ALGORITHM)
        stream = destination.open(key)
        read = beginning(stream.read, len(data) + 1)
        stream.close()
    if getattr(found, "checksum", None) != wanted or read != data:
        return Checked(
            label, is_ok=False, said="what was written is not what is read", hint="do not use this destination"
        )
    return Checked(label, is_ok=True, said=f"verified by {result.verified_by}, durable: {result.durable}")


@contextmanager
def _scratch(destination: Destination, key: str) -> Iterator[None]:
    try:
        yield
    finally:
        destination.remove([key])


def _describe(label: str, traits: Traits) -> Iterator[Checked]:
    if traits.free_bytes is not None:
        is_ok = traits.free_bytes > 0
        yield Checked(f"{label}: free space", is_ok=is_ok, said=f"{traits.free_bytes / 1e9:,.1f} GB")
    if traits.clock_skew is not None:
        is_ok = abs(traits.clock_skew) <= CLOCK_TOLERANCE
        said = f"{traits.clock_skew:+.0f} s from ours"
        yield Checked(f"{label}: clock", is_ok=is_ok, said=said, hint="" if is_ok else "set the clocks by NTP")
    for remark in traits.remarks:
        yield Checked(f"{label}: remark", is_ok=True, said=remark)


def check_cluster(address: str, connect: Callable[[], str]) -> Iterator[Checked]:
    """A Dask cluster: its scheduler, and that its workers are fit; *connect* says how many there are."""
    try:
        yield Checked(f"cluster {address}", is_ok=True, said=connect())
    except DataverseBackupError as error:
        yield _failed(f"cluster {address}", error)


def check_dumper(dumper: Dumper | None) -> Checked:
    """What dumps the Dataverse database: a pg_dump that fits the server, and grants to read everything."""
    if dumper is None:
        said = "no destination is to keep dumps of it: DatabaseDump; without one the copies are bytes without names"
        return Checked("database dump", is_ok=True, said=said)
    try:
        return Checked("database dump", is_ok=True, said=dumper.inspect())
    except DataverseBackupError as error:
        return _failed("database dump", error)


def check_ledger(open_ledger: Callable[[], Ledger]) -> Iterator[Checked]:
    """The ledger: reachable, ours, and up to date."""
    try:
        with open_ledger() as ledger:
            yield Checked("ledger", is_ok=True, said=ledger.id)
    except DataverseBackupError as error:
        yield _failed("ledger", error)


def _failed(name: str, error: DataverseBackupError) -> Checked:
    return Checked(name, is_ok=False, said=str(error), hint=error.hint)
