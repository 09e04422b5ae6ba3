"""What people install: the wheel, in a fresh environment, beside nothing of this checkout."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.small import small_files

if TYPE_CHECKING:
    from tests.acceptance.conftest import Small

CHECKOUT = Path(__file__).parents[2]
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "-q")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    done(*PIP, "wheel", "--no-build-isolation", "--no-deps", "--no-index", "--wheel-dir", folder, CHECKOUT)
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def prefix(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that has the wheel, and its dependencies from ours; not what is installed as editable there."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    venv.create(folder, symlinks=True)
    done(*PIP, "--python", folder / "bin" / "python", "install", "--no-deps", "--no-index", wheel)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return folder


def done(*command: str | Path, cwd: Path | None = None) -> str:
    answer = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def test_the_wheel_has_every_file_of_the_package_and_nothing_else(wheel: Path) -> None:
    source = CHECKOUT / "src"
    wanted = {str(path.relative_to(source)) for path in source.rglob("*") if path.is_file()}
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("dataverse_backup/")}
    assert packed == {name for name in wanted if "__pycache__" not in name}


def test_what_other_programs_read_lies_where_they_look(prefix: Path) -> None:
    share = prefix / "share"
    assert (share / "man/man1/dataverse-backup-backup.1").exists()
    assert (share / "bash-completion/completions/dataverse-backup").exists()
    assert (share / "zsh/site-functions/_dataverse-backup").exists()
    assert (share / "fish/vendor_completions.d/dataverse-backup.fish").exists()
    assert (share / "dataverse-backup/systemd/dataverse-backup.service").exists()


def test_the_installed_wheel_backs_up_and_reports(prefix: Path, small: Small, tmp_path: Path) -> None:
    site = small(small_files(2))
    command = (prefix / "bin/dataverse-backup", "--config", site.configure())
    (pages := tmp_path / "pages").mkdir()
    done(*command, "backup", "--quiet", cwd=tmp_path)
    done(*command, "report", "--html", pages, cwd=tmp_path)
    assert (pages / "index.html").exists()
    where = "import dataverse_backup; print(dataverse_backup.__file__)"
    assert done(prefix / "bin/python", "-c", where, cwd=tmp_path).startswith(str(prefix))
