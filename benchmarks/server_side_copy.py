"""How many bytes travel for a copy within one S3 service: ``python -m benchmarks.server_side_copy``.

A store and a destination on a SeaweedFS of its own, both reached through a proxy that counts. One line for each size of
file and each way.
"""

from __future__ import annotations

import hashlib
import os
import time
from functools import partial
from itertools import product

from dataverse_backup.destinations.base import Receipt, Staging, Upload
from dataverse_backup.destinations.s3 import S3Destination, S3Settings
from dataverse_backup.fixity import Algorithm, Checksum
from dataverse_backup.stores.s3 import S3Store
from tests.servers.seaweedfs import SeaweedfsServer
from tests.servers.tcp_proxy import TcpProxy

MEBIBYTE = 1 << 20
FILES = ((500, 100_000), (8, 32 * MEBIBYTE))
"""How many, and how big."""


def main() -> None:
    """Print the table."""
    print(f"{'files x bytes':<20} {'way':<7} {'sent':>5} {'received':>9} per byte backed up {'seconds':>8}")
    with SeaweedfsServer() as server:
        for number, ((files, size), copies_within) in enumerate(product(FILES, (False, True))):
            measure(server, f"run-{number}", [os.urandom(size) for _ in range(files)], copies_within=copies_within)


def measure(server: SeaweedfsServer, run: str, contents: list[bytes], *, copies_within: bool) -> None:
    """Back up *contents*, which lie in a bucket of *server*; print what that took."""
    source, bucket = server.make_bucket(), server.make_bucket()
    for number, data in enumerate(contents):
        server.shared_client.put_object(Bucket=source, Key=f"{number}", Body=data)
    with TcpProxy(server.port) as proxy:
        access = server.access(endpoint=proxy.url)
        settings = S3Settings(access, bucket, copies_within=copies_within)
        with S3Store("s3", access, source) as store, S3Destination("s3", settings, Staging("ledger", run)) as copies:
            copies.connect()
            uploads = [
                Upload(f"a/{number}", partial(store.open, f"{number}"), Algorithm.MD5, _checksum(data))
                for number, data in enumerate(contents)
            ]
            before, began = dict(proxy.passed), time.monotonic()
            results = list(copies.put(uploads))
            seconds = time.monotonic() - began
    if not all(isinstance(result, Receipt) for result in results):
        raise SystemExit(f"not every file was copied: {results}")
    size = sum(map(len, contents))
    sent, received = ((proxy.passed[way] - before[way]) / size for way in (True, False))
    way = "copied" if copies_within else "sent"
    what = f"{len(contents)} x {len(contents[0]):,}"
    print(f"{what:<20} {way:<7} {sent:5.2f} {received:9.2f} {seconds:27.1f}")


def _checksum(data: bytes) -> Checksum:
    return Checksum(Algorithm.MD5, hashlib.md5(data, usedforsecurity=False).hexdigest())


if __name__ == "__main__":
    main()
