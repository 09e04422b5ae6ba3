"""The way of the script that this project began with: one file after the other, each proven by a command of its own.

``python -m benchmarks.original PORT KEY KNOWN_HOSTS FROM TO`` reads lines of MD5 and path from its input's file.
"""

from __future__ import annotations

import getpass
import posixpath
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import paramiko

from benchmarks.measuring import Command

if TYPE_CHECKING:
    from benchmarks.contender import Run


def command(run: Run, port: int, key: Path, known_hosts: Path) -> Command:
    """What copies *run* in that way."""
    listing = run.folder / "listing"
    lines = list(run.source.listing.items())[: run.number]
    listing.write_text("".join(f"{md5} {path}\n" for path, md5 in lines))
    program = (sys.executable, "-m", "benchmarks.original")
    return Command([*program, str(port), key, known_hosts, run.files, run.copies, listing])


def main() -> None:
    """Copy, and prove each file before the next one."""
    port, key, known_hosts, files, copies, listing = sys.argv[1:]
    with paramiko.SSHClient() as client:
        client.load_host_keys(known_hosts)
        client.connect(
            "127.0.0.1", int(port), getpass.getuser(), key_filename=key, allow_agent=False, look_for_keys=False
        )
        with client.open_sftp() as sftp:
            for line in Path(listing).read_text().splitlines():
                md5, path = line.split(" ", 1)
                target = f"{copies}/{path}"
                _make_folders(sftp, posixpath.dirname(target))
                sftp.put(f"{files}/{path}", target)
                if _md5_of(client, target) != md5:
                    sys.exit(f"{target} differs")


def _make_folders(sftp: paramiko.SFTPClient, folder: str) -> None:
    """Make *folder* and those above it, where they are not there."""
    try:
        sftp.stat(folder)
    except FileNotFoundError:
        _make_folders(sftp, posixpath.dirname(folder))
        sftp.mkdir(folder)


def _md5_of(client: paramiko.SSHClient, path: str) -> str:
    _, output, _ = client.exec_command(f"md5sum {shlex.quote(path)}")
    return output.read().decode().split()[0].lstrip("\\")


if __name__ == "__main__":
    main()
