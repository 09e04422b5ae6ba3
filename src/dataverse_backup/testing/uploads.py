"""What tests of destinations put there, and how they look at it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from dataverse_backup.destinations.base import SUPERSEDED_PREFIX, Failure, Receipt, StoredDigest, Upload
from dataverse_backup.errors import StoreLost
from dataverse_backup.fixity import Algorithm, Checksum
from dataverse_backup.stores.memory import NO_FAULT, Fault, MemoryStore, MemoryStream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dataverse_backup.destinations.base import Destination
    from dataverse_backup.errors import SourceError
    from dataverse_backup.testing.places import Place

KEY = "10.5072/FK2/ABCDEF/18b3-1"
OTHER = "10.5072/FK2/ABCDEF/18b3-2"
ASIDE = f"{SUPERSEDED_PREFIX}/{KEY}/20260102T030405.000006Z-0123456789ab"
MIB = 1 << 20


@pytest.fixture
def destination(place: Place) -> Iterator[Destination]:
    """A connected destination on ``place``."""
    with place.destination() as destination:
        destination.connect()
        yield destination


def checksum(data: bytes, algorithm: Algorithm = Algorithm.MD5) -> Checksum:
    digest = algorithm.new()
    digest.update(data)
    return Checksum(algorithm, digest.hexdigest())


def upload(
    key: str,
    data: bytes = b"data",
    algorithm: Algorithm = Algorithm.MD5,
    *,
    fault: Fault = NO_FAULT,
    supersede_to: str | None = None,
) -> Upload:
    """An upload of *data*, whose true checksum is promised."""
    opened = partial(MemoryStream, data, fault, place="store", key=key)
    return Upload(key, opened, algorithm, checksum(data, algorithm), supersede_to)


def lying_upload(key: str) -> Upload:
    return Upload(key, partial(MemoryStream, b"bad", place="store", key="18b3-1"), Algorithm.MD5, checksum(b"good"))


def unopened_upload(key: str, kind: type[SourceError | StoreLost]) -> Upload:
    store = MemoryStore("store", {key: b"data"})
    if issubclass(kind, StoreLost):
        store.lost = True
    else:
        store.faults[key] = Fault(on_open=kind)
    return Upload(key, partial(store.open, key), Algorithm.MD5, None)


def put(destination: Destination, *uploads: Upload) -> dict[str, Receipt | Failure]:
    results = list(destination.put(uploads))
    assert len(results) == len(uploads)
    return {result.key: result for result in results}


def stored(destination: Destination, *uploads: Upload) -> dict[str, Receipt]:
    """The receipts of uploads that must succeed."""
    receipts: dict[str, Receipt] = {}
    for key, result in put(destination, *uploads).items():
        assert isinstance(result, Receipt), result
        receipts[key] = result
    return receipts


def failed(destination: Destination, one: Upload) -> Exception:
    """The error of an upload that must fail."""
    (result,) = destination.put([one])
    assert isinstance(result, Failure), result
    assert result.key == one.key
    return result.error


def digest(destination: Destination, key: str, algorithm: Algorithm = Algorithm.MD5) -> StoredDigest | Failure:
    (result,) = destination.digests([key], algorithm)
    assert result.key == key
    return result


def read_all(destination: Destination, key: str) -> bytes:
    stream = destination.open(key)
    try:
        data = b""
        while more := stream.read(MIB):
            data += more
        assert len(data) == stream.size
        return data
    finally:
        stream.close()
