"""Real OpenSSH servers: one with a shell account, one that allows nothing but SFTP (chrooted where we are root)."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

from dataverse_backup.destinations.ssh import SshSettings
from tests.servers.ports import free_port

_MEMORY = "/dev/shm"
_STARTING_TIMEOUT = 10.0


class NoSshd(Exception):
    """There is no OpenSSH server on this machine."""


class SshServer:
    """One sshd on 127.0.0.1. ``folder`` holds its keys and the client's; ``files`` is where backups go."""

    def __init__(
        self, *, shell: bool = True, path: str | None = None, login_shell: str | None = None, denied: str = ""
    ) -> None:
        """Log in to a shell account, or to ``internal-sftp`` alone.

        *path* is the PATH of its commands, *login_shell* what runs them instead of the account's own shell, *denied*
        the SFTP requests that are not answered, with commas between them.
        """
        found = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
        if found is None or shutil.which("ssh-keygen") is None:
            raise NoSshd("sshd (openssh-server)")
        self._sshd, self._shell, self._path = found, shell, path
        self._login_shell = login_shell
        self._sftp = f"internal-sftp -P {denied}" if denied else "internal-sftp"
        self.port = free_port()
        self.folder = Path()
        self.files = Path()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix="dataverse-backup-sshd-", dir=self._base()))
        self.folder.chmod(0o755)
        self.files = self.folder / "jail" / "files"
        self.files.mkdir(parents=True)
        self.rotate_host_key()
        self._make_client_key()
        self._write_configuration()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _base(self) -> str | None:
        """Where ``folder`` is made: in memory, where `sync` takes no time; a chroot's parents must be root's alone."""
        if self._is_chroot:
            return "/var/lib"
        return _MEMORY if os.access(_MEMORY, os.W_OK) else None

    @property
    def _is_chroot(self) -> bool:
        return not self._shell and os.geteuid() == 0

    @property
    def known_hosts(self) -> Path:
        """The client's known hosts: this server, with the key that it had when it was first started."""
        return self.folder / "known_hosts"

    def remote_path(self, folder: Path) -> str:
        """How the account sees *folder*, which lies below ``files``."""
        return f"/{folder.relative_to(self.folder / 'jail')}" if self._is_chroot else str(folder)

    def sandbox(self) -> Path:
        """A new empty folder below ``files``."""
        return Path(tempfile.mkdtemp(dir=self.files))

    def settings(
        self,
        folder: Path,
        *,
        known_hosts: Path | None = None,
        accept_new_host_keys: bool = False,
        port: int | None = None,
        connect_timeout: float = 10.0,
    ) -> SshSettings:
        """Settings for a backup directory below ``files``; nothing of the developer's own ssh is used."""
        return SshSettings(
            host="127.0.0.1",
            directory=self.remote_path(folder),
            port=port or self.port,
            username=getpass.getuser(),
            config_file=str(self.folder / "client_config"),
            identity_file=str(self.folder / "client_key"),
            known_hosts=str(known_hosts or self.known_hosts),
            accept_new_host_keys=accept_new_host_keys,
            connect_timeout=connect_timeout,
        )

    def start(self) -> None:
        """Start, and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._sshd, "-D", "-e", "-f", str(self.folder / "sshd_config")],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + _STARTING_TIMEOUT
        while not _answers(self.port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self.folder / "log").read_text())
            time.sleep(0.05)

    def stop(self) -> None:
        """End the server and every connection to it, at once."""
        process, self._process = self._process, None
        if process is None:
            return
        for child in _descendants(process.pid):
            _kill(child)
        process.kill()
        process.wait()

    def restart(self) -> None:
        """End every connection; be there again."""
        self.stop()
        self.start()

    def processes(self, name: str = "") -> list[int]:
        """The server and everything that it started; only what runs the program *name*, if that is given."""
        if self._process is None:
            return []
        found = [self._process.pid, *_descendants(self._process.pid)]
        return [pid for pid in found if not name or _program(pid) == name]

    def rotate_host_key(self) -> None:
        """Make a new host key; the first one is put into the client's known hosts."""
        key = self.folder / "host_key"
        key.unlink(missing_ok=True)
        _keygen(key)
        if not self.known_hosts.exists():
            self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {key.with_suffix('.pub').read_text()}")

    def certify_host_key(self, principal: str) -> str:
        """Show a certificate of the host key from now on; the public key of the authority that signed it."""
        authority, key = self.folder / "authority", self.folder / "host_key.pub"
        _keygen(authority)
        signing = ["ssh-keygen", "-q", "-s", str(authority), "-I", "test", "-h", "-n", principal, str(key)]
        subprocess.run(signing, check=True, timeout=30)
        with (self.folder / "sshd_config").open("a") as configuration:
            configuration.write(f"HostCertificate {self.folder / 'host_key-cert.pub'}\n")
        self.restart()
        return authority.with_suffix(".pub").read_text()

    @property
    def log(self) -> str:
        """What the server said."""
        return (self.folder / "log").read_text()

    def _login_script(self) -> Path:
        """What gives each command to ``login_shell`` as sshd gives it to the shell of an account."""
        script = self.folder / "login"
        script.write_text(
            f"case $SSH_ORIGINAL_COMMAND in\ninternal-sftp*) exec {_sftp_server()} ;;\nesac\n"
            f'exec {self._login_shell} -c "$SSH_ORIGINAL_COMMAND"\n'
        )
        return script

    def _make_client_key(self) -> None:
        key = self.folder / "client_key"
        _keygen(key)
        shutil.copy(key.with_suffix(".pub"), self.folder / "authorized_keys")
        (self.folder / "client_config").write_text("IdentityAgent none\n")

    def _write_configuration(self) -> None:
        lines = [
            f"Port {self.port}",
            "ListenAddress 127.0.0.1",
            f"HostKey {self.folder / 'host_key'}",
            f"AuthorizedKeysFile {self.folder / 'authorized_keys'}",
            "PidFile none",
            "StrictModes no",
            "UsePAM no",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "PermitRootLogin prohibit-password",
            f"Subsystem sftp {self._sftp}",
            "MaxStartups 100",
        ]
        if not self._shell:
            lines.append(f"ForceCommand {self._sftp}")
        if self._login_shell is not None:
            lines.append(f"ForceCommand /bin/sh {self._login_script()}")
        if self._is_chroot:
            lines.append(f"ChrootDirectory {self.folder / 'jail'}")
        path = f' "PATH={self._path}"' if self._path is not None else ""
        lines.append(f'SetEnv "HOME={self.folder}"{path}')  # the developer's own start-up files can be slow
        (self.folder / "sshd_config").write_text("\n".join(lines) + "\n")
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # where sshd separates its privileges


def _sftp_server() -> str:
    """The program behind ``internal-sftp``, which no other command can start."""
    places = ("/usr/lib/openssh", "/usr/lib/ssh", "/usr/libexec/openssh", "/usr/libexec")
    found = shutil.which("sftp-server", path=":".join(places))
    if found is None:
        raise NoSshd("sftp-server (openssh-sftp-server)")
    return found


def _keygen(key: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True, timeout=30)


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def _descendants(pid: int) -> list[int]:
    """The children of *pid*, and theirs."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True, timeout=10).stdout
    pairs = [tuple(map(int, line.split())) for line in listed.splitlines()]
    found: list[int] = []
    new = {pid}
    while new:
        new = {child for child, parent in pairs if parent in new}
        found += new
    return found


def _program(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except FileNotFoundError:  # it has just ended
        return ""


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
