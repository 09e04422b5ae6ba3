"""Storage identifiers and PIDs that mean harm, all the way to a folder and to a server.

PostgreSQL's text cannot hold NUL, so no name can: that one is for the unit and contract tests. And Dataverse's column
has room for 255 characters, which are up to 765 bytes.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataverse_backup.errors import Reason
from dataverse_backup.ledger.base import Status
from demo.contents import DATASETS, OnDisk, PersistentId, SampleDataset, SampleFile
from tests.acceptance.small import small_file, untruths

if TYPE_CHECKING:
    from tests.acceptance.conftest import Small
    from tests.servers.sshd import SshServer

SOME_FAILED = 3
SECRET = b"not a file of any dataset"

COPIED = [
    "two\nlines",
    "\x1b[31mred\x07",
    'it\'s "quoted" `touch pwned`',
    "$(touch pwned)",
    "; touch pwned #",
    "-rf",
    "--delete/-e sh",
    "~/.ssh",
    "*",
    "%2e%2e%2foutside",
    "back\\slash",
    " ",
    "\u202egnp.exe",
    "漢" * 85,
    "n" * 248,
    "/".join("漢" * 80 for _ in range(3)),
]
"""Odd, and good names all the same."""

LEADS_OUT = ["../outside", "../../../../outside", "a/../../../../../outside", "..", "/etc/passwd", "//etc/passwd"]
"""What leads out of the store is refused unread."""

NO_KEY = ["漢" * 86, "./x", "a//b"]
"""No destination that keeps files can have a copy of exactly this name."""

DATASETS_COPIED = [("$(touch pwned)", "`touch pwned`"), ("-rf", "*"), ("10.5072", "two\nlines"), ("'", '"')]
DATASETS_REFUSED = [("..", "../outside"), ("/etc", "x"), ("10.5072", "../../../outside")]
DATASETS_WITHOUT_KEY = [(".dataverse-backup", "staging"), (".superseded", "x")]


def named(name: str, **changes: Any) -> SampleFile:
    return small_file(storageidentifier=f"file://{name}", **changes)


def nothing(status: Status, reason: Reason) -> dict[str, Any]:
    return {"on_disk": OnDisk.NOTHING, "status": status, "reason": reason}


REFUSED = nothing(Status.FAIL_READ, Reason.REFUSED)
KEY_REFUSED = nothing(Status.FAIL_WRITE, Reason.KEY_REFUSED)


def hostile_files() -> tuple[list[SampleFile], dict[str, SampleDataset]]:
    """One datafile for each name, and the datasets that they are in."""
    datasets = dict(DATASETS)
    files = [
        *(named(name) for name in COPIED),
        *(named(name, **REFUSED) for name in LEADS_OUT),
        *(named(name, **KEY_REFUSED) for name in NO_KEY),
    ]
    for pids, changes in ((DATASETS_COPIED, {}), (DATASETS_REFUSED, REFUSED), (DATASETS_WITHOUT_KEY, KEY_REFUSED)):
        for pid in pids:
            datasets[repr(pid)] = SampleDataset(PersistentId("doi", *pid))
            files.append(small_file(dataset=repr(pid), **changes))
    return files, datasets


def test_hostile_names_are_copied_or_refused_and_lead_nowhere(small: Small, ssh_server: SshServer) -> None:
    installation = small(*hostile_files())
    around = ssh_server.sandbox()
    vault = around / "vault"
    vault.mkdir()
    for place in (installation.folder, around):
        (place / "outside").write_bytes(SECRET)
    installation.back_up_over_ssh(ssh_server, vault, "Workers: 1")
    installation.extra = f"[Backup vault]\n{installation.destination}"
    installation.back_up_to_folder("Workers: 1")
    answer = installation.run("backup")
    assert answer.returncode == SOME_FAILED, answer.stderr
    expected = {one.datafile_id: (one.status, one.reason) for one in installation.sample.expected}
    for destination, folder in (("default", installation.backup), ("vault", vault)):
        listed = installation.listed("--destination", destination)
        assert {line["datafile_id"]: (line["status"], line["reason"] or None) for line in listed} == expected
        assert untruths(installation.sample, listed, folder) == []
    assert {path.name for path in around.iterdir()} == {"outside", "vault"}
    assert {path.name.partition("ledger.db")[0] for path in installation.folder.iterdir()} == {
        *("", "backup", "config.ini", "dataverse", "outside")
    }
    for place in (installation.folder, around):
        assert (place / "outside").read_bytes() == SECRET
    assert not [place for place in (Path.cwd(), Path.home(), ssh_server.folder, vault) if (place / "pwned").exists()]
    shown = answer.stdout + answer.stderr + installation.run("list").stdout
    assert not {"\x1b", "\x07", "\u202e"} & set(shown)
