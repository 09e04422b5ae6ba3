"""What the documentation tells people to type and to write is what the program takes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from dataverse_backup.cli.application import app
from dataverse_backup.config import load

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECKOUT = Path(__file__).parents[2]
PAGES = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
BASE = {
    "[Repository]": "[Repository]\nFileSystemDirectory: /data\n",
    "[Backup]": "[Backup]\nStorageType: filesystem\nDirectory: /copies\n",
}
"""What a configuration needs, by the section that says it."""
SECRET = re.compile(r"^(\w+(?:Password|Urls|Key)File|PasswordFile): (.+)$", re.MULTILINE)


def blocks(language: str) -> Iterator[tuple[str, str]]:
    """Every block of code in that language, with the name of its page."""
    for page in PAGES:
        for indent, found, text in BLOCK.findall(page.read_text("utf-8")):
            if found == language:
                yield str(page.relative_to(CHECKOUT)), re.sub(rf"^{indent}", "", text, flags=re.MULTILINE)


def commands() -> Iterator[tuple[str, str]]:
    """Every line that calls the program, without what the shell does with it."""
    for page, text in blocks("sh"):
        for line in text.replace("\\\n", "").splitlines():
            if match := re.match(r"(?:sudo -H -u \S+ )?(dataverse-backup( .*)?)$", line.partition(" #")[0].rstrip()):
                yield page, re.split(r" [|>&]", match[1])[0]


def test_every_command_in_the_documentation_is_one_of_the_program() -> None:
    found = list(commands())
    assert len(found) > 40
    for page, line in found:
        answer = CliRunner().invoke(app, [*shlex.split(line)[1:], "--help"])
        assert answer.exit_code == 0, f"{page}: {line}\n{answer.output}"


@pytest.mark.parametrize(("page", "text"), list(blocks("ini")))
def test_every_configuration_in_the_documentation_loads(page: str, text: str, tmp_path: Path) -> None:
    del page  # for who reads the name of the test
    block = text if re.search(r"^\[", text, re.MULTILINE) else f"[Notifications]\n{text}"
    block = "".join(map(whole, re.split(r"^(?=\[)", block, flags=re.MULTILINE)))
    block = SECRET.sub(lambda match: f"{match[1]}: {secret(tmp_path, match[2])}", block)
    path = tmp_path / "config.ini"
    path.write_text("\n".join([block, *(section for head, section in BASE.items() if head not in block)]), "utf-8")
    path.chmod(0o600)
    load(path, {})


def whole(section: str) -> str:
    """*section*, and where it shows only a few settings of a destination, what the destination needs."""
    head, _, rest = section.partition("\n")
    if not head.startswith("[Backup") or "StorageType" in rest or "SshHost" in rest:
        return section
    return f"{head}\nStorageType: filesystem\nDirectory: /copies/{head.strip('[]')}\n{rest}"


def secret(folder: Path, name: str) -> str:
    """A file of that name here, with a secret in it."""
    path = folder / Path(name).name
    path.write_text("json://example.edu")  # an address where one is wanted
    path.chmod(0o600)
    return str(path)
