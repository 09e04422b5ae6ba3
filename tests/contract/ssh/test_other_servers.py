"""A server whose rename overwrites, as that of some servers does which are not OpenSSH."""

from __future__ import annotations

import getpass
import os
from typing import TYPE_CHECKING

import asyncssh
import pytest

from dataverse_backup.destinations.base import Failure
from dataverse_backup.destinations.ssh import SshSettings
from dataverse_backup.destinations.ssh.loop import EventLoopThread
from dataverse_backup.errors import KeyOccupied
from tests.contract.ssh.uploads import destination, objects, stored, upload

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ASIDE = ".superseded/a/1"


class Overwriting(asyncssh.SFTPServer):
    """Renames over whatever lies there, and knows no hard links."""

    def rename(self, oldpath: bytes, newpath: bytes) -> None:
        os.replace(self.map_path(oldpath), self.map_path(newpath))  # noqa: PTH105 -- bytes

    def link(self, oldpath: bytes, newpath: bytes) -> None:
        raise asyncssh.SFTPOpUnsupported(f"no links: {oldpath!r}, {newpath!r}")


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[SshSettings]:
    """Settings for a root on such a server."""
    keys = {name: asyncssh.generate_private_key("ssh-ed25519") for name in ("host", "client")}
    keys["client"].write_private_key(tmp_path / "client")
    keys["client"].write_public_key(tmp_path / "authorized_keys")
    (tmp_path / "config").write_text("IdentityAgent none\n")
    (tmp_path / "root").mkdir()
    loop = EventLoopThread("a server of another kind")
    server = loop.run(_listening(keys["host"], tmp_path / "authorized_keys"))
    known = f"[127.0.0.1]:{server.get_port()} {keys['host'].export_public_key().decode()}"
    (tmp_path / "known_hosts").write_text(known)
    yield SshSettings(
        "127.0.0.1",
        str(tmp_path / "root"),
        port=server.get_port(),
        username=getpass.getuser(),
        config_file=str(tmp_path / "config"),
        identity_file=str(tmp_path / "client"),
        known_hosts=str(tmp_path / "known_hosts"),
        big_file=10,
    )
    loop.call(server.close)
    loop.close()


async def _listening(host_key: asyncssh.SSHKey, authorized_keys: Path) -> asyncssh.SSHAcceptor:
    return await asyncssh.listen(
        "127.0.0.1",
        0,
        server_host_keys=[host_key],
        authorized_client_keys=str(authorized_keys),
        sftp_factory=Overwriting,
    )


@pytest.mark.parametrize("data", [b"new", b"new and big"], ids=["small", "big"])
def test_nothing_is_overwritten_where_a_rename_would(settings: SshSettings, tmp_path: Path, data: bytes) -> None:
    root = tmp_path / "root"
    with destination(settings) as one:
        stored(one, upload("a", b"old"), upload("b", b"other"))
        (failure,) = one.put([upload("a", data)])
        assert isinstance(failure, Failure)
        assert isinstance(failure.error, KeyOccupied)
        with pytest.raises(KeyOccupied):
            one.supersede("b", "a")
        assert (root / "a").read_bytes() == b"old"
        stored(one, upload("a", data, supersede_to=ASIDE))
    assert objects(root) == {"a", "b", ASIDE}
    assert ((root / "a").read_bytes(), (root / ASIDE).read_bytes()) == (data, b"old")
