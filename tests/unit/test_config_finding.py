from __future__ import annotations

from pathlib import Path

import pytest

from dataverse_backup.config import find
from dataverse_backup.errors import ConfigurationError


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_the_first_that_exists_is_found(here: Path) -> None:
    environ = {"HOME": str(here / "home")}
    at_home = made(here / "home/.config/dataverse-backup/config.ini")
    assert find(None, environ) == at_home
    made(here / "config.ini")
    assert find(None, environ) == Path("config.ini")
    named = made(here / "named.ini")
    assert find(None, environ | {"DATAVERSE_BACKUP_CONFIG": str(named)}) == named
    explicit = made(here / "explicit.ini")
    assert find(explicit, environ | {"DATAVERSE_BACKUP_CONFIG": str(named)}) == explicit


@pytest.mark.usefixtures("here")
def test_a_named_file_that_does_not_exist_is_never_passed_over() -> None:
    made(Path("config.ini"))
    with pytest.raises(ConfigurationError, match=r"none\.ini does not exist"):
        find(Path("none.ini"), {})
    with pytest.raises(ConfigurationError, match=r"none\.ini, named by \$DATAVERSE_BACKUP_CONFIG, does not exist"):
        find(None, {"DATAVERSE_BACKUP_CONFIG": "none.ini"})


def test_where_it_was_looked_for_is_told(here: Path) -> None:
    if Path("/etc/dataverse-backup/config.ini").exists():
        pytest.fail("this machine has a configuration, which the test would find")
    with pytest.raises(ConfigurationError) as refused:
        find(None, {"HOME": str(here)})
    assert f"{here}/.config/dataverse-backup/config.ini" in str(refused.value)
    assert "/etc/dataverse-backup/config.ini" in str(refused.value)
    assert "config generate" in refused.value.hint
