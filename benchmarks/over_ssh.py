"""Copies to a server over ssh, through a link with a delay."""

from __future__ import annotations

import getpass
import shlex
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

from benchmarks import original
from benchmarks.contender import EVERYTHING, Contender, Run, by_all, by_first_process, files_in, found
from benchmarks.link import Link
from benchmarks.measuring import Command, Cost, read_in
from benchmarks.ours import ours
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

SSH = """#!/bin/sh
# ssh, and then what it read, so that it can be told apart from what was read for it.
ssh "$@"
status=$?
cat "/proc/$$/io" >"$READ_BY_SSH"
exit "$status"
"""


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
        (self._folder / "ssh").write_text(SSH)
        (self._folder / "ssh").chmod(0o755)

    def contenders(self) -> list[Contender]:
        """Everybody who can copy over ssh."""
        return [
            ours(self._our_destination, self._settings, proof=OURS),
            *self._openssh("", self._config),
            *self._openssh("-aes", self._fast_config),
            self._rclone("rclone"),
            self._rclone("rclone-32", *TUNED),
            Contender(
                "restic",
                RESTIC,
                self._restic("backup", "--quiet", "."),
                "restic",
                self._restic("init"),
                makes_files=False,
                reading=_without_ssh,
            ),
            Contender("original", ORIGINAL, self._original, goes_file_by_file=True, reading=by_all),
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

    def _our_destination(self, run: Run) -> list[str]:
        return [
            "StorageType: ssh",
            f"SshHost: {HOST}",
            f"SshConfigFile: {self._config}",
            f"BackupDirectory: {run.copies}",
        ]

    def _rclone(self, name: str, *options: str) -> Contender:
        def command(run: Run) -> Command:
            settings = {
                "TYPE": "sftp",
                "HOST": "127.0.0.1",
                "PORT": str(self._port),
                "USER": getpass.getuser(),
                "KEY_FILE": str(self._key),
                "KNOWN_HOSTS_FILE": str(self._known_hosts),
                "SHELL_TYPE": "unix",  # it needs not find out
                "MD5SUM_COMMAND": "md5sum",
                "SHA1SUM_COMMAND": "sha1sum",
            }
            environment = {f"RCLONE_CONFIG_{HOST.upper()}_{key}": value for key, value in settings.items()}
            environment["RCLONE_CONFIG"] = str(run.folder / "rclone.conf")
            return Command(
                [found("rclone") or "rclone", "copy", *options, run.files, f"{HOST}:{run.copies}"], environment
            )

        return Contender(name, RCLONE, command, "rclone", goes_file_by_file=True, reading=by_all)

    def _restic(self, *arguments: str) -> Callable[[Run], Command]:
        def command(run: Run) -> Command:
            environment = {
                "RESTIC_REPOSITORY": f"sftp:{HOST}:{run.copies}",
                "RESTIC_PASSWORD": "no secret",
                "RESTIC_CACHE_DIR": str(run.folder / "cache"),
                "READ_BY_SSH": str(run.folder / "read-by-ssh"),
            }
            ssh = shlex.join([str(self._folder / "ssh"), "-F", str(self._config), HOST, "-s", "sftp"])
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


def _without_ssh(run: Run, cost: Cost) -> int:
    return cost.read_by_all - read_in(run.folder / "read-by-ssh")
