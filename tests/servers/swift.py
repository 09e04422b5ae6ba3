"""A real OpenStack Swift on this machine: its four servers from the Python package, one device, one copy."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Self

from dataverse_backup.services.swift import Swift, SwiftAccess

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.servers.keystone import KeystoneServer

USER, PASSWORD = "test:tester", "testing"
"""Of tempauth, and of its S3; Keystone has project ``test`` and user ``tester``."""

_TEMPAUTH_USERS = {
    "user_test_tester": f"{PASSWORD} .admin",
    "user_test_reader": "reading",
    "user_shelf_tester": f"{PASSWORD} .admin",
    "user_shelf_reader": "reading",
}
_MEMORY = "/dev/shm"
_STARTING_TIMEOUT = 30.0
_KINDS = ("account", "container", "object")
_REPOSITORY = Path(__file__).parents[2]


class NoSwift(Exception):
    """OpenStack Swift is not installed beside this Python."""


class SwiftServer:
    """Swift with tempauth, or with Keystone when one is given, and with its own S3 interface on the same port."""

    def __init__(self, keystone: KeystoneServer | None = None) -> None:
        self._commands = Path(sys.executable).parent
        if not (self._commands / "swift-proxy-server").exists():
            raise NoSwift("swift (the Python package)")
        self._keystone = keystone
        self.folder = Path()
        self.port, *ports = _free_ports(1 + len(_KINDS))
        self._ports = dict(zip(_KINDS, ports, strict=True))
        self.hand = Swift(self.access)
        """Does as the ordinary user what no destination does."""
        self._processes: list[subprocess.Popen[bytes]] = []
        self._numbers = count(1)

    def __enter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix="dataverse-backup-swift-", dir=_base()))
        (self.folder / "node" / "d1").mkdir(parents=True)
        try:
            self._write_configuration()
            self._write_rings()
            if self._keystone:
                self._keystone.offer_swift(self.url)
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.hand.close()
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def url(self) -> str:
        """Where it answers, without a path."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def access(self) -> SwiftAccess:
        """How its ordinary user logs in."""
        if self._keystone:
            return self._keystone.access
        return SwiftAccess(auth_url=f"{self.url}/auth/v1.0", auth_version="1", user=USER, key=PASSWORD)

    def shelf_access(self, url: str) -> SwiftAccess:
        """How the user of another account logs in by way of *url*; ``shelf:reader`` there may do nothing."""
        return SwiftAccess(auth_url=f"{url}/auth/v1.0", auth_version="1", user="shelf:tester", key=PASSWORD)

    def new_container(self) -> str:
        """The name of a container that nobody has used."""
        return f"backup {next(self._numbers)} é"

    def start(self) -> None:
        """Start every server, and wait until the proxy answers."""
        environment = os.environ | {"PYTHONPATH": str(_REPOSITORY), "PYTHONWARNINGS": "ignore"}
        for kind in (*_KINDS, "proxy"):
            with (self.folder / f"{kind}.log").open("ab") as log:
                command = [str(self._commands / f"swift-{kind}-server"), str(self.folder / f"{kind}.conf"), "-v"]
                process = subprocess.Popen(
                    command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
                )
            self._processes.append(process)
        for port in (*self._ports.values(), self.port):
            self._wait_for(port)

    def stop(self) -> None:
        """End every server, at once."""
        processes, self._processes = self._processes, []
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()

    def _wait_for(self, port: int) -> None:
        deadline = time.monotonic() + _STARTING_TIMEOUT
        while not _answers(port):
            if time.monotonic() > deadline or any(process.poll() is not None for process in self._processes):
                raise RuntimeError("\n".join(log.read_text()[-2000:] for log in self.folder.glob("*.log")))
            time.sleep(0.05)

    def _write_rings(self) -> None:
        ports = [f"{kind}={port}" for kind, port in self._ports.items()]
        command = [sys.executable, "-W", "ignore", "-m", "tests.servers.swift_rings", str(self.folder), *ports]
        subprocess.run(command, cwd=_REPOSITORY, check=True, timeout=60)

    def _write_configuration(self) -> None:
        self._write(
            "swift",
            {
                "swift-hash": {"swift_hash_path_prefix": "test", "swift_hash_path_suffix": "test"},
                "storage-policy:0": {"name": "default", "default": "yes"},
            },
        )
        for kind, port in self._ports.items():
            self._write(kind, self._node(kind, port))
        self._write("proxy", self._proxy())

    def _common(self, port: int) -> dict[str, str]:
        return {
            "bind_ip": "127.0.0.1",
            "bind_port": str(port),
            "workers": "0",
            "user": pwd.getpwuid(os.geteuid()).pw_name,
            "swift_dir": str(self.folder),
            "client_timeout": "5",
            "log_level": "WARNING",
            # On a busy machine an object is not to be stored before its container lists it.
            "conn_timeout": "10",
            "node_timeout": "30",
            "container_update_timeout": "30",
        }

    def _node(self, kind: str, port: int) -> dict[str, dict[str, str]]:
        own = {
            "devices": str(self.folder / "node"),
            "mount_check": "false",
            "disable_fallocate": "true",
            "fallocate_reserve": "0",
        }
        return {
            "DEFAULT": self._common(port) | own,
            "pipeline:main": {"pipeline": f"{kind}-server"},
            f"app:{kind}-server": {"use": f"egg:swift#{kind}"},
        }

    def _proxy(self) -> dict[str, dict[str, str]]:
        login = ("authtoken", "keystoneauth") if self._keystone else ("s3api", "tempauth")
        before = ("catch_errors", "gatekeeper", "healthcheck", "cache", "bulk")
        after = ("copy", "container_quotas", "slo", "dlo", "versioned_writes", "symlink")
        filters: dict[str, dict[str, str]] = {name: {"use": f"egg:swift#{name}"} for name in (*before, *login, *after)}
        filters["cache"] = {"paste.filter_factory": "tests.servers.swift_cache:filter_factory"}
        filters["versioned_writes"]["allow_object_versioning"] = "true"
        if self._keystone:
            filters["authtoken"] = self._keystone.token_filter()
            filters["keystoneauth"]["operator_roles"] = "admin, member"
        else:
            filters["tempauth"] |= _TEMPAUTH_USERS
        return {
            "DEFAULT": self._common(self.port),
            "pipeline:main": {"pipeline": " ".join((*before, *login, *after, "proxy-server"))},
            "app:proxy-server": {"use": "egg:swift#proxy", "account_autocreate": "true"},
        } | {f"filter:{name}": options for name, options in filters.items()}

    def _write(self, name: str, sections: Mapping[str, Mapping[str, str]]) -> None:
        lines = []
        for section, options in sections.items():
            lines += [f"[{section}]", *(f"{key} = {value}" for key, value in options.items())]
        (self.folder / f"{name}.conf").write_text("\n".join(lines) + "\n")


def _base() -> str | None:
    """Where the folder is made: in memory where that keeps what Swift writes beside its files."""
    if not os.access(_MEMORY, os.W_OK):
        return None
    with tempfile.NamedTemporaryFile(dir=_MEMORY) as file, suppress(OSError):
        os.setxattr(file.name, "user.swift", b"x" * 1024)
        return _MEMORY
    return None


def _free_ports(number: int) -> list[int]:
    listeners = [socket.socket() for _ in range(number)]
    try:
        for listener in listeners:
            listener.bind(("127.0.0.1", 0))
        return [listener.getsockname()[1] for listener in listeners]
    finally:
        for listener in listeners:
            listener.close()


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthcheck", timeout=2):
            return True
    except urllib.error.HTTPError as error:
        error.close()
        return True  # the servers of one kind have no such page
    except OSError:
        return False
