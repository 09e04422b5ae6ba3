"""The sample Dataverse with a configuration, and the installed command to run on it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psycopg.conninfo import conninfo_to_dict

from dataverse_backup.datafile import MAIN
from tests.servers.seaweedfs import ACCESS_KEY, SECRET_KEY

if TYPE_CHECKING:
    from demo.sample import Sample
    from tests.servers.seaweedfs import SeaweedfsServer
    from tests.servers.sshd import SshServer
    from tests.servers.swift import SwiftServer

COMMAND = Path(sys.executable).with_name("dataverse-backup")


@dataclass
class Installation:
    """One Dataverse with one backup configuration, in a folder of its own."""

    folder: Path
    dsn: str
    sample: Sample
    database: dict[str, str] = field(default_factory=dict)
    destination: str = ""
    """What stands in [Backup]; by default the folder ``backup``."""
    local_store: str = ""
    """What stands in [Store local]; by default its folder."""
    extra: str = ""
    """Further sections."""
    before: tuple[str, ...] = ()
    """A command that runs the command: `prlimit`, `setpriv`."""
    environment: dict[str, str] = field(default_factory=dict)
    """What is other than in our own environment."""

    @property
    def backup(self) -> Path:
        return self.folder / "backup"

    def back_up_to_folder(self, *further: str) -> None:
        """Let the folder ``backup`` be the destination; *further* lines go into [Backup]."""
        self.destination = "\n".join(["StorageType: filesystem", f"Directory: {self.backup}", *further])

    def back_up_over_ssh(self, server: SshServer, folder: Path, *further: str) -> None:
        """Let *folder*, a sandbox of *server*, be the destination; *further* lines go into [Backup]."""
        settings = server.settings(folder)
        lines = [
            "StorageType: ssh",
            f"SshHost: {settings.host}",
            f"SshPort: {settings.port}",
            f"SshUsername: {settings.username}",
            f"BackupDirectory: {settings.directory}",
            f"SshConfigFile: {settings.config_file}",
            f"SshIdentityFile: {settings.identity_file}",
            f"SshKnownHosts: {settings.known_hosts}",
            *further,
        ]
        self.destination = "\n".join(lines)

    def back_up_to_s3(self, server: SeaweedfsServer, bucket: str, *further: str) -> None:
        """Let *bucket* of *server* be the destination; *further* lines go into [Backup]."""
        lines = [
            "StorageType: s3",
            f"S3Endpoint: {server.endpoint}",
            f"S3Bucket: {bucket}",
            f"S3AccessKey: {ACCESS_KEY}",
            f"S3SecretKey: {SECRET_KEY}",
            *further,
        ]
        self.destination = "\n".join(lines)

    def back_up_to_swift(self, server: SwiftServer, container: str, *further: str) -> None:
        """Let *container* of *server* be the destination; *further* lines go into [Backup]."""
        access = server.access
        lines = [
            "StorageType: swift",
            f"SwiftAuthUrl: {access.auth_url}",
            f"SwiftAuthVersion: {access.auth_version}",
            f"SwiftUser: {access.user}",
            f"SwiftKey: {access.key}",
            f"SwiftContainer: {container}",
            *further,
        ]
        self.destination = "\n".join(lines)

    def configure(self) -> Path:
        """Write the configuration; the path of it."""
        found = conninfo_to_dict(self.dsn)
        lines = [
            "[Database]",
            f"Host: {found['host']}",
            f"Port: {found['port']}",
            f"Database: {found['dbname']}",
            f"Username: {found['user']}",
            *([f"Password: {found['password']}"] if "password" in found else []),
            *(f"{key}: {value}" for key, value in self.database.items()),
            "[Repository]",
            f"FileSystemDirectory: {self.sample.stores['file']}",
            "[Store local]",
            self.local_store or f"type: file\ndirectory: {self.sample.stores['local']}",
            "[Store trsa]",
            "type: remote",
            "[Store globusm]",
            "type: globus",
            "[Backup]",
            self.destination or f"StorageType: filesystem\nDirectory: {self.backup}",
            self.extra,
        ]
        path = self.folder / "config.ini"
        path.write_text("\n".join(lines) + "\n")
        path.chmod(0o600)
        return path

    def run(self, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run the installed command with this configuration."""
        return subprocess.run(
            self._command(*arguments),
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the installed command and leave it running, with its workers in a process group of its own."""
        return subprocess.Popen(
            self._command(*arguments),
            env={**os.environ, **self.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def _command(self, *arguments: str) -> list[str | Path]:
        return [*self.before, COMMAND, "--config", self.configure(), *arguments]

    def listed(self, *arguments: str) -> list[dict[str, Any]]:
        """What `list --json` says of datafiles."""
        return [line for line in self.listed_with_companions(*arguments) if line["object"] == MAIN]

    def listed_with_companions(self, *arguments: str) -> list[dict[str, Any]]:
        """What `list --json` says."""
        answer = self.run("list", "--json", *arguments)
        assert answer.returncode == 0, answer.stderr
        return [json.loads(line) for line in answer.stdout.splitlines()]

    def status(self) -> dict[str, Any]:
        """What `status --json` says of the destination called default."""
        answer = self.run("status", "--json")
        assert answer.returncode == 0, answer.stderr
        found: dict[str, Any] = json.loads(answer.stdout)["destinations"]["default"]
        return found
