"""The tutorial, typed as it stands: on the sample Dataverse, to a real server."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from demo.proof import differences
from tests.acceptance.installation import COMMAND

if TYPE_CHECKING:
    from tests.acceptance.installation import Installation
    from tests.servers.sshd import SshServer

PAGE = Path(__file__).parents[2] / "docs" / "tutorial" / "first-backup.md"
BLOCK = re.compile(r"^```(sh|ini)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SOME_FILES_FAILED = 3
"""Three of the sample are spoilt on purpose."""
PID = "doi:10.5072/FK2/ABCDEF"


class Reader:
    """Does what the page says, on a machine of its own."""

    def __init__(self, site: Installation) -> None:
        self.site = site
        self.configuration = site.folder / "etc" / "config.ini"
        self._places = {
            "/etc/dataverse-backup": str(self.configuration.parent),
            "/tmp/restored": str(site.folder / "restored"),
        }

    def type(self, text: str) -> subprocess.CompletedProcess[str]:
        """Type one line or several, in the folder of the configuration as soon as it is there."""
        for written, ours in self._places.items():
            text = text.replace(written, ours)
        folder = self.configuration.parent
        return subprocess.run(
            ["/bin/sh", "-c", text],
            cwd=folder if folder.exists() else self.site.folder,
            env={"PATH": f"{COMMAND.parent}{os.pathsep}{os.defpath}", "HOME": str(self.site.folder)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def fill_in(self, backup: str) -> None:
        """Write into the generated file what is true here, and what the page shows of [Backup], with our server."""
        text, ours = self.configuration.read_text("utf-8"), self.site.configure().read_text("utf-8")
        stores = re.search(r"^\[Store local\].*?(?=^\[Backup\])", ours, re.MULTILINE | re.DOTALL)
        assert stores
        for key in re.findall(r"^(\w+):", backup, re.MULTILINE):
            assert f"\n{key}:" in text, f"the page shows {key}, and nobody has to fill it in"
        for line in re.findall(r"^[A-Z]\w+: .+$", ours, re.MULTILINE):
            place = re.compile(rf"^(; )?{line.partition(':')[0]}:.*$", re.MULTILINE)
            text = place.sub(line.replace("\\", r"\\"), text, count=1)
        self.configuration.write_text(f"{text}\n{stores[0]}", "utf-8")


def test_the_tutorial_leads_to_a_proven_backup_and_back(
    installation: Installation, ssh_server: SshServer, tmp_path: Path
) -> None:
    copies = ssh_server.sandbox()
    installation.back_up_over_ssh(ssh_server, copies)
    reader = Reader(installation)
    blocks = BLOCK.findall(PAGE.read_text("utf-8").partition("## 3. ")[2])
    (_, configure), (language, backup), *rest = blocks
    assert language == "ini"
    assert reader.type(configure).returncode == 0
    reader.fill_in(backup)
    typed = [line for _, lines in rest[:-1] for line in lines.splitlines()]
    codes = {line.partition("#")[0].split(" ", 1)[1].strip(): reader.type(line).returncode for line in typed}
    assert codes.pop("backup") == SOME_FILES_FAILED
    assert set(codes.values()) <= {0, SOME_FILES_FAILED}
    assert codes["check"] == 0
    listed = [json.loads(line) for line in reader.type("dataverse-backup list --json").stdout.splitlines()]
    assert differences(installation.sample, listed, copies) == []
    for line in rest[-1][1].splitlines():
        answer = reader.type(line.replace(PID, listed[0]["dataset"]))
        assert answer.returncode == 0, answer.stderr
    assert any(path.is_file() for path in (tmp_path / "restored").rglob("*"))
