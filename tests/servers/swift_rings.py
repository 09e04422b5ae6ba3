"""Writes the rings of a Swift of one device: ``python -m tests.servers.swift_rings FOLDER KIND=PORT ...``."""

from __future__ import annotations

import sys
from pathlib import Path

from swift.common.ring import RingBuilder

_PART_POWER, _REPLICAS, _MIN_PART_HOURS = 4, 1, 1


def write_ring(path: Path, port: int) -> None:
    """The ring of the server on *port*."""
    builder = RingBuilder(_PART_POWER, _REPLICAS, _MIN_PART_HOURS)
    builder.add_dev(
        {
            "region": 1,
            "zone": 1,
            "ip": "127.0.0.1",
            "port": port,
            "replication_ip": "127.0.0.1",
            "replication_port": port,
            "device": "d1",
            "weight": 1,
            "meta": "",
        }
    )
    builder.rebalance()
    builder.get_ring().save(str(path))


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for argument in sys.argv[2:]:
        kind, port = argument.split("=")
        write_ring(folder / f"{kind}.ring.gz", int(port))
