"""The scripts and the pins: plain sh, and nothing in them that belongs to one machine."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.servers import unavailable

CHECKOUT = Path(__file__).parents[2]
SCRIPTS = sorted(path for path in (CHECKOUT / "scripts").iterdir() if path.suffix == "")
CI = CHECKOUT / ".ci" / "run"
PIN = re.compile(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.!+]+)")


def pins() -> dict[str, str]:
    lines = (CHECKOUT / "constraints.txt").read_text().splitlines()
    matches = [PIN.fullmatch(line) for line in lines if not line.startswith("#")]
    assert None not in matches
    return {normal(match[1]): match[2] for match in matches if match}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_scripts_that_people_are_told_of_are_there() -> None:
    assert {"setup", "demo", "test", "check"} <= {path.name for path in SCRIPTS}


@pytest.mark.parametrize("script", [*SCRIPTS, CI], ids=lambda path: path.name)
def test_a_script_can_be_run_and_parses(script: Path) -> None:
    first_line = script.read_text().splitlines()[0]
    assert first_line == ("#!/usr/bin/env bash" if script == CI else "#!/bin/sh")
    assert script.stat().st_mode & 0o111
    subprocess.run(["bash" if script == CI else "sh", "-n", script], check=True, timeout=10)


def test_shellcheck_finds_nothing() -> None:
    shellcheck = shutil.which("shellcheck") or unavailable("shellcheck")
    result = subprocess.run([shellcheck, *SCRIPTS, CI], capture_output=True, text=True, timeout=60, check=False)
    assert result.stdout == ""


@pytest.mark.parametrize("path", [*SCRIPTS, CI, CHECKOUT / "constraints.txt"], ids=lambda path: path.name)
def test_nothing_is_fetched_from_an_address_of_its_own(path: Path) -> None:
    assert "://" not in path.read_text()


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *(name for extra in project["optional-dependencies"].values() for name in extra),
    ]
    names = {normal(re.split(r"[\[<>=!~; ]", requirement)[0]) for requirement in wanted} - {project["name"]}
    assert names - set(pins()) == set()
