"""Fills an empty Keystone and serves it: ``python -m tests.servers.keystone_process HOST:PORT CONFIGURATION``.

In one process, because most of the time goes into importing; each step of ``keystone-manage`` in a child of it, because
Keystone reads its configuration once. The password of ``admin`` is in the environment.
"""

from __future__ import annotations

import os
import sys

import waitress
from keystone.cmd import cli
from keystone.server import wsgi


def manage(configuration: str, *arguments: str) -> None:
    """``keystone-manage`` with *arguments*."""
    child = os.fork()
    if child == 0:
        cli.main(["keystone-manage", "--config-file", configuration, *arguments])
        os._exit(0)
    if os.waitpid(child, 0)[1] != 0:
        sys.exit(f"{arguments[0]} failed")


def main(address: str, configuration: str) -> None:
    """Make the database, the first user and the catalogue, and then answer until somebody ends this."""
    urls = [f"--bootstrap-{interface}-url=http://{address}/v3" for interface in ("public", "internal", "admin")]
    manage(configuration, "db_sync")
    manage(configuration, "bootstrap", f"--bootstrap-region-id={os.environ['OS_REGION_NAME']}", *urls)
    sys.argv = ["keystone"]  # Keystone reads the arguments of whoever serves it
    waitress.serve(wsgi.initialize_public_application(), listen=address, threads=4)


if __name__ == "__main__":
    main(*sys.argv[1:])
