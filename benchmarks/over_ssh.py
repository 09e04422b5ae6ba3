"""Copies to a server over ssh, through a link with a delay."""

from __future__ import annotations

import getpass
import shlex
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

from benchmarks import original
from benchmarks.contender import EVERYTHING, Contender, Run, by_all, by_first_process, files_in
from benchmarks.link import Link
from benchmarks.measuring import Command, Cost, read_in
from benchmarks.ours import ours
from benchmarks.rclone import rclone_copy
from tests.servers.sshd import SshServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

HOST = "bench"
FAST_CIPHER = "aes128-gcm@openssh.com"
BIG = frozenset({"big"})

OURS = "registered checksum = what was read = what is stored, hashed again there after a sync"
NOTHING = "nothing"
RSYNC = "what was sent = what the other side took, before it is written"
RCLONE = "what was read = what is stored, hashed again there"
RESTIC = "nothing (a later `check --read-data` does)"
ORIGINAL = "registered checksum = what is stored, hashed again there"

TUNED = ("--transfers", "32", "--checkers", "32", "--sftp-chunk-size", "255Ki")
"""255 KiB is what rclone's manual recommends for OpenSSH's server."""

TAR = """{ tar -C "$1" -cf - . && cat /proc/$BASHPID/io >"$2"; } | ssh -F "$3" "$4" "tar -C '$5' -xf -" """
"""The shell's part has read what tar did, for which it waited (proc(5))."""


class OverSsh:
    """An OpenSSH server behind a link."""

    def __init__(self, round_trip: float, settings: Sequence[str]) -> None:
        """So many milliseconds away; *settings* are lines of our [Backup]."""
        self._round_trip, self._settings = round_trip, settings
        self._held = ExitStack()
        self._folder = Path()
        self._port = 0

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            server = stack.enter_context(SshServer())
            self._port = stack.enter_context(Link(server.port, self._round_trip)).port
            self._folder = server.folder
            self._write_configuration()
            self._held = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    @property
    def _key(self) -> Path:
        return self._folder / "client_key"

    @property
    def _known_hosts(self) -> Path:
        return self._folder / "known_hosts_of_link"

    @property
    def _config(self) -> Path:
        """The ssh configuration of everybody who has the choice."""
        return self._folder / "config_of_link"

    @property
    def _fast_config(self) -> Path:
        """The same, with the cipher that is cheapest where processors have AES."""
        return self._folder / "fast_config_of_link"

    def _write_configuration(self) -> None:
        self._known_hosts.write_text(f"[127.0.0.1]:{self._port} {(self._folder / 'host_key.pub').read_text()}")
        lines = [
            f"Host {HOST}",
            "HostName 127.0.0.1",
            f"Port {self._port}",
            f"User {getpass.getuser()}",
            f"IdentityFile {self._key}",
            f"UserKnownHostsFile {self._known_hosts}",
            "GlobalKnownHostsFile /dev/null",
            "IdentityAgent none",
            "BatchMode yes",
        ]
        self._config.write_text("\n".join(lines) + "\n")
        self._fast_config.write_text("\n".join([*lines, f"Ciphers {FAST_CIPHER}"]) + "\n")

    def contenders(self) -> list[Contender]:
        """Everybody who can copy over ssh."""
        slow = partial(Contender, goes_file_by_file=True, reading=by_all)
        self._restic("backup", "--quiet", ".")
        return [
            ours("ours", OURS, self._one, self._settings),
            replace(ours("ours-two", OURS, self._two, self._settings, copies=2), usual=frozenset({"mix"})),
            *self._openssh("", self._config),
            *self._openssh("-aes", self._fast_config),
            slow("rclone", RCLONE, self._rclone(), "rclone"),
            slow("rclone-32", RCLONE, self._rclone(*TUNED), "rclone"),
            Contender(
                "restic",
                RESTIC,
                self._restic("backup", "--quiet", "."),
                "restic",
                self._restic("init"),
                makes_files=False,
            ),
            slow("original", ORIGINAL, self._original, part=0.2),
        ]

    def _openssh(self, suffix: str, config: Path) -> Iterator[Contender]:
        """Those who use ssh as a program, which is configured by *config*."""
        usual = BIG if suffix else EVERYTHING

        def tar(run: Run) -> Command:
            return Command(
                ["bash", "-o", "pipefail", "-c", TAR, "tar", run.files, run.folder / "io", config, HOST, run.copies]
            )

        def rsync(run: Run) -> Command:
            return Command(["rsync", "-a", "-e", f"ssh -F {config}", f"{run.files}/", f"{HOST}:{run.copies}/"])

        def scp(run: Run) -> Command:
            return Command(["scp", "-q", "-r", "-F", config, f"{run.files}/.", f"{HOST}:{run.copies}"])

        yield Contender(f"tar{suffix}", NOTHING, tar, "tar", reading=_from_file, usual=usual)
        yield Contender(f"rsync{suffix}", RSYNC, rsync, "rsync", reading=by_first_process, usual=usual)
        yield Contender(
            f"scp{suffix}", NOTHING, scp, "scp", goes_file_by_file=True, reading=by_first_process, usual=usual
        )

    def _one(self, run: Run) -> list[str]:
        return self._our_destination(run.copies)

    def _our_destination(self, folder: Path) -> list[str]:
        return [
            "StorageType: ssh",
            f"SshHost: {HOST}",
            f"SshConfigFile: {self._config}",
            f"BackupDirectory: {folder}",
        ]

    def _two(self, run: Run) -> list[str]:
        """Two folders there, each a destination."""
        first, second = run.copies / "1", run.copies / "2"
        first.mkdir()
        second.mkdir()
        first_lines, second_lines = self._our_destination(first), self._our_destination(second)
        return [*first_lines, "[Backup second]", *self._settings, *second_lines]

    def _rclone(self, *options: str) -> Callable[[Run], Command]:
        def command(run: Run) -> Command:
            remote = {
                "TYPE": "sftp",
                "HOST": "127.0.0.1",
                "PORT": str(self._port),
                "USER": getpass.getuser(),
                "KEY_FILE": str(self._key),
                "KNOWN_HOSTS_FILE": str(self._known_hosts),
                "SHELL_TYPE": "unix",  # it need not find out
                "MD5SUM_COMMAND": "md5sum",
                "SHA1SUM_COMMAND": "sha1sum",
            }
            return rclone_copy(run, remote, run.copies, options)

        return command

    def _restic(self, *arguments: str) -> Callable[[Run], Command]:
        def command(run: Run) -> Command:
            environment = {
                "RESTIC_REPOSITORY": f"sftp:{HOST}:{run.copies}",
                "RESTIC_PASSWORD": "no secret",
                "RESTIC_CACHE_DIR": str(run.folder / "cache"),
            }
            ssh = shlex.join(["ssh", "-F", str(self._config), HOST, "-s", "sftp"])
            return Command(["restic", "-o", f"sftp.command={ssh}", *arguments], environment, run.files)

        return command

    def _original(self, run: Run) -> Command:
        return original.command(run, self._port, self._key, self._known_hosts)

    @contextmanager
    def ready(self, run: Run) -> Iterator[None]:
        """A folder on the disk that all have."""
        run.copies.mkdir()
        yield

    def stored(self, run: Run) -> tuple[int, int]:
        """What lies in that folder."""
        return files_in(run.copies)


def _from_file(run: Run, _cost: Cost) -> int:
    return read_in(run.folder / "io")
